"""An observer that lives in a host process, as a worker has it; and the worker's connection to that process."""

from __future__ import annotations

import asyncio
import itertools
from typing import Final

from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import Span
from omnidetective.framing import WireError
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverContext, ObserverSpec
from omnidetective.observers.border import BadObservationError
from omnidetective.observers.host.clips import clip_data
from omnidetective.observers.host.faults import PluginDiedError
from omnidetective.observers.host.link import Link, LostError
from omnidetective.observers.host.processes import Address
from omnidetective.observers.host.wire import (
    FROM_HOST,
    FROM_HOST_MOST,
    Hello,
    Observe,
    Open,
    Opened,
    receive,
    send,
)
from omnidetective.records import Observation

_MOST_LOSSES: Final = 10
"""So often may the process be lost before an answer, whoever was to blame."""


class IsolatedObserver:
    """An observer of a host process: asked like any other. See :class:`~omnidetective.observers.base.Observer`."""

    def __init__(self, spec: ObserverSpec, host: HostClient) -> None:
        self.spec = spec
        self._host = host

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        """Have the question answered in the host process.

        Raises:
            PluginFailedError: the observer raised something of its own.
            PluginDiedError: its process ended while it worked on the question.
            OmnidetectiveError: as the observer, or a model that it asked, raised it.
        """
        return await self._host.observe(self.spec.name, clip, question, span)


class HostClient:
    """The connection of this process to the host of one source; made anew when it is lost.

    A question whose process died beside others is asked once more, with nothing beside it: so the one that kills it is
    found out, and no other pays for it.
    """

    def __init__(self, name: str, address: Address, opening: Open, context: ObserverContext, *, load_s: float) -> None:
        self._name = name
        self._address = address
        self._opening = opening
        self._context = context
        self._load_s = load_s
        self._link: Link | None = None
        self._replaced: set[Link] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connecting = asyncio.Lock()
        self._numbers = itertools.count()

    async def observe(self, name: str, clip: Clip, question: str, span: Span | None) -> Observation:
        """See :meth:`IsolatedObserver.observe`."""
        asked = Observe(
            id=next(self._numbers), observer=name, clip=clip_data(clip), question=question, span=span, alone=False
        )
        for _ in range(_MOST_LOSSES):
            link = await self._connected()
            try:
                return await link.ask(asked)
            except LostError as lost:
                if lost.bad:
                    raise BadObservationError(lost.bad) from None
                if lost.started:
                    how = await self._how_it_ended(lost.pid)
                    if asked.alone:
                        raise PluginDiedError(
                            f"the process of {self._name} {how} while it worked on the question"
                        ) from None
                    asked = asked.model_copy(update={"alone": True})
        raise PluginDiedError(f"the process of {self._name} keeps ending")

    async def aclose(self) -> None:
        """Close the connection."""
        for link in (*self._replaced, *([] if self._link is None else [self._link])):
            await link.aclose()
        self._link = None
        self._replaced.clear()

    async def _connected(self) -> Link:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # A program may run one event loop after the other.
            self._loop, self._link, self._connecting = loop, None, asyncio.Lock()
            self._replaced.clear()
        async with self._connecting:
            if self._link is not None and not self._link.usable:
                self._replaced = {link for link in (*self._replaced, self._link) if not link.lost}
                self._link = None
            if self._link is None:
                self._link = await self._connect()
            return self._link

    async def _connect(self) -> Link:
        try:
            reader, writer = await asyncio.open_unix_connection(self._address.host, limit=2**20)
        except OSError:
            how = await self._how_it_ended(0)
            raise PluginDiedError(f"the process of {self._name} is not started again: the last one {how}") from None
        try:
            return await self._open(reader, writer)
        except BaseException:
            writer.close()
            raise

    async def _open(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Link:
        pid = 0
        try:
            async with asyncio.timeout(self._load_s):
                send(writer, self._opening)
                while (received := await receive(reader, FROM_HOST, FROM_HOST_MOST)) is not None:
                    message = received[0]
                    if isinstance(message, Hello):
                        pid = message.pid
                    elif isinstance(message, Opened):
                        if message.fault is not None:
                            raise message.fault.error()
                        return Link(reader, writer, pid, self._address, self._context)
            how = await self._how_it_ended(pid)
            raise PluginDiedError(f"the process of {self._name} {how} while it was loaded")
        except TimeoutError:
            await asyncio.to_thread(self._address.ask, {"ask": "stuck", "pid": pid})
            raise ObserverUnavailableError(
                f"the process of {self._name} was not ready after {self._load_s:g} s", reason="load_timeout"
            ) from None
        except WireError as error:
            raise BadObservationError(f"its process said what cannot be understood: {error}") from error

    async def _how_it_ended(self, pid: int) -> str:
        how, _ = await asyncio.to_thread(self._address.ask, {"ask": "end", "pid": pid})
        return how
