"""Time limits that stand still while work waits for leave to make a call.

A limit is there to end what is stuck. A call that waits its turn on a busy lane is not stuck, and an observer that is
given up for it would make the record poorer. The work as a whole is still bounded: by the limit of the clip.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar


class _Limit:
    """A limit in force, and what is left of it while calls inside wait."""

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self._timeout = timeout
        self._waiting = 0
        self._left_s = 0.0
        self.in_force = True

    def stop(self) -> None:
        self._waiting += 1
        when = self._timeout.when()
        if self._waiting == 1 and when is not None and self._is_running():
            self._left_s = when - asyncio.get_running_loop().time()
            self._timeout.reschedule(None)

    def go_on(self) -> None:
        self._waiting -= 1
        if not self._waiting and self._is_running():
            self._timeout.reschedule(asyncio.get_running_loop().time() + self._left_s)

    def _is_running(self) -> bool:
        return self.in_force and not self._timeout.expired()


_limits: ContextVar[tuple[_Limit, ...]] = ContextVar("time_limits", default=())


@asynccontextmanager
async def time_limit(seconds: float) -> AsyncIterator[asyncio.Timeout]:
    """As :func:`asyncio.timeout`; the time for which calls inside wait for leave does not count.

    Raises:
        TimeoutError: it is over.
    """
    async with asyncio.timeout(seconds) as timeout:
        limit = _Limit(timeout)
        token = _limits.set((*_limits.get(), limit))
        try:
            yield timeout
        finally:
            limit.in_force = False
            _limits.reset(token)


@contextmanager
def clocks_stopped() -> Iterator[None]:
    """While this lasts, the limits around it stand still."""
    limits = _limits.get()
    for limit in limits:
        limit.stop()
    try:
        yield
    finally:
        for limit in limits:
            limit.go_on()
