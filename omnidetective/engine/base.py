"""What a run needs of an engine, and an engine of a worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from omnidetective.engine.feed import Feed
from omnidetective.engine.wire import Finished
from omnidetective.records import InputRow


class Engine(Protocol):
    """Does the clips of a feed, each once, and survives the death of those who do them."""

    @property
    def crashes(self) -> int:
        """How many workers died."""
        ...

    async def run(self, feed: Feed, deliver: Callable[[Finished], None]) -> None:
        """Do every clip of the feed, until it ends or is stopped; clips in flight are finished.

        Args:
            feed: where the clips come from; asked for one only when there is room for it.
            deliver: told of each clip once, in the order in which they are done.

        Raises:
            OmnidetectiveError: workers cannot start.
        """
        ...


class WorkerDiedError(Exception):
    """The process ended while it was needed.

    Attributes:
        how: how it ended, for people.
        held: whether it had been given the clip.
        stuck: whether it was killed because it did not answer, not even that the clip's time is up.
        too_large: whether it was killed because of the memory that it held.
    """

    def __init__(self, how: str, *, held: bool, stuck: bool = False, too_large: bool = False) -> None:
        super().__init__(how)
        self.how = how
        self.held = held
        self.stuck = stuck
        self.too_large = too_large


class Worker(Protocol):
    """Something with a pipeline of its own, wherever it runs; surely gone after :meth:`close`."""

    @property
    def pid(self) -> int | None:
        """Its process id, where it is a process of this machine."""
        ...

    async def start(self) -> None:
        """Start it, and wait until its pipeline is built.

        Raises:
            OmnidetectiveError: the pipeline cannot be built, here or in any other worker.
            WorkerDiedError: it died before that.
        """
        ...

    async def work(self, row: InputRow, *, deadline_s: float) -> Finished:
        """Have a clip done.

        Raises:
            WorkerDiedError: it died first, or was killed because there was no answer within ``deadline_s``.
        """
        ...

    def kill_too_large(self, how: str) -> None:
        """Kill it because of the memory that it holds.

        Args:
            how: what is to be said of its end.
        """
        ...

    async def close(self) -> None:
        """End it: politely when it has answered for every clip, otherwise at once."""
        ...
