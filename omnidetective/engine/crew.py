"""The workers of a run, wherever they are: hired when there is work, replaced when they die.

The parent hands out a clip only when a worker has room for it, so what is in flight is bounded by ``num_workers *
concurrency``. What becomes of the clips of a dead worker is said in :mod:`omnidetective.engine.seat`.
"""

from __future__ import annotations

import asyncio
import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from omnidetective.engine.base import Worker
from omnidetective.engine.feed import Feed
from omnidetective.engine.seat import Seat, Terms
from omnidetective.engine.wire import Finished, WorkerSetup
from omnidetective.errors import OmnidetectiveError

_log = logging.getLogger(__name__)


class Crew(ABC):
    """Does the clips of a feed with workers of one kind.

    Attributes:
        crashes: how many workers died.
    """

    most_fruitless_deaths: ClassVar[int] = 3
    """Deaths in a row, without any clip done or to blame, that end the run."""

    def __init__(self, setup: WorkerSetup, *, deadline_s: float) -> None:
        """
        Args:
            setup: what each worker is told; its settings say how many there are, and how many clips each does at once.
            deadline_s: a worker that says nothing about a clip for so long is stuck, and is killed.
        """
        self.setup = setup
        self._deadline_s = deadline_s
        self._fruitless = 0
        self.crashes = 0

    async def run(self, feed: Feed, deliver: Callable[[Finished], None]) -> None:
        """See :class:`~omnidetective.engine.base.Engine`."""
        settings = self.setup.config.settings
        clips = await feed.ahead(settings.num_workers * settings.concurrency)
        if not clips:
            return
        seats = min(settings.num_workers, clips)
        terms = Terms(
            # Few clips are spread evenly: the first worker to be ready does not take them all.
            lanes=math.ceil(clips / seats),
            deadline_s=self._deadline_s,
            attempts=settings.limits.attempts,
            recycle_after=settings.workers.recycle_after,
            memory_mb=self.memory_limit_mb(),
        )

        def counted(finished: Finished) -> None:
            self._fruitless = 0
            deliver(finished)

        async with asyncio.TaskGroup() as group:
            for _ in range(seats):
                group.create_task(Seat(self, feed, counted, terms).run())

    @abstractmethod
    async def begin(self) -> Worker:
        """A worker that can be given clips.

        Raises:
            OmnidetectiveError: it cannot be built, here or anywhere.
            WorkerDiedError: it died before it was ready.
        """

    async def end(self, worker: Worker) -> None:
        """See a worker out."""
        await worker.close()

    def memory_limit_mb(self) -> int | None:
        """Memory above which a worker is replaced; ``None``: no limit."""
        return None

    def died(self, how: str, *, holding: int) -> None:
        """A worker died. Deaths that no clip can be blamed for do not go on for ever.

        Raises:
            OmnidetectiveError: there were too many in a row.
        """
        self.crashes += 1
        self._fruitless = 0 if holding else self._fruitless + 1
        if self._fruitless >= self.most_fruitless_deaths:
            raise OmnidetectiveError(
                f"{self.most_fruitless_deaths} workers in a row died before they did anything; the last one {how}",
                reason="worker_start",
                hint="in a script of your own, the call must stand under `if __name__ == '__main__':`",
            )
        again = f"; clips to be tried again, one by one: {holding}" if holding else ""
        _log.warning("a worker process %s and is replaced%s", how, again)
