"""Runs clips in worker processes on this machine.

Each worker does ``concurrency`` clips at once on its own event loop; the parent hands out a clip only when a worker has
room for it, so what is in flight is bounded by ``num_workers * concurrency``. A worker that dies, or is killed because
it no longer answers or holds too much memory, is replaced; what becomes of its clips is the matter of
:mod:`~omnidetective.engine.seat`. The embedded models run in a process that all workers
share, and so do the observers of each package.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

from omnidetective.engine.base import Worker
from omnidetective.engine.crew import Crew
from omnidetective.engine.feed import Feed
from omnidetective.engine.model_service import ModelService
from omnidetective.engine.process import WorkerProcess
from omnidetective.engine.scratch import scratch_folder, sweep
from omnidetective.engine.wire import Finished, Spending, WorkerSetup
from omnidetective.errors import ConfigError
from omnidetective.llm.limits.bookkeeper import Bookkeeper
from omnidetective.memory import MEASURABLE, memory_mb
from omnidetective.observers.host.processes import give_back, share
from omnidetective.observers.registry import sources

_log = logging.getLogger(__name__)


class LocalEngine(Crew):
    """Does the clips of a feed in processes on this machine."""

    def __init__(
        self,
        setup: WorkerSetup,
        keeper: Bookkeeper,
        *,
        deadline_s: float,
        spending: Callable[[Spending], None],
    ) -> None:
        """
        Args:
            setup: what each worker is told; where it keeps temporary files and who runs its models is added here.
            keeper: gives leave for the model calls of all workers.
            deadline_s: a worker that says nothing about a clip for so long is stuck, and is killed.
            spending: told what clips in flight have spent, as it happens.
        """
        super().__init__(setup, deadline_s=deadline_s)
        self._keeper = keeper
        self._spending = spending
        self._folders: dict[Worker, Path] = {}

    async def run(self, feed: Feed, deliver: Callable[[Finished], None]) -> None:
        """See :class:`~omnidetective.engine.base.Engine`."""
        if await feed.ready():
            async with self._shared():
                await super().run(feed, deliver)

    async def begin(self) -> WorkerProcess:
        """See :class:`~omnidetective.engine.crew.Crew`."""
        folder = Path(tempfile.mkdtemp(prefix="worker-", dir=self.setup.scratch))
        worker = WorkerProcess(replace(self.setup, scratch=folder), self._keeper, self._spending)
        self._folders[worker] = folder
        try:
            await worker.start()
            await self._check_size(worker)
        except BaseException:
            await self.end(worker)
            raise
        return worker

    async def end(self, worker: Worker) -> None:
        """See a worker out, and remove what it left in its folder."""
        try:
            await worker.close()
        finally:
            folder = self._folders.pop(worker)
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def memory_limit_mb(self) -> int | None:
        """Memory above which a worker is replaced; ``None``: no limit."""
        most_mb = self.setup.config.settings.workers.memory_mb
        if most_mb is not None and not MEASURABLE:
            _log.warning("workers.memory_mb has no effect: this system does not tell how much memory processes hold")
            return None
        return most_mb

    @contextlib.asynccontextmanager
    async def _shared(self) -> AsyncIterator[None]:
        """What all workers of the run have in common: temporary files, the model service, the hosts of observers."""
        await asyncio.to_thread(sweep)
        async with contextlib.AsyncExitStack() as stack:
            folder = stack.enter_context(scratch_folder())
            setup = replace(self.setup, scratch=folder)
            if self.setup.config.settings.workers.share_models and not ModelService.fits(folder):
                _log.warning("each worker loads its own models: the path of %s is too long for a socket", folder)
            elif self.setup.config.settings.workers.share_models:
                service = await stack.enter_async_context(ModelService(folder))
                setup = replace(setup, model_service=service.address)
            refs = sources(setup.config.settings)
            stack.push_async_callback(asyncio.to_thread, give_back, refs)
            self.setup = replace(setup, observer_hosts=await asyncio.to_thread(share, refs))
            yield

    async def _check_size(self, worker: WorkerProcess) -> None:
        """Refuse a limit that a worker exceeds before its first clip: it would be replaced for ever."""
        if (most_mb := self.memory_limit_mb()) is None or worker.pid is None:
            return
        held_mb = await asyncio.to_thread(memory_mb, worker.pid)
        if held_mb > most_mb:
            raise ConfigError(
                f"workers.memory_mb={most_mb} is too little: a worker holds {held_mb:,.0f} MB before its first clip",
                hint="raise it; some hundred MB more than that leave room for clips",
            )
