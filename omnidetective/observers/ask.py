"""Putting one question to one observer, whatever it does: the border where a plugin's faults end."""

from __future__ import annotations

import logging
import time

from omnidetective.errors import BudgetReachedError, ObserverUnavailableError
from omnidetective.evidence import Span
from omnidetective.llm.patience import time_limit
from omnidetective.llm.usage import usage_scope
from omnidetective.media.clip import Clip
from omnidetective.observers.base import Observer, failed_observation, require_stream
from omnidetective.observers.border import checked
from omnidetective.records import Observation

log = logging.getLogger(__name__)


class ObserverTimeoutError(ObserverUnavailableError):
    """The observer did not answer within its time."""

    default_reason = "observer_timeout"


async def ask(observer: Observer, clip: Clip, question: str, span: Span | None, *, timeout_s: float) -> Observation:
    """Ask, with a time limit, which waiting for leave to make calls does not use up.

    Whatever the observer does, there is an answer, unless this is cancelled.

    Returns:
        The observer's answer with its time and usage, or an observation that holds the error.

    Raises:
        BudgetReachedError: the run's money is spent.
    """
    spec = observer.spec
    started = time.monotonic()
    with usage_scope() as meter:
        try:
            require_stream(spec, clip)
            async with time_limit(timeout_s):
                answer = checked(await observer.observe(clip, question, span))
        except TimeoutError:
            late = ObserverTimeoutError(f"{spec.name} did not answer within {timeout_s:g} s")
            answer = failed_observation(spec, question, span, late)
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
