"""What a reward is made of: its three parts, why one of them is not there, and their sum. Pure.

What could not be judged has no number: neither a zero, which would punish a caption for its judge, nor a mean.
"""

from __future__ import annotations

from typing import Literal, get_args

from omnidetective.evals.judge import WhyNot
from omnidetective.frozen import Frozen, Sparse
from omnidetective.rewards.dialogue import DialogueScore

Part = Literal["checklist", "dialogue", "length"]
Kind = Literal["checklist", "dialogue", "length", "all"]
"""One part alone, or the weighted sum of all three."""
PARTS: tuple[Part, ...] = get_args(Part)

PointVerdict = Literal["correct", "wrong", "missing"]
Reason = Literal["missing_caption", "missing_reference"] | WhyNot


class CheckedPoint(Frozen):
    """One key point of the reference, and how the caption stands to it."""

    dimension: str
    point: str
    verdict: PointVerdict


class ChecklistPart(Frozen):
    """The checklist reward: the share of ``points`` whose verdict is ``correct``."""

    reward: float
    points: tuple[CheckedPoint, ...]


class Said(Frozen):
    """One utterance, as it is written to files."""

    speaker: str
    content: str


class DialoguePart(Frozen):
    """The dialogue reward; ``score`` says how it came about, the two lists what was compared."""

    reward: float
    score: DialogueScore
    generated: tuple[Said, ...]
    reference: tuple[Said, ...]


class LengthPart(Frozen):
    """The length reward of so many tokens; ``counted`` says whose tokens."""

    reward: float
    tokens: int
    counted: str


class NotJudged(Frozen):
    """A part that has no number, and why."""

    part: Part
    reason: Reason
    why: str = ""


class CaptionReward(Sparse):
    """The reward of one caption. ``reward`` is absent where a part that counts could not be judged."""

    reward: float | None = None
    checklist: ChecklistPart | None = None
    dialogue: DialoguePart | None = None
    length: LengthPart | None = None
    not_judged: tuple[NotJudged, ...] = ()


class Weights(Frozen):
    """How much each part counts in the sum; in the paper, each counts 1."""

    checklist: float = 1.0
    dialogue: float = 1.0
    length: float = 1.0


def parts_of(kind: Kind) -> tuple[Part, ...]:
    """The parts that a kind of reward is made of."""
    return PARTS if kind == "all" else (kind,)


def caption_reward(
    checklist: float | None, dialogue: float | None, length: float | None, *, weights: Weights | None = None
) -> float | None:
    """R_C + R_D + R_L, each by its weight; ``None`` where a part whose weight is not 0 is ``None``.

    Source: AVoCaDO, the plain sum.
    """
    by = weights or Weights()
    pairs = ((by.checklist, checklist), (by.dialogue, dialogue), (by.length, length))
    known = [weight * part for weight, part in pairs if weight and part is not None]
    return sum(known) if len(known) == sum(bool(weight) for weight, _ in pairs) else None
