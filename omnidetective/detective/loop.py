"""The query–observation loop: the budget, who is asked, and when it ends. The same for a model and for the rules.

Source of the idea: Omni-Detective (Omni-Captioner, arXiv 2510.12720): a detective with a tool box and a number of
inquiries. Ours besides: several inquiries at once, spans, the same question is never put twice, a failed observer is
told as unavailable, and a conclusion is held against what is still open.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from omnidetective.case import NOT_SETTLED, Case
from omnidetective.detective.inquiry import (
    Ask,
    Conclude,
    Detective,
    Ending,
    Inquiry,
    Standing,
    Told,
    possible_attributes,
)
from omnidetective.draft import Draft
from omnidetective.errors import BudgetSpentError, FormatError, NoCandidatesError
from omnidetective.grounding import cited
from omnidetective.llm.usage import Meter, usage_scope
from omnidetective.observers.ask import ask
from omnidetective.observers.base import Observer, in_proportion
from omnidetective.observers.guard import RESTING, refusal, was_refused
from omnidetective.observers.registry import Unavailable
from omnidetective.records import Attribute, Observation
from omnidetective.stage_settings import InvestigateSettings

_GONE_FOR_GOOD = frozenset({"AuthError", "QuotaError", "MissingModelError", "ObserverUnavailableError"})
"""Errors after which asking the same observer anything else about this clip cannot help."""
_FAILURES_TO_GIVE_UP = 2
_FRUITLESS_TURNS = 4
"""Turns in a row that put no new question, after which the detective has to conclude."""

_SPENT: frozenset[Ending] = frozenset({"the token budget is spent", "the time is up"})


@dataclass(slots=True)
class _Progress:
    """What the loop knows besides the case."""

    started: float
    meter: Meter
    asked: dict[tuple[str, str, tuple[float, float] | None], str] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    gone: dict[str, str] = field(default_factory=dict)
    covered: set[Attribute] = field(default_factory=set)
    inquiries: int = 0
    fruitless: int = 0
    held_back: bool = False


async def investigate(
    case: Case,
    detective: Detective,
    *,
    observers: Mapping[str, Observer],
    unavailable: Mapping[str, Unavailable],
    settings: InvestigateSettings,
) -> Case:
    """Question the observers until the detective concludes or the budget ends.

    Returns:
        The case with the observations, the detective's caption, events and conversation. ``shortfalls`` says what the
        budget did not allow.

    Raises:
        NoCandidatesError: no observer could answer anything; the message says why for each.
        ProviderError: the detective's own model failed.
    """
    if not observers:
        raise NoCandidatesError(
            "no observer can work on this clip: " + _list_reasons(unavailable, ()),
            retryable=any(why.reason == RESTING for why in unavailable.values()),
        )
    with usage_scope() as meter:
        progress = _Progress(started=time.monotonic(), meter=meter)
        progress.gone = {name: why.message for name, why in unavailable.items()}
        while True:
            standing = _standing(case, progress, observers, settings)
            if standing.must_conclude and not case.answers:
                spent = standing.must_conclude in _SPENT
                reasons = _list_reasons(unavailable, case.observations, standing.closed)
                error = BudgetSpentError if spent else NoCandidatesError
                raise error(f"no observer answered before {standing.must_conclude}: {reasons}")
            turn = await detective.decide(case, standing)
            if isinstance(turn, Conclude):
                verdict = _held_back(turn, standing, progress, settings, case)
                if not verdict:
                    return _closed(case, turn, standing, detective, unavailable)
                progress.fruitless += 1
                detective.hear((Told(refusal=verdict),), standing)
                continue
            if standing.must_conclude:
                raise FormatError("the detective goes on asking after it was told to conclude")
            case, told = await _put(turn, case, progress, observers, settings)
            detective.hear(told, _standing(case, progress, observers, settings))


def _standing(
    case: Case, progress: _Progress, observers: Mapping[str, Observer], settings: InvestigateSettings
) -> Standing:
    left = settings.inquiries - progress.inquiries
    refusals = {name: refusal(observer, case.clip) for name, observer in observers.items()}
    closed = {name: why.message for name, why in refusals.items() if why is not None and name not in progress.gone}
    working = [name for name in observers if name not in progress.gone and name not in closed]
    must: Ending = ""
    if left <= 0:
        must = "the inquiries are spent"
    elif settings.tokens is not None and _tokens(progress.meter) >= settings.tokens:
        must = "the token budget is spent"
    elif time.monotonic() - progress.started >= _seconds(settings, case):
        must = "the time is up"
    elif not working:
        must = "no observer is left"
    elif progress.fruitless >= _FRUITLESS_TURNS:
        must = "no new question was put for several turns"
    reachable = {a for name in working for a in observers[name].spec.attributes}
    uncovered = tuple(a for a in possible_attributes(case) if a in reachable and a not in progress.covered)
    points = (f"nobody was asked yet about: {', '.join(uncovered)}",) if uncovered else ()
    return Standing(
        inquiries_left=max(0, left), open_points=points, must_conclude=must, uncovered=uncovered, closed=closed
    )


def _tokens(meter: Meter) -> int:
    spent = meter.total()
    return spent.prompt_tokens + spent.completion_tokens


def _seconds(settings: InvestigateSettings, case: Case) -> float:
    """The wall time of this investigation."""
    return in_proportion(settings.seconds, case.clip, case.scope)


def _held_back(
    turn: Conclude, standing: Standing, progress: _Progress, settings: InvestigateSettings, case: Case
) -> str:
    """Why a conclusion is not taken yet; empty when it is."""
    if standing.must_conclude or (turn.final and case.answers):
        return ""
    if not case.answers:
        return "Nothing was observed yet: put inquiries first."
    if not settings.early_stop:
        return f"Not yet: {standing.inquiries_left} inquiries are left and are to be used for more detail."
    if progress.held_back:
        return ""
    progress.held_back = True
    still_open = [a for a in standing.uncovered if a not in turn.absent]
    points = [f"nobody was asked yet about: {', '.join(still_open)}"] if still_open else []
    points += [f"not settled: {text}" for text in turn.contradictions]
    if not points:
        return ""
    return (
        f"Not yet: {'; '.join(points)}. {standing.inquiries_left} inquiries are left. "
        "Use them, or conclude again and name what is absent."
    )


async def _put(
    turn: Ask, case: Case, progress: _Progress, observers: Mapping[str, Observer], settings: InvestigateSettings
) -> tuple[Case, tuple[Told, ...]]:
    """Put the questions of a turn, all at once; the answers come back in the order of the calls."""
    chosen: list[Inquiry | str] = []
    room = min(settings.per_turn, settings.inquiries - progress.inquiries)
    for item in turn.order:
        refused = item if isinstance(item, str) else _refusal(item, case, progress, observers, room=room)
        if isinstance(item, Inquiry) and not refused:
            room -= 1
            progress.asked[item.key] = "this turn"
            chosen.append(item)
        else:
            chosen.append(refused)
    inquiries = [item for item in chosen if isinstance(item, Inquiry)]
    time_left_s = _seconds(settings, case) - (time.monotonic() - progress.started)

    def put(inquiry: Inquiry) -> Coroutine[Any, Any, Observation]:
        return ask(
            observers[inquiry.observer],
            case.clip,
            inquiry.question,
            inquiry.span,
            timeout_s=settings.observer_timeout_s,
            left_s=time_left_s,
        )

    answers = await asyncio.gather(*(put(inquiry) for inquiry in inquiries))
    # Several questions of one turn, or segments side by side, can be more than an observer may be asked.
    not_put = {i.key: a.error.message for i, a in zip(inquiries, answers, strict=True) if was_refused(a) and a.error}
    progress.inquiries += len(inquiries) - len(not_put)
    progress.fruitless = 0 if len(inquiries) > len(not_put) else progress.fruitless + 1
    before = len(case.observations)
    case = case.observed(answer for answer in answers if not was_refused(answer))
    new = iter(case.observations[before:])
    told = []
    for item in chosen:
        if isinstance(item, str):
            told.append(Told(refusal=item))
            continue
        if item.key in not_put:
            del progress.asked[item.key]
            told.append(Told(refusal=f"{item.observer} cannot be asked: {not_put[item.key]}"))
            continue
        observation = next(new)
        progress.asked[item.key] = observation.id
        _learn(observation, item, progress, observers)
        told.append(Told(observation=observation))
    return case, tuple(told)


def _refusal(inquiry: Inquiry, case: Case, progress: _Progress, observers: Mapping[str, Observer], *, room: int) -> str:
    if inquiry.observer in progress.gone:
        return f"{inquiry.observer} is unavailable: {progress.gone[inquiry.observer]}"
    if inquiry.observer not in observers:
        return f"There is no observer {inquiry.observer!r}. There are: {', '.join(sorted(observers))}."
    if earlier := progress.asked.get(inquiry.key):
        return f"The same was asked before: see {earlier}. Ask something else."
    if why := refusal(observers[inquiry.observer], case.clip):
        return f"{inquiry.observer} cannot be asked: {why.message}"
    if room <= 0:
        return "Put off: too many inquiries in one turn."
    return ""


def _learn(observation: Observation, inquiry: Inquiry, progress: _Progress, observers: Mapping[str, Observer]) -> None:
    name = inquiry.observer
    if observation.error is None:
        progress.covered.update(inquiry.attributes or observers[name].spec.attributes)
        return
    progress.failures[name] += 1
    if observation.error.type in _GONE_FOR_GOOD or progress.failures[name] >= _FAILURES_TO_GIVE_UP:
        progress.gone[name] = observation.error.message


def _closed(
    case: Case, turn: Conclude, standing: Standing, detective: Detective, unavailable: Mapping[str, Unavailable]
) -> Case:
    shortfalls = []
    if standing.must_conclude:
        left_open = [a for a in standing.uncovered if a not in turn.absent]
        cut_short = standing.must_conclude != "the inquiries are spent"
        if cut_short or left_open or turn.contradictions:
            shortfalls.append(f"concluded because {standing.must_conclude}")
        if left_open:
            shortfalls.append(f"nobody was asked about {', '.join(left_open)}")
    shortfalls += [f"{NOT_SETTLED}{text}" for text in turn.contradictions]
    not_asked = [f"{name} could not be asked: {why.message}" for name, why in unavailable.items() if not why.expected]
    told_in_full = " ".join(event.text for event in turn.events) == turn.caption
    events = turn.events if told_in_full else cited(turn.caption, case, known=turn.events)
    return replace(
        case.proposed("detective", turn.caption).drafted("investigate", Draft.of(events, case.scope)),
        trajectory=detective.conversation,
        shortfalls=(*case.shortfalls, *shortfalls),
        remarks=(*case.remarks, *turn.remarks, *not_asked),
    )


def _list_reasons(
    unavailable: Mapping[str, Unavailable], observations: Iterable[Observation], closed: Mapping[str, str] | None = None
) -> str:
    failed = {o.observer: o.error.message for o in observations if o.error is not None}
    hints = {name: f"{why.message}" + (f" ({why.hint})" if why.hint else "") for name, why in unavailable.items()}
    reasons = {**(closed or {}), **failed, **hints}
    return "; ".join(f"{name}: {text}" for name, text in sorted(reasons.items())) or "nobody was asked"
