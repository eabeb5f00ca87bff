"""The driver's side of one actor."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Final

import ray
from ray.exceptions import ActorUnavailableError, RayActorError, RayError

import omnidetective
from omnidetective.engine.base import WorkerDiedError
from omnidetective.engine.logs import log_from_worker
from omnidetective.engine.permit_desk import PermitDesk
from omnidetective.engine.permit_talk import PermitTalk
from omnidetective.engine.ray_actor import Parcel
from omnidetective.engine.wire import Finished, LogLine, Message, Ready, Spending, StartFailed
from omnidetective.errors import ConfigError, OmnidetectiveError, UserError
from omnidetective.llm.limits.bookkeeper import Bookkeeper
from omnidetective.records import InputRow

_START_S: Final = 300.0
_LEAVE_S: Final = 15.0
_POLL_S: Final = 0.2
_SAY_S: Final = 20.0
_NO_ROOM_S: Final = 900.0
_log = logging.getLogger(__name__)


class Room:
    """Where actors are on the cluster, as far as waiting for a place goes.

    An actor that the cluster has no room for is no error while others work: it is there when room comes, and is not
    missed when the clips have run out before.
    """

    def __init__(self, claim: str, *, needed: Callable[[], bool], stopped: Callable[[], bool]) -> None:
        """
        Args:
            claim: what an actor asks for, in words.
            needed: whether there are clips for one more actor.
            stopped: whether no more clips are to be begun.
        """
        self.needed = needed
        self.stopped = stopped
        self.taken = 0
        self._claim = claim
        self._waiting_since: float | None = None
        self._told = False

    def came(self) -> None:
        """An actor has its place."""
        self.taken += 1
        self._waiting_since = None

    def check(self) -> None:
        """To be called now and then by whoever waits: says so, and gives up when nobody has had room for long.

        Raises:
            OmnidetectiveError: it was in vain for a quarter of an hour.
        """
        now = time.monotonic()
        if self.taken:
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now
        elif now - self._waiting_since > _NO_ROOM_S:
            raise OmnidetectiveError(
                f"the Ray cluster had no room for any actor for {_NO_ROOM_S / 60:g} minutes; each asks for "
                f"{self._claim}, and the cluster has {_has()}",
                reason="worker_start",
                hint="lower ray.num_cpus or ray.num_gpus, or add nodes",
            )

    def tell(self) -> None:
        """Say once in the log that an actor waits."""
        if not self._told:
            self._told = True
            _log.warning(
                "the Ray cluster has no room for all actors yet: each asks for %s, and the cluster has %s. The run "
                "goes on with %d of them",
                self._claim,
                _has(),
                self.taken,
            )


class RayWorker:
    """One actor: started when the cluster has room for it, given clips, and surely gone after :meth:`close`."""

    def __init__(
        self, actor: Any, parcel: Parcel, room: Room, keeper: Bookkeeper, spending: Callable[[Spending], None]
    ) -> None:
        """
        Args:
            actor: handle of a :class:`~omnidetective.engine.ray_actor.WorkerActor`.
            parcel: what it is told.
            room: shared by the actors of a run.
            keeper: gives leave for its model calls.
            spending: told what its clips in flight have spent, as it happens.
        """
        self._desk = PermitDesk(keeper, lambda talk: actor.hear.remote(talk))
        self._spending = spending
        self._actor = actor
        self._parcel = parcel
        self._room = room
        self._begun: asyncio.Task[None] | None = None
        self._listener: asyncio.Task[None] | None = None
        self._waiting = 0
        self._node = ""
        self._how: str | None = None

    @property
    def pid(self) -> None:
        """It is on another machine, or might as well be."""
        return

    async def start(self) -> None:
        """Wait until the actor has a place and its pipeline is built, or until there are no clips for it any more.

        Raises:
            OmnidetectiveError: the pipeline cannot be built, another version of this program is installed on the node,
                or the cluster has no room for any actor.
            WorkerDiedError: it died before it was ready.
        """
        self._begun = asyncio.create_task(self._begin())
        await self._wait(self._begun, self._room.needed)

    async def work(self, row: InputRow, *, deadline_s: float) -> Finished:
        """Have a clip done.

        Raises:
            WorkerDiedError: it died first, or was killed because there was no answer within ``deadline_s``.
        """
        assert self._begun is not None
        if not await self._wait(self._begun, lambda: not self._room.stopped()):
            raise WorkerDiedError("found no room in the Ray cluster before the run was stopped", held=False)
        if self._how is not None:
            raise WorkerDiedError(self._how, held=False)
        self._waiting += 1
        try:
            async with asyncio.timeout(deadline_s) as limit:
                finished: Finished = await self._actor.work.remote(row)
                return finished
        except TimeoutError:
            if not limit.expired():
                raise
            self._kill()
            raise WorkerDiedError(f"was stuck and was killed after {deadline_s:g} s", held=True, stuck=True) from None
        except RayError as error:
            # Also where it only cannot be reached: whether it goes on with the clip is not known, so it must not.
            self._how = self._how or how_it_died(error, self._node)
            self._kill()
            raise WorkerDiedError(self._how, held=True) from None
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """End the actor: politely when it has answered for every clip, otherwise at once."""
        try:
            ready = self._begun is not None and self._begun.done() and not self._begun.cancelled()
            if ready and self._begun and self._begun.exception() is None and self._how is None and not self._waiting:
                async with asyncio.timeout(_LEAVE_S):
                    for message in await self._actor.finish.remote():
                        self._heard(message)
        except (RayError, TimeoutError):
            pass  # Every clip is written; there is nothing left to lose.
        finally:
            self._kill()
            if self._node:
                self._room.taken -= 1
            for task in (self._begun, self._listener):
                if task is not None and not task.done():
                    task.cancel()

    async def _begin(self) -> None:
        try:
            version, self._node = await self._actor.hello.remote()
            self._room.came()
            _check_version(version, self._node)
            async with asyncio.timeout(_START_S):
                answer: Ready | StartFailed = await self._actor.start.remote(self._parcel)
        except RayActorError as error:
            self._how = how_it_died(error, self._node)
            # No clip is to blame, not even one that waits for this actor: Ray goes on sending new actors to a node that
            # has died until it notices.
            raise WorkerDiedError(self._how, held=False) from None
        except RayError as error:  # Not even its class could be loaded.
            raise OmnidetectiveError(
                f"an actor cannot be started: {_last_line(error)}",
                reason="worker_start",
                hint=f"install omnidetective {omnidetective.__version__} on every node of the Ray cluster",
            ) from None
        except TimeoutError:
            raise OmnidetectiveError(f"an actor was not ready after {_START_S:g} s", reason="worker_start") from None
        if isinstance(answer, StartFailed):
            kind = UserError if answer.by_user else OmnidetectiveError
            raise kind(answer.message, reason=answer.reason, hint=answer.hint)
        self._listener = asyncio.create_task(self._listen())

    async def _wait(self, begun: asyncio.Task[None], needed: Callable[[], bool]) -> bool:
        """Wait for the beginning for as long as it is needed; whether it came.

        Raises:
            OmnidetectiveError: it went wrong.
        """
        since = time.monotonic()
        while not begun.done():
            if not needed():
                return False
            await asyncio.wait({begun}, timeout=_POLL_S)
            if not begun.done() and not self._node:
                self._room.check()
                if time.monotonic() - since > _SAY_S:
                    self._room.tell()
        await begun
        return True

    async def _listen(self) -> None:
        """Hear what the actor tells besides its answers. Ends with the actor."""
        try:
            while True:
                for message in await self._actor.listen.remote():
                    self._heard(message)
        except RayError as error:
            self._how = self._how or how_it_died(error, self._node)

    def _heard(self, message: Message) -> None:
        match message:
            case LogLine():
                log_from_worker(message)
            case Spending():
                self._spending(message)
            case PermitTalk():
                self._desk.heard(message)

    def kill_too_large(self, how: str) -> None:
        """Kill it because of the memory that it holds.

        Args:
            how: what is to be said of its end.
        """
        self._how = self._how or how
        self._kill()

    def _kill(self) -> None:
        self._how = self._how or "was killed"
        self._desk.close()
        ray.kill(self._actor, no_restart=True)


def how_it_died(error: RayError, node: str) -> str:
    """How an actor ended, for people: without the ids and the advice that Ray adds."""
    on = f" on {node}" if node else ""
    text = str(error)
    if isinstance(error, ActorUnavailableError):
        return f"can no longer be reached{on}"
    if not isinstance(error, RayActorError):
        return f"was lost{on} ({_last_line(error)})"
    if "worker process has died" in text:
        return f"died{on}"
    return f"was lost with its node{node and f' {node}'}" if "node" in text else f"was lost{on}"


def _check_version(version: str, node: str) -> None:
    if version != omnidetective.__version__:
        raise ConfigError(
            f"node {node} has omnidetective {version}, and this is {omnidetective.__version__}",
            reason="worker_start",
            hint="install the same version on every node of the Ray cluster",
        )


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()


def _has() -> str:
    total = ray.cluster_resources()
    return f"{total.get('CPU', 0):g} CPUs and {total.get('GPU', 0):g} GPUs"
