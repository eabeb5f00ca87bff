"""Results that several callers ask for, computed once, kept while there is room."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

T = TypeVar("T")


@dataclass(slots=True)
class _Running:
    task: asyncio.Task[Any]
    waiters: int = 0


class Memo:
    """Remembers results by key, the least recently used leaving first, and lets concurrent callers share one task.

    Failures are not remembered: whoever waited gets the error, the next caller tries again. When the last caller that
    waits is cancelled, so is the work.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._results: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._running: dict[Hashable, _Running] = {}

    @property
    def held_bytes(self) -> int:
        """Size of what is remembered now."""
        return self._bytes

    async def get(self, key: Hashable, compute: Callable[[], Coroutine[Any, Any, T]], *, size: Callable[[T], int]) -> T:
        """The result for ``key``: remembered, being computed, or computed now by ``compute``."""
        if key in self._results:
            self._results.move_to_end(key)
            return cast(T, self._results[key][0])
        running = self._running.get(key)
        if running is None:
            running = _Running(asyncio.create_task(self._compute(key, compute, size)))
            # Looked at here, so that a failure whose callers are all gone is not reported as unseen.
            running.task.add_done_callback(lambda task: task.cancelled() or task.exception())
            self._running[key] = running
        running.waiters += 1
        try:
            return cast(T, await asyncio.shield(running.task))
        finally:
            running.waiters -= 1
            if self._running.get(key) is running and (running.task.done() or running.waiters == 0):
                del self._running[key]
                running.task.cancel()

    async def close(self) -> None:
        """Forget everything, and end what is being computed."""
        tasks = [running.task for running in self._running.values()]
        self._running.clear()
        self._results.clear()
        self._bytes = 0
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _compute(
        self, key: Hashable, compute: Callable[[], Coroutine[Any, Any, T]], size: Callable[[T], int]
    ) -> T:
        result = await compute()
        result_bytes = size(result)
        if result_bytes <= self._max_bytes:
            self._results[key] = (result, result_bytes)
            self._bytes += result_bytes
            while self._bytes > self._max_bytes:
                _, (_, freed) = self._results.popitem(last=False)
                self._bytes -= freed
        return result
