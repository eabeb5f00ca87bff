"""The dialogue reward with a judge: who says what by a caption and by its reference, aligned, and who is who.

Three calls at most: the utterances of the reference, once whatever the number of its captions; those of the caption;
and one for the speakers of all pairs of utterances. The alignment itself needs no judge. Replies are taken whole or not
at all.

Where we differ from the paper: there Gemini-2.5-Pro sees the video when it says whether two speakers are the same
person; here the judge sees both captions, and no video, so that any chat model can judge, and a caption that leaves its
speaker open does not earn the speaker. The prompts of the paper are figures; these are our own.

Source: AVoCaDO, R_D.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from omnidetective.captions.utterance import Utterance
from omnidetective.evals.judge import Judge
from omnidetective.evals.native import as_json
from omnidetective.evals.replies import answer_in
from omnidetective.rewards.dialogue import aligned, dialogue_score, score_of
from omnidetective.rewards.parts import DialoguePart, Said

_TRIES = 3


async def utterances_of(caption: str, judge: Judge) -> tuple[Utterance, ...]:
    """What is said by a caption, in its order. By an empty caption nothing is said, and nobody is asked.

    Raises:
        UnjudgedError: the judge gave no list.
    """
    if not caption.strip():
        return ()
    prompts = judge.prompts
    return await judge.ask(
        prompts.get("eval/case_task").render(case=as_json({"caption": caption})),
        parse_dialogue,
        system=prompts.get("reward/dialogue").render(),
        tries=_TRIES,
    )


async def judged_dialogue(
    generated: Sequence[Utterance], reference: Sequence[Utterance], judge: Judge, *, caption: str, told: str
) -> DialoguePart:
    """The reward of two dialogues, their speakers compared by the judge where there are pairs.

    Args:
        caption: the caption that ``generated`` was taken from; may be empty.
        told: the reference caption that ``reference`` was taken from; may be empty.

    Raises:
        UnjudgedError: there is no verdict on the speakers.
    """
    pairs = aligned(generated, reference)
    same: Sequence[bool] = ()
    if pairs:
        numbered = {
            str(n): {"first": generated[pair.left]._asdict(), "second": reference[pair.right]._asdict()}
            for n, pair in enumerate(pairs, start=1)
        }
        prompts = judge.prompts
        case = as_json({"first_caption": caption, "second_caption": told, "pairs": numbered})
        same = await judge.ask(
            prompts.get("eval/case_task").render(case=case),
            lambda reply: parse_same(reply, len(pairs)),
            system=prompts.get("reward/speakers").render(count=len(pairs)),
            tries=_TRIES,
        )
    score = score_of(pairs, same_speakers=sum(same), generated=len(generated), reference=len(reference))
    return DialoguePart(reward=score.f1, score=score, generated=_said(generated), reference=_said(reference))


def given_dialogue(generated: Sequence[Utterance], reference: Sequence[Utterance]) -> DialoguePart:
    """The reward of two dialogues that are known: speakers are the same who are called by the same words."""
    score = dialogue_score(generated, reference)
    return DialoguePart(reward=score.f1, score=score, generated=_said(generated), reference=_said(reference))


def parse_dialogue(reply: str) -> tuple[Utterance, ...] | None:
    """The utterances in a reply; ``None`` unless each has a speaker and words. An empty list is an answer."""

    def read(found: Mapping[str, Any]) -> tuple[Utterance, ...] | None:
        said = found.get("dialogue")
        if not isinstance(said, list):
            return None
        utterances = tuple(utterance for one in said if (utterance := _utterance(one)) is not None)
        return utterances if len(utterances) == len(said) else None

    return answer_in(reply, read)


def parse_same(reply: str, count: int) -> tuple[bool, ...] | None:
    """Whether the speakers of each pair are the same; ``None`` unless there is one true or false for each."""

    def read(found: Mapping[str, Any]) -> tuple[bool, ...] | None:
        same = found.get("same")
        if not isinstance(same, list) or len(same) != count or not all(isinstance(one, bool) for one in same):
            return None
        return tuple(same)

    return answer_in(reply, read)


def _utterance(value: object) -> Utterance | None:
    if not isinstance(value, dict):
        return None
    speaker, content = value.get("speaker"), value.get("content")
    if not isinstance(speaker, str) or not isinstance(content, str) or not speaker.strip() or not content.strip():
        return None
    return Utterance(speaker.strip(), content.strip())


def _said(dialogue: Sequence[Utterance]) -> tuple[Said, ...]:
    return tuple(Said(speaker=one.speaker, content=one.content) for one in dialogue)
