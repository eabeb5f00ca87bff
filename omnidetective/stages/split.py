"""Stage: the caption is split into captions of single attributes, each saying nothing that the whole does not say.

Source: ASID (single-attribute captions beside the all-attribute one). Ours: every sentence is held against the whole
caption; what fails is asked for once more and then dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, create_model

from omnidetective.case import Case
from omnidetective.detective.conversation import shortened
from omnidetective.detective.inquiry import possible_attributes
from omnidetective.draft import Section
from omnidetective.records import Attribute
from omnidetective.settings import Settings
from omnidetective.stages import dossier
from omnidetective.stages.asking import NO_ANSWER, ask_role
from omnidetective.stages.base import Stage, StageContext
from omnidetective.stages.caption_lines import lines_of, with_lines
from omnidetective.stages.plan import seconds
from omnidetective.stages.refine_form import repaired
from omnidetective.stages.sections import side_by_side
from omnidetective.stages.split_check import unfounded
from omnidetective.stages.split_rules import split_by_rules

ROLE = "integrator"
_SENTENCE_CHARS = 300

Captions = Mapping[Attribute, str]


class Split(Stage):
    """The all-attribute caption, and a caption of each attribute that the settings name."""

    name: ClassVar[str] = "split"
    needs: ClassVar[frozenset[str]] = frozenset({"draft"})
    adds: ClassVar[frozenset[str]] = frozenset({"attributes"})

    def roles(self, settings: Settings) -> tuple[str, ...]:
        return (ROLE,)

    async def __call__(self, case: Case, context: StageContext) -> Case:
        assert case.draft is not None, "a stage before this one adds the draft"
        wanted = tuple(a for a in possible_attributes(case) if a in context.settings.split.attributes)
        if not wanted:
            return replace(case, attributes={})
        if context.cast.is_embedded(ROLE):
            return replace(case, attributes=split_by_rules(case.draft, case, wanted))
        sections = [section for section in case.draft.sections if section.events]
        parts = await side_by_side(
            sections,
            lambda section: _split(section, wanted, case, context),
            at_once=context.settings.segment.parallel,
        )
        case = case.noted(*(remark for part in parts for remark in part.remarks))
        case = replace(case, shortfalls=(*case.shortfalls, *(part.shortfall for part in parts if part.shortfall)))
        if all(part.shortfall for part in parts):
            return replace(case, attributes=None)
        return replace(case, attributes=_joined([part.captions for part in parts], wanted))


@dataclass(frozen=True, slots=True)
class _Part:
    """One section taken apart; ``shortfall`` says why it could not be."""

    captions: Captions
    remarks: tuple[str, ...] = ()
    shortfall: str = ""


async def _split(section: Section, wanted: tuple[Attribute, ...], case: Case, context: StageContext) -> _Part:
    """One section as the integrator takes it apart.

    Raises:
        ProviderError: a call failed. An answer without form and refused content are shortfalls.
    """
    facts, prompts = case.clip.facts, context.prompts
    task = prompts.get("split/task").render(caption=dossier.said(section.text), part=section.span is not None)

    async def asked(attributes: tuple[Attribute, ...], task: str) -> dict[Attribute, str]:
        system = prompts.get("split/system").render(modality=facts.modality, attributes=list(attributes))
        answer = await ask_role(
            context,
            ROLE,
            _form(attributes),
            system=system,
            task=task,
            max_tokens=context.settings.split.max_tokens,
        )
        given = {attribute: getattr(answer, attribute) or "" for attribute in attributes}
        return {attribute: repaired(text, facts.duration_s).text for attribute, text in given.items()}

    where = "" if section.span is None else f" ({seconds(section.span)})"
    try:
        captions = await asked(wanted, task)
    except NO_ANSWER as error:
        return _Part({}, shortfall=f"split failed{where}: {error.message}")
    faulty = {a: faults for a, text in captions.items() if (faults := unfounded(text, section.text, facts.duration_s))}
    if faulty:
        again = prompts.get("split/again").render(reasons=dossier.said(_reasons(captions, faulty)))
        try:
            redone = await asked(tuple(faulty), f"{task}\n\n{again}")
        except NO_ANSWER:
            redone = {}  # the sentences that stand are kept, without those that do not
        captions |= {attribute: text for attribute, text in redone.items() if text}
    remarks = []
    for attribute in faulty:
        text = captions[attribute]
        captions[attribute], dropped = _founded(text, section.text, facts.duration_s)
        remarks += [f"the {attribute} caption{where} lost a sentence: {fault}" for fault in dropped]
    return _Part({attribute: text for attribute, text in captions.items() if text}, tuple(remarks))


def _founded(text: str, whole: str, duration_s: float | None) -> tuple[str, list[str]]:
    """A caption without the sentences that the whole does not bear out, and why they went."""
    dropped: list[str] = []
    # A sentence that goes hands its anchor on, so that the next one is looked at anew.
    for _ in range(len(lines_of(text))):
        faults = unfounded(text, whole, duration_s)
        if not faults:
            break
        dropped += list(faults.values())
        text = with_lines(text, [n for n in range(len(lines_of(text))) if n not in faults])
    return text, dropped


def _reasons(captions: Captions, faulty: Mapping[Attribute, Mapping[int, str]]) -> dict[str, list[dict[str, str]]]:
    return {
        attribute: [
            {"sentence": shortened(lines_of(captions[attribute])[n].text, _SENTENCE_CHARS), "why": why}
            for n, why in faults.items()
        ]
        for attribute, faults in faulty.items()
    }


def _joined(parts: list[Captions], wanted: tuple[Attribute, ...]) -> dict[Attribute, str]:
    joined = {a: " ".join(part[a] for part in parts if a in part) for a in wanted}
    return {attribute: text for attribute, text in joined.items() if text}


@lru_cache(maxsize=256)
def _form(attributes: tuple[Attribute, ...]) -> type[BaseModel]:
    """The answer: a caption for each of these attributes, or null."""
    fields: dict[str, Any] = {
        attribute: (
            str | None,
            Field(default=None, description=f"What the caption says of {attribute}; null where it says nothing."),
        )
        for attribute in attributes
    }
    return create_model("AttributeCaptions", __config__=ConfigDict(frozen=True, extra="ignore"), **fields)
