"""How many questions an observer works on at the same time, on one machine.

A process alone counts for itself. The workers of a run share a folder of lock files, one a place: who holds the lock
has the place. The kernel takes the locks of a process back when it dies, however it dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import random
import urllib.parse
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

_LOOK_AGAIN_S: Final = (0.01, 0.05)
"""Time between two looks at a lock that another process holds. Random, so that all who look have the same chance."""

log = logging.getLogger(__name__)

_folder: Path | None = None


def share_slots(folder: Path) -> None:
    """From now on share places with all processes that use this folder. For worker processes, before their pipeline.

    Args:
        folder: on a disk of this machine; made when it is first needed.
    """
    global _folder
    _folder = folder


class Slots(Protocol):
    """So many places."""

    def one(self) -> AbstractAsyncContextManager[None]:
        """A place, as soon as there is one. Waiting for it can be cancelled."""
        ...


def slots_for(name: str, at_once: int) -> Slots:
    """The places of an observer, shared with the other processes where :func:`share_slots` was called."""
    if _folder is not None:
        try:
            return SharedSlots(_folder, name, at_once)
        except OSError as error:
            log.warning(
                "observers.%s.at_once holds for each worker by itself: %s has no locks (%s)", name, _folder, error
            )
    return OwnSlots(at_once)


class OwnSlots:
    """The places of one process."""

    def __init__(self, count: int) -> None:
        self._places = asyncio.Semaphore(count)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """See :class:`Slots`."""
        async with self._places:
            yield


class SharedSlots:
    """Places that processes share.

    Who wants one goes through a door, which is a lock too: so one process at most looks for a free place at a time,
    and nobody passes who came later. Of each process one task at most is at the door.
    """

    def __init__(self, folder: Path, name: str, count: int) -> None:
        """
        Raises:
            OSError: the folder cannot be written to, or knows no locks.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stem = urllib.parse.quote(name, safe="")
        self._door = folder / f"{stem}.door"
        self._places = tuple(folder / f"{stem}.{number}" for number in range(count))
        self._turn = asyncio.Lock()
        self._given_back = asyncio.Event()
        for path in (self._door, *self._places):
            if (held := _lock(path)) is not None:
                _unlock(held)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """See :class:`Slots`."""
        place = await self._take()
        try:
            yield
        finally:
            _unlock(place)
            self._given_back.set()

    async def _take(self) -> int:
        queued = self._turn.locked()
        async with self._turn:
            if queued:  # The door has just been opened here: others who look at it now and then must have a chance too.
                await asyncio.sleep(random.uniform(*_LOOK_AGAIN_S))  # noqa: S311 - no secret
            door = await self._until(lambda: _lock(self._door))
            try:
                return await self._until(self._free_place)
            finally:
                _unlock(door)

    def _free_place(self) -> int | None:
        return next((held for path in self._places if (held := _lock(path)) is not None), None)

    async def _until(self, attempt: Callable[[], int | None]) -> int:
        while (held := attempt()) is None:
            self._given_back.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(random.uniform(*_LOOK_AGAIN_S)):  # noqa: S311 - no secret
                    await self._given_back.wait()
        return held


def _lock(path: Path) -> int | None:
    """The descriptor that holds the lock; ``None`` where another one holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _unlock(descriptor: int) -> None:
    # Said as such: a program that is just being started may still have a copy of the descriptor.
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)
