"""Stage: the integrator merges the candidates into one draft whose sentences cite their evidence.

A long clip is merged part by part, in order, because each part must know who appeared and what was told before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from omnidetective.case import Case
from omnidetective.detective.conversation import shortened
from omnidetective.detective.inquiry import possible_attributes
from omnidetective.detective.writer import write
from omnidetective.draft import Draft, Section
from omnidetective.errors import FormatError, NoCandidatesError
from omnidetective.evidence import Span
from omnidetective.llm.messages import AudioPart, ImagePart
from omnidetective.records import Event
from omnidetective.settings import Settings
from omnidetective.stages import dossier
from omnidetective.stages.asking import NO_ANSWER, ask_role, exhibit
from omnidetective.stages.base import Stage, StageContext
from omnidetective.stages.domain_agents import routed, tells_of
from omnidetective.stages.ensemble_answer import MergedCaption, MergedPart, Settled, settled, settled_text
from omnidetective.stages.ensemble_brief import (
    candidates_of,
    people_with,
    told_candidates,
    told_earlier,
    told_observations,
    told_people,
)
from omnidetective.stages.plan import seconds

ROLE = "integrator"
_MOST_NAMED = 8
_REASON_CHARS = 200


class Ensemble(Stage):
    """One draft out of several candidates."""

    name: ClassVar[str] = "ensemble"
    needs: ClassVar[frozenset[str]] = frozenset({"candidates"})
    adds: ClassVar[frozenset[str]] = frozenset({"draft"})
    begins_again: ClassVar[bool] = True
    draws: ClassVar[bool] = True

    def can_differ(self, case: Case, context: StageContext) -> bool:
        """Rules make the same of a case each time, and so does who has nothing to merge."""
        return not context.cast.is_embedded(ROLE) and not _nothing_to_merge(case, context)

    def roles(self, settings: Settings) -> tuple[str, ...]:
        return (ROLE,)

    async def __call__(self, case: Case, context: StageContext) -> Case:
        _require_candidates(case, context.settings.annotate.min_candidates)
        if _nothing_to_merge(case, context):
            return case
        if context.cast.is_embedded(ROLE):
            case, sections = _by_rules(case)
        else:
            case, sections = await _by_model(case, context)
        draft = Draft(sections)
        if not draft.events:
            raise NoCandidatesError(_with_failures("the candidates say nothing", case))
        return case.drafted(self.name, draft)


def _require_candidates(case: Case, least: int) -> None:
    """Refuse a case of which no part has enough candidates.

    Raises:
        NoCandidatesError: it names the failures that are recorded.
    """
    most = max(len(candidates_of(case, part)) for part in case.segments or (None,))
    if most < least:
        raise NoCandidatesError(_with_failures(f"{most} of at least {least} candidates", case))


def _with_failures(what: str, case: Case) -> str:
    failed = [*case.shortfalls, *(f"{o.observer}: {o.error.message}" for o in case.observations if o.error is not None)]
    named = [shortened(failure, _REASON_CHARS) for failure in dict.fromkeys(failed)][:_MOST_NAMED]
    return f"{what}; " + ("; ".join(named) or "no failure is recorded")


def _nothing_to_merge(case: Case, context: StageContext) -> bool:
    """Whether the draft is the only candidate and nobody has rejected it, or rules could only make less of it."""
    if case.draft is not None and context.cast.is_embedded(ROLE) and not context.cast.is_embedded("detective"):
        return True
    only = len(case.candidates) == 1 and case.candidates[0].source == "detective"
    return only and case.draft is not None and not case.segments and not case.hints


def _by_rules(case: Case) -> tuple[Case, tuple[Section, ...]]:
    """The timed evidence merged without a model; a section for each segment of a long clip."""
    events = write(case).events
    if events:
        return case, _in_sections(events, case.segments)
    return _fallen_back(case, "nothing was measured that could be merged")


def _in_sections(events: Sequence[Event], segments: Sequence[Span]) -> tuple[Section, ...]:
    """Events, in order of time, by the segment in which they begin; those without a time go before the first."""
    if not segments:
        return Draft.of(events).sections
    last = len(segments) - 1
    return tuple(
        Section(
            span,
            tuple(
                e
                for e in events
                if (n == 0 or (e.start_s or 0.0) >= span.start_s) and (n == last or (e.start_s or 0.0) < span.end_s)
            ),
        )
        for n, span in enumerate(segments)
    )


def _fallen_back(case: Case, why: str) -> tuple[Case, tuple[Section, ...]]:
    sections = []
    for part in case.segments or (None,):
        merged = _without_merging(case, part, why)
        case = merged.case
        sections.append(merged.section)
    return case, tuple(sections)


@dataclass(frozen=True, slots=True)
class _Merged:
    """One part of the draft, the case with what is to be said about it, and the people so far."""

    case: Case
    section: Section
    people: Mapping[str, str]


async def _by_model(case: Case, context: StageContext) -> tuple[Case, tuple[Section, ...]]:
    sections: list[Section] = []
    people: Mapping[str, str] = {}
    for part in case.segments or (None,):
        if not candidates_of(case, part):
            assert part is not None  # a clip that is worked on whole has candidates, or was refused
            case = _short(case, f"nothing is told of {seconds(part)}: it has no candidate")
            sections.append(Section(part, ()))
            continue
        try:
            merged = await _merged(case, context, part, sections, people)
        except NO_ANSWER as error:
            merged = _without_merging(case, part, error.message, people)
        case, people = merged.case, merged.people
        sections.append(merged.section)
    return case, tuple(sections)


async def _merged(
    case: Case, context: StageContext, part: Span | None, before: Sequence[Section], people: Mapping[str, str]
) -> _Merged:
    """One part as the integrator merges it.

    Raises:
        FormatError: it gave no caption.
        ContentFilterError: its provider refused the content.
        ProviderError: the call failed.
    """
    settings, prompts = context.settings.ensemble, context.prompts
    shown = await exhibit(case, context.cast.chat(ROLE), settings, part)
    reads = "transcript" in settings.shows and case.clip.facts.has_audio
    domains = routed(case, context.settings)
    system = prompts.get("ensemble/system").render(
        modality=case.clip.facts.modality,
        attributes=list(possible_attributes(case)),
        part=part is not None,
        sees=any(isinstance(item, ImagePart) for item in shown.media),
        hears=any(isinstance(item, AudioPart) for item in shown.media),
        reads=reads,
        domains=[domain.title for domain in domains],
        tells=tells_of(domains),
    )
    task = prompts.get("ensemble/task").render(
        facts=dossier.facts(case.branched("", part)),
        candidates=told_candidates(case, part, answer_chars=settings.answer_chars),
        observations=told_observations(case, part, answer_chars=settings.answer_chars),
        transcript=dossier.transcript(case, span=part) if reads else None,
        earlier=None if part is None else told_earlier([section for section in before if section.events]),
        characters=None if part is None else told_people(people),
        hints=dossier.said(list(case.hints)) if case.hints else None,
    )
    schema = MergedCaption if part is None else MergedPart
    answer = await ask_role(
        context,
        ROLE,
        schema,
        system=system,
        task=task,
        media=shown.media,
        max_tokens=settings.max_tokens,
        sample=case.draw,
    )
    result = settled(answer.sentences, case, part)
    if not result.events:
        raise FormatError("the integrator's caption holds nothing but marks", reason="empty")
    case = case.noted(*(f"{ROLE} was not shown everything: {why}" for why in shown.withheld), *result.remarks)
    if isinstance(answer, MergedPart):
        people = people_with(people, answer.characters)
    return _Merged(case, Section(part, result.events), people)


def _without_merging(case: Case, part: Span | None, why: str, people: Mapping[str, str] | None = None) -> _Merged:
    """One part where merging failed: as it was drafted before, else its longest candidate."""
    where = "" if part is None else f" for {seconds(part)}"
    case = _short(case, f"ensemble failed{where}: {why}")
    drafted = [s for s in (case.draft.sections if case.draft else ()) if s.span == part and s.events]
    if drafted:
        return _Merged(case, drafted[0], people or {})
    captions = [candidate.caption for candidate in candidates_of(case, part)]
    result = settled_text(max(captions, key=len), case, part) if captions else Settled(())
    return _Merged(case.noted(*result.remarks), Section(part, result.events), people or {})


def _short(case: Case, shortfall: str) -> Case:
    return replace(case, shortfalls=(*case.shortfalls, shortfall))
