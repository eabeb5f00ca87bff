"""Stage: the refiner carries out the audit report; a guard holds its version against the caption before.

The refiner gets the caption and the report and nothing else, so that it cannot bring in what nobody examined (ASID,
stage 3). Faults of form are repaired without it. A version that does more than the report asks for goes back once
with the reasons; after that the caption stands as it was, and the record says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from omnidetective.audit.inspection import inspect
from omnidetective.audit.report import Report, of_inspection
from omnidetective.case import Case
from omnidetective.detective.conversation import shortened
from omnidetective.detective.inquiry import possible_attributes
from omnidetective.draft import Draft, Section
from omnidetective.findings import AttributeAudit, AuditSummary, Refinement
from omnidetective.grounding import cited
from omnidetective.records import Attribute
from omnidetective.settings import Settings
from omnidetective.stages import dossier
from omnidetective.stages.asking import NO_ANSWER, ask_role
from omnidetective.stages.audit import audited
from omnidetective.stages.base import Stage, StageContext
from omnidetective.stages.plan import seconds
from omnidetective.stages.refine_form import is_empty, repaired, report_after
from omnidetective.stages.refine_guard import refusals
from omnidetective.stages.refine_parts import report_by_section
from omnidetective.stages.refine_rules import refined_by_rules
from omnidetective.stages.sections import side_by_side

ROLE = "refiner"
_VERSIONS = 2
_MOST_ENTRIES = 50
_ENTRY_CHARS = 500


class EnhanceSummary(BaseModel):
    """What the refiner did, in its own words."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    fixed_errors: list[str] = Field(default_factory=list, description="What was corrected, one entry each.")
    filled_missing: list[str] = Field(default_factory=list, description="What was added, one entry each.")
    dropped_forbidden: list[str] = Field(
        default_factory=list, description="What was taken out because it could not be corrected, one entry each."
    )
    timestamp_adjustments: list[str] = Field(default_factory=list, description="Which times changed, one entry each.")


class ImprovedCaption(BaseModel):
    """The refiner's answer, in ASID's form."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    improved_caption: str = Field(description="The whole caption after the work, untouched sentences included.")
    enhance_summary: EnhanceSummary = Field(default_factory=EnhanceSummary, description="What was done.")


class Refine(Stage):
    """The draft, with what the audit found wrong or missing put right."""

    name: ClassVar[str] = "refine"
    needs: ClassVar[frozenset[str]] = frozenset({"draft", "audit"})
    adds: ClassVar[frozenset[str]] = frozenset({"refinement", "draft"})

    def roles(self, settings: Settings) -> tuple[str, ...]:
        return (ROLE,)

    async def __call__(self, case: Case, context: StageContext) -> Case:
        draft, report = case.draft, case.audit
        assert draft is not None, "a stage before this one adds the draft"
        assert report is not None, "a stage before this one adds the audit"
        if is_empty(report):
            return await _audited_again(replace(case, refinement=Refinement()), draft, context)
        form = _form_of(draft, case)
        if form.draft.text != draft.text:
            report = report_after(
                report, form.draft.text, _measured(form.draft, case, context), case.clip.facts.duration_s
            )
        outcomes = await _refined(form.draft, report, case, context)
        refined = Draft(
            tuple(
                _section(section, outcome, case) for section, outcome in zip(form.draft.sections, outcomes, strict=True)
            )
        )
        refinement = _refinement(form, outcomes, form.draft.sections)
        if not refined.text.strip():
            refined = form.draft
            refinement = _nothing_left(form, refinement)
        for section, outcome in zip(form.draft.sections, outcomes, strict=True):
            if not outcome.applied:
                what = "the caption" if section.span is None else f"the caption of {seconds(section.span)}"
                case = case.noted(f"{what} stands unrefined: no version of the refiner's could be taken")
        case = replace(case.drafted(self.name, refined), refinement=refinement)
        return await _audited_again(case, draft, context)


@dataclass(frozen=True, slots=True)
class _Form:
    """A draft in good form, and what was done to it without a model."""

    draft: Draft
    dropped_forbidden: tuple[str, ...]
    timestamp_adjustments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one section.

    Attributes:
        caption: its text; that of before where no version could be taken.
        summary: what was done.
        applied: whether a version was taken, or none was wanted.
        refusals: why versions were sent back.
        trusted: ids that the findings cite.
    """

    caption: str
    summary: EnhanceSummary = field(default_factory=EnhanceSummary)
    applied: bool = True
    refusals: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()


def _form_of(draft: Draft, case: Case) -> _Form:
    sections: list[Section] = []
    dropped: list[str] = []
    adjusted: list[str] = []
    for section in draft.sections:
        form = repaired(section.text, case.clip.facts.duration_s)
        dropped += form.dropped_forbidden
        adjusted += form.timestamp_adjustments
        if form.text == section.text:
            sections.append(section)
        else:
            sections.append(Section(section.span, cited(form.text, case, known=section.events)))
    return _Form(Draft(tuple(sections)), tuple(dropped), tuple(adjusted))


def _measured(draft: Draft, case: Case, context: StageContext) -> Report:
    found = inspect(draft.text, case, quote_similarity=context.settings.audit.quote_similarity)
    return of_inspection(found, possible_attributes(case), elsewhere="scene" if case.clip.whole is None else None)


async def _refined(draft: Draft, report: Report, case: Case, context: StageContext) -> tuple[_Outcome, ...]:
    """What becomes of each section; those without a finding cost nothing."""
    reports = report_by_section(draft, report, case)
    work = list(zip(draft.sections, reports, strict=True))

    async def refine(item: tuple[Section, Report]) -> _Outcome:
        section, findings = item
        if is_empty(findings):
            return _Outcome(section.text)
        if context.cast.is_embedded(ROLE):
            return _by_rules(section, findings, case, context)
        return await _by_model(section, findings, case, context)

    return await side_by_side(work, refine, at_once=context.settings.segment.parallel)


def _by_rules(section: Section, report: Report, case: Case, context: StageContext) -> _Outcome:
    version = refined_by_rules(
        section.text,
        report,
        case,
        section.span,
        lambda text: refusals(
            section.text,
            text,
            report,
            duration_s=case.clip.facts.duration_s,
            keep_similarity=context.settings.refine.keep_similarity,
        ),
    )
    summary = EnhanceSummary(
        fixed_errors=list(version.fixed_errors),
        filled_missing=list(version.filled_missing),
        timestamp_adjustments=list(version.timestamp_adjustments),
    )
    return _Outcome(version.caption, summary, trusted=_evidence(report))


async def _by_model(section: Section, report: Report, case: Case, context: StageContext) -> _Outcome:
    """One section as the refiner mends it, once more if the guard sends the first version back.

    Raises:
        ProviderError: the call failed. An answer without form and refused content count as a refused version.
    """
    settings, prompts, facts = context.settings.refine, context.prompts, case.clip.facts
    system = prompts.get("refine/system").render(modality=facts.modality)
    task = prompts.get("refine/task").render(
        caption=dossier.said(section.text), report=dossier.said(_told(report)), part=section.span is not None
    )
    asked, sent_back = task, list[str]()
    for _ in range(_VERSIONS):
        try:
            answer = await ask_role(
                context, ROLE, ImprovedCaption, system=system, task=asked, max_tokens=settings.max_tokens
            )
        except NO_ANSWER as error:
            sent_back.append(f"no version: {error.message}")
            break
        version = repaired(answer.improved_caption, facts.duration_s)
        reasons = refusals(
            section.text,
            version.text,
            report,
            duration_s=facts.duration_s,
            keep_similarity=settings.keep_similarity,
        )
        if version.text == section.text:
            return _Outcome(section.text, refusals=tuple(sent_back))  # whatever it says it did, it did nothing
        if not reasons:
            return _Outcome(version.text, answer.enhance_summary, refusals=tuple(sent_back), trusted=_evidence(report))
        sent_back += reasons
        again = prompts.get("refine/again").render(
            version=dossier.said(shortened(answer.improved_caption, 2 * len(section.text) + _ENTRY_CHARS)),
            reasons=dossier.said(reasons),
        )
        asked = f"{task}\n\n{again}"
    return _Outcome(section.text, applied=False, refusals=tuple(dict.fromkeys(sent_back)))


def _told(report: Report) -> dict[str, dict[str, object]]:
    """The report as the refiner sees it: what is wrong and why, without ids that it could write into the text."""
    return {
        attribute: {
            "errors": [{"snippet": e.snippet, "why": e.why} for e in audit.errors],
            "missing": [{"what": m.what, "why": m.why} for m in audit.missing],
            "expressiveness": list(audit.expressiveness),
        }
        for attribute, audit in report.items()
        if audit.errors or audit.missing or audit.expressiveness
    }


def _evidence(report: Mapping[Attribute, AttributeAudit]) -> tuple[str, ...]:
    """What the findings cite."""
    cited_ids = (
        id_
        for audit in report.values()
        for ids in (*(e.evidence for e in audit.errors), *(m.evidence for m in audit.missing))
        for id_ in ids
    )
    return tuple(dict.fromkeys(cited_ids))


def _section(section: Section, outcome: _Outcome, case: Case) -> Section:
    if outcome.caption == section.text:
        return section
    return Section(section.span, cited(outcome.caption, case, known=section.events, trusted=outcome.trusted))


def _refinement(form: _Form, outcomes: Sequence[_Outcome], sections: Sequence[Section]) -> Refinement:
    """What was done to the whole. It counts as applied unless no version of any section could be taken."""
    taken = [outcome.summary for outcome in outcomes if outcome.applied]
    failed = [outcome for outcome in outcomes if not outcome.applied]
    worked = [o for o, s in zip(outcomes, sections, strict=True) if o.applied and o.caption != s.text]
    return Refinement(
        fixed_errors=_entries(entry for summary in taken for entry in summary.fixed_errors),
        filled_missing=_entries(entry for summary in taken for entry in summary.filled_missing),
        dropped_forbidden=_entries((*form.dropped_forbidden, *(e for s in taken for e in s.dropped_forbidden))),
        timestamp_adjustments=_entries(
            (*form.timestamp_adjustments, *(e for s in taken for e in s.timestamp_adjustments))
        ),
        applied=bool(worked) or not failed,
        refusals=_entries(
            reason if section.span is None else f"{seconds(section.span)}: {reason}"
            for section, outcome in zip(sections, outcomes, strict=True)
            for reason in outcome.refusals
        ),
    )


def _entries(entries: Iterable[str]) -> tuple[str, ...]:
    """What a model or the guard said, each once, cut to a size that a record can hold."""
    told = dict.fromkeys(shortened(" ".join(entry.split()), _ENTRY_CHARS) for entry in entries if entry.strip())
    return tuple(told)[:_MOST_ENTRIES]


def _nothing_left(form: _Form, refinement: Refinement) -> Refinement:
    return Refinement(
        dropped_forbidden=form.dropped_forbidden,
        timestamp_adjustments=form.timestamp_adjustments,
        applied=False,
        refusals=(*refinement.refusals, "nothing would be left of the caption"),
    )


async def _audited_again(case: Case, before: Draft, context: StageContext) -> Case:
    """The case with the audit of its refined draft, by whom the settings name.

    A draft that is the same as when it was audited is not examined twice: its audit stands.
    """
    reaudit = context.settings.refine.reaudit
    if reaudit == "nobody":
        return case
    summary = case.audit_summary or AuditSummary()
    if case.caption == before.text:
        after = case.audit
    else:
        after, _ = await audited(case, context, auditor=reaudit == "full")
    return replace(case, audit_after=after, audit_summary=summary.model_copy(update={"after_by": reaudit}))
