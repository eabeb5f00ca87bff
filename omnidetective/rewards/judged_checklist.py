"""The checklist reward with a judge: a reference is taken apart into key points, and each is looked for in a caption.

Two calls: one a reference, whatever the number of its captions, and one a caption. Replies are taken whole or not at
all: a judge that forgets a point, names one twice, or names one that is not there is asked again.

Where we differ from the paper (GPT-4o takes apart, GPT-4.1 judges): there the judge answers with a number and a list of
the points that it means; here it sorts all points by number, so that the count cannot differ from the list, and what
is told wrongly is told apart from what is not told. The published prompts are not used.

Source: AVoCaDO, R_C.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from omnidetective.captions.alignment import plain
from omnidetective.evals.judge import Judge
from omnidetective.evals.native import as_json
from omnidetective.evals.replies import answer_in, whole_number
from omnidetective.rewards.checklist import checklist_reward
from omnidetective.rewards.parts import CheckedPoint, ChecklistPart, PointVerdict

DIMENSIONS: Mapping[str, str] = {
    "static_entities": "who and what is there: people, things, places, their looks, text on screen.",
    "actions_and_interactions": "what happens: movements, deeds, and what people and things do to one another.",
    "auditory": "what is heard: words that are spoken and how, music, noises.",
    "space_time_and_camera": "where things are, when and in which order they happen, shots, cuts, the camera's moves.",
    "narrative_across_modalities": "how picture and sound belong together: causes, purposes, moods.",
}
"""The five dimensions of the paper, in words of our own: what the judge is told of each."""
_TRIES = 3
_VERDICTS: tuple[PointVerdict, ...] = ("correct", "wrong", "missing")


class KeyPoint(NamedTuple):
    """One fact of a reference."""

    dimension: str
    text: str


async def keypoints_of(reference: str, judge: Judge) -> tuple[KeyPoint, ...]:
    """The key points of a reference caption; at least one.

    Raises:
        UnjudgedError: the judge gave none.
    """
    prompts = judge.prompts
    return await judge.ask(
        prompts.get("eval/case_task").render(case=as_json({"description": reference})),
        parse_keypoints,
        system=prompts.get("reward/keypoints").render(dimensions=DIMENSIONS),
        tries=_TRIES,
    )


async def judged_checklist(caption: str, points: Sequence[KeyPoint], judge: Judge) -> ChecklistPart:
    """How a caption stands to key points. An empty caption tells none of them, and nobody is asked.

    Raises:
        UnjudgedError: there is no verdict.
    """
    verdicts: Sequence[PointVerdict] = ["missing"] * len(points)
    if caption.strip():
        prompts = judge.prompts
        numbered = {str(n): point.text for n, point in enumerate(points, start=1)}
        verdicts = await judge.ask(
            prompts.get("eval/case_task").render(case=as_json({"caption": caption, "key_points": numbered})),
            lambda reply: parse_verdicts(reply, len(points)),
            system=prompts.get("reward/checklist").render(count=len(points)),
            tries=_TRIES,
        )
    checked = tuple(
        CheckedPoint(dimension=point.dimension, point=point.text, verdict=verdict)
        for point, verdict in zip(points, verdicts, strict=True)
    )
    return ChecklistPart(reward=checklist_reward(verdicts.count("correct"), len(points)), points=checked)


def parse_keypoints(reply: str) -> tuple[KeyPoint, ...] | None:
    """The key points in a reply; ``None`` unless it has a list of texts for each dimension, and one point at all.

    The same point twice is one.
    """

    def read(found: Mapping[str, Any]) -> tuple[KeyPoint, ...] | None:
        lists = [found.get(dimension) for dimension in DIMENSIONS]
        if not all(isinstance(texts, list) and all(isinstance(text, str) for text in texts) for texts in lists):
            return None
        points: dict[str, KeyPoint] = {}
        for dimension, texts in zip(DIMENSIONS, lists, strict=True):
            for text in texts or ():
                if plain(text):
                    points.setdefault(plain(text), KeyPoint(dimension, text.strip()))
        return tuple(points.values()) or None

    return answer_in(reply, read)


def parse_verdicts(reply: str, count: int) -> tuple[PointVerdict, ...] | None:
    """The verdict on each of ``count`` points; ``None`` unless every number from 1 is in exactly one of three lists."""

    def read(found: Mapping[str, Any]) -> tuple[PointVerdict, ...] | None:
        verdicts: dict[int, PointVerdict] = {}
        named = 0
        for verdict in _VERDICTS:
            numbers = found.get(verdict)
            for number in map(whole_number, numbers if isinstance(numbers, list) else (None,)):
                named += 1
                if number is not None:
                    verdicts[number] = verdict
        if named != count or verdicts.keys() != set(range(1, count + 1)):
            return None
        return tuple(verdicts[n] for n in range(1, count + 1))

    return answer_in(reply, read)
