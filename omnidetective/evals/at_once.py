"""Many pieces of work that ask a judge, some of them at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from omnidetective.errors import BudgetReachedError

T = TypeVar("T")

Told = Callable[[int, int], None]
"""Told how many pieces are done, and of how many, after each."""


async def at_once(
    work: Iterable[Callable[[], Awaitable[T]]], *, most: int, told: Told = lambda done, of: None
) -> list[T]:
    """What comes out of each piece, in their order; the first that fails ends the others.

    Where the money is spent, no piece is begun any more, and those in work go on: what they ask is paid for already,
    and its answer is kept.

    Args:
        most: how many pieces are worked on at the same time.

    Raises:
        BudgetReachedError: the cap on the cost does not allow the next call.
    """
    gate = asyncio.Semaphore(most)
    done = 0
    ended: Exception | None = None

    async def one(piece: Callable[[], Awaitable[T]]) -> T:
        nonlocal done, ended
        async with gate:
            if ended is not None:
                raise ended
            try:
                result = await piece()
            except Exception as error:
                ended = error
                raise
        done += 1
        told(done, len(tasks))
        return result

    tasks = [asyncio.ensure_future(one(piece)) for piece in work]
    try:
        return await asyncio.gather(*tasks)
    except BudgetReachedError as error:
        await asyncio.gather(*tasks, return_exceptions=True)
        if error.reason != BudgetReachedError.default_reason:
            raise
        hint = "what was answered is kept: the same command with a higher limits.max_cost_usd goes on"
        raise BudgetReachedError(error.message, hint=hint) from error
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
