"""The one retry layer. The SDKs' own retries are off; nothing else in the program repeats a call.

Rate limits and transient errors are tried again, nothing else is. ``Retry-After`` is obeyed; without it the wait grows
exponentially, with jitter. Both the number of attempts and the wall time are capped, and every wait is logged.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from omnidetective.errors import ProviderError, RateLimitError, TransientError
from omnidetective.llm.admission import Admission, Admitted
from omnidetective.llm.base import ChatModel
from omnidetective.llm.calls import Call, current_call
from omnidetective.llm.digest import digest
from omnidetective.llm.lanes import ModelLanes
from omnidetective.llm.messages import ChatReply, ChatRequest
from omnidetective.llm.wrapped import WrappedChat
from omnidetective.settings import RetrySettings

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Clockwork:
    """Time and chance, replaceable in tests."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    now: Callable[[], float] = time.monotonic
    random: Callable[[], float] = random.random


_REAL = Clockwork()


async def with_retries(
    name: str,
    attempt: Callable[[], Awaitable[T]],
    settings: RetrySettings,
    *,
    admission: Admission[T] | None = None,
    clockwork: Clockwork = _REAL,
) -> T:
    """Makes a call until it is answered, fails for good, or a cap is reached.

    Args:
        name: ``provider:model``, for the log.
        attempt: makes the call once.
        admission: how each attempt asks for leave. Waiting for it does not count: neither for ``call_timeout_s`` nor
            for ``total_s``. After a 429 it is all the waiting there is, as the call's lane is closed for everybody.

    Raises:
        ProviderError: of the last attempt, with ``attempts`` filled in.
        BudgetReachedError: the run's money does not allow another attempt.
    """
    started = clockwork.now()
    admitted = None if admission is None else Admitted(admission, clockwork.now)

    def left_s() -> float:
        waited_s = admitted.waited_s if admitted is not None else 0.0
        return settings.total_s - (clockwork.now() - started - waited_s)

    def wait(state: RetryCallState) -> float:
        error = _error(state)
        if admitted is not None and isinstance(error, RateLimitError):
            return 0.0
        return _wait_s(error, state.attempt_number, settings, clockwork.random())

    def stop(state: RetryCallState) -> bool:
        return state.attempt_number >= settings.attempts or state.upcoming_sleep >= left_s()

    def tell(state: RetryCallState) -> None:
        error = _error(state)
        log.warning(
            "%s: %s; attempt %d of %d, waiting %s",
            name,
            error.reason,
            state.attempt_number,
            settings.attempts,
            f"{state.upcoming_sleep:.1f} s" if state.upcoming_sleep else "for its turn",
            extra={
                "event": "retry",
                "model": name,
                "outcome": error.reason,
                "attempt": state.attempt_number,
                "wait_s": round(state.upcoming_sleep, 1),
            },
        )

    async def limited() -> T:
        return await _within(min(settings.call_timeout_s, max(left_s(), 0.001)), attempt)

    async def once() -> T:
        if (call := current_call.get()) is not None:
            call.attempts += 1
        return await (limited() if admitted is None else admitted.attempt(limited))

    try:
        return await once()
    except (RateLimitError, TransientError) as error:
        failed: list[ProviderError] = [error]
    except ProviderError as error:
        error.attempts = max(error.attempts, 1)
        raise

    retrying = AsyncRetrying(
        sleep=clockwork.sleep,
        wait=wait,
        stop=stop,
        retry=retry_if_exception_type((RateLimitError, TransientError)),
        before_sleep=tell,
        reraise=True,
    )

    async def again() -> T:
        # What drives the attempts costs as much as all else here does: it is taken only where the first one has failed.
        if failed:
            raise failed.pop()
        return await once()

    try:
        return await retrying(again)
    except ProviderError as error:
        error.attempts = max(error.attempts, retrying.statistics.get("attempt_number", 1))
        if error.attempts > 1:
            log.warning("%s: %s; giving up after %d attempts", name, error.reason, error.attempts)
        raise


async def _within(limit_s: float, attempt: Callable[[], Awaitable[T]]) -> T:
    try:
        async with asyncio.timeout(limit_s):
            return await attempt()
    except TimeoutError as error:
        raise TransientError(
            f"no answer within {limit_s:g} s", reason="timeout", hint="raise retry.call_timeout_s"
        ) from error


def _wait_s(error: ProviderError, attempt_number: int, settings: RetrySettings, chance: float) -> float:
    if error.retry_after_s is not None:
        # Never sooner than asked; a little later, so that all who were asked the same do not come back together.
        return error.retry_after_s + chance * min(1.0, 0.1 * error.retry_after_s)
    ceiling = min(settings.max_wait_s, settings.first_wait_s * 2.0 ** (attempt_number - 1))
    return ceiling * (0.5 + 0.5 * chance)


def _error(state: RetryCallState) -> ProviderError:
    error = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(error, ProviderError), "only provider errors are tried again"
    return error


class Retried(WrappedChat):
    """A chat model whose calls are tried again, each attempt with leave.

    Args:
        lanes: where leave is asked for; ``None``: the model needs none.
    """

    def __init__(
        self,
        inner: ChatModel,
        settings: RetrySettings,
        *,
        lanes: ModelLanes | None = None,
        clockwork: Clockwork = _REAL,
    ) -> None:
        super().__init__(inner)
        self._settings = settings
        self._lanes = lanes
        self._clockwork = clockwork

    async def complete(self, request: ChatRequest) -> ChatReply:
        """See :class:`~omnidetective.llm.base.ChatModel`; errors carry the number of attempts."""
        with Call(self.name, "chat", lambda: digest(request)) as call:
            reply = await with_retries(
                self.name,
                lambda: self.inner.complete(request),
                self._settings,
                admission=None if self._lanes is None else self._lanes.chat(self.name, request),
                clockwork=self._clockwork,
            )
            call.answered(reply.outcome, reply.usage)
            return reply
