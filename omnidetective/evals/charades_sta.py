"""Charades-STA by captions: a sentence is placed in time by a caption with anchors. One call a sentence.

Native file ``charades_test.json``: video → ``{"duration", "timestamps": [[start, end], …], "sentences": […]}``. From
the last ``x to y`` (or ``x and y``) of the reply

    IoU = overlap / (latest end - earliest start), 0 for N/A;  mIoU, and R1@t: the share of sentences with IoU ≥ t

The protocol is that of ASID's script, its parse rule too: a reply that it cannot read is asked for again, ten times in
all, then it counts as IoU 0. Sentences of a video without a caption are left out there; a second row has them as 0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from omnidetective.errors import ConfigError
from omnidetective.evals.base import Benchmark, Judged
from omnidetective.evals.judge import Judge, verdict_or_none
from omnidetective.evals.native import as_json, read_json
from omnidetective.evals.result import Row, Table
from omnidetective.evals.statistics import Statistic, ratio, score
from omnidetective.frozen import Frozen

FILE = "charades_test.json"
THRESHOLDS = (0.3, 0.5, 0.7)
COLUMNS = ("mIoU", *(f"R1@{t}" for t in THRESHOLDS))
_TRIES = 10
_SPAN = re.compile(r"(\d+\.?\d*)\s*(?:to|and)\s*(\d+\.?\d*)", re.ASCII)
_NOWHERE = re.compile(r"n\s*/\s*a\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Video:
    """A video with its sentences, and from when to when each of them is true, in seconds."""

    video: str
    sentences: tuple[str, ...]
    spans: tuple[tuple[float, float], ...]


class Placed(Frozen):
    """One sentence as the judge places it; ``found`` is false for N/A, ``read`` where no reply could be read."""

    start_s: float = 0.0
    end_s: float = 0.0
    found: bool = False
    read: bool = True


class Placements(Frozen):
    """Sentence by sentence."""

    placed: tuple[Placed, ...]


class CharadesSta(Benchmark[Video, Placements]):
    """Charades-STA."""

    name: ClassVar[str] = "charades-sta"
    title: ClassVar[str] = "Charades-STA (captions)"
    data: ClassVar[str] = f"{FILE} of Charades-STA"
    judging: ClassVar[str] = "1 call a sentence; Gemini 2.5 Pro in ASID"
    source: ClassVar[str] = "https://github.com/HVision-NKU/ASID-Caption"
    headline: ClassVar[str] = "mIoU"

    def read(self, data: Path) -> Sequence[Video]:
        videos = read_json(data, FILE)
        if not isinstance(videos, dict):
            raise ConfigError(f"{data} maps no videos to sentences", hint=f"--data takes {self.data}")
        return [_video(name, facts, data) for name, facts in videos.items()]

    def names(self, item: Video) -> tuple[str, ...]:
        return (item.video,)

    async def judge(self, item: Video, caption: str, judge: Judge) -> Placements:
        placed = [await verdict_or_none(_place(caption, sentence, judge)) for sentence in item.sentences]
        return Placements(placed=tuple(one or Placed(read=False) for one in placed))

    def tables(self, judged: Sequence[Judged[Video, Placements]]) -> tuple[Table, ...]:
        known = [one for one in judged if one.verdict is not None]
        rows = [_row("overall", known)]
        if missing := [one for one in judged if one.no_caption]:
            rows.append(_row("videos without a caption as 0", [*known, *missing]))
        answers = [placed for one in known if one.verdict for placed in one.verdict.placed]
        note = f"Percent. {sum(a.read and not a.found for a in answers):,} sentences have no place (N/A)"
        note += f", {sum(not a.read for a in answers):,} replies could not be read: IoU 0."
        return (Table(title=self.title, columns=COLUMNS, rows=tuple(rows), note=note),)


def parse(reply: str) -> Placed | None:
    """The last span of seconds in a reply, in either order, or N/A; ``None`` for anything else."""
    spans = _SPAN.findall(reply)
    if spans:
        first, second = (float(text) for text in spans[-1])
        if max(first, second) > 1e6:
            return None
        return Placed(start_s=min(first, second), end_s=max(first, second), found=True)
    return Placed() if _NOWHERE.search(reply) else None


def iou(placed: Placed, span: tuple[float, float]) -> float:
    """Overlap of two spans by what both cover together from end to end, 0…1."""
    if not placed.found:
        return 0.0
    overlap = min(placed.end_s, span[1]) - max(placed.start_s, span[0])
    union = max(placed.end_s, span[1]) - min(placed.start_s, span[0])
    return max(0.0, overlap) / union if union > 0 else 0.0


async def _place(caption: str, sentence: str, judge: Judge) -> Placed:
    return await judge.ask(
        judge.prompts.get("eval/case_task").render(case=as_json({"caption": caption, "sentence": sentence})),
        parse,
        system=judge.prompts.get("eval/charades_sta").render(),
        tries=_TRIES,
        temperature=0.0,
        max_tokens=1024,
    )


def _video(name: str, facts: Any, data: Path) -> Video:
    known = facts if isinstance(facts, dict) else {}
    spans, sentences = known.get("timestamps"), known.get("sentences")
    try:
        if not isinstance(spans, list) or not isinstance(sentences, list) or not 0 < len(sentences) == len(spans):
            raise ValueError("as many timestamps as sentences are wanted")
        found = tuple((float(start), float(end)) for start, end in spans)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{data}: video {name} has no sentences with timestamps: {error}") from error
    return Video(name, tuple(map(str, sentences)), found)


def _row(name: str, judged: Sequence[Judged[Video, Placements]]) -> Row:
    """What a video adds: sentences, the sum of IoUs, and how many reach each threshold."""
    items = []
    for one in judged:
        placed = one.verdict.placed if one.verdict else (Placed(),) * len(one.item.sentences)
        found = [iou(p, span) for p, span in zip(placed, one.item.spans, strict=True)]
        items.append((float(len(found)), sum(found), *(float(sum(f >= t for f in found)) for t in THRESHOLDS)))
    columns: dict[str, Statistic] = {column: ratio(n, 0, times=100) for n, column in enumerate(COLUMNS, start=1)}
    count = int(sum(one[0] for one in items))
    return Row(name=name, n=count, scores={column: score(items, one) for column, one in columns.items()})
