"""Instruments that look at a clip on behalf of a stage, each at most once a clip."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from omnidetective.audit.reading import looked_at
from omnidetective.case import Case
from omnidetective.detective.rules import FIRST_QUESTIONS, OPEN_QUESTION
from omnidetective.evidence import Span
from omnidetective.observers.ask import ask
from omnidetective.observers.base import Observer
from omnidetective.observers.guard import was_refused
from omnidetective.stages.base import StageContext


async def measured(case: Case, context: StageContext, only: Collection[str] | None = None) -> Case:
    """The case with what the instruments measure, as far as they have not looked at all of the clip before.

    One that was asked about the whole clip, or has looked at all of it in parts, is not asked again.

    Args:
        only: names of the instruments that are wanted; all that can say something about the clip by default.
    """
    instruments = [
        (observer, FIRST_QUESTIONS.get(observer.spec.name, OPEN_QUESTION))
        for observer in context.toolbox.offered(case.clip)
        if observer.spec.kind == "instrument" and (only is None or observer.spec.name in only)
    ]
    limit_s = context.settings.investigate.observer_timeout_s
    answers = await asyncio.gather(
        *(ask(o, case.clip, question, None, timeout_s=limit_s) for o, question in unasked(case, instruments))
    )
    return case.observed(answer for answer in answers if not was_refused(answer))


def unasked(
    case: Case, questions: Iterable[tuple[Observer, str]], span: Span | None = None
) -> tuple[tuple[Observer, str], ...]:
    """The questions about a span, or the whole clip, whose observers have not been asked about all of it before.

    One that has failed there is not asked again.
    """
    asked = {o.observer for o in case.observations if o.span is None or o.span == span}
    window = span or case.clip.whole
    return tuple(
        (observer, question)
        for observer, question in questions
        if observer.spec.name not in asked
        and looked_at((o for o in case.answers if o.observer == observer.spec.name), window) is None
    )
