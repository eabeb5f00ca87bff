"""Runs clips on actors of Ray, on this machine or on the nodes of a cluster.

Each actor is a worker: one pipeline, ``concurrency`` clips at once. The driver is this process; it hands out clips and
is the only one that writes. The law is that of every :class:`~omnidetective.engine.crew.Crew`: what is in flight is
bounded, a dead actor is replaced, on whatever node has room, and the clips that it held are tried again with nothing
beside them, since any of them can be to blame. Ray restarts nothing by itself: it would do clips again that the driver
has given up.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from omnidetective.engine.crew import Crew
from omnidetective.engine.feed import Feed
from omnidetective.engine.ray_actor import Parcel, WorkerActor, named_variables
from omnidetective.engine.ray_cluster import connected, is_shared
from omnidetective.engine.wire import Finished, Spending, WorkerSetup
from omnidetective.llm.limits.bookkeeper import Bookkeeper
from omnidetective.settings import RaySettings

if TYPE_CHECKING:
    from omnidetective.engine.ray_worker import RayWorker, Room

_BESIDE_CLIPS = 8
"""Calls that an actor answers while it does as many clips as it may: hello, start, listen, finish, and some to hear."""


class RayEngine(Crew):
    """Does the clips of a feed on actors."""

    most_fruitless_deaths = 10
    """For some seconds after a node has died, Ray still sends new actors there."""

    def __init__(
        self,
        setup: WorkerSetup,
        keeper: Bookkeeper,
        *,
        deadline_s: float,
        spending: Callable[[Spending], None],
        until: contextlib.ExitStack | None = None,
    ) -> None:
        """
        Args:
            setup: what each actor is told; its settings say how many actors, clips at once, and where.
            keeper: gives leave for the model calls of all actors.
            deadline_s: an actor that says nothing about a clip for so long is stuck, and is killed.
            spending: told what clips in flight have spent, as it happens.
            until: the connection to Ray is closed with it; by default, when the clips are done.
        """
        super().__init__(setup, deadline_s=deadline_s)
        self._keeper = keeper
        self._spending = spending
        self._until = until
        self._ray: RaySettings = setup.config.settings.ray

    async def run(self, feed: Feed, deliver: Callable[[Finished], None]) -> None:
        """See :class:`~omnidetective.engine.base.Engine`.

        Raises:
            ConfigError: Ray is not installed, or the cluster cannot be reached.
            OmnidetectiveError: actors cannot start.
        """
        if not await feed.ready():
            return
        shared = is_shared(self._ray)
        settings = self.setup.config.settings
        with contextlib.ExitStack() as here:
            (self._until or here).enter_context(connected(self._ray, num_workers=settings.num_workers))
            from omnidetective.engine.ray_worker import Room

            self._room: Room = Room(
                _claim(self._ray),
                needed=lambda: not (feed.stopped or feed.exhausted),
                stopped=lambda: feed.stopped,
            )
            self._parcel = Parcel(
                setup=self.setup,
                environ=named_variables(self.setup.config.model_set, os.environ),
                cwd=Path.cwd(),
                cache_on_node=shared and _is_default_cache(self.setup),
            )
            await super().run(feed, deliver)

    async def begin(self) -> RayWorker:
        """See :class:`~omnidetective.engine.crew.Crew`."""
        import ray

        from omnidetective.engine.ray_worker import RayWorker

        actor = ray.remote(WorkerActor).options(
            num_cpus=self._ray.num_cpus,
            num_gpus=self._ray.num_gpus,
            max_concurrency=self.setup.config.settings.concurrency + _BESIDE_CLIPS,
            max_restarts=0,
            max_task_retries=0,
        )
        worker = RayWorker(actor.remote(), self._parcel, self._room, self._keeper, self._spending)
        try:
            await worker.start()
        except BaseException:
            await self.end(worker)
            raise
        return worker


def _claim(settings: RaySettings) -> str:
    gpus = f" and {settings.num_gpus:g} GPUs" if settings.num_gpus else ""
    return f"{settings.num_cpus:g} CPUs{gpus}"


def _is_default_cache(setup: WorkerSetup) -> bool:
    """Whether answers of models are kept beside the output only because nobody has said where."""
    cache = setup.config.settings.cache
    return cache.enabled and cache.path is not None and "cache.path" not in setup.config.sources
