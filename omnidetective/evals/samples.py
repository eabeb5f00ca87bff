"""Captions of clips whose content is known, without a judge: what they tell of it, and what they make up.

Data: ``truth.json``, as ``data/`` of the repository has it for six small clips (:mod:`omnidetective.evals.sample_truth`
is its form); your own clips can be described the same way. Captions of any model are read. Of a caption the text is
held against the truth (:mod:`omnidetective.evals.sample_text`); of a record of ours also its transcript, its events and
what its instruments measured (:mod:`omnidetective.evals.sample_records`).

The same captions have the same result, and no interval: the clips are all there are. A clip without a caption tells
nothing, and is named.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import ValidationError

from omnidetective.captions.sentences import split_sentences
from omnidetective.errors import ConfigError
from omnidetective.evals.base import Benchmark, Judged
from omnidetective.evals.judge import Judge, UnjudgedError
from omnidetective.evals.native import find_file
from omnidetective.evals.predictions import Prediction
from omnidetective.evals.result import Row, Table
from omnidetective.evals.sample_facts import KINDS, TextScore
from omnidetective.evals.sample_records import ClipScore, add_up, score_clip
from omnidetective.evals.sample_truth import ClipTruth, Truth
from omnidetective.evals.statistics import Score
from omnidetective.frozen import Frozen
from omnidetective.records import CaptionRecord

FILE = "truth.json"
RECALL = "recall"
CHECKS: Mapping[str, tuple[str, ...]] = {
    "speech": ("quote",),
    "screen text": ("screen_text",),
    "sounds": ("sound",),
    "cuts": ("cuts", "camera"),
    "times": ("time",),
}
"""Column → the checks whose findings it counts."""


class Held(Frozen):
    """What became of one caption: its text, its sentences, and the record's measures where it is a record."""

    text: TextScore
    sentences: int
    record: ClipScore | None = None


class Samples(Benchmark[ClipTruth, Held]):
    """Clips of known content."""

    name: ClassVar[str] = "samples"
    title: ClassVar[str] = "clips of known content"
    data: ClassVar[str] = f"{FILE} with what is in the clips, or its folder"
    judging: ClassVar[str] = "none; known facts are looked for in the text, and in records of ours"
    source: ClassVar[str] = "data/README.md"
    judged: ClassVar[bool] = False
    default_data: ClassVar[str] = "data"
    reads_records: ClassVar[bool] = True

    def read(self, data: Path) -> Sequence[ClipTruth]:
        path = find_file(data, FILE)
        try:
            return Truth.load(path).clips
        except OSError as error:
            raise ConfigError(f"cannot read {path}: {error}") from error
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "it"
            raise ConfigError(f"{path} does not say what is in clips: {where}: {first['msg']}") from error

    def names(self, item: ClipTruth) -> tuple[str, ...]:
        return (item.id, item.file)

    def answered(self, item: ClipTruth, prediction: Prediction) -> Held:
        from omnidetective.evals.sample_text import score_text

        record = None
        if prediction.record is not None:
            try:
                record = score_clip(item, CaptionRecord.model_validate_json(json.dumps(prediction.record)))
            except ValidationError as error:
                raise ConfigError(
                    f"the captions: row {prediction.line_number} calls itself a record and is none: "
                    f"{error.errors(include_url=False, include_input=False)[0]['msg']}",
                    hint="take out its schema_version, and its caption alone is looked at",
                ) from error
        return Held(
            text=score_text(item, prediction.caption),
            sentences=len(split_sentences(prediction.caption)),
            record=record,
        )

    async def judge(self, item: ClipTruth, caption: str, judge: Judge) -> Held:
        raise UnjudgedError("unparsable", "nobody is asked")

    def tables(self, judged: Sequence[Judged[ClipTruth, Held]]) -> tuple[Table, ...]:
        from omnidetective.evals.sample_text import score_text

        every = [(one.item, one.verdict or Held(text=score_text(one.item, ""), sentences=0)) for one in judged]
        tables = [_told(every), _unsupported(every)]
        records = [held.record for _, held in every if held.record is not None]
        if records:
            tables += [_measured(records), _reported(records)]
        return tuple(tables)


_Every = Sequence[tuple[ClipTruth, Held]]


def _told(every: _Every) -> Table:
    def row(name: str, scores: Sequence[TextScore]) -> Row:
        shares = {kind: [one.told[kind] for one in scores if kind in one.told] for kind in KINDS}
        known = {kind: sum(share.known for share in found) for kind, found in shares.items() if found}
        rates = {kind: 100 * sum(share.told for share in shares[kind]) / known[kind] for kind in known}
        recall = sum(rates.values()) / len(rates) if rates else None
        values = {**rates, **({} if recall is None else {RECALL: recall})}
        return Row(name=name, n=sum(known.values()), scores={kind: Score(value=v) for kind, v in values.items()})

    return Table(
        title="known facts that the captions tell",
        columns=(*KINDS, RECALL),
        rows=(*(row(clip.id, [held.text]) for clip, held in every), row("all", [held.text for _, held in every])),
        note=f"Percent of n facts; {RECALL}: the mean of the kinds of fact that there are.",
    )


def _unsupported(every: _Every) -> Table:
    def row(name: str, held: Sequence[Held]) -> Row:
        found = [one.check for each in held for one in each.text.unsupported]
        counts = {column: sum(check in checks for check in found) for column, checks in CHECKS.items()}
        counts["together"] = len(found)
        scores = {column: Score(value=float(count)) for column, count in counts.items()}
        return Row(name=name, n=sum(one.sentences for one in held), scores=scores)

    return Table(
        title="statements that the truth does not bear out",
        columns=(*CHECKS, "together"),
        rows=(*(row(clip.id, [held]) for clip, held in every), row("all", [held for _, held in every])),
        digits=0,
        note="Counts; n: sentences of the caption. Each statement is in the file of items, with the reason.",
    )


_FOUND: Mapping[str, Callable[[ClipScore], tuple[float, float]]] = {
    "cards": lambda s: (s.cards_exact, s.cards),
    "cuts": lambda s: (s.cuts_found, s.cuts),
    "sounds": lambda s: (s.sounds_heard, s.sounds),
    "silence": lambda s: (s.silent_found_s, s.silent_s),
    "languages": lambda s: (s.languages_right, s.languages),
    "word errors": lambda s: (s.word_errors, s.words),
}
_FALSE: Mapping[str, Callable[[ClipScore], float]] = {
    "speech": lambda s: s.false_speech,
    "screen text": lambda s: s.strange_text,
    "sounds": lambda s: s.false_sounds,
    "cuts": lambda s: s.false_cuts,
    "times": lambda s: s.outside,
}


def _measured(records: Sequence[ClipScore]) -> Table:
    rows = []
    for one, n in _with_all(records):
        pairs = {column: pair(one) for column, pair in _FOUND.items()}
        scores = {column: Score(value=100 * part / whole) for column, (part, whole) in pairs.items() if whole}
        rows.append(Row(name=_all(one), n=n, scores=scores))
    note = "Percent: text cards read letter by letter, cuts, sounds, seconds of silence; word errors of the transcript."
    return Table(title="records: what the instruments found", columns=tuple(_FOUND), rows=tuple(rows), note=note)


def _reported(records: Sequence[ClipScore]) -> Table:
    rows = [
        Row(
            name=_all(one),
            n=n,
            scores={column: Score(value=float(count(one))) for column, count in _FALSE.items()},
        )
        for one, n in _with_all(records)
    ]
    note = "Counts: transcript lines where nobody speaks, strange text, sounds, cuts, times outside the clip."
    return Table(
        title="records: what they report falsely", columns=tuple(_FALSE), rows=tuple(rows), digits=0, note=note
    )


def _with_all(records: Sequence[ClipScore]) -> list[tuple[ClipScore, int]]:
    """Each record, then their sum, with how many records it is of."""
    return [*((one, 1) for one in records), (add_up(records), len(records))]


def _all(one: ClipScore) -> str:
    return "all" if one.id == "total" else one.id
