"""Runs clips in worker processes on this machine.

Each worker does ``concurrency`` clips at once on its own event loop; the parent hands out a clip only when a worker has
room for it, so what is in flight is bounded by ``num_workers * concurrency``. A worker that dies, or is killed because
it no longer answers or holds too much memory, is replaced; what becomes of its clips is the matter of
:mod:`~omnidetective.engine.seat`. The embedded models run in a process that all workers share.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from omnidetective.engine.feed import Feed
from omnidetective.engine.memory import MEASURABLE, memory_mb
from omnidetective.engine.model_service import ModelService
from omnidetective.engine.process import WorkerProcess
from omnidetective.engine.scratch import scratch_folder, sweep
from omnidetective.engine.seat import Seat, Terms
from omnidetective.engine.wire import Finished, Spending, WorkerSetup
from omnidetective.errors import ConfigError, OmnidetectiveError
from omnidetective.llm.limits.bookkeeper import Bookkeeper

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
        keeper: Bookkeeper,
        *,
        num_workers: int,
        concurrency: int,
        deadline_s: float,
        spending: Callable[[Spending], None] = lambda _: None,
    ) -> None:
        """
        Args:
            setup: what each worker is told; where it keeps temporary files and who runs its models is added here.
            keeper: gives leave for the model calls of all workers.
            num_workers: worker processes; no more are started than there are clips for.
            concurrency: clips at once in each.
            deadline_s: a worker that says nothing about a clip for so long is stuck, and is killed.
            spending: told what clips in flight have spent, as it happens.
        """
        self._setup = setup
        self._workers = setup.config.settings.workers
        self._spending = spending
        self._keeper = keeper
        self._num_workers = num_workers
        self._concurrency = concurrency
        self._deadline_s = deadline_s
        self._fruitless = 0
        self._folders: dict[WorkerProcess, Path] = {}
        self.crashes = 0

    async def run(self, feed: Feed, deliver: Callable[[Finished], None]) -> None:
        """Do every clip of the feed, until it ends or is stopped; clips in flight are finished.

        Args:
            feed: where the clips come from.
            deliver: told of each clip once, in the order in which they are done.

        Raises:
            OmnidetectiveError: workers cannot start.
        """
        clips = await feed.ahead(self._num_workers * self._concurrency)
        if not clips:
            return
        seats = min(self._num_workers, clips)
        terms = Terms(
            # Few clips are spread evenly: the first worker to be ready does not take them all.
            lanes=math.ceil(clips / seats),
            deadline_s=self._deadline_s,
            attempts=self._setup.config.settings.limits.attempts,
            recycle_after=self._workers.recycle_after,
            memory_mb=self._memory_limit_mb(),
        )

        def counted(finished: Finished) -> None:
            self._fruitless = 0
            deliver(finished)

        async with self._shared(), asyncio.TaskGroup() as group:
            for _ in range(seats):
                group.create_task(Seat(self, feed, counted, terms).run())

    async def begin(self) -> WorkerProcess:
        """A worker that is ready.

        Raises:
            OmnidetectiveError: it cannot be built, here or anywhere.
            WorkerDiedError: it died before it was ready.
        """
        folder = Path(tempfile.mkdtemp(prefix="worker-", dir=self._setup.scratch))
        worker = WorkerProcess(replace(self._setup, scratch=folder), self._keeper, self._spending)
        self._folders[worker] = folder
        try:
            await worker.start()
            await self._check_size(worker)
        except BaseException:
            await self.end(worker)
            raise
        return worker

    async def end(self, worker: WorkerProcess) -> None:
        """See a worker out, and remove what it left in its folder."""
        try:
            await worker.close()
        finally:
            folder = self._folders.pop(worker)
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def died(self, how: str, *, holding: int) -> None:
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

    @contextlib.asynccontextmanager
    async def _shared(self) -> AsyncIterator[None]:
        """What all workers of the run have in common: a folder for temporary files, and the model service."""
        await asyncio.to_thread(sweep)
        async with contextlib.AsyncExitStack() as stack:
            folder = stack.enter_context(scratch_folder())
            setup = replace(self._setup, scratch=folder)
            if self._workers.share_models and not ModelService.fits(folder):
                _log.warning("each worker loads its own models: the path of %s is too long for a socket", folder)
            elif self._workers.share_models:
                service = await stack.enter_async_context(ModelService(folder))
                setup = replace(setup, model_service=service.address)
            self._setup = setup
            yield

    def _memory_limit_mb(self) -> int | None:
        if self._workers.memory_mb is not None and not MEASURABLE:
            _log.warning("workers.memory_mb has no effect: this system does not tell how much memory processes hold")
            return None
        return self._workers.memory_mb

    async def _check_size(self, worker: WorkerProcess) -> None:
        """Refuse a limit that a worker exceeds before its first clip: it would be replaced for ever."""
        if (most_mb := self._memory_limit_mb()) is None or worker.pid is None:
            return
        held_mb = await asyncio.to_thread(memory_mb, worker.pid)
        if held_mb > most_mb:
            raise ConfigError(
                f"workers.memory_mb={most_mb} is too little: a worker holds {held_mb:,.0f} MB before its first clip",
                hint="raise it; some hundred MB more than that leave room for clips",
            )
