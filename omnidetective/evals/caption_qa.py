"""Daily-Omni and WorldSense by captions: multiple-choice questions answered from a caption, or not at all.

A judge that sees nothing but the caption answers with a letter or with N/A. Accuracy is right answers by all questions,
so that N/A, and a question that could not be judged, are wrong, as in the scripts of ASID and AVoCaDO. Beside it stand
how often the judge abstained and how often it was right when it did not: a caption that makes a judge guess well and
one that tells are not the same.

Where we differ: a letter may have quotes, brackets or its choice around it, and must be that of a choice (ASID takes
the bare letter, AVoCaDO compares whatever came). Questions about a clip without a caption are left out, told by name,
and counted as wrong in a second row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from omnidetective.evals.base import Benchmark, Judged
from omnidetective.evals.judge import Judge, verdict_or_none
from omnidetective.evals.native import as_json
from omnidetective.evals.result import Row, Table
from omnidetective.evals.statistics import ratio, score
from omnidetective.frozen import Frozen

ABSTAINED = "N/A"
COLUMNS = ("accuracy", "abstained", "right when answered")
_TRIES = 6
_AROUND = " \n\"'`()[]*.:"
_SAID_FIRST = re.compile(r"(?:the\s+)?(?:correct\s+)?answer(?:\s+is)?\s*:?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its choices (``"A. a dog"``), the letter that is right, and its groups by title."""

    question: str
    choices: tuple[str, ...]
    answer: str
    groups: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Quiz:
    """The questions about one clip."""

    clip: str
    questions: tuple[Question, ...]


class Chosen(Frozen):
    """Question by question the letter, ``N/A``, or ``None`` where the judge gave neither."""

    answers: tuple[str | None, ...]


class CaptionQa(Benchmark[Quiz, Chosen]):
    """Multiple-choice questions, answered from captions."""

    headline: ClassVar[str] = "accuracy"

    def names(self, item: Quiz) -> tuple[str, ...]:
        return (item.clip,)

    async def judge(self, item: Quiz, caption: str, judge: Judge) -> Chosen:
        answers = [await verdict_or_none(_answer(caption, question, judge)) for question in item.questions]
        return Chosen(answers=tuple(answers))

    def tables(self, judged: Sequence[Judged[Quiz, Chosen]]) -> tuple[Table, ...]:
        known = [one for one in judged if one.verdict is not None]
        rows = [_row("overall", known)]
        if missing := [one for one in judged if one.no_caption]:
            rows.append(_row("clips without a caption as wrong", [*known, *missing]))
        unread = sum(answer is None for one in known if one.verdict for answer in one.verdict.answers)
        note = "Percent of questions; N/A is wrong."
        if unread:
            note += f" {unread:,} replies were neither a letter nor N/A: wrong too."
        tables = [Table(title=self.title, columns=COLUMNS, rows=tuple(rows), note=note)]
        for title in dict.fromkeys(title for one in known for q in one.item.questions for title, _ in q.groups):
            names = {dict(q.groups).get(title, "") for one in known for q in one.item.questions} - {""}
            tables.append(
                Table(
                    title=f"by {title}",
                    columns=COLUMNS,
                    rows=tuple(_row(name, known, _in(title, name)) for name in sorted(names)),
                )
            )
        return tuple(tables)


def parse(reply: str, choices: Sequence[str]) -> str | None:
    """The letter of a choice, or ``N/A``; ``None`` for anything else. A sentence that begins with “A” is no answer.

    A letter may stand in quotes or brackets, after "Answer:", or before the very words of its choice.
    """
    said = reply.strip(_AROUND)
    said = said[match.end() :].strip(_AROUND) if (match := _SAID_FIRST.match(said)) else said
    if said.upper() in ("N/A", "NA"):
        return ABSTAINED
    for letter, choice in zip(letters_of(choices), choices, strict=True):
        words = choice.strip(_AROUND)
        bare = words.removeprefix(f"{letter}.").strip(_AROUND)
        if said.upper() == letter or said.lower() in (words.lower(), bare.lower(), f"{letter}. {bare}".lower()):
            return letter
    return None


def letters_of(choices: Sequence[str]) -> str:
    """The letters by which choices are called: those that they begin with, or ``A``, ``B``, … in their order."""
    first = [re.match(r"\s*\(?([A-Z])[.):]", choice) for choice in choices]
    if all(first):
        return "".join(match[1] for match in first if match)
    return "".join(chr(ord("A") + n) for n in range(len(choices)))


async def _answer(caption: str, question: Question, judge: Judge) -> str:
    case = {"caption": caption, "question": question.question, "choices": list(question.choices)}
    return await judge.ask(
        judge.prompts.get("eval/case_task").render(case=as_json(case)),
        lambda reply: parse(reply, question.choices),
        system=judge.prompts.get("eval/choice").render(),
        tries=_TRIES,
        temperature=0.0,
    )


_Wanted = Callable[[Question], bool]


def _in(title: str, name: str) -> _Wanted:
    return lambda question: dict(question.groups).get(title) == name


def _row(name: str, judged: Sequence[Judged[Quiz, Chosen]], wanted: _Wanted = lambda _: True) -> Row:
    """What a clip adds: questions, right ones, abstentions, answers."""
    items: list[tuple[float, ...]] = []
    for one in judged:
        answers: Sequence[str | None] = one.verdict.answers if one.verdict else (None,) * len(one.item.questions)
        pairs = [(q, a) for q, a in zip(one.item.questions, answers, strict=True) if wanted(q)]
        if pairs:
            right = sum(q.answer == a for q, a in pairs)
            abstained = sum(a == ABSTAINED for _, a in pairs)
            told = sum(a not in (None, ABSTAINED) for _, a in pairs)
            items.append((float(len(pairs)), float(right), float(abstained), float(told)))
    scores: dict[str, Any] = {
        "accuracy": score(items, ratio(1, 0, times=100)),
        "abstained": score(items, ratio(2, 0, times=100)),
        "right when answered": score(items, ratio(1, 3, times=100)),
    }
    return Row(name=name, n=int(sum(one[0] for one in items)), scores=scores)
