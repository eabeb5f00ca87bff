"""The auditor that is a model: what it finds wrong in the draft, section by section, each attribute by its own list.

Source of the form: ASID-Verify, stage 3 (errors, missing, expressiveness, by attribute). The lists are ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from omnidetective.audit.report import Report, standing, united
from omnidetective.case import Case
from omnidetective.detective.inquiry import possible_attributes
from omnidetective.draft import Section
from omnidetective.errors import MediaError
from omnidetective.findings import AttributeAudit, AuditError, AuditMissing
from omnidetective.records import Attribute
from omnidetective.stages import dossier
from omnidetective.stages.asking import NO_ANSWER, Exhibit, ask_role, exhibit
from omnidetective.stages.base import StageContext
from omnidetective.stages.plan import seconds
from omnidetective.stages.sections import side_by_side

ROLE = "auditor"
FAILURES = (*NO_ANSWER, MediaError)
"""What goes wrong with one question and leaves the rest of the clip its worth: a refusal, prose, unreadable frames."""


class ErrorFound(BaseModel):
    """Something that the caption says and the evidence contradicts."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    snippet: str = Field(description="The words at fault, copied letter by letter from the caption, in one piece.")
    why: str = Field(description="What is so instead, with the time where there is one.")
    evidence: list[str] = Field(default_factory=list, description="Ids of the observations that show it.")


class MissingFound(BaseModel):
    """Something important that the evidence shows and the caption leaves out."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    what: str = Field(description="The fact itself, ready to be written in.")
    why: str = Field(description="What a reader does not understand without it.")
    evidence: list[str] = Field(default_factory=list, description="Ids of the observations that show it.")


class AttributeFindings(BaseModel):
    """What is wrong in one attribute; empty lists where nothing is."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    errors: list[ErrorFound]
    missing: list[MissingFound]
    expressiveness: list[str] = Field(default_factory=list, description="Wording that serves the reader badly.")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the auditor found.

    Attributes:
        report: findings whose snippets stand in the caption.
        not_in_caption: how many others there were.
        unaudited: attribute → why it was not judged, or not in every section.
        withheld: what the auditor was to be shown and cannot take, in words.
    """

    report: Report
    not_in_caption: int = 0
    unaudited: Mapping[str, str] = field(default_factory=dict)
    withheld: tuple[str, ...] = ()


async def judged(case: Case, context: StageContext) -> Judgement:
    """The auditor's judgement of the current draft, in one call a section or in one for each attribute.

    A call without a usable answer leaves its attributes unaudited, with the reason.

    Raises:
        ProviderError: a call failed for a reason that the next would meet too.
        ObserverUnavailableError: nobody plays the auditor, or its key is missing.
    """
    assert case.draft is not None, "a workflow audits only what was drafted"
    attributes = tuple(a for a in possible_attributes(case) if a in context.settings.audit.attributes)
    if not attributes:
        return Judgement({})
    sections = await side_by_side(
        case.draft.sections,
        lambda section: _section(case, context, section, attributes),
        at_once=context.settings.segment.parallel,
    )
    unaudited: dict[str, str] = {}
    for section, judgement in zip(case.draft.sections, sections, strict=True):
        for attribute, reason in judgement.unaudited.items():
            told = reason if section.span is None else f"{seconds(section.span)}: {reason}"
            unaudited[attribute] = f"{unaudited[attribute]}; {told}" if attribute in unaudited else told
    return Judgement(
        report=united(*(judgement.report for judgement in sections)),
        not_in_caption=sum(judgement.not_in_caption for judgement in sections),
        unaudited=unaudited,
        withheld=tuple(dict.fromkeys(text for judgement in sections for text in judgement.withheld)),
    )


async def _section(case: Case, context: StageContext, section: Section, attributes: tuple[Attribute, ...]) -> Judgement:
    try:
        shown = await exhibit(case, context.cast.chat(ROLE), context.settings.audit, section.span)
    except MediaError as error:
        unread: dict[str, str] = dict.fromkeys(attributes, error.message)
        return Judgement({}, unaudited=unread)
    one_call = context.settings.audit.calls == "one"
    calls = [attributes] if one_call else [(attribute,) for attribute in attributes]
    answers = await side_by_side(calls, lambda asked: _call(case, context, section, asked, shown), at_once=len(calls))
    found = {attribute: answer for one in answers for attribute, answer in one.items()}
    findings = {attribute: answer for attribute, answer in found.items() if isinstance(answer, AttributeFindings)}
    report, dropped = standing(
        {attribute: _audit(answer, case) for attribute, answer in findings.items()}, section.text
    )
    unaudited: dict[str, str] = {attribute: answer for attribute, answer in found.items() if isinstance(answer, str)}
    return Judgement(report, dropped, unaudited, shown.withheld)


async def _call(
    case: Case, context: StageContext, section: Section, asked: tuple[Attribute, ...], shown: Exhibit
) -> dict[Attribute, AttributeFindings | str]:
    """Attribute → what was found, or why it was not judged."""
    form = answer_form(asked)
    try:
        answer = await ask_role(
            context,
            ROLE,
            form,
            system=_system(case, context, asked),
            task=_task(case, context, section, asked, shown),
            media=shown.media,
            max_tokens=context.settings.audit.max_tokens,
        )
    except FAILURES as error:
        return dict.fromkeys(asked, error.message)
    if isinstance(answer, AttributeFindings):
        return {asked[0]: answer}
    # An attribute that the answer leaves out was not judged; that is not the same as nothing found.
    return {
        attribute: getattr(answer, attribute)
        if attribute in answer.model_fields_set
        else "the auditor's answer leaves it out"
        for attribute in asked
    }


def _system(case: Case, context: StageContext, asked: tuple[Attribute, ...]) -> str:
    modality = case.clip.facts.modality
    lists = (context.prompts.get(f"audit/{attribute}").render(modality=modality) for attribute in asked)
    return context.prompts.get("audit/system").render(modality=modality, lists="\n\n".join(lists))


def _task(case: Case, context: StageContext, section: Section, asked: tuple[Attribute, ...], shown: Exhibit) -> str:
    answer_chars = context.settings.ensemble.answer_chars
    listens = "transcript" in context.settings.audit.shows
    return context.prompts.get("audit/task").render(
        clip=dossier.facts(replace(case, scope=section.span)),
        caption=dossier.said(section.text),
        observations=dossier.observations(case, span=section.span, answer_chars=answer_chars),
        transcript=dossier.transcript(case, span=section.span) if listens else None,
        media=bool(shown.media),
        withheld="; ".join(shown.withheld),
        attributes=", ".join(asked),
    )


@lru_cache(maxsize=64)
def answer_form(asked: tuple[Attribute, ...]) -> type[BaseModel]:
    """The form of the answer: the findings of the one attribute asked about, or those of each by its name."""
    if len(asked) == 1:
        return AttributeFindings
    fields: dict[str, Any] = {
        attribute: (AttributeFindings, Field(default=None, description=f"Findings in {attribute}."))
        for attribute in asked
    }
    return create_model("AuditFindings", __config__=ConfigDict(frozen=True, extra="ignore"), **fields)


def _audit(found: AttributeFindings, case: Case) -> AttributeAudit:
    """The findings as the record keeps them: without blanks, and citing only observations that there are."""
    ids = {observation.id for observation in case.answers}

    def known(evidence: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(i.strip() for i in evidence if i.strip() in ids))

    return AttributeAudit(
        errors=tuple(
            AuditError(snippet=error.snippet, why=error.why.strip(), evidence=known(error.evidence))
            for error in found.errors
        ),
        missing=tuple(
            AuditMissing(what=item.what.strip(), why=item.why.strip(), evidence=known(item.evidence))
            for item in found.missing
            if item.what.strip()
        ),
        expressiveness=tuple(text.strip() for text in found.expressiveness if text.strip()),
    )
