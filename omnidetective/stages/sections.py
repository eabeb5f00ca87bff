"""The sections of a draft, worked on side by side: what the stages after the merge do with a long clip."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

S = TypeVar("S")
R = TypeVar("R")


async def side_by_side(items: Sequence[S], work: Callable[[S], Awaitable[R]], *, at_once: int) -> tuple[R, ...]:
    """What the work makes of each item, in order. The first error ends what is still under way, and is raised.

    Args:
        at_once: most items in work at the same time.
    """
    gate = asyncio.Semaphore(at_once)

    async def one(item: S) -> R:
        async with gate:
            return await work(item)

    tasks = [asyncio.ensure_future(one(item)) for item in items]
    try:
        return tuple(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
