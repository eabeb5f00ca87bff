"""Omni-Cloze: a passage with blanks is filled from the caption alone, one call a clip.

Native file ``omni_cloze.jsonl`` (HF ``BoJack/Omni-Cloze``): a row has ``video_path``, ``metadata`` and ``cloze`` with a
``passage`` and ``blanks``; the last two may be JSON or a Python literal in a string. A blank holds its options,
``answer_key`` and ``required_modality``. The judge sees the row without what gives the answers away.

Per blank: right; *not given* where the judge takes E; wrong is a hallucination. Accuracy, not-given rate and
hallucination rate add up to 1; net is accuracy less hallucination. The mean is over blanks, not over clips.

Where we differ: a reply may be fenced or have words around it, and is asked for again (the published scorer takes bare
JSON, once); a row has as many blanks as it has (the scorer always expects 30). A row without a readable reply counts as
all *not given*, as there; a second row of the table leaves such clips out, where there are any, and a third has the
clips without a caption as *not given* too.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from omnidetective.errors import ConfigError
from omnidetective.evals.base import Benchmark, Judged, Rated, Rates
from omnidetective.evals.judge import Judge
from omnidetective.evals.native import as_json, read_lines
from omnidetective.evals.replies import answer_in
from omnidetective.evals.result import Row, Table
from omnidetective.evals.statistics import Statistic, ratio, score
from omnidetective.frozen import Frozen

FILE = "omni_cloze.jsonl"
COLUMNS = ("accuracy", "not given", "hallucination", "net")
NOT_GIVEN = "E"
_SECRETS = frozenset({"answer", "distractors", "answer_index", "answer_key", "required_modality"})
_LETTER = re.compile(r"\(?([A-E])\)?\s*(?:[:.)–-].*)?", re.DOTALL)
_TRIES = 3
_MODALITY = "audio-visual"


@dataclass(frozen=True, slots=True)
class Blank:
    """What is asked of one blank: the letter that is right, and which sense it takes."""

    answer: str
    modality: str


@dataclass(frozen=True, slots=True)
class Passage:
    """One row.

    Attributes:
        shown: the passage and its blanks as the judge gets them, as JSON.
        domain, subcategory: empty where the row names none.
    """

    names: tuple[str, ...]
    shown: str
    blanks: tuple[Blank, ...]
    domain: str
    subcategory: str


class Filled(Frozen):
    """The letters that the judge took, blank by blank."""

    letters: tuple[str, ...]


class OmniCloze(Benchmark[Passage, Filled], Rated):
    """Omni-Cloze."""

    name: ClassVar[str] = "omni-cloze"
    title: ClassVar[str] = "Omni-Cloze"
    data: ClassVar[str] = f"{FILE} of the dataset BoJack/Omni-Cloze, or its folder"
    judging: ClassVar[str] = "1 call a caption; GPT-4o in the published scorer"
    source: ClassVar[str] = "Omni-Captioner (arXiv 2510.12720), https://huggingface.co/datasets/BoJack/Omni-Cloze"
    headline: ClassVar[str] = "accuracy"
    detail: ClassVar[str] = "blanks filled right"
    invention: ClassVar[str] = "blanks filled wrong"

    def read(self, data: Path) -> Sequence[Passage]:
        return [_passage(row, number, data) for number, row in read_lines(data, FILE)]

    def names(self, item: Passage) -> tuple[str, ...]:
        return item.names

    async def judge(self, item: Passage, caption: str, judge: Judge) -> Filled:
        prompts, count = judge.prompts, len(item.blanks)
        return await judge.ask(
            prompts.get("eval/omni_cloze_task").render(cloze=item.shown, caption=as_json({"caption": caption})),
            lambda reply: parse(reply, count),
            system=prompts.get("eval/omni_cloze").render(modality=_MODALITY, count=count),
            tries=_TRIES,
            max_tokens=64 * count + 64,
        )

    def tables(self, judged: Sequence[Judged[Passage, Filled]]) -> tuple[Table, ...]:
        counted = [one for one in judged if one.verdict is not None or one.failed]
        known = [one for one in counted if one.verdict is not None]
        overall = [_row("overall", counted)]
        if len(known) != len(counted):
            overall.append(_row("clips with a readable reply alone", known))
        if missing := [one for one in judged if one.no_caption]:
            overall.append(_row("with clips without a caption as not given", [*counted, *missing]))
        tables = [
            Table(
                title=self.title,
                columns=COLUMNS,
                rows=tuple(overall),
                note="Percent of blanks. A clip whose judge gave no readable reply counts as not given throughout.",
            ),
            _by("required modality", counted, [blank.modality for one in counted for blank in one.item.blanks]),
        ]
        for title, group in (("domain", _domain), ("sub-category", _subcategory)):
            names = sorted({group(one) for one in counted} - {""})
            rows = [_row(name, [one for one in counted if group(one) == name]) for name in names]
            if rows:
                tables.append(Table(title=f"by {title}", columns=COLUMNS, rows=tuple(rows)))
        return tuple(tables)

    def rates(self, one: Judged[Passage, Filled]) -> Rates:
        blanks, right, _, wrong = _counts(one)
        return Rates(right, blanks, wrong, blanks)


def parse(reply: str, count: int) -> Filled | None:
    """The letters in a reply; ``None`` unless there is one, A to E, for every blank and for nothing else."""
    wanted = [str(n) for n in range(1, count + 1)]

    def read(found: Mapping[str, Any]) -> Filled | None:
        letters = [_letter(found[key]) for key in wanted] if set(found) == set(wanted) else [""]
        return Filled(letters=tuple(letters)) if all(letters) else None

    return answer_in(reply, read)


def _letter(value: Any) -> str:
    match = _LETTER.fullmatch(value.strip()) if isinstance(value, str) else None
    return match.group(1) if match else ""


def _passage(row: Mapping[str, Any], number: int, data: Path) -> Passage:
    cloze, metadata = _object(row.get("cloze")), _object(row.get("metadata"))
    blanks = cloze.get("blanks") if cloze else None
    if not cloze or not isinstance(blanks, list) or not blanks or not all(isinstance(one, dict) for one in blanks):
        raise ConfigError(f"{data}: row {number} has no cloze with blanks")
    names = tuple(str(row[key]) for key in ("video_path", "uuid", "video", "id") if isinstance(row.get(key), str | int))
    if not names:
        raise ConfigError(f"{data}: row {number} does not say of which video it is")
    shown = {**cloze, "blanks": [{k: v for k, v in one.items() if k not in _SECRETS} for one in blanks]}
    return Passage(
        names=names,
        shown=as_json(shown),
        blanks=tuple(_blank(one, number, data) for one in blanks),
        domain=str(metadata.get("domain", metadata.get("category", ""))),
        subcategory=str(metadata.get("subcategory", "")),
    )


def _blank(blank: Mapping[str, Any], number: int, data: Path) -> Blank:
    key = blank.get("answer_key")
    if key is None and isinstance(blank.get("answer_index"), int):
        key = "ABCDE"[blank["answer_index"]] if 0 <= blank["answer_index"] < 5 else None
    if not isinstance(key, str) or not re.fullmatch("[A-E]", key.strip()):
        raise ConfigError(f"{data}: row {number} has a blank without an answer_key from A to E")
    return Blank(key.strip(), str(blank.get("required_modality", "not said")))


def _object(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            try:
                value = ast.literal_eval(value)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                return {}
    return value if isinstance(value, dict) else {}


def _counts(one: Judged[Passage, Filled], modality: str | None = None) -> tuple[float, ...]:
    """What a clip adds: blanks, right, not given, wrong; of one modality, or of all."""
    blanks = one.item.blanks
    letters = one.verdict.letters if one.verdict is not None else (NOT_GIVEN,) * len(blanks)
    pairs = [(b.answer, p) for b, p in zip(blanks, letters, strict=True) if modality in (None, b.modality)]
    right = sum(gold == taken for gold, taken in pairs)
    unknown = sum(gold != taken == NOT_GIVEN for gold, taken in pairs)
    return float(len(pairs)), float(right), float(unknown), float(len(pairs) - right - unknown)


def _row(name: str, judged: Sequence[Judged[Passage, Filled]], modality: str | None = None) -> Row:
    items = [counts for one in judged if (counts := _counts(one, modality))[0]]
    rates: Mapping[str, Statistic] = {
        "accuracy": ratio(1, 0, times=100),
        "not given": ratio(2, 0, times=100),
        "hallucination": ratio(3, 0, times=100),
        "net": _net,
    }
    return Row(
        name=name, n=int(sum(one[0] for one in items)), scores={key: score(items, one) for key, one in rates.items()}
    )


def _net(sums: Any) -> Any:
    return ratio(1, 0, times=100)(sums) - ratio(3, 0, times=100)(sums)


def _by(title: str, judged: Sequence[Judged[Passage, Filled]], found: Sequence[str]) -> Table:
    rows = tuple(_row(name, judged, name) for name in sorted(set(found)))
    return Table(title=f"by {title}", columns=COLUMNS, rows=rows)


def _domain(one: Judged[Passage, Filled]) -> str:
    return one.item.domain


def _subcategory(one: Judged[Passage, Filled]) -> str:
    return one.item.subcategory
