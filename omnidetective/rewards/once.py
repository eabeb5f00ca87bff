"""What is found out about a text, found out once, though many ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

_MOST_KEPT = 10_000


class Known(Generic[T]):
    """What was found out, of the latest texts; it may be kept over several event loops."""

    def __init__(self) -> None:
        self._found: dict[str, T] = {}

    def get(self, text: str) -> T | None:
        return self._found.get(text)

    def put(self, text: str, found: T) -> None:
        """Keep it; where there are too many, the eldest goes."""
        self._found[text] = found
        if len(self._found) > _MOST_KEPT:
            del self._found[next(iter(self._found))]


class Once(Generic[T]):
    """Finds out what is not known, on one event loop: who asks while somebody else does waits for that answer.

    A failure is the answer of all who wait for it, and is not kept.
    """

    def __init__(self, known: Known[T], find: Callable[[str], Awaitable[T]]) -> None:
        self._known = known
        self._find = find
        self._asking: dict[str, asyncio.Future[T]] = {}

    async def of(self, text: str) -> T:
        """What is found out about a text; raises what finding out raises."""
        if (found := self._known.get(text)) is not None:
            return found
        if text not in self._asking:
            self._asking[text] = asyncio.ensure_future(self._find(text))
        found = await self._asking[text]
        self._known.put(text, found)
        return found
