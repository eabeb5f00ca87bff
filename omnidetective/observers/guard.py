"""What an observer may cost: time, questions a clip, questions at once, and how often it may fail in a row.

Every observer of the tool box is wrapped once a process. :func:`~omnidetective.observers.ask.ask` keeps it to its time,
its quota and its rests; the places on the machine are taken here, so that they also hold where one observer uses
another.
"""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass

from omnidetective import errors
from omnidetective.errors import BudgetReachedError, ClipError, ObserverUnavailableError, ProviderError
from omnidetective.evidence import Span
from omnidetective.llm.patience import clocks_stopped
from omnidetective.media.clip import Clip
from omnidetective.observers.base import Observer, ObserverContext, ObserverSettings, ObserverSpec
from omnidetective.observers.breaker import Breaker, How
from omnidetective.observers.slots import slots_for
from omnidetective.records import Observation, ObservationError
from omnidetective.settings import GuardSettings

QUOTA = "quota_used_up"
RESTING = "resting"

_SAID_OF_THE_CLIP = frozenset({"no_audio", "no_video", "span_too_long", "unsupported_media"})
_SO_BY_CHOICE = frozenset({"disabled", "no_model", "no_key", "no_address", "no_weights", "not_installed"})

log = logging.getLogger(__name__)


class ObserverRefusedError(ObserverUnavailableError):
    """The question was not put: the observer's quota for the clip is used up, or it rests."""


@dataclass(slots=True)
class Question:
    """A question under way. Who asks says how it ended; ``neither`` where it was given up."""

    how: How = "neither"
    why: str = ""

    def answered(self) -> None:
        self.how = "worked"

    def failed(self, why: str) -> None:
        """By the observer's own fault."""
        self.how, self.why = "failed", why


class Guard:
    """The limits of one observer in one process, and what was used of them.

    Attributes:
        timeout_s: its own time for a question about up to five minutes of a clip; ``None``: the usual one.
    """

    def __init__(
        self,
        name: str,
        settings: ObserverSettings,
        usual: GuardSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.timeout_s = settings.timeout_s
        self._name = name
        self._per_clip = settings.per_clip
        self._asked: weakref.WeakKeyDictionary[Clip, int] = weakref.WeakKeyDictionary()
        self._breaker = Breaker(most_failures=usual.failures, rest_s=usual.rest_s, clock=clock)
        self._last_failure = ""

    def refusal(self, clip: Clip) -> ObserverRefusedError | None:
        """Why no question about this clip may be put now; ``None`` where one may."""
        if self._per_clip is not None and self._asked.get(clip, 0) >= self._per_clip:
            said = "the one question" if self._per_clip == 1 else f"all {self._per_clip} questions"
            were = "was" if self._per_clip == 1 else "were"
            message = f"{said} that {self._name} may be asked about this clip {were} asked"
            return ObserverRefusedError(message, reason=QUOTA)
        wait_s = self._breaker.wait_s
        return None if wait_s is None else ObserverRefusedError(self._rest(wait_s), reason=RESTING, retryable=True)

    def _rest(self, wait_s: float) -> str:
        again = f"it is tried again in {max(1, round(wait_s))} s" if wait_s else "it is being tried again"
        failures = self._breaker.failures
        row = f"{failures} failures in a row, the last" if failures > 1 else "a failure"
        return f"{self._name} rests after {row}: {self._last_failure}; {again}"

    @contextmanager
    def question(self, clip: Clip) -> Iterator[Question]:
        """Around a question that :meth:`refusal` allows, from before it is put until it has ended, however it does."""
        self._asked[clip] = self._asked.get(clip, 0) + 1
        trial = self._breaker.begin()
        question = Question()
        try:
            yield question
        finally:
            if question.why:
                self._last_failure = question.why
            change = self._breaker.end(question.how, trial=trial)
            if change == "opened":
                log.warning("observer %s", self._rest(self._breaker.wait_s or 0.0))
            elif change == "closed":
                log.warning("observer %s works again", self._name)


class Guarded:
    """An observer with its guard. To everybody else it is the observer."""

    def __init__(self, inner: Observer, guard: Guard, *, at_once: int | None) -> None:
        self.inner = inner
        self.guard = guard
        self._slots = None if at_once is None else slots_for(inner.spec.name, at_once)

    @property
    def spec(self) -> ObserverSpec:
        return self.inner.spec

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        """See :class:`~omnidetective.observers.base.Observer`. Waiting for a place uses up nobody's time."""
        async with AsyncExitStack() as held:
            if self._slots is not None:
                with clocks_stopped():
                    await held.enter_async_context(self._slots.one())
            return await self.inner.observe(clip, question, span)


def guarded(observer: Observer, settings: ObserverSettings, context: ObserverContext) -> Observer:
    """The observer, kept to its settings; for the tool box."""
    guard = Guard(observer.spec.name, settings, context.settings.guard)
    return Guarded(observer, guard, at_once=settings.at_once)  # type: ignore[return-value]  # Its `spec` is a property.


def guard_of(observer: Observer) -> Guard | None:
    """The guard of an observer of the tool box; ``None`` where it has none."""
    return observer.guard if isinstance(observer, Guarded) else None


def refusal(observer: Observer, clip: Clip) -> ObserverRefusedError | None:
    """Why the observer may not be asked about this clip now; ``None`` where it may."""
    guard = guard_of(observer)
    return None if guard is None else guard.refusal(clip)


def was_refused(answer: Observation) -> bool:
    """Whether the question was never put: it cost nothing and says nothing about the clip."""
    return answer.error is not None and answer.error.type == ObserverRefusedError.__name__


def own_fault(error: Exception | ObservationError) -> bool:
    """Whether an observer failed by its own fault, so that the next question may well fail too.

    It did not where the clip is to blame, or the span asked about, or a model's provider: calls are retried, and lanes
    slowed down, by :mod:`omnidetective.llm`, and a dead provider stops the run by :mod:`omnidetective.engine.breaker`.
    Nor where it lacks what the user has not given it: that is told to the user anyhow, and time does not mend it.
    """
    reason = error.reason if isinstance(error, ObservationError | ObserverUnavailableError) else ""
    kind = getattr(errors, error.type, None) if isinstance(error, ObservationError) else type(error)
    if isinstance(kind, type) and issubclass(kind, ProviderError | ClipError | BudgetReachedError):
        return False
    return reason not in _SAID_OF_THE_CLIP | _SO_BY_CHOICE
