"""Many pieces of work, some of them at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")

Told = Callable[[int, int], None]
"""Told how many pieces are done, and of how many, after each."""


async def at_once(
    work: Iterable[Callable[[], Awaitable[T]]], *, most: int, told: Told = lambda done, of: None
) -> list[T]:
    """What comes out of each piece, in their order; the first that fails ends the others.

    Args:
        most: how many pieces are worked on at the same time.
    """
    gate = asyncio.Semaphore(most)
    done = 0

    async def one(piece: Callable[[], Awaitable[T]]) -> T:
        nonlocal done
        async with gate:
            result = await piece()
        done += 1
        told(done, len(tasks))
        return result

    tasks = [asyncio.ensure_future(one(piece)) for piece in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
