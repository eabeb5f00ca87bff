"""Putting one question to one observer, whatever it does: the border where a plugin's faults end."""

from __future__ import annotations

import logging
import time
from contextlib import nullcontext

from omnidetective.errors import BudgetReachedError, ObserverUnavailableError
from omnidetective.evidence import Span
from omnidetective.llm.patience import time_limit
from omnidetective.llm.usage import usage_scope
from omnidetective.media.clip import Clip
from omnidetective.observers.base import Observer, failed_observation, in_proportion, require_stream
from omnidetective.observers.border import checked
from omnidetective.observers.guard import Question, guard_of, own_fault, refusal
from omnidetective.records import Observation

_LEAST_S = 1.0

log = logging.getLogger(__name__)


class ObserverTimeoutError(ObserverUnavailableError):
    """The observer did not answer within its time."""

    default_reason = "observer_timeout"


async def ask(
    observer: Observer,
    clip: Clip,
    question: str,
    span: Span | None,
    *,
    timeout_s: float,
    left_s: float | None = None,
) -> Observation:
    """Ask, with a time limit, which waiting for leave to make calls and for a place on the machine does not use up.

    Whatever the observer does, there is an answer, unless this is cancelled. A question that the observer's guard does
    not allow is not put: see :func:`~omnidetective.observers.guard.was_refused`.

    Args:
        timeout_s: ``investigate.observer_timeout_s``, the time for up to five minutes of a clip; a longer span gets it
            in proportion. The observer's own ``timeout_s`` takes its place.
        left_s: the time that the caller has left, where that may be less.

    Returns:
        The observer's answer with its time and usage, or an observation that holds the error.

    Raises:
        BudgetReachedError: the run's money is spent.
    """
    spec, guard = observer.spec, guard_of(observer)
    started = time.monotonic()
    with usage_scope() as meter:
        try:
            require_stream(spec, clip)
            if refused := refusal(observer, clip):
                raise refused
            own_s = guard.timeout_s if guard is not None else None
            limit_s = in_proportion(own_s or timeout_s, clip, span)
            with nullcontext(Question()) if guard is None else guard.question(clip) as put:
                answer = await _put(observer, clip, question, span, put, limit_s=limit_s, left_s=left_s)
        except BudgetReachedError:
            raise  # The clip is left as not started: nothing is observed any more.
        except Exception as error:
            log.debug("observer %s failed on %s", spec.name, clip.id, exc_info=True)
            answer = failed_observation(spec, question, span, error)
    usage = meter.total()
    return answer.model_copy(
        update={
            "observer": spec.name,
            "kind": spec.kind,
            "question": question,
            "span": span,
            "seconds": round(time.monotonic() - started, 3),
            "usage": usage if usage.calls or usage.failed_attempts or usage.cached_calls else None,
        }
    )


async def _put(
    observer: Observer,
    clip: Clip,
    question: str,
    span: Span | None,
    put: Question,
    *,
    limit_s: float,
    left_s: float | None,
) -> Observation:
    """The observer's answer, after which ``put`` says whether the observer works.

    Raises:
        ObserverTimeoutError: it did not answer in time.
        BadObservationError: what it answered is no observation.
        Exception: whatever it raises.
    """
    seconds = limit_s if left_s is None else min(limit_s, max(_LEAST_S, left_s))
    try:
        async with time_limit(seconds) as limit:
            answer = checked(await observer.observe(clip, question, span))
    except TimeoutError as error:
        if not limit.expired():  # A time limit of its own, which it let through.
            put.failed(str(error) or type(error).__name__)
            raise
        late = ObserverTimeoutError(f"{observer.spec.name} did not answer within {seconds:g} s")
        if seconds == limit_s:  # It had all the time that it may have.
            put.failed(late.message)
        raise late from None
    except Exception as error:
        if own_fault(error):
            put.failed(str(error) or type(error).__name__)
        raise
    if answer.error is None:
        put.answered()
    elif own_fault(answer.error):
        put.failed(answer.error.message)
    return answer
