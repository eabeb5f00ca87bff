"""The dialogue reward: who says what in which order, in a caption and in its reference. Pure.

Source: AVoCaDO, R_D, which is also its metric Dlg. F1. The paper leaves empty dialogues open. Here: both empty is 1,
for nothing was to be told and nothing was; one of them empty is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from omnidetective.captions.alignment import THRESHOLD, Match, align, plain
from omnidetective.captions.utterance import Utterance
from omnidetective.frozen import Frozen


class DialogueScore(Frozen):
    """The reward and what it is made of.

    ``content`` is the sum of the similarities of the pairs, ``speaker`` the number of pairs with the same speaker.
    Precision is by the caption's utterances, recall by the reference's.
    """

    f1: float
    precision: float
    recall: float
    content: float
    speaker: int
    pairs: int


SameSpeaker = Callable[[str, str], bool]
"""Whether the caption's name for a speaker and the reference's mean the same person."""


def dialogue_reward(
    generated: Sequence[Utterance],
    reference: Sequence[Utterance],
    *,
    gamma: float = THRESHOLD,
    same_speaker: SameSpeaker | None = None,
) -> float:
    """The F1 of :func:`dialogue_score`, 0…1."""
    return dialogue_score(generated, reference, gamma=gamma, same_speaker=same_speaker).f1


def dialogue_score(
    generated: Sequence[Utterance],
    reference: Sequence[Utterance],
    *,
    gamma: float = THRESHOLD,
    same_speaker: SameSpeaker | None = None,
) -> DialogueScore:
    """Align two dialogues in order, and count what agrees.

    Args:
        gamma: less similar than this, two utterances are never a pair.
        same_speaker: asked once for each pair; by default, speakers are the same who are called by the same words.

    Returns:
        Precision ``S / N`` and recall ``S / M`` of N generated and M reference utterances, where S is the mean of the
        similarity of all pairs together and the number of pairs with the same speaker. Of alignments that are equally
        similar, the speakers of the one count that keeps to the earliest utterances, whatever the speakers are.
    """
    same = same_speaker or _called_the_same
    pairs = aligned(generated, reference, gamma=gamma)
    speakers = sum(same(generated[pair.left].speaker, reference[pair.right].speaker) for pair in pairs)
    return score_of(pairs, same_speakers=speakers, generated=len(generated), reference=len(reference))


def score_of(pairs: Sequence[Match], *, same_speakers: int, generated: int, reference: int) -> DialogueScore:
    """The score of an alignment.

    Args:
        same_speakers: in how many of the pairs the speakers are the same.
        generated: N, how many utterances the caption has.
        reference: M, how many the reference has.

    Raises:
        ValueError: more speakers agree than there are pairs, or there are more pairs than utterances.
    """
    if not 0 <= same_speakers <= len(pairs) <= min(generated, reference):
        raise ValueError(f"{same_speakers} of {len(pairs)} pairs of {generated} and {reference} utterances cannot be")
    if not generated or not reference:
        both = 1.0 if generated == reference else 0.0
        return DialogueScore(f1=both, precision=both, recall=both, content=0.0, speaker=0, pairs=0)
    content = sum(pair.similarity for pair in pairs)
    agreed = (content + same_speakers) / 2
    precision, recall = agreed / generated, agreed / reference
    f1 = 2 * precision * recall / (precision + recall) if agreed else 0.0
    return DialogueScore(
        f1=f1, precision=precision, recall=recall, content=content, speaker=same_speakers, pairs=len(pairs)
    )


def aligned(
    generated: Sequence[Utterance], reference: Sequence[Utterance], *, gamma: float = THRESHOLD
) -> tuple[Match, ...]:
    """The pairs of utterances, in order in both dialogues, with the greatest total similarity."""
    return align([one.content for one in generated], [one.content for one in reference], threshold=gamma)


def _called_the_same(a: str, b: str) -> bool:
    return plain(a) == plain(b)
