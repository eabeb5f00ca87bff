"""Runs clips in worker processes on this machine.

Each worker does ``concurrency`` clips at once on its own event loop; the parent hands out a clip only when a worker has
room for it, so what is in flight is bounded by ``num_workers * concurrency``. A worker that dies, or is killed because
it no longer answers, is replaced. Any of the clips that it held can be to blame, so each of them is tried once more
with nothing beside it: one that kills its worker again is given up, the others get their records.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from omnidetective.engine.base import Worker
from omnidetective.engine.feed import Feed
from omnidetective.engine.process import WorkerDiedError, WorkerProcess
from omnidetective.engine.wire import Finished, WorkerSetup
from omnidetective.errors import OmnidetectiveError
from omnidetective.records import InputRow

_FRUITLESS_DEATHS: Final = 3
_log = logging.getLogger(__name__)


class LocalEngine:
    """Does the clips of a feed.

    Attributes:
        crashes: how many workers died.
    """

    def __init__(
        self,
        setup: WorkerSetup,
        *,
        num_workers: int,
        concurrency: int,
        deadline_s: float,
        hire: Callable[[WorkerSetup], Worker] = WorkerProcess,
    ) -> None:
        """
        Args:
            setup: what each worker is told.
            num_workers: worker processes; no more are started than there are clips for.
            concurrency: clips at once in each.
            deadline_s: a worker that says nothing about a clip for so long is stuck, and is killed.
            hire: makes a worker that is not started yet; by default a process on this machine.
        """
        self._setup = setup
        self._num_workers = num_workers
        self._concurrency = concurrency
        self._deadline_s = deadline_s
        self._hire = hire
        self._fruitless = 0
        self.crashes = 0

    async def run(self, feed: Feed, deliver: Callable[[Finished], None]) -> None:
        """Do every clip of the feed, until it ends or is stopped; clips in flight are finished.

        Args:
            feed: where the clips come from.
            deliver: told of each clip once, in the order in which they are done.

        Raises:
            OmnidetectiveError: workers cannot start.
        """
        async with asyncio.TaskGroup() as group:
            for _ in range(self._num_workers):
                group.create_task(self._tend(feed, deliver))

    async def _tend(self, feed: Feed, deliver: Callable[[Finished], None]) -> None:
        """Keep one worker alive for as long as there is work for it."""
        suspects: deque[InputRow] = deque()
        while suspects or await feed.ready():
            if feed.stopped:
                break
            worker = self._hire(self._setup)
            try:
                await worker.start()
                await self._use(worker, feed, suspects, self._counting(deliver))
            except WorkerDiedError as death:
                self._died(death.how, holding=len(suspects))
            finally:
                await worker.close()
        for row in suspects:
            feed.put_back(row)

    async def _use(
        self, worker: Worker, feed: Feed, suspects: deque[InputRow], deliver: Callable[[Finished], None]
    ) -> None:
        """Give a worker clips until there are none left. When it dies, the clips that it held are the suspects.

        Raises:
            WorkerDiedError: it died.
        """
        while suspects and not feed.stopped:
            await self._alone(worker, suspects, deliver)
        deaths: list[WorkerDiedError] = []

        async def lane() -> None:
            while not deaths and (row := await feed.take()) is not None:
                try:
                    deliver(await worker.work(row, deadline_s=self._deadline_s))
                except WorkerDiedError as death:
                    deaths.append(death)
                    if death.held:
                        suspects.append(row)
                    else:
                        feed.put_back(row)

        if not suspects:
            async with asyncio.TaskGroup() as lanes:
                for _ in range(self._concurrency):
                    lanes.create_task(lane())
        if deaths:
            raise deaths[0]

    async def _alone(self, worker: Worker, suspects: deque[InputRow], deliver: Callable[[Finished], None]) -> None:
        row = suspects[0]
        try:
            finished = await worker.work(row, deadline_s=self._deadline_s)
        except WorkerDiedError as death:
            if not death.held:
                raise
            suspects.popleft()
            deliver(_given_up(row, death))
            raise
        suspects.popleft()
        deliver(finished)

    def _counting(self, deliver: Callable[[Finished], None]) -> Callable[[Finished], None]:
        def counted(finished: Finished) -> None:
            self._fruitless = 0
            deliver(finished)

        return counted

    def _died(self, how: str, *, holding: int) -> None:
        """A worker died. Deaths that no clip can be blamed for do not go on for ever.

        Raises:
            OmnidetectiveError: that was the third in a row.
        """
        self.crashes += 1
        self._fruitless = 0 if holding else self._fruitless + 1
        if self._fruitless >= _FRUITLESS_DEATHS:
            raise OmnidetectiveError(
                f"{_FRUITLESS_DEATHS} worker processes in a row died before they did anything; the last one {how}",
                reason="worker_start",
                hint="in a script of your own, the call must stand under `if __name__ == '__main__':`",
            )
        again = f"; clips to be tried again, one by one: {holding}" if holding else ""
        _log.warning("a worker process %s and is replaced%s", how, again)


def _given_up(row: InputRow, death: WorkerDiedError) -> Finished:
    return Finished.without_record(
        row,
        outcome="timed_out" if death.stuck else "crashed",
        error_type="ClipTimeoutError" if death.stuck else "CrashError",
        reason="worker_stuck" if death.stuck else "worker_died",
        message=f"the process that worked on the clip {death.how}; it was the second one, and had nothing else to do",
        hint="the media or a tool that reads them is broken, or the memory or the time is too small for them",
        attempts=2,
    )
