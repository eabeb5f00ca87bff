"""Fixtures of the llm room."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
from servers.studio import Studio

from omnidetective.llm.retry import Clockwork


@pytest.fixture
async def studio() -> AsyncIterator[Studio]:
    async with AsyncExitStack() as stack:
        yield Studio(stack)


@pytest.fixture
def sleeps() -> list[float]:
    """Filled by the clockwork of ``instant``."""
    return []


@pytest.fixture
def instant(sleeps: list[float]) -> Callable[[], Clockwork]:
    """A clockwork whose waits take no time, but move its clock."""

    def make() -> Clockwork:
        now = 0.0

        async def sleep(seconds: float) -> None:
            nonlocal now
            sleeps.append(seconds)
            now += seconds

        return Clockwork(sleep=sleep, now=lambda: now, random=lambda: 0.5)

    return make
