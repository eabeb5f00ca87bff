"""Stage: the gate. A caption is accepted, or rejected with reasons; a rejected clip keeps its record.

What costs nothing is checked first. The judge is asked only about a caption that nothing else speaks against: how
complete the merge is (AVoCaDO §3.1: keep 4 and 5 of 5), or, by the professional rubric, whether it has no fault in
any dimension (MetaCaptioner's CapFlow: keep 3 of 3 in all).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from omnidetective.case import Case
from omnidetective.detective.conversation import shortened
from omnidetective.rubric import COMPLETENESS
from omnidetective.settings import Settings
from omnidetective.stages import dossier
from omnidetective.stages.asking import NO_ANSWER, ask_role
from omnidetective.stages.base import Stage, StageContext
from omnidetective.stages.gate_checks import checked
from omnidetective.stages.gate_rubric import ROLE, Verdict, judged_professionally

MERGED = 2
"""Fewest candidates of the same stretch of a clip that make a merge."""
_MOST_NAMED = 5
_REASON_CHARS = 200


class Judgement(BaseModel):
    """The judge's answer. The reasons come first, so that the score follows from them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    reasons: list[str] = Field(default_factory=list, description="What is lost, one short sentence each.")
    score: Annotated[int, Field(ge=1, le=5, description="How complete the caption is, 1 to 5.")]


class Gate(Stage):
    """Accept or reject."""

    name: ClassVar[str] = "gate"
    needs: ClassVar[frozenset[str]] = frozenset({"draft"})
    adds: ClassVar[frozenset[str]] = frozenset({"rejections"})

    def roles(self, settings: Settings) -> tuple[str, ...]:
        return (ROLE,) if settings.gate.judge else ()

    async def __call__(self, case: Case, context: StageContext) -> Case:
        assert case.draft is not None, "a stage before this one adds the draft"
        settings, similarity = context.settings.gate, context.settings.audit.quote_similarity
        found = checked(case.draft, case, settings, quote_similarity=similarity)
        scores, rejections = found.scores, found.reasons
        if not rejections and _can_judge(case, context):
            judged = judged_professionally if settings.rubric == "professional" else _judged
            verdict = await judged(case, context)
            scores = {**scores, **verdict.scores}
            rejections, case = verdict.rejections, case.noted(*verdict.remarks)
        return replace(case, scores=scores, rejections=rejections)


def _can_judge(case: Case, context: StageContext) -> bool:
    """Whether there is something to judge, which for completeness is a merge, and a model to judge it."""
    players, settings = context.cast, context.settings.gate
    most = max(Counter(candidate.span for candidate in case.candidates).values(), default=0)
    return (
        settings.judge
        and (settings.rubric == "professional" or most >= MERGED)
        and players.is_played(ROLE)
        and not players.is_embedded(ROLE)
    )


async def _judged(case: Case, context: StageContext) -> Verdict:
    """How complete the caption is, as the judge sees it.

    Raises:
        ProviderError: the call failed. An answer without form and refused content leave the caption without a score:
            that the judge is bad at its job is not the caption's fault.
    """
    prompts, least = context.prompts, context.settings.gate.completeness
    try:
        answer = await ask_role(
            context,
            ROLE,
            Judgement,
            system=prompts.get("gate/judge").render(modality=case.clip.facts.modality),
            task=prompts.get("gate/task").render(
                candidates=dossier.candidates(case, answer_chars=context.settings.ensemble.answer_chars),
                caption=dossier.said(case.caption or ""),
            ),
        )
    except NO_ANSWER as error:
        return Verdict(remarks=(f"the judge gave no completeness score: {error.message}",))
    scores = {COMPLETENESS: float(answer.score)}
    if answer.score >= least:
        return Verdict(scores)
    lost = "; ".join(shortened(" ".join(reason.split()), _REASON_CHARS) for reason in answer.reasons[:_MOST_NAMED])
    told = f": {lost}" if lost else ""
    return Verdict(scores, (f"incomplete: completeness {answer.score} of 5, at least {least} is wanted{told}",))
