"""DREAM-1K by AutoDQ: events of a caption and of its reference, each held against the other text.

Three calls a caption. Native file ``DREAM-1k.jsonl`` (Tarsier, Apache-2.0): chat messages with ``reference``,
``dataset``, ``idx`` and ``extra_info.events``. The judge takes the caption apart into events, then says which events of
the reference the caption bears out (recall), and which of the caption's events the reference bears out (precision).

    R, P = share of entailed events, 1 where there is none;  by subset the means, F1 of the means;
    overall the means of the subsets' R and P, and the F1 of these

Only entailment counts, in both directions; texts are compared in lower case. Where we differ: a caption that could not
be judged, or is missing, is left out as there, and further rows count it as 0; F1 is 0 where R and P are (the script
divides by 0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from omnidetective.errors import ConfigError
from omnidetective.evals.base import Benchmark, Judged, Rated, Rates
from omnidetective.evals.judge import Judge
from omnidetective.evals.native import as_json, read_lines
from omnidetective.evals.replies import answer_in
from omnidetective.evals.result import Row, Table
from omnidetective.evals.statistics import Statistic, mean_over_groups, score
from omnidetective.frozen import Frozen

FILE = "DREAM-1k.jsonl"
COLUMNS = ("F1", "Recall", "Precision")
MOST_EVENTS = 10
Relation = Literal["entailment", "neutral", "contradiction"]
_RELATIONS: Mapping[str, Relation] = {r: r for r in ("entailment", "neutral", "contradiction")}
_TRIES = 5
_BUCKETS = (("subjects", "n_subjects", (1, 2, 3)), ("shots", "n_shots", (1, 2, 3)), ("events", "n_events", (3, 5, 7)))


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip with its reference; without ``events`` these are taken from the reference by the judge."""

    names: tuple[str, ...]
    subset: str
    reference: str
    events: tuple[str, ...]
    buckets: tuple[tuple[str, str], ...]


class Compared(Frozen):
    """How the caption stands to the reference's events, and the reference to the caption's events."""

    recall: tuple[Relation, ...]
    precision: tuple[Relation, ...]
    events: tuple[str, ...]


class Dream1k(Benchmark[Clip, Compared], Rated):
    """DREAM-1K."""

    name: ClassVar[str] = "dream-1k"
    title: ClassVar[str] = "DREAM-1K (AutoDQ)"
    data: ClassVar[str] = f"{FILE} of Tarsier"
    judging: ClassVar[str] = "3 calls a caption; GPT-3.5-turbo in Tarsier"
    source: ClassVar[str] = "https://github.com/bytedance/tarsier"
    headline: ClassVar[str] = "F1"
    detail: ClassVar[str] = "events of the reference that the caption bears out"
    invention: ClassVar[str] = "events of the caption that the reference contradicts"

    def read(self, data: Path) -> Sequence[Clip]:
        found: dict[tuple[str, str], Clip] = {}
        for number, row in read_lines(data, FILE):
            clip = _clip(row, number, data)
            found.setdefault((clip.subset, str(row.get("idx", number))), clip)
        return list(found.values())

    def names(self, item: Clip) -> tuple[str, ...]:
        return item.names

    async def judge(self, item: Clip, caption: str, judge: Judge) -> Compared:
        caption, reference = caption.lower(), item.reference.lower()
        events = await _events_of(caption, judge)
        wanted = item.events or await _events_of(reference, judge)
        # A text without any event leaves nothing to bear out: that direction is 1, as in the script.
        recall = await _relations(caption, wanted, judge) if wanted else ()
        precision = await _relations(reference, events, judge) if events else ()
        return Compared(recall=recall, precision=precision, events=events)

    def tables(self, judged: Sequence[Judged[Clip, Compared]]) -> tuple[Table, ...]:
        known = [one for one in judged if one.verdict is not None]
        failed, missing = [one for one in judged if one.failed], [one for one in judged if one.no_caption]
        rows = [_overall("overall", known)]
        for subset in sorted({one.item.subset for one in known}):
            rows.append(_row(subset, [one for one in known if one.item.subset == subset], (subset,)))
        if failed:
            rows.append(_overall("with those not judged as 0", [*known, *failed]))
        if missing:
            rows.append(_overall("and those without a caption", [*known, *failed, *missing]))
        tables = [
            Table(
                title=self.title, columns=COLUMNS, rows=tuple(rows), note="Percent; overall is the mean of the subsets."
            )
        ]
        for title, *_ in _BUCKETS:
            names = sorted({dict(one.item.buckets).get(title, "") for one in known} - {""}, key=_least)
            found = tuple(
                _row(name, here, ("",))
                for name in names
                if (here := [one for one in known if dict(one.item.buckets).get(title) == name])
            )
            if found:
                tables.append(Table(title=f"by number of {title}", columns=COLUMNS, rows=found))
        return tuple(tables)

    def rates(self, one: Judged[Clip, Compared]) -> Rates:
        assert one.verdict is not None
        recall, precision = one.verdict.recall, one.verdict.precision
        return Rates(
            float(recall.count("entailment")),
            float(len(recall)),
            float(precision.count("contradiction")),
            float(len(precision)),
        )


def parse_events(reply: str) -> tuple[str, ...] | None:
    """The events in a reply, at most ten; ``None`` unless there is a list of texts. An empty list is an answer."""

    def read(found: Mapping[str, Any]) -> tuple[str, ...] | None:
        events = found.get("events")
        if not isinstance(events, list) or not all(isinstance(event, str) for event in events):
            return None
        return tuple(event for event in events if event.strip())[:MOST_EVENTS]

    return answer_in(reply, read)


def parse_relations(reply: str, count: int) -> tuple[Relation, ...] | None:
    """How the text stands to each event; ``None`` unless there is one of the three words for each of them."""

    def read(found: Mapping[str, Any]) -> tuple[Relation, ...] | None:
        events = found.get("events")
        if not isinstance(events, list) or len(events) != count:
            return None
        said = [_RELATIONS.get(str(e.get("relationship", "")).strip().lower()) for e in events if isinstance(e, dict)]
        relations = tuple(relation for relation in said if relation is not None)
        return relations if len(relations) == count else None

    return answer_in(reply, read)


async def _events_of(text: str, judge: Judge) -> tuple[str, ...]:
    return await judge.ask(
        judge.prompts.get("eval/case_task").render(case=as_json({"text": text.replace('"', "'")})),
        parse_events,
        system=judge.prompts.get("eval/dream_events").render(most=MOST_EVENTS),
        tries=_TRIES,
    )


async def _relations(text: str, events: Sequence[str], judge: Judge) -> tuple[Relation, ...]:
    numbered = {str(n): event.lower() for n, event in enumerate(events, start=1)}
    return await judge.ask(
        judge.prompts.get("eval/case_task").render(case=as_json({"description": text, "events": numbered})),
        lambda reply: parse_relations(reply, len(events)),
        system=judge.prompts.get("eval/dream_entailment").render(count=len(events)),
        tries=_TRIES,
    )


def _clip(row: Mapping[str, Any], number: int, data: Path) -> Clip:
    reference, video = "", ""
    messages = row.get("messages")
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else ():
            reference = str(part.get("reference", reference))
            file = part.get("video", {}).get("video_file") if isinstance(part.get("video"), dict) else None
            video = file if isinstance(file, str) else video
    if not reference or not video:
        raise ConfigError(f"{data}: line {number} has no messages with a video and a reference")
    info = row.get("extra_info") if isinstance(row.get("extra_info"), dict) else {}
    events = info.get("events") if info else None
    subset = str(row.get("dataset", "")).removeprefix("DREAM/")
    names = (video, *(f"{row['dataset']}_{row['idx']}" for _ in (1,) if "idx" in row and "dataset" in row))
    return Clip(
        names=names,
        subset=subset,
        reference=reference,
        events=tuple(map(str, events)) if isinstance(events, list) else (),
        buckets=tuple(_bucket(title, info.get(key) if info else None, edges) for title, key, edges in _BUCKETS),
    )


def _bucket(title: str, value: Any, edges: Sequence[int]) -> tuple[str, str]:
    if not isinstance(value, int):
        return title, ""
    low, middle, high = edges
    if title == "events":
        name = f"≤{low}" if value <= low else "4–5" if value <= middle else "6–7" if value <= high else "≥8"
    else:
        name = f"≤{low}" if value <= low else str(value) if value <= high else f"≥{high + 1}"
    return title, name


def _least(bucket: str) -> int:
    """The first number in the name of a bucket: their order is that of numbers, not of letters."""
    return int("".join(c for c in bucket.partition("–")[0] if c.isdigit()))


def _share(relations: tuple[Relation, ...]) -> float:
    return sum(relation == "entailment" for relation in relations) / len(relations) if relations else 1.0


def _overall(name: str, judged: Sequence[Judged[Clip, Compared]]) -> Row:
    return _row(name, judged, sorted({one.item.subset for one in judged}))


def _row(name: str, judged: Sequence[Judged[Clip, Compared]], subsets: Sequence[str]) -> Row:
    """Means over the clips of each subset, then over subsets; one subset of no name takes all."""
    items = []
    for one in judged:
        sums = [0.0] * (3 * len(subsets))
        first = 3 * (subsets.index(one.item.subset) if subsets != ("",) else 0)
        found = one.verdict
        both = (_share(found.recall), _share(found.precision)) if found else (0.0, 0.0)
        sums[first : first + 3] = (1.0, *both)
        items.append(sums)
    columns: Mapping[str, Statistic] = {"F1": _f1, "Recall": _RECALL, "Precision": _PRECISION}
    return Row(name=name, n=len(items), scores={column: score(items, one) for column, one in columns.items()})


_RECALL = mean_over_groups(1, width=3, times=100)
_PRECISION = mean_over_groups(2, width=3, times=100)


def _f1(sums: Any) -> Any:
    import numpy as np

    recall, precision = _RECALL(sums), _PRECISION(sums)
    both = recall + precision
    return np.where(both > 0, 2 * recall * precision / np.maximum(both, 1e-12), np.where(np.isnan(both), np.nan, 0.0))
