"""One place for a worker process: occupied for as long as there is work, whatever becomes of the worker in it.

A worker that has done its share, or grown too large, is given no more clips; the next one takes the seat while the old
one finishes what it has. When a worker dies, any of the clips that it held can be to blame: each is tried again with
nothing beside it, until it has had ``limits.attempts``.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from omnidetective.engine.base import Worker, WorkerDiedError
from omnidetective.engine.feed import Feed
from omnidetective.engine.wire import Finished
from omnidetective.memory import memory_mb
from omnidetective.records import InputRow

_FAR_ABOVE: Final = 1.5
_LOOK_S: Final = 0.2
_LEAD_SHARE: Final = 10
"""A successor is started when a tenth of the clips are left, and time for one more round of the lanes."""
_log = logging.getLogger(__name__)


class House(Protocol):
    """What a seat needs of the engine that it belongs to."""

    async def begin(self) -> Worker:
        """A worker that is ready."""
        ...

    async def end(self, worker: Worker) -> None:
        """See a worker out."""
        ...

    def died(self, how: str, *, holding: int) -> None:
        """A worker died; raises where that has happened too often."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms workers work.

    Attributes:
        lanes: clips at once in one worker.
        deadline_s: a worker that says nothing about a clip for so long is stuck, and is killed.
        attempts: how often a clip is tried whose worker died.
        recycle_after: clips after which a worker is replaced; 0: never.
        memory_mb: memory above which it is; ``None``: no limit.
    """

    lanes: int
    deadline_s: float
    attempts: int
    recycle_after: int
    memory_mb: int | None

    @property
    def successor_at(self) -> int:
        """Clips after which the successor is started."""
        return max(1, self.recycle_after - max(self.lanes, self.recycle_after // _LEAD_SHARE))


@dataclass(frozen=True, slots=True)
class _Suspect:
    """A clip whose worker died."""

    row: InputRow
    deaths: int = 0


@dataclass(slots=True)
class _Tenure:
    """A worker's time in the seat."""

    worker: Worker
    given: int = 0
    held: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)
    death: WorkerDiedError | None = None

    @property
    def goes_on(self) -> bool:
        # However large a worker is: one clip at least, or the run would never end.
        return self.death is None and (not self.over.is_set() or self.given == 0)


class Seat:
    """Does clips of a feed, with one worker after the other.

    Args:
        deliver: told of each clip once, in the order in which they are done.
    """

    def __init__(self, house: House, feed: Feed, deliver: Callable[[Finished], None], terms: Terms) -> None:
        self._house = house
        self._feed = feed
        self._deliver = deliver
        self._terms = terms
        self._suspects: deque[_Suspect] = deque()
        self._leaving: set[asyncio.Task[None]] = set()
        self._successor: asyncio.Task[Worker | WorkerDiedError] | None = None

    async def run(self) -> None:
        """Do clips until there are none left or the feed is stopped; those in flight are finished.

        Raises:
            OmnidetectiveError: workers cannot start.
        """
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                while await self._is_needed():
                    await self._occupy()
                if self._leaving:
                    await asyncio.wait(self._leaving)
            finally:
                await self._dismiss_successor()
        for suspect in self._suspects:
            self._feed.put_back(suspect.row)

    async def _is_needed(self) -> bool:
        while not self._feed.stopped:
            if self._suspects or await self._feed.ready():
                return True
            if not self._leaving:
                return False
            # A worker that is leaving can still die, and leave clips behind.
            await asyncio.wait(self._leaving, return_when=asyncio.FIRST_COMPLETED)
        return False

    async def _occupy(self) -> None:
        """Seat one worker until it dies, is to be replaced, or is not needed any more."""
        successor, self._successor = self._successor, None
        begun = await (successor or self._begin())
        if isinstance(begun, WorkerDiedError):
            self._house.died(begun.how, holding=0)
            return
        tenure = _Tenure(begun)
        lanes: set[asyncio.Task[None]] = set()
        watch = None
        if self._terms.memory_mb is not None:
            watch = self._group.create_task(self._watch_memory(tenure, self._terms.memory_mb))
        handed_over = False
        try:
            while not self._feed.stopped and tenure.goes_on:
                if self._suspects:
                    await self._alone(tenure)
                elif await self._feed.ready():
                    lanes = {self._group.create_task(self._lane(tenure)) for _ in range(self._terms.lanes)}
                    await _either(lanes, tenure.over)
                    if any(not lane.done() for lane in lanes):
                        break
                else:
                    break
            leaving = self._group.create_task(self._leave(tenure, lanes, watch))
            handed_over = True
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
            if not tenure.over.is_set():
                await asyncio.wait({leaving})
        finally:
            if not handed_over:
                await self._house.end(begun)

    async def _leave(self, tenure: _Tenure, lanes: set[asyncio.Task[None]], watch: asyncio.Task[None] | None) -> None:
        """Let a worker finish the clips that it has, and see it out."""
        try:
            if lanes:
                await asyncio.wait(lanes)
        finally:
            if watch is not None:
                watch.cancel()
            await self._house.end(tenure.worker)
        if tenure.death is not None:
            self._house.died(tenure.death.how, holding=tenure.held)

    async def _lane(self, tenure: _Tenure) -> None:
        """Give the worker one clip after the other."""
        while tenure.goes_on and not self._suspects and (row := await self._feed.take()) is not None:
            if not tenure.goes_on:
                self._feed.put_back(row)
                break
            await self._work(tenure, _Suspect(row))

    async def _alone(self, tenure: _Tenure) -> None:
        await self._work(tenure, self._suspects.popleft())

    async def _work(self, tenure: _Tenure, clip: _Suspect) -> None:
        tenure.given += 1
        if self._terms.recycle_after:
            if tenure.given >= self._terms.recycle_after:
                self._retire(tenure, f"after {tenure.given:,} clips")
            elif tenure.given >= self._terms.successor_at:
                self._prepare_successor()
        try:
            finished = await tenure.worker.work(clip.row, deadline_s=self._terms.deadline_s)
        except WorkerDiedError as death:
            tenure.death = tenure.death or death
            if not death.held:
                self._again(clip)
                return
            tenure.held += 1
            clip = _Suspect(clip.row, clip.deaths + 1)
            if clip.deaths < self._terms.attempts:
                self._suspects.append(clip)
            else:
                self._deliver(_given_up(clip, death))
        else:
            self._deliver(finished)

    def _again(self, clip: _Suspect) -> None:
        """Put back a clip that the worker was never given."""
        if clip.deaths:
            self._suspects.appendleft(clip)
        else:
            self._feed.put_back(clip.row)

    def _retire(self, tenure: _Tenure, why: str) -> None:
        if not tenure.over.is_set():
            tenure.over.set()
            _log.info("a worker (process %s) is replaced %s", tenure.worker.pid or "elsewhere", why)
            self._prepare_successor()

    async def _watch_memory(self, tenure: _Tenure, most_mb: int) -> None:
        while tenure.death is None and tenure.worker.pid is not None:
            held_mb = await asyncio.to_thread(memory_mb, tenure.worker.pid)
            if held_mb > most_mb * _FAR_ABOVE:
                limit = f"far more than workers.memory_mb={most_mb}"
                tenure.worker.kill_too_large(f"was killed as it held {held_mb:,.0f} MB, {limit}")
                return
            if held_mb > most_mb:
                self._retire(tenure, f"as it holds {held_mb:,.0f} MB, more than workers.memory_mb={most_mb}")
            await asyncio.sleep(_LOOK_S)

    def _prepare_successor(self) -> None:
        if self._successor is None and not self._feed.stopped and not self._feed.exhausted:
            self._successor = self._group.create_task(self._begin())

    async def _begin(self) -> Worker | WorkerDiedError:
        try:
            return await self._house.begin()
        except WorkerDiedError as death:
            return death

    async def _dismiss_successor(self) -> None:
        if self._successor is None:
            return
        self._successor.cancel()
        await asyncio.wait({self._successor})
        if not self._successor.cancelled() and self._successor.exception() is None:
            begun = self._successor.result()
            if not isinstance(begun, WorkerDiedError):
                await self._house.end(begun)


async def _either(lanes: set[asyncio.Task[None]], over: asyncio.Event) -> None:
    """Wait until all lanes have ended, or a worker's time is over."""
    ended = asyncio.ensure_future(asyncio.wait(lanes))
    told = asyncio.ensure_future(over.wait())
    try:
        await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended.cancel()
        told.cancel()


def _given_up(clip: _Suspect, death: WorkerDiedError) -> Finished:
    times = "the first time" if clip.deaths == 1 else f"{clip.deaths} times, the last time with nothing else to do"
    return Finished.without_record(
        clip.row,
        outcome="timed_out" if death.stuck else "crashed",
        error_type="ClipTimeoutError" if death.stuck else "CrashError",
        reason="worker_stuck" if death.stuck else "worker_too_large" if death.too_large else "worker_died",
        message=f"the process that worked on the clip {death.how}; it was tried {times}",
        hint="raise workers.memory_mb, or leave the clip out"
        if death.too_large
        else "the media or a tool that reads them is broken, or the memory or the time is too small for them",
        attempts=clip.deaths,
    )
