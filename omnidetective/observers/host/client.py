"""An observer that lives in a host process, as a worker has it; and the worker's connection to that process."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import Final

from omnidetective.errors import BudgetReachedError, ObserverUnavailableError
from omnidetective.evidence import Span
from omnidetective.framing import WireError
from omnidetective.llm.messages import AudioPart
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverContext, ObserverSpec
from omnidetective.observers.border import BadObservationError
from omnidetective.observers.host.calls import unpack
from omnidetective.observers.host.clips import clip_data
from omnidetective.observers.host.faults import Fault, PluginDiedError
from omnidetective.observers.host.processes import Address
from omnidetective.observers.host.wire import (
    FROM_HOST,
    FROM_HOST_MOST,
    Answered,
    CallAnswer,
    Cancel,
    Cancelled,
    ChatCall,
    Failed,
    FromHost,
    Hello,
    Leaving,
    Observe,
    Open,
    Opened,
    Started,
    TranscriptCall,
    receive,
    send,
)
from omnidetective.records import Observation

_MOST_LOSSES: Final = 10
"""So often may the process be lost before an answer, whoever was to blame."""
_TO_HEAR_S: Final = 5.0
"""A process that does not even hear for so long that a question was cancelled is stuck."""


class _LostError(Exception):
    """The connection ended first. ``started``: while the question was worked on; ``bad``: by what the host sent."""

    def __init__(self, *, started: bool, pid: int, bad: str = "") -> None:
        super().__init__()
        self.started = started
        self.pid = pid
        self.bad = bad


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
        self._link: _Link | None = None
        self._replaced: set[_Link] = set()
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
            except _LostError as lost:
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

    async def _connected(self) -> _Link:
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

    async def _connect(self) -> _Link:
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

    async def _open(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> _Link:
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
                        return _Link(reader, writer, pid, self._address, self._context)
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


@dataclass(slots=True)
class _Waiting:
    """A question that waits for its answer."""

    heard: asyncio.Queue[tuple[FromHost, bytes] | _LostError] = field(default_factory=asyncio.Queue)
    started: bool = False
    refused: BudgetReachedError | None = None


class _Link:
    """One connection to one host process, and the questions that wait on it."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pid: int,
        address: Address,
        context: ObserverContext,
    ) -> None:
        self.lost = False
        self._leaving = False
        self._writer = writer
        self._pid = pid
        self._address = address
        self._context = context
        self._waiting: dict[int, _Waiting] = {}
        self._cancelled: dict[int, asyncio.Event] = {}
        self._watching: set[asyncio.Task[None]] = set()
        self._listener = asyncio.create_task(self._listen(reader))

    @property
    def usable(self) -> bool:
        """Whether it takes questions."""
        return not (self.lost or self._leaving)

    async def ask(self, question: Observe) -> Observation:
        """Put a question and make the model calls that its answer needs, on account of whoever asks.

        Raises:
            _LostError: the connection ended first.
            OmnidetectiveError: see :meth:`IsolatedObserver.observe`.
        """
        if not self.usable:
            raise _LostError(started=False, pid=self._pid)
        self._waiting[question.id] = waiting = _Waiting()
        calls: set[asyncio.Task[None]] = set()
        send(self._writer, question)
        try:
            while True:
                heard = await waiting.heard.get()
                if isinstance(heard, _LostError):
                    raise heard
                match heard:
                    case Answered() as answered, _:
                        return answered.observation
                    case Failed() as failed, _:
                        raise _raised(failed.fault, waiting)
                    case Leaving(), _:
                        self._leaving = True
                        raise _LostError(started=False, pid=self._pid)
                    case (ChatCall() | TranscriptCall()) as wanted, media:
                        call = asyncio.create_task(self._call(wanted, media, waiting))
                        calls.add(call)
                        call.add_done_callback(calls.discard)
        except asyncio.CancelledError:
            self._cancel(question.id)
            raise
        finally:
            del self._waiting[question.id]
            for call in list(calls):
                call.cancel()

    async def aclose(self) -> None:
        """Close it; the host hears of it."""
        self._listener.cancel()
        for watching in list(self._watching):
            watching.cancel()
        await asyncio.wait({self._listener, *self._watching})

    async def _call(self, wanted: ChatCall | TranscriptCall, media: bytes, waiting: _Waiting) -> None:
        """Make a model call of an observer, in the context of whoever asked it."""
        cast = self._context.cast
        answer = CallAnswer(id=wanted.id, call=wanted.call)
        try:
            if isinstance(wanted, ChatCall):
                reply = await cast.chat(wanted.role).complete(unpack(wanted.request, media))
                answer = answer.model_copy(update={"reply": reply})
            else:
                audio = AudioPart(data=media, format=wanted.format, duration_s=wanted.duration_s)
                speech = await cast.transcriber(wanted.role).transcribe(audio, language=wanted.language)
                answer = answer.model_copy(update={"speech": speech})
        except Exception as error:  # noqa: BLE001 - the observer is told, as if it had made the call itself
            if isinstance(error, BudgetReachedError):
                waiting.refused = error
            answer = answer.model_copy(update={"fault": Fault.of(error)})
        if self.lost:
            return
        try:
            send(self._writer, answer)
        except ValueError as error:  # A model can say what is no Unicode.
            send(self._writer, CallAnswer(id=wanted.id, call=wanted.call, fault=Fault.of(error)))

    def _cancel(self, number: int) -> None:
        if self.lost:
            return
        send(self._writer, Cancel(id=number))
        self._cancelled[number] = heard = asyncio.Event()
        watching = asyncio.create_task(self._see_it_heard(number, heard))
        self._watching.add(watching)
        watching.add_done_callback(self._watching.discard)

    async def _see_it_heard(self, number: int, heard: asyncio.Event) -> None:
        """A host that does not even hear that a question was cancelled works for nobody: have it killed."""
        try:
            async with asyncio.timeout(_TO_HEAR_S):
                await heard.wait()
        except TimeoutError:
            await asyncio.to_thread(self._address.ask, {"ask": "stuck", "pid": self._pid})
        finally:
            self._cancelled.pop(number, None)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        bad = ""
        try:
            while (received := await receive(reader, FROM_HOST, FROM_HOST_MOST)) is not None:
                self._hear(*received)
        except WireError as error:
            bad = f"its process sent {error}"
        finally:
            self.lost = True
            self._writer.close()
            for heard in self._cancelled.values():
                heard.set()
            for waiting in self._waiting.values():
                waiting.heard.put_nowait(_LostError(started=waiting.started, pid=self._pid, bad=bad))

    def _hear(self, message: FromHost, payload: bytes) -> None:
        if isinstance(message, Hello | Opened):
            return
        if isinstance(message, Cancelled):
            if (heard := self._cancelled.get(message.id)) is not None:
                heard.set()
        elif (waiting := self._waiting.get(message.id)) is None:
            return  # Nobody waits for it any more.
        elif isinstance(message, Started):
            waiting.started = True
        else:
            waiting.heard.put_nowait((message, payload))


def _raised(fault: Fault, waiting: _Waiting) -> Exception:
    """What an observer raised. Only who was refused money can say that the run's money is spent."""
    if fault.type != BudgetReachedError.__name__:
        return fault.error()
    if waiting.refused is not None:
        return waiting.refused
    return fault.model_copy(update={"type": "a plugin's word for it"}).error()
