"""MMAU and MMAR by captions (a cascade): the judge answers from the caption, and the official matcher decides.

The matcher compares words (``\\w+``, lower case): an answer is right if all words of the right choice are in it and
none that only other choices have. Files that hold answers already (``model_output`` of MMAU, ``answer_prediction`` of
MMAR) are scored without a judge.

Where we differ: the official scripts skip a row without an answer; here it is told by name, and a second row of the
table counts it as wrong. Omni-Captioner's prompt for the cascade is not public; ours is our own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from omnidetective.errors import ConfigError
from omnidetective.evals.base import Benchmark, Judged
from omnidetective.evals.judge import Judge
from omnidetective.evals.native import as_json, read_lines, read_list
from omnidetective.evals.predictions import Prediction
from omnidetective.evals.result import Row, Table
from omnidetective.evals.statistics import ratio, score
from omnidetective.frozen import Frozen

_WORD = re.compile(r"\b\w+\b")


@dataclass(frozen=True, slots=True)
class Question:
    """One question about one recording; ``answer`` is the text of the right choice."""

    recording: str
    names: tuple[str, ...]
    question: str
    choices: tuple[str, ...]
    answer: str
    groups: tuple[tuple[str, str], ...]


class Answered(Frozen):
    """What was answered, and whether the matcher takes it."""

    answer: str
    right: bool


class AudioQa(Benchmark[Question, Answered]):
    """Multiple-choice questions about recordings, scored by the official matcher."""

    headline: ClassVar[str] = "accuracy"
    answered_under: ClassVar[str]
    groups: ClassVar[tuple[str, ...]]

    def names(self, item: Question) -> tuple[str, ...]:
        return item.names

    def answered(self, item: Question, prediction: Prediction) -> Answered | None:
        if (answer := prediction.answers.get(self.answered_under)) is None:
            return None
        return Answered(answer=answer, right=matches(answer, item.answer, item.choices))

    async def judge(self, item: Question, caption: str, judge: Judge) -> Answered:
        case = {"caption": caption, "question": item.question, "choices": list(item.choices)}
        answer = await judge.ask(
            judge.prompts.get("eval/case_task").render(case=as_json(case)),
            lambda reply: reply.strip() or None,
            system=judge.prompts.get("eval/cascade").render(),
            tries=3,
            temperature=0.0,
            max_tokens=256,
        )
        return Answered(answer=answer, right=matches(answer, item.answer, item.choices))

    def tables(self, judged: Sequence[Judged[Question, Answered]]) -> tuple[Table, ...]:
        known = [one for one in judged if one.verdict is not None]
        rows = [_row("overall", known)]
        if none := [one for one in judged if one.failed or one.no_caption]:
            rows.append(_row("questions without an answer as wrong", [*known, *none]))
        tables = [Table(title=self.title, columns=("accuracy",), rows=tuple(rows), note="Percent of questions.")]
        for title in self.groups:
            names = sorted({dict(one.item.groups).get(title, "") for one in known} - {""})
            found = tuple(_row(n, [o for o in known if dict(o.item.groups).get(title) == n]) for n in names)
            if found:
                tables.append(Table(title=f"by {title}", columns=("accuracy",), rows=found))
        return tuple(tables)


class Mmau(AudioQa):
    """MMAU."""

    name: ClassVar[str] = "mmau"
    title: ClassVar[str] = "MMAU (captions)"
    data: ClassVar[str] = "mmau-test-mini.json of MMAU"
    judging: ClassVar[str] = "1 call a question, none for files with model_output; GPT-4o in Omni-Captioner"
    source: ClassVar[str] = "https://github.com/Sakshi113/MMAU"
    answered_under: ClassVar[str] = "model_output"
    groups: ClassVar[tuple[str, ...]] = ("task", "difficulty", "sub-category")

    def read(self, data: Path) -> Sequence[Question]:
        rows = read_list(data, "mmau-test-mini.json", of="questions", takes=self.data)
        return [_question(row, n, data, "audio_id", self.groups) for n, row in enumerate(rows, start=1)]


class Mmar(AudioQa):
    """MMAR."""

    name: ClassVar[str] = "mmar"
    title: ClassVar[str] = "MMAR (captions)"
    data: ClassVar[str] = "MMAR-meta.jsonl (or .json) of MMAR"
    judging: ClassVar[str] = "1 call a question, none for files with answer_prediction; GPT-4o in Omni-Captioner"
    source: ClassVar[str] = "https://github.com/ddlBoJack/MMAR"
    answered_under: ClassVar[str] = "answer_prediction"
    groups: ClassVar[tuple[str, ...]] = ("modality", "category", "sub-category")

    def read(self, data: Path) -> Sequence[Question]:
        if data.suffix == ".json":
            rows = list(enumerate(read_list(data, "", of="questions", takes=self.data), start=1))
        else:
            rows = list(read_lines(data, "MMAR-meta.jsonl"))
        return [_question(row, number, data, "audio_path", self.groups) for number, row in rows]


def matches(prediction: str, answer: str, choices: Sequence[str]) -> bool:
    """The official rule of MMAU and MMAR: see the module's docstring. An empty prediction is wrong."""
    said, right = _words(prediction), _words(answer)
    wrong = {word for choice in choices if choice != answer for word in _words(choice)} - right
    return bool(said) and right <= said and not wrong & said


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def _question(row: Any, number: int, data: Path, audio: str, groups: Sequence[str]) -> Question:
    known: Mapping[str, Any] = row if isinstance(row, dict) else {}
    choices, answer, recording = known.get("choices"), known.get("answer"), known.get(audio)
    if not isinstance(choices, list) or not isinstance(answer, str) or not isinstance(recording, str):
        raise ConfigError(f"{data}: row {number} has no {audio}, no choices or no answer")
    names = tuple(str(known[key]) for key in ("id", audio) if isinstance(known.get(key), str))
    found = tuple((title, str(known[title])) for title in groups if isinstance(known.get(title), str))
    return Question(recording, names, str(known.get("question", "")), tuple(map(str, choices)), answer, found)


def _row(name: str, judged: Sequence[Judged[Question, Answered]]) -> Row:
    """Mean over questions; several about one recording are drawn together."""
    by_recording: dict[str, list[bool]] = {}
    for one in judged:
        by_recording.setdefault(one.item.recording, []).append(bool(one.verdict and one.verdict.right))
    items = [(float(len(found)), float(sum(found))) for found in by_recording.values()]
    return Row(name=name, n=len(judged), scores={"accuracy": score(items, ratio(1, 0, times=100))})
