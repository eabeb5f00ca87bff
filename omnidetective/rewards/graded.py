"""One caption graded: each part that is asked for, with the judge where one is needed.

Empty cases. A reference without text has nothing to be compared with: no checklist, no dialogue. An empty caption tells
no key point (0) and quotes nobody; nobody is asked about it. Two dialogues without a word agree (1), a dialogue and
none do not (0). The length of an empty caption is 0 tokens, which is not too long (1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from omnidetective.captions.utterance import Utterance
from omnidetective.evals.judge import Judge, UnjudgedError
from omnidetective.rewards.judged_checklist import KeyPoint, judged_checklist, keypoints_of
from omnidetective.rewards.judged_dialogue import given_dialogue, judged_dialogue, utterances_of
from omnidetective.rewards.length import length_reward
from omnidetective.rewards.once import Known, Once
from omnidetective.rewards.parts import (
    CaptionReward,
    ChecklistPart,
    DialoguePart,
    Kind,
    LengthPart,
    NotJudged,
    Part,
    Reason,
    Weights,
    caption_reward,
    parts_of,
)
from omnidetective.token_counts import TokenCounter


@dataclass(frozen=True, slots=True)
class Sample:
    """What is graded.

    Attributes:
        caption: ``None`` where there is none; an empty one is one.
        reference: the caption that it is held against.
        dialogue, reference_dialogue: who says what by each of them, where that is known.
        tokens: of the caption, where they are counted already.
    """

    caption: str | None
    reference: str | None
    dialogue: tuple[Utterance, ...] | None = None
    reference_dialogue: tuple[Utterance, ...] | None = None
    tokens: int | None = None

    @property
    def no_caption(self) -> bool:
        return self.caption is None

    @property
    def no_reference(self) -> bool:
        return self.reference is None or not self.reference.strip()


@dataclass(frozen=True, slots=True)
class Grading:
    """How captions are graded."""

    kind: Kind
    weights: Weights
    tokens: TokenCounter


class KnownReferences:
    """What was found out about references, for all of their captions."""

    def __init__(self) -> None:
        self.keypoints = Known[tuple[KeyPoint, ...]]()
        self.dialogues = Known[tuple[Utterance, ...]]()


class References:
    """Finds out about references, on one event loop."""

    def __init__(self, judge: Judge, known: KnownReferences) -> None:
        self.keypoints = Once(known.keypoints, lambda text: keypoints_of(text, judge))
        self.dialogues = Once(known.dialogues, lambda text: utterances_of(text, judge))


@dataclass(frozen=True, slots=True)
class Seat:
    """The judge, and what it knows of the references."""

    judge: Judge
    references: References


def needs_judge(sample: Sample, kind: Kind) -> bool:
    """Whether somebody has to be asked for this reward."""
    checklist = "checklist" in parts_of(kind) and not sample.no_caption and not sample.no_reference
    return checklist or ("dialogue" in parts_of(kind) and _dialogue_reason(sample) is None and not _given(sample))


async def graded(sample: Sample, grading: Grading, seat: Seat | None) -> CaptionReward:
    """The reward of one caption.

    Args:
        seat: may be ``None`` where :func:`needs_judge` is not so.

    Raises:
        ProviderError: no further call would succeed.
    """
    parts = parts_of(grading.kind)
    missing: list[NotJudged] = []
    checklist: ChecklistPart | None = None
    dialogue: DialoguePart | None = None
    length: LengthPart | None = None
    if "checklist" in parts:
        if (reason := _checklist_reason(sample)) is not None:
            missing.append(NotJudged(part="checklist", reason=reason))
        else:
            try:
                checklist = await _checklist(sample, seat)
            except UnjudgedError as error:
                missing.append(_not_judged("checklist", error))
    if "dialogue" in parts:
        if (reason := _dialogue_reason(sample)) is not None:
            missing.append(NotJudged(part="dialogue", reason=reason))
        else:
            try:
                dialogue = await _dialogue(sample, seat)
            except UnjudgedError as error:
                missing.append(_not_judged("dialogue", error))
    if "length" in parts:
        if sample.caption is None:
            missing.append(NotJudged(part="length", reason="missing_caption"))
        else:
            length = _length(sample.caption, sample.tokens, grading.tokens)
    told = [None if part is None else part.reward for part in (checklist, dialogue, length)]
    if grading.kind == "all":
        reward = caption_reward(*told, weights=grading.weights)
    else:
        reward = next((one for one in told if one is not None), None)
    return CaptionReward(
        reward=reward, checklist=checklist, dialogue=dialogue, length=length, not_judged=tuple(missing)
    )


def _checklist_reason(sample: Sample) -> Reason | None:
    if sample.no_caption:
        return "missing_caption"
    return "missing_reference" if sample.no_reference else None


def _dialogue_reason(sample: Sample) -> Reason | None:
    if sample.no_caption and sample.dialogue is None:
        return "missing_caption"
    return "missing_reference" if sample.no_reference and sample.reference_dialogue is None else None


def _given(sample: Sample) -> bool:
    return sample.dialogue is not None and sample.reference_dialogue is not None


async def _checklist(sample: Sample, seat: Seat | None) -> ChecklistPart:
    assert seat is not None, "somebody is asked for key points"
    points = await seat.references.keypoints.of(sample.reference or "")
    return await judged_checklist(sample.caption or "", points, seat.judge)


async def _dialogue(sample: Sample, seat: Seat | None) -> DialoguePart:
    if sample.dialogue is not None and sample.reference_dialogue is not None:
        return given_dialogue(sample.dialogue, sample.reference_dialogue)
    assert seat is not None, "somebody is asked where a dialogue is not given"
    reference: Sequence[Utterance] | None = sample.reference_dialogue
    if reference is None:
        reference = await seat.references.dialogues.of(sample.reference or "")
    generated: Sequence[Utterance] | None = sample.dialogue
    if generated is None:
        generated = await utterances_of(sample.caption or "", seat.judge)
    return await judged_dialogue(
        generated, reference, seat.judge, caption=sample.caption or "", told=sample.reference or ""
    )


def _length(caption: str, tokens: int | None, counter: TokenCounter) -> LengthPart:
    count, name = (counter.count(caption), counter.name) if tokens is None else (tokens, "tokens of the model")
    return LengthPart(reward=length_reward(count), tokens=count, counted=name)


def _not_judged(part: Part, error: UnjudgedError) -> NotJudged:
    return NotJudged(part=part, reason=error.reason, why=error.why)
