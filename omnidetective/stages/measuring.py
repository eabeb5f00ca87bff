"""Instruments that look at a clip on behalf of a stage, each at most once a clip."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from omnidetective.audit.reading import looked_at
from omnidetective.case import Case
from omnidetective.detective.rules import FIRST_QUESTIONS, OPEN_QUESTION
from omnidetective.observers.ask import ask
from omnidetective.observers.guard import was_refused
from omnidetective.stages.base import StageContext


async def measured(case: Case, context: StageContext, only: Collection[str] | None = None) -> Case:
    """The case with what the instruments measure, as far as they have not looked at all of the clip before.

    One that was asked about the whole clip, or has looked at all of it in parts, is not asked again.

    Args:
        only: names of the instruments that are wanted; all that can say something about the clip by default.
    """
    asked = {o.observer for o in case.observations if o.span is None}
    instruments = [
        observer
        for observer in context.toolbox.offered(case.clip)
        if observer.spec.kind == "instrument"
        and observer.spec.name not in asked
        and looked_at((o for o in case.answers if o.observer == observer.spec.name), case.clip.whole) is None
        and (only is None or observer.spec.name in only)
    ]
    limit_s = context.settings.investigate.observer_timeout_s
    answers = await asyncio.gather(
        *(
            ask(
                o,
                case.clip,
                FIRST_QUESTIONS.get(o.spec.name, OPEN_QUESTION),
                None,
                timeout_s=limit_s,
            )
            for o in instruments
        )
    )
    return case.observed(answer for answer in answers if not was_refused(answer))
