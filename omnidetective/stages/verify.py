"""Stage: the verifier holds the draft against its sources, and completes what they support.

Source: ASID-Verify, stage 2, whose three-key answer is what this stage adds. Ours besides: a version that lost more
than it mended is not taken, and the embedded verifier, which lists what the instruments miss in the draft.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from omnidetective.audit.inspection import inspect
from omnidetective.captions.markup import without_marks
from omnidetective.captions.moments import canonical_anchors
from omnidetective.captions.repetition import has_collapsed
from omnidetective.case import Case
from omnidetective.detective.writer import write
from omnidetective.draft import Draft, Section
from omnidetective.evidence import Span
from omnidetective.findings import Verification
from omnidetective.grounding import cited
from omnidetective.records import Event
from omnidetective.settings import Settings
from omnidetective.stages import dossier
from omnidetective.stages.asking import ask_role, exhibit
from omnidetective.stages.auditor import FAILURES
from omnidetective.stages.base import Stage, StageContext
from omnidetective.stages.plan import seconds
from omnidetective.stages.sections import side_by_side

ROLE = "verifier"
_SHORTEST = 0.5
"""Share of the draft's length under which the verifier's version is no completed draft."""
_WRITERS = {"investigate": "detective", "ensemble": "integrator"}
"""Stages whose draft is the embedded writer's, where the embedded cast plays these roles."""


def _joined(value: Any) -> Any:
    """Points that a model gives as a list instead of one text."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "\n".join(item.strip() for item in value if item.strip())
    return value


_Deficiency = Annotated[str, BeforeValidator(_joined)]


class VerifierAnswer(BaseModel):
    """The verifier's three keys."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    non_speech_deficiency_specific: _Deficiency = Field(
        description="What the draft lacked or had wrong beside speech; empty when nothing."
    )
    speech_deficiency_specific: _Deficiency = Field(
        description="What the draft lacked or had wrong in speech; empty when nothing."
    )
    caption: str = Field(description="The whole draft with these points mended.")


@dataclass(frozen=True, slots=True)
class _Verified:
    """One section after its verification; ``answer`` is ``None`` where there was none, ``failure`` says why."""

    events: tuple[Event, ...]
    answer: VerifierAnswer | None = None
    failure: str = ""
    remarks: tuple[str, ...] = ()


class Verify(Stage):
    """One pass over the draft, section by section, by whoever is the cast's verifier."""

    name: ClassVar[str] = "verify"
    needs: ClassVar[frozenset[str]] = frozenset({"draft"})
    adds: ClassVar[frozenset[str]] = frozenset({"verification", "draft"})

    def roles(self, settings: Settings) -> tuple[str, ...]:
        return (ROLE,)

    async def __call__(self, case: Case, context: StageContext) -> Case:
        """Complete the draft. Where the verifier gives no usable answer the draft stands, and a shortfall says so.

        Raises:
            ProviderError: a call failed for a reason that the next would meet too.
            ObserverUnavailableError: nobody plays the verifier, or its key is missing.
        """
        assert case.draft is not None, "a workflow verifies only what was drafted"
        if context.cast.is_embedded(ROLE):
            return _by_instruments(case, case.draft, context)
        sections = case.draft.sections
        verified = await side_by_side(
            sections, lambda section: _section(case, context, section), at_once=context.settings.segment.parallel
        )
        draft = Draft(tuple(replace(old, events=new.events) for old, new in zip(sections, verified, strict=True)))
        failed = [
            f"verify failed{'' if section.span is None else f' for {seconds(section.span)}'}: {one.failure}"
            for section, one in zip(sections, verified, strict=True)
            if one.failure
        ]
        case = replace(case.drafted(self.name, draft), shortfalls=(*case.shortfalls, *failed))
        case = case.noted(*(remark for one in verified for remark in one.remarks))
        answers = [(s.span, one.answer) for s, one in zip(sections, verified, strict=True) if one.answer is not None]
        if not answers:
            return case
        return replace(
            case,
            verification=Verification(
                non_speech_deficiency_specific=_told((s, a.non_speech_deficiency_specific) for s, a in answers),
                speech_deficiency_specific=_told((s, a.speech_deficiency_specific) for s, a in answers),
                caption=draft.text,
            ),
        )


async def _section(case: Case, context: StageContext, section: Section) -> _Verified:
    settings = context.settings.verify
    answer_chars = context.settings.ensemble.answer_chars
    span = section.span
    try:
        shown = await exhibit(case, context.cast.chat(ROLE), settings, span)
        task = context.prompts.get("verify/task").render(
            clip=dossier.facts(replace(case, scope=span)),
            draft=dossier.said(section.text),
            candidates=dossier.candidates(case, span=span, answer_chars=answer_chars),
            observations=dossier.observations(case, span=span, answer_chars=answer_chars),
            transcript=dossier.transcript(case, span=span) if "transcript" in settings.shows else None,
            media=bool(shown.media),
            withheld="; ".join(shown.withheld),
        )
        answer = await ask_role(
            context,
            ROLE,
            VerifierAnswer,
            system=context.prompts.get("verify/system").render(modality=case.clip.facts.modality),
            task=task,
            media=shown.media,
            max_tokens=settings.max_tokens,
        )
    except FAILURES as error:
        return _Verified(section.events, failure=error.message)
    remarks = tuple(f"{ROLE} was not shown everything: {why}" for why in shown.withheld)
    text = canonical_anchors(without_marks(answer.caption), case.clip.facts.duration_s).text.strip()
    if fault := _fault(text, section.text):
        where = "" if span is None else f" of {seconds(span)}"
        refused = f"the {ROLE}'s version{where} was not taken: {fault}"
        return _Verified(section.events, answer, remarks=(*remarks, refused))
    return _Verified(cited(text, case, known=section.events), answer, remarks=remarks)


def _fault(text: str, draft: str) -> str:
    """Why a version cannot take the place of the draft, in words; empty when it can."""
    if not text:
        return "it is empty"
    if len(text) < _SHORTEST * len(draft):
        return f"it has {len(text)} characters, the draft {len(draft)}"
    if has_collapsed(text):
        return "it collapses into repetition"
    return ""


def _told(deficiencies: Iterable[tuple[Span | None, str]]) -> str:
    """The deficiencies of all sections, each with its span where there are several."""
    return "\n".join(
        text.strip() if span is None else f"{seconds(span)}: {text.strip()}"
        for span, text in deficiencies
        if text.strip()
    )


def _by_instruments(case: Case, draft: Draft, context: StageContext) -> Case:
    """The three keys without a model: what the instruments found and the draft leaves out.

    The embedded writer's draft is written again where something is missing; a model's stands as it is.
    """
    inspection = inspect(draft.text, case, quote_similarity=context.settings.audit.quote_similarity)
    missing = [finding for finding in inspection.findings if finding.kind == "missing"]
    if missing and case.drafts and context.cast.is_embedded(_WRITERS.get(case.drafts[-1].stage, "")):
        draft = _in_sections(write(case).events, draft) or draft
        case = case.drafted(Verify.name, draft)
    lines = [(finding.attribute, f"{finding.snippet} ({finding.why})") for finding in missing]
    return replace(
        case,
        verification=Verification(
            non_speech_deficiency_specific="\n".join(text for attribute, text in lines if attribute != "speech"),
            speech_deficiency_specific="\n".join(text for attribute, text in lines if attribute == "speech"),
            caption=draft.text,
        ),
    )


def _in_sections(events: Sequence[Event], draft: Draft) -> Draft | None:
    """Events in order of time in the sections of a draft: each where it begins, those without a time in the first."""
    if not events:
        return None
    starts_s = [section.span.start_s if section.span else 0.0 for section in draft.sections]
    parts: list[list[Event]] = [[] for _ in starts_s]
    for event in events:
        parts[max(0, bisect_right(starts_s, event.start_s or 0.0) - 1)].append(event)
    return Draft(tuple(replace(old, events=tuple(part)) for old, part in zip(draft.sections, parts, strict=True)))
