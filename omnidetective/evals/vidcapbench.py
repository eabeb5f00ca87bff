"""VidCapBench-AE: questions by aspect, answered from the caption, and the answers scored 2, 1, 0, -1. Two calls each.

Native file ``VidCapBench-AE_QA.jsonl``: ``{"video_dir": "/…/Tarsier_20.mp4", "QA_pairs": [{"question", "answer",
"sub_category"}]}``; captions are matched by file name. With A, B, C, D answers of 2, 1, 0, -1:

    Acc = A / all,  Pre = (A+B) / (A+B+D),  Cov = (A+B+D) / all,  Con = 100 · Acc / mean tokens of the captions

The published scorer looks for "2", "-1", "1", "0", in this order, anywhere in the reply, so that a 2 in the analysis
makes full marks, and leaves out a reply without any. That is the variant ``reference``; ``strict``, the default, reads
the score. The second table has both, of the same replies. Con is by the flan-t5-base tokenizer there: give it with
``--tokenizer``, or words and marks are counted. Answers without points, and videos without a caption, are left out; two
further rows have them as 0 points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from omnidetective.errors import ConfigError
from omnidetective.evals.asked import answer_from, comparison
from omnidetective.evals.base import Benchmark, Judged
from omnidetective.evals.judge import Judge, verdict_or_none
from omnidetective.evals.native import read_lines
from omnidetective.evals.replies import answer_in, whole_number
from omnidetective.evals.result import Row, Table
from omnidetective.evals.statistics import Statistic, score
from omnidetective.frozen import Frozen

FILE = "VidCapBench-AE_QA.jsonl"
COLUMNS = ("Acc", "Pre", "Cov", "Con")
ASPECTS: Mapping[str, frozenset[str]] = {
    "aesthetics": frozenset({"cinematography", "composition", "lighting", "color", "style"}),
    "content": frozenset({"background", "subjects", "events"}),
    "motion": frozenset(
        {
            "attribute changes",
            "object motion",
            "body movements",
            "environmental motion",
            "spatiotemporal transformations",
        }
    ),
    "physics": frozenset({"spatial relationships", "counter intuitive", "common sense"}),
}
_TRIES = 3
Points = Literal[2, 1, 0, -1]
_POINTS: tuple[Points, ...] = (2, 1, 0, -1)


@dataclass(frozen=True, slots=True)
class Question:
    """One question, its right answer, and its aspect (its sub-category, where that belongs to none)."""

    question: str
    answer: str
    aspect: str


@dataclass(frozen=True, slots=True)
class Quiz:
    """The questions about one video."""

    video: str
    questions: tuple[Question, ...]


class Scored(Frozen):
    """What the caption answers, and its points read in both ways; ``None`` where a way finds none."""

    answer: str
    strict: Points | None
    reference: Points | None


class Answers(Frozen):
    """Question by question, and the length of the caption; ``None`` where there is none."""

    results: tuple[Scored, ...]
    tokens: int | None


class VidCapBench(Benchmark[Quiz, Answers]):
    """VidCapBench-AE."""

    name: ClassVar[str] = "vidcapbench"
    title: ClassVar[str] = "VidCapBench-AE"
    data: ClassVar[str] = f"{FILE} of VidCapBench, or its folder"
    judging: ClassVar[str] = "2 calls a question, about 15 questions a video; GPT-4o in the paper"
    source: ClassVar[str] = "https://github.com/VidCapBench/VidCapBench"
    headline: ClassVar[str] = "Acc"
    variants: ClassVar[dict[str, str]] = {
        "strict": "points are read from the key score",
        "reference": "points are looked for anywhere in the reply, as the published scorer does",
    }

    def read(self, data: Path) -> Sequence[Quiz]:
        return [_quiz(row, number, data) for number, row in read_lines(data, FILE)]

    def names(self, item: Quiz) -> tuple[str, ...]:
        return (item.video,)

    async def judge(self, item: Quiz, caption: str, judge: Judge) -> Answers:
        results = [await _scored(caption, question, judge) for question in item.questions]
        return Answers(results=tuple(results), tokens=self.tokens.count(caption))

    def tables(self, judged: Sequence[Judged[Quiz, Answers]]) -> tuple[Table, ...]:
        known = [(one.item, one.verdict) for one in judged if one.verdict is not None]
        found = dict.fromkeys((*ASPECTS, *(q.aspect for item, _ in known for q in item.questions)))
        aspects = [a for a in found if any(q.aspect == a for item, _ in known for q in item.questions)]
        strict = self.variant == "strict"
        rows = [_row("overall", known, None, strict=strict)]
        note = f"Points as {self.variant}: {self.variants[self.variant]}. Con by {self.tokens.name}."
        if unread := sum((r.strict if strict else r.reference) is None for _, v in known for r in v.results):
            note += f" {unread:,} answers without points are left out; a row has them as 0 points."
            rows.append(_row("answers without points as 0", known, None, strict=strict, unread=0))
        if missing := [one.item for one in judged if one.no_caption]:
            every = [*known, *((item, _nothing_for(item)) for item in missing)]
            rows.append(_row("and videos without a caption", every, None, strict=strict, unread=0))
        rows += [_row(aspect, known, aspect, strict=strict) for aspect in aspects]
        both = [_row(way, known, None, strict=way == "strict") for way in self.variants]
        return (
            Table(title=self.title, columns=COLUMNS, rows=tuple(rows), note=note),
            Table(title="the same replies, read in both ways", columns=COLUMNS, rows=tuple(both)),
        )


def parse(reply: str) -> Points | None:
    """The points under ``score``; ``None`` where it is not one of 2, 1, 0, -1."""
    return answer_in(reply, lambda found: _points(whole_number(found.get("score"))))


def parse_as_reference(reply: str) -> Points | None:
    """The points as the published scorer finds them: the first of 2, -1, 1, 0 that stands anywhere in the reply."""
    return next((_points(points) for points in (2, -1, 1, 0) if str(points) in reply), None)


def _points(value: int | None) -> Points | None:
    return next((points for points in _POINTS if points == value), None)


async def _scored(caption: str, question: Question, judge: Judge) -> Scored:
    replies: list[str] = []

    def read(reply: str) -> Points | None:
        replies.append(reply)
        return parse(reply)

    answer = await verdict_or_none(answer_from(caption, question.question, judge))
    if answer is None:
        return Scored(answer="", strict=None, reference=None)
    case = comparison(question.question, question.answer, answer)
    strict: Points | None = await verdict_or_none(
        judge.ask(
            judge.prompts.get("eval/case_task").render(case=case),
            read,
            system=judge.prompts.get("eval/vidcapbench_compare").render(),
            tries=_TRIES,
            max_tokens=200,
        )
    )
    return Scored(answer=answer, strict=strict, reference=parse_as_reference(replies[0]) if replies else None)


def _nothing_for(item: Quiz) -> Answers:
    return Answers(results=(Scored(answer="", strict=None, reference=None),) * len(item.questions), tokens=None)


def _quiz(row: Mapping[str, Any], number: int, data: Path) -> Quiz:
    video, pairs = row.get("video_dir"), row.get("QA_pairs")
    if not isinstance(video, str) or not isinstance(pairs, list) or not all(isinstance(one, dict) for one in pairs):
        raise ConfigError(f"{data}: line {number} has no video_dir with QA_pairs")
    return Quiz(video, tuple(_question(one) for one in pairs))


def _question(pair: Mapping[str, Any]) -> Question:
    kind = str(pair.get("sub_category", "")).strip().lower()
    aspect = next((name for name, kinds in ASPECTS.items() if kind in kinds), kind or "other")
    return Question(str(pair.get("question", "")), str(pair.get("answer", "")), aspect)


def _row(
    name: str,
    known: Sequence[tuple[Quiz, Answers]],
    aspect: str | None,
    *,
    strict: bool,
    unread: Points | None = None,
) -> Row:
    """A, B, C, D of the questions of an aspect; the length is that of all captions.

    Args:
        unread: what an answer without points counts as; ``None``: it is left out.
    """
    items = []
    for item, answers in known:
        counts = dict.fromkeys(_POINTS, 0)
        for question, result in zip(item.questions, answers.results, strict=True):
            points = result.strict if strict else result.reference
            points = unread if points is None else points
            if points is not None and aspect in (None, question.aspect):
                counts[points] += 1
        captions = 0.0 if answers.tokens is None else 1.0
        items.append((*(float(counts[points]) for points in _POINTS), float(answers.tokens or 0), captions))
    columns: Mapping[str, Statistic] = {"Acc": _acc, "Pre": _pre, "Cov": _cov, "Con": _con}
    asked = int(sum(sum(one[:4]) for one in items))
    return Row(name=name, n=asked, scores={column: score(items, one) for column, one in columns.items()})


def _acc(s: Any) -> Any:
    return _percent(s[:, 0], s[:, :4].sum(axis=1))


def _pre(s: Any) -> Any:
    return _percent(s[:, 0] + s[:, 1], s[:, 0] + s[:, 1] + s[:, 3])


def _cov(s: Any) -> Any:
    return _percent(s[:, 0] + s[:, 1] + s[:, 3], s[:, :4].sum(axis=1))


def _con(s: Any) -> Any:
    return _percent(_acc(s) * s[:, 5], s[:, 4])


def _percent(above: Any, below: Any) -> Any:
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, 100 * above / below, np.nan)
