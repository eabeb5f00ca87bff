"""VDC (AuroraCap): questions of five aspects, answered from the caption alone; the answers are compared.

Two calls a question. Native files ``{background,camera,detailed,main_object,short}.jsonl`` (HF
``wchai/lmms_VDC_test``): a line is ``{"<video id>": [{"question", "answer"}, …]}``; of an id that comes twice the last
line holds.

    acc of a video = yes / questions,  score of a video = mean of 0…5

Four scripts are in use that make different numbers of the same replies. ``--variant`` chooses the one that is told by
aspect; the second table has all four:

- ``asid``: a question that was not judged counts as no and 0; mean over videos. Nothing is dropped: our default.
- ``aurora``: the same, but a video whose acc or score is 0 is dropped.
- ``aurora-serial``: besides, a video with a question that was not judged is dropped whole.
- ``vlmevalkit``: questions that were not judged are left out; mean over questions.

Videos without a caption are left out by all of them; a further row has them as no and 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from omnidetective.errors import ConfigError
from omnidetective.evals.asked import answer_from, comparison
from omnidetective.evals.base import Benchmark, Judged
from omnidetective.evals.judge import Judge, verdict_or_none
from omnidetective.evals.native import read_lines
from omnidetective.evals.replies import answer_in, whole_number
from omnidetective.evals.result import Row, Table
from omnidetective.evals.statistics import mean_over_groups, score
from omnidetective.frozen import Frozen

ASPECTS = ("background", "camera", "detailed", "main_object", "short")
COLUMNS = ("Acc", "Score")
_TRIES = 3
_FULL = 5


@dataclass(frozen=True, slots=True)
class Quiz:
    """The questions of one aspect about one video, with their right answers."""

    aspect: str
    video: str
    questions: tuple[tuple[str, str], ...]


class Compared(Frozen):
    """What the caption answers, and how it compares."""

    answer: str
    yes: bool
    score: Annotated[int, Field(ge=0, le=5)]


class Answers(Frozen):
    """Question by question; ``None`` where one was not judged."""

    results: tuple[Compared | None, ...]


class Vdc(Benchmark[Quiz, Answers]):
    """VDC."""

    name: ClassVar[str] = "vdc"
    title: ClassVar[str] = "VDC"
    data: ClassVar[str] = "the folder with background.jsonl, camera.jsonl, … of wchai/lmms_VDC_test, or one of them"
    judging: ClassVar[str] = (
        "2 calls a question, about 19 questions a video and aspect; Llama-3.1-8B-Instruct in AuroraCap"
    )
    source: ClassVar[str] = "https://huggingface.co/datasets/wchai/lmms_VDC_test"
    headline: ClassVar[str] = "Acc"
    variants: ClassVar[dict[str, str]] = {
        "asid": "questions not judged count as no; mean over videos",
        "aurora": "the same, but videos with acc 0 or score 0 are dropped",
        "aurora-serial": "besides, videos with a question not judged are dropped",
        "vlmevalkit": "questions not judged are left out; mean over questions",
    }

    def read(self, data: Path) -> Sequence[Quiz]:
        aspects = (data.stem,) if data.is_file() else tuple(a for a in ASPECTS if (data / f"{a}.jsonl").is_file())
        if not aspects:
            raise ConfigError(f"{data} holds none of {', '.join(f'{a}.jsonl' for a in ASPECTS)}")
        found: dict[tuple[str, str], Quiz] = {}
        for aspect in aspects:
            for number, line in read_lines(data if data.is_file() else data / f"{aspect}.jsonl", ""):
                for video, questions in line.items():
                    found[aspect, video] = Quiz(aspect, video, _questions(questions, number, data))
        return list(found.values())

    def names(self, item: Quiz) -> tuple[str, ...]:
        return (item.video,)

    async def judge(self, item: Quiz, caption: str, judge: Judge) -> Answers:
        results = [await verdict_or_none(_compared(caption, q, right, judge)) for q, right in item.questions]
        return Answers(results=tuple(results))

    def tables(self, judged: Sequence[Judged[Quiz, Answers]]) -> tuple[Table, ...]:
        known = [one for one in judged if one.verdict is not None]
        aspects = [
            aspect for aspect in dict.fromkeys((*ASPECTS, *(o.item.aspect for o in known))) if _of(known, aspect)
        ]
        chosen = _WAYS[self.variant]
        rows = [_row("mean of the aspects", known, aspects, chosen)] if len(aspects) > 1 else []
        rows += [_row(aspect, _of(known, aspect), (aspect,), chosen) for aspect in aspects]
        unjudged = sum(result is None for one in known if one.verdict for result in one.verdict.results)
        note = f"Counted as {self.variant}: {self.variants[self.variant]}. Acc in percent, Score 0 to 5."
        if unjudged:
            note += f" {unjudged:,} questions were not judged."
        ways = [_row(name, known, aspects, way) for name, way in _WAYS.items()]
        if missing := [one for one in judged if one.no_caption]:
            none = [replace(one, verdict=Answers(results=(None,) * len(one.item.questions))) for one in missing]
            every = [*known, *none]
            ways.append(_row("asid, without a caption as no", every, [a for a in ASPECTS if _of(every, a)], _asid))
        return (
            Table(title=self.title, columns=COLUMNS, rows=tuple(rows), note=note),
            Table(title="the same replies, by script", columns=COLUMNS, rows=tuple(ways)),
        )


def parse(reply: str) -> tuple[bool, int] | None:
    """Whether it agrees, and how far; ``None`` unless ``pred`` is yes or no and ``score`` a whole number 0…5."""

    def read(found: Mapping[str, Any]) -> tuple[bool, int] | None:
        agrees, points = found.get("pred"), whole_number(found.get("score"))
        word = agrees.strip().lower() if isinstance(agrees, str) else ""
        if word not in ("yes", "no") or points is None or not 0 <= points <= _FULL:
            return None
        return word == "yes", points

    return answer_in(reply, read)


async def _compared(caption: str, question: str, right: str, judge: Judge) -> Compared:
    answer = await answer_from(caption, question, judge)
    yes, points = await judge.ask(
        judge.prompts.get("eval/case_task").render(case=comparison(question, right, answer)),
        parse,
        system=judge.prompts.get("eval/vdc_compare").render(),
        tries=_TRIES,
        max_tokens=100,
    )
    return Compared(answer=answer, yes=yes, score=points)


def _questions(value: Any, number: int, data: Path) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, list) or not value or not all(isinstance(one, dict) for one in value):
        raise ConfigError(f"{data}: line {number} has no list of questions")
    return tuple((str(one.get("question", "")), str(one.get("answer", ""))) for one in value)


Way = Callable[[tuple[Compared | None, ...]], tuple[float, float, float] | None]
"""What a video adds to the sums: weight, right ones, points; ``None`` where the script drops it."""


def _asid(results: tuple[Compared | None, ...]) -> tuple[float, float, float] | None:
    count = len(results)
    return 1.0, sum(r.yes for r in results if r) / count, sum(r.score for r in results if r) / count


def _aurora(results: tuple[Compared | None, ...]) -> tuple[float, float, float] | None:
    found = _asid(results)
    return found if found and found[1] and found[2] else None


def _serial(results: tuple[Compared | None, ...]) -> tuple[float, float, float] | None:
    return None if None in results else _aurora(results)


def _vlmevalkit(results: tuple[Compared | None, ...]) -> tuple[float, float, float] | None:
    known = [r for r in results if r]
    return float(len(known)), float(sum(r.yes for r in known)), float(sum(r.score for r in known))


_WAYS: Mapping[str, Way] = {"asid": _asid, "aurora": _aurora, "aurora-serial": _serial, "vlmevalkit": _vlmevalkit}


def _of(judged: Sequence[Judged[Quiz, Answers]], aspect: str) -> list[Judged[Quiz, Answers]]:
    return [one for one in judged if one.item.aspect == aspect]


def _row(name: str, judged: Sequence[Judged[Quiz, Answers]], aspects: Sequence[str], way: Way) -> Row:
    """The mean over aspects of what a script makes of each; all aspects of a video are drawn together."""
    by_video: dict[str, list[float]] = {}
    count = 0
    for one in judged:
        added = way(one.verdict.results) if one.verdict else None
        if added is not None:
            sums = by_video.setdefault(one.item.video, [0.0] * (3 * len(aspects)))
            first = 3 * aspects.index(one.item.aspect)
            sums[first : first + 3] = added
            count += 1
    items = list(by_video.values())
    acc, points = mean_over_groups(1, width=3, times=100), mean_over_groups(2, width=3)
    return Row(name=name, n=count, scores={"Acc": score(items, acc), "Score": score(items, points)})
