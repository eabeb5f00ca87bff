"""Speech recognition on behalf of a stage that shows the words to somebody: once a clip, or once a segment of it."""

from __future__ import annotations

from omnidetective.case import Case
from omnidetective.detective.rules import FIRST_QUESTIONS
from omnidetective.evidence import Span
from omnidetective.observers.ask import ask
from omnidetective.observers.guard import was_refused
from omnidetective.stages.base import StageContext
from omnidetective.stages.measuring import measured

_ASR = "asr"


async def heard(case: Case, context: StageContext) -> Case:
    """The case with the speech of what it is about, if nobody has listened to all of that before.

    A segment is listened to on its own: its neighbours, worked on at the same time, listen to theirs.
    """
    scope = case.scope
    if scope is None:
        return await measured(case, context, only={_ASR})
    if any(o.observer == _ASR and _covers(o.span, scope) for o in case.observations):
        return case
    for observer in context.toolbox.offered(case.clip):
        if observer.spec.name == _ASR:
            limit_s = context.settings.investigate.observer_timeout_s
            answer = await ask(observer, case.clip, FIRST_QUESTIONS[_ASR], scope, timeout_s=limit_s)
            return case if was_refused(answer) else case.observed([answer])
    return case


def _covers(listened: Span | None, scope: Span) -> bool:
    return listened is None or (listened.start_s <= scope.start_s and scope.end_s <= listened.end_s)
