"""The judge of the professional rubric: a caption is accepted where it gets the full score in every dimension.

The judge holds the caption against what it is shown of the clip and against what instruments measured. Which source
wrote what it is not told, and what witnesses said proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from omnidetective.case import Case
from omnidetective.detective.conversation import shortened
from omnidetective.domains import load_domains
from omnidetective.errors import MediaError
from omnidetective.records import Modality
from omnidetective.rubric import DIMENSIONS, FULL
from omnidetective.stages import dossier
from omnidetective.stages.asking import NO_ANSWER, Exhibit, ask_role, exhibit
from omnidetective.stages.base import StageContext

ROLE = "judge"
_MOST_NAMED = 3
_REASON_CHARS = 200


class Scored(BaseModel):
    """One dimension. The reasons come first, so that the score follows from them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    reasons: list[str] = Field(description="What keeps it from a 3, one short sentence each; empty where nothing does.")
    score: Annotated[int, Field(ge=1, le=FULL, description="1, 2 or 3.")]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge makes of a caption; no scores where it could not be heard."""

    scores: Mapping[str, float] = field(default_factory=dict)
    rejections: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@lru_cache(maxsize=len(DIMENSIONS))
def form_of(modality: Modality) -> type[BaseModel]:
    """The form of the judge's answer: each dimension by its name, and none may be left out."""
    fields: dict[str, Any] = {d.name: (Scored, Field(description=d.asks)) for d in DIMENSIONS[modality]}
    return create_model("ProfessionalJudgement", __config__=ConfigDict(frozen=True, extra="ignore"), **fields)


async def judged_professionally(case: Case, context: StageContext) -> Verdict:
    """The scores of the caption, and a reason for each dimension that has not the full one.

    An answer without form, refused content and frames that cannot be read leave the caption without a score: that the
    judge is bad at its job is not the caption's fault. Nor is one asked who could hold the caption against nothing.

    Raises:
        ProviderError: the call failed.
    """
    modality = case.clip.facts.modality
    try:
        shown = await exhibit(case, context.cast.chat(ROLE), context.settings.gate, None)
        withheld = tuple(f"{ROLE} was not shown everything: {why}" for why in shown.withheld)
        measured = _measured(case)
        if not shown.media and not measured.answers:
            return Verdict(remarks=(*withheld, "the caption was not judged: there was nothing to hold it against"))
        answer = await ask_role(
            context,
            ROLE,
            form_of(modality),
            system=context.prompts.get("gate/professional").render(
                modality=modality, dimensions=DIMENSIONS[modality], media=bool(shown.media)
            ),
            task=_task(measured, context, shown),
            media=shown.media,
        )
    except (*NO_ANSWER, MediaError) as error:
        return Verdict(remarks=(f"the judge gave no professional scores: {error.message}",))
    found: dict[str, Scored] = {d.name: getattr(answer, d.name) for d in DIMENSIONS[modality]}
    return Verdict(
        scores={name: float(scored.score) for name, scored in found.items()},
        rejections=tuple(_rejected(found)),
        remarks=withheld,
    )


def _task(case: Case, context: StageContext, shown: Exhibit) -> str:
    return context.prompts.get("gate/professional_task").render(
        clip=dossier.facts(case),
        expected=_expected(case, context),
        caption=dossier.said(case.caption or ""),
        observations=dossier.observations(case, answer_chars=context.settings.ensemble.answer_chars),
        transcript=dossier.transcript(case) if "transcript" in context.settings.gate.shows else None,
        media=bool(shown.media),
        withheld="; ".join(shown.withheld),
    )


def _measured(case: Case) -> Case:
    """The case as far as instruments know it."""
    return replace(case, observations=tuple(o for o in case.observations if o.kind == "instrument"))


def _expected(case: Case, context: StageContext) -> str | None:
    """What a caption of the picture's domain has to tell, as JSON; nothing where no domain is known."""
    if case.routing is None:
        return None
    domains = load_domains(context.settings.route.domains)
    known = [domains[name] for name in case.routing.domains if name in domains]
    return dossier.said([{"domain": d.title, "tells": list(d.tells)} for d in known]) if known else None


def _rejected(found: Mapping[str, Scored]) -> Iterator[str]:
    for name, scored in found.items():
        if scored.score < FULL:
            why = "; ".join(shortened(" ".join(r.split()), _REASON_CHARS) for r in scored.reasons[:_MOST_NAMED])
            yield f"not_professional: {name} {scored.score} of {FULL}" + (f": {why}" if why else "")
