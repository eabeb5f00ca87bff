"""Leave for every attempt of a call: asked before it is sent, settled with what it took.

This stands inside the retry layer and outside the time limit of an attempt, so that waiting for leave uses up neither.
What is answered from the cache, and what runs in this process, needs no leave.

A clip that was refused money is left as not started, whatever its stages make of the refusal: a plugin may swallow it,
and a stage may go on without the answer, but a record that is poorer for want of money must not be written.
:func:`left_out_when_refused` sees to that. The refusal is raised only when the clip's other calls in flight have ended:
they are paid for, and their answers are kept for the next run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Generic, TypeVar

from omnidetective.errors import (
    AuthError,
    BadRequestError,
    BudgetReachedError,
    MissingModelError,
    ProviderError,
    QuotaError,
    RateLimitError,
)
from omnidetective.llm.patience import clocks_stopped
from omnidetective.llm.permits import CallPlan, CallResult, Permits

T = TypeVar("T")

_NOTHING: Final = Decimal(0)
_ANSWERED_IN_VAIN: Final = frozenset({408, 504, 524})
"""Status codes of gateways that gave up waiting: the model may have worked on, and may be charged for."""


@dataclass(frozen=True, slots=True)
class Admission(Generic[T]):
    """How the attempts of one call ask for leave.

    Attributes:
        plan: what an attempt is expected to take, reckoned anew for each.
        took: what an answer took.
    """

    permits: Permits
    plan: Callable[[], CallPlan]
    took: Callable[[T], CallResult]


class _ClipCalls:
    """The calls of one clip that are in flight, and the refusal that ends it."""

    def __init__(self) -> None:
        self.refusal: BudgetReachedError | None = None
        self._in_flight = 0
        self._waiters: list[asyncio.Future[None]] = []

    def begun(self) -> None:
        self._in_flight += 1

    def ended(self) -> None:
        self._in_flight -= 1
        if not self._in_flight:
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)
            self._waiters.clear()

    async def none_in_flight(self) -> None:
        while self._in_flight:
            self._waiters.append(asyncio.get_running_loop().create_future())
            await self._waiters[-1]


_clip_calls: ContextVar[_ClipCalls | None] = ContextVar("clip_calls", default=None)


@contextmanager
def left_out_when_refused() -> Iterator[None]:
    """Work on one clip. Where a call of it is refused money, that is how the work ends, whatever else it comes to.

    Raises:
        BudgetReachedError: a call was refused.
    """
    calls = _ClipCalls()
    token = _clip_calls.set(calls)
    try:
        yield
    except Exception:
        if calls.refusal is None:
            raise
    finally:
        _clip_calls.reset(token)
    if calls.refusal is not None:
        raise calls.refusal


@dataclass(slots=True)
class Admitted(Generic[T]):
    """Makes attempts with leave.

    Attributes:
        waited_s: how long they have waited for it, all together.
        refusals: how many have ended with a 429.
    """

    admission: Admission[T]
    now: Callable[[], float]
    waited_s: float = 0.0
    refusals: int = 0

    async def attempt(self, make: Callable[[], Awaitable[T]]) -> T:
        """Wait for leave, make one attempt, and settle.

        Raises:
            BudgetReachedError: the run's money does not allow it.
        """
        calls = _clip_calls.get()
        since = self.now()
        try:
            plan = replace(self.admission.plan(), refusals=self.refusals)
            with clocks_stopped():
                permit = await self.admission.permits.acquire(plan)
        except BudgetReachedError as refusal:
            if calls is not None:
                calls.refusal = refusal
                await calls.none_in_flight()
            raise
        finally:
            self.waited_s += self.now() - since
        if calls is not None:
            calls.begun()
        try:
            try:
                answer = await make()
            except BaseException as error:
                self.refusals += isinstance(error, RateLimitError)
                permit.settle(result_of_failure(error))
                raise
            permit.settle(self.admission.took(answer))
            return answer
        finally:
            if calls is not None:
                calls.ended()


def result_of_failure(error: BaseException) -> CallResult:
    """What an attempt without an answer took.

    Providers charge for answers: a 429, a refused connection and every other HTTP error cost nothing. Where the model
    may have answered and nobody heard it (time-outs, cancelled calls, connections and streams that broke), the cost is
    not known.
    """
    if isinstance(error, RateLimitError):
        return CallResult("rate_limited", retry_after_s=error.retry_after_s, cost_usd=_NOTHING)
    return CallResult("failed", cost_usd=None if may_have_cost(error) else _NOTHING)


def may_have_cost(error: BaseException) -> bool:
    """Whether an attempt that ended with this may be charged for."""
    if not isinstance(error, ProviderError):
        return True
    if not error.sent or isinstance(error, (AuthError, BadRequestError, MissingModelError, QuotaError, RateLimitError)):
        return False
    return error.status is None or error.status < 400 or error.status in _ANSWERED_IN_VAIN
