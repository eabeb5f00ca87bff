"""Contradictions between observers: found, settled by an instrument, or put back to the witnesses once.

Ours; none of the published systems does this. The auditor reads the reports and names points on which they exclude
each other. Where an instrument is among those who disagree, it has the last word. Else each witness of the point is
asked once more, openly and about a short span, and the auditor decides what that has settled. What stays open is
recorded as such, and a caption that states it as a certainty is in error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict, Field

from omnidetective.audit.report import Report, united
from omnidetective.case import NOT_SETTLED, Case
from omnidetective.detective.conversation import shortened
from omnidetective.detective.inquiry import Inquiry, InquiryArguments
from omnidetective.detective.turns import fit_inquiry
from omnidetective.evidence import MetadataEvidence, Span
from omnidetective.findings import AttributeAudit, AuditError, Contradiction
from omnidetective.observers.ask import ask
from omnidetective.observers.guard import was_refused
from omnidetective.records import Attribute, Observation
from omnidetective.stages import dossier
from omnidetective.stages.asking import ask_role
from omnidetective.stages.auditor import FAILURES, ROLE
from omnidetective.stages.base import StageContext

MOST = 5
"""Most contradictions of one clip that are examined."""
_FINDING_CHARS = 300


class ContradictionFound(BaseModel):
    """Two or more reports that cannot all be true."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    what: str = Field(min_length=1, description="The point and both versions, in one sentence.")
    observations: list[str] = Field(default_factory=list, description="Ids of the reports that disagree.")
    open_point: int | None = Field(default=None, description="Number of the open point that this is, or null.")
    question: str = Field(default="", description="One open and neutral question that would settle it.")
    start_s: float | None = Field(default=None, description="Start of the span in which it can be told, in seconds.")
    end_s: float | None = Field(default=None, description="End of that span, in seconds.")


class ContradictionsFound(BaseModel):
    """All contradictions among the reports."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    contradictions: list[ContradictionFound]


class Decision(BaseModel):
    """What asking again has settled about one point."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: int = Field(description="Number of the point.")
    settled: bool
    finding: str = Field(default="", description="What is now taken to be so; empty where nothing is settled.")
    snippet: str = Field(
        default="", description="Words of the caption that contradict the finding or state an open point as certain."
    )
    attribute: Attribute = Field(default="narrative", description="What the snippet is about.")


class Decisions(BaseModel):
    """One decision a point."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    decisions: list[Decision]


@dataclass(frozen=True, slots=True)
class Examined:
    """The case with its contradictions and what the witnesses added, and what of the caption they put in the wrong.

    The snippets in ``errors`` are the auditor's word: whether they stand in the caption is still to be looked at.
    """

    case: Case
    errors: Report


@dataclass(frozen=True, slots=True)
class _Point:
    """One contradiction on its way: who reported what, and what to ask; ``answers`` came back."""

    what: str
    reports: tuple[Observation, ...] = ()
    question: str = ""
    start_s: float | None = None
    end_s: float | None = None
    answers: tuple[Observation, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(o.id for o in (*self.reports, *self.answers))


async def examined(case: Case, context: StageContext) -> Examined:
    """Find the contradictions among the observations and settle what can be settled.

    What the detective left open is recorded whoever plays the auditor. An answer of the auditor that cannot be used
    costs its step, and is noted.

    Raises:
        ProviderError: a call failed for a reason that the next would meet too.
    """
    room = MOST - len(case.contradictions)
    known = {contradiction.what for contradiction in case.contradictions}
    left = tuple(text for text in _left_open(case) if text not in known)
    if room <= 0:
        return Examined(case, {})
    points = tuple(_Point(text) for text in left)
    by_model = context.settings.audit.auditor and not context.cast.is_embedded(ROLE)
    if by_model and (left or sum(o.kind == "witness" for o in case.answers) > 1):
        try:
            points = await _found(case, context, left, room)
        except FAILURES as error:
            case = case.noted(f"contradictions were not looked for: {error.message}")
    points = points[:room]
    settled = {n: by for n, point in enumerate(points) if (by := _by_instrument(point)) is not None}
    disputed = {n: point for n, point in enumerate(points) if n not in settled}
    errors: Report = {}
    if by_model and context.settings.audit.cross_examine and any(point.reports for point in disputed.values()):
        case, disputed = await _asked_again(case, context, disputed)
        try:
            decisions = await _decided(case, context, disputed)
        except FAILURES as error:
            case = case.noted(f"what the witnesses said when asked again was not weighed: {error.message}")
        else:
            settled |= _settled(disputed, decisions)
            errors = united(*_errors(disputed, decisions, settled))
    new = (
        settled.get(n) or Contradiction(what=point.what, observations=disputed[n].ids) for n, point in enumerate(points)
    )
    return Examined(replace(case, contradictions=(*case.contradictions, *new)), errors)


def _left_open(case: Case) -> tuple[str, ...]:
    """What the detective could not settle."""
    open_points = (text.removeprefix(NOT_SETTLED).strip() for text in case.shortfalls if text.startswith(NOT_SETTLED))
    return tuple(dict.fromkeys(text for text in open_points if text))


async def _found(case: Case, context: StageContext, left: Sequence[str], most: int) -> tuple[_Point, ...]:
    """The points that the auditor sees, those that were open before first."""
    prompts = context.prompts
    answer = await ask_role(
        context,
        ROLE,
        ContradictionsFound,
        system=prompts.get("audit/contradictions").render(most=most),
        task=prompts.get("audit/contradictions_task").render(
            clip=dossier.facts(case),
            observations=dossier.observations(case, answer_chars=context.settings.ensemble.answer_chars),
            left_open=dossier.said([{"number": n, "what": what} for n, what in enumerate(left, start=1)]),
            known=dossier.said([contradiction.what for contradiction in case.contradictions]),
        ),
        max_tokens=context.settings.audit.max_tokens,
    )
    by_id = {o.id: o for o in case.answers}
    taken_up: dict[int, _Point] = {}
    new: dict[str, _Point] = {}
    known = {contradiction.what for contradiction in case.contradictions}
    for found in answer.contradictions:
        reports = tuple(by_id[i] for i in dict.fromkeys(found.observations) if i in by_id)
        point = _Point(found.what.strip(), reports, found.question.strip(), found.start_s, found.end_s)
        number = found.open_point
        if number is not None and 0 < number <= len(left):
            taken_up.setdefault(number, replace(point, what=left[number - 1]))
        elif len(reports) > 1 and point.what and point.what not in known:
            new.setdefault(point.what, point)
    open_before = (taken_up.get(n) or _Point(what) for n, what in enumerate(left, start=1))
    return (*open_before, *new.values())


def _by_instrument(point: _Point) -> Contradiction | None:
    """A point settled by the instruments among those who disagree with witnesses."""
    # What is written into the header of a file is no measurement of what it shows.
    measured = [o for o in point.reports if o.kind == "instrument" and not isinstance(o.data, MetadataEvidence)]
    if not measured or len(measured) == len(point.reports):
        return None
    finding = "; ".join(f"{o.observer}: {shortened(o.answer, _FINDING_CHARS)}" for o in measured)
    return Contradiction(what=point.what, observations=point.ids, settled_by="instrument", finding=finding)


async def _asked_again(case: Case, context: StageContext, points: dict[int, _Point]) -> tuple[Case, dict[int, _Point]]:
    """Put each point to its witnesses, all at once; a witness hears the same question once."""
    observers = {o.spec.name: o for o in context.toolbox.offered(case.clip) if o.spec.kind == "witness"}
    wanted: dict[int, list[Inquiry]] = {
        n: [
            _inquiry(point, name, case)
            for name in dict.fromkeys(o.observer for o in point.reports)
            if name in observers
        ]
        for n, point in points.items()
        if point.question
    }
    inquiries = {inquiry.key: inquiry for of_point in wanted.values() for inquiry in of_point}
    limit_s = context.settings.investigate.observer_timeout_s
    answers = await asyncio.gather(
        *(
            ask(
                observers[i.observer],
                case.clip,
                i.question,
                i.span,
                timeout_s=limit_s,
            )
            for i in inquiries.values()
        )
    )
    put = [key for key, answer in zip(inquiries, answers, strict=True) if not was_refused(answer)]
    before = len(case.observations)
    case = case.observed(answer for answer in answers if not was_refused(answer))
    told = dict(zip(put, case.observations[before:], strict=True))
    heard = {
        n: tuple(o for inquiry in wanted.get(n, ()) if (o := told.get(inquiry.key)) is not None and o.error is None)
        for n in points
    }
    return case, {n: replace(point, answers=heard[n]) for n, point in points.items()}


def _inquiry(point: _Point, observer: str, case: Case) -> Inquiry:
    """The question to one witness, about the span that the auditor named, else about what the reports were about."""
    start_s, end_s = point.start_s, point.end_s
    spans = [o.span for o in point.reports]
    if start_s is None and end_s is None and (hull := _hull(spans)) is not None:
        start_s, end_s = hull.start_s, hull.end_s
    arguments = InquiryArguments(observer=observer, question=point.question, start_s=start_s, end_s=end_s)
    inquiry = fit_inquiry(arguments, case)
    return inquiry if isinstance(inquiry, Inquiry) else Inquiry(observer, point.question)


def _hull(spans: Iterable[Span | None]) -> Span | None:
    """From the first start to the last end; ``None`` where a report is about the whole clip."""
    known = list(spans)
    some = [span for span in known if span is not None]
    if not some or len(some) < len(known):
        return None
    return Span(start_s=min(span.start_s for span in some), end_s=max(span.end_s for span in some))


async def _decided(case: Case, context: StageContext, points: dict[int, _Point]) -> dict[int, Decision]:
    """Point → the first decision about it."""
    involved = {i for point in points.values() for i in point.ids}
    shown = replace(case, observations=tuple(o for o in case.observations if o.id in involved))
    prompts = context.prompts
    answer = await ask_role(
        context,
        ROLE,
        Decisions,
        system=prompts.get("audit/decide").render(),
        task=prompts.get("audit/decide_task").render(
            points=dossier.said(
                [
                    {
                        "number": n + 1,
                        "what": point.what,
                        "reports": [o.id for o in point.reports],
                        "question": point.question,
                        "answers": [o.id for o in point.answers],
                    }
                    for n, point in points.items()
                ]
            ),
            observations=dossier.observations(shown, answer_chars=context.settings.ensemble.answer_chars),
            caption=dossier.said(case.caption),
        ),
        max_tokens=context.settings.audit.max_tokens,
    )
    decisions: dict[int, Decision] = {}
    for decision in answer.decisions:
        if decision.number - 1 in points:
            decisions.setdefault(decision.number - 1, decision)
    return decisions


def _settled(points: dict[int, _Point], decisions: dict[int, Decision]) -> dict[int, Contradiction]:
    """The points that asking again has settled: nothing is settled about which nobody answered."""
    return {
        n: Contradiction(
            what=points[n].what,
            observations=points[n].ids,
            settled_by="cross_examination",
            finding=decision.finding.strip(),
        )
        for n, decision in decisions.items()
        if decision.settled and decision.finding.strip() and points[n].answers
    }


def _errors(
    points: dict[int, _Point], decisions: dict[int, Decision], settled: dict[int, Contradiction]
) -> Iterable[Report]:
    """What the caption says against a finding, or states although it is open."""
    for n, decision in decisions.items():
        if not decision.snippet.strip():
            continue
        contradiction = settled.get(n)
        why = (
            f"Observers contradict each other here and nothing settles it: {points[n].what}"
            if contradiction is None
            else f"Observers contradicted each other here; asked again, they bear out this: {contradiction.finding}"
        )
        error = AuditError(snippet=decision.snippet, why=why, evidence=points[n].ids)
        yield {decision.attribute: AttributeAudit(errors=(error,))}
