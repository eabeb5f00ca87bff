"""The video-SALMONN-2 test set: events that a caption misses, gets wrong, or makes up.

Native file ``video_salmonn2_test.json`` (HF ``tsinghua-ee/video-SALMONN_2_testset``): a list of ``{"video":
"video/0.mp4", "events": [...]}``. The metric is that of the scripts of AVoCaDO and ASID: sums over all events of

    MISS, INCORRECT, HALLUCINATION, and their sum EER (it can exceed 1);  papers: Hall. = INCORRECT + HALLUCINATION

The judge goes over everything seven times; the run whose EER is the median is the result. ``--runs 1`` takes one.

Where we differ: counts that cannot be (more events missed or wrong than there are) are no answer and are asked for
again; nothing is carried from one run to the next (the scripts keep an older run's counts where a later one fails);
a video that cannot be judged, or has no caption, is left out as there, and further rows count all its events as missed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from omnidetective.errors import ConfigError
from omnidetective.evals.base import Benchmark, Judged, Rated, Rates
from omnidetective.evals.judge import Judge, UnjudgedError
from omnidetective.evals.native import as_json, read_list
from omnidetective.evals.replies import answer_in, whole_number
from omnidetective.evals.result import Row, Table
from omnidetective.evals.statistics import Statistic, ratio, score
from omnidetective.frozen import Frozen

FILE = "video_salmonn2_test.json"
COLUMNS = ("Miss", "Incorrect", "Hallucination", "Hall.", "Total")
_LISTS = ("Missed Event", "Incorrect Event", "Hallucination Event")
_TRIES, _TRIES_COUNTS = 9, 3
_END = "<|im_end|>"
_SHORT_LOOP = re.compile(r"(.{1,49}?)\1{4,}")
_LONG_LOOP = re.compile(r"(.{50,99}?)\1{3,}")

Count = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class Video:
    """A video by its events."""

    video: str
    events: tuple[str, ...]


class Compared(Frozen):
    """The judge's counts, and the events that it names, where it was asked to."""

    missed: Count
    incorrect: Count
    hallucination: Count
    named: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class Salmonn2(Benchmark[Video, Compared], Rated):
    """The video-SALMONN-2 test set."""

    name: ClassVar[str] = "video-salmonn-2"
    title: ClassVar[str] = "video-SALMONN-2 test set"
    data: ClassVar[str] = f"{FILE} of the dataset tsinghua-ee/video-SALMONN_2_testset, or its folder"
    judging: ClassVar[str] = "1 call a caption in each of 7 runs; GPT-4.1 in AVoCaDO and ASID"
    source: ClassVar[str] = "https://huggingface.co/datasets/tsinghua-ee/video-SALMONN_2_testset"
    runs: ClassVar[int] = 7
    headline: ClassVar[str] = "Total"
    detail: ClassVar[str] = "100 - Miss"
    invention: ClassVar[str] = "Hall."

    def read(self, data: Path) -> Sequence[Video]:
        rows = read_list(data, FILE, of="videos", takes=self.data)
        return [_video(row, number, data) for number, row in enumerate(rows, start=1)]

    def names(self, item: Video) -> tuple[str, ...]:
        return (item.video,)

    async def judge(self, item: Video, caption: str, judge: Judge) -> Compared:
        prompts, count = judge.prompts, len(item.events)
        task = prompts.get("eval/salmonn2_task").render(
            events=as_json({"events": list(item.events)}), caption=as_json({"caption": cleaned(caption)})
        )
        try:
            return await judge.ask(
                task,
                lambda reply: parse(reply, count),
                system=prompts.get("eval/salmonn2").render(count=count),
                tries=_TRIES,
            )
        except UnjudgedError as error:
            if error.reason != "unparsable":
                raise
        return await judge.ask(
            task,
            lambda reply: parse_counts(reply, count),
            system=prompts.get("eval/salmonn2_counts").render(count=count),
            tries=_TRIES_COUNTS,
        )

    def tables(self, judged: Sequence[Judged[Video, Compared]]) -> tuple[Table, ...]:
        known = [one for one in judged if one.verdict is not None]
        rows = [_row("judged", known)]
        if failed := [one for one in judged if one.failed]:
            rows.append(_row("with those not judged as missed", [*known, *failed]))
        if missing := [one for one in judged if one.no_caption]:
            rows.append(_row("and those without a caption", [*known, *failed, *missing]))
        note = "Percent of events; lower is better. Hall. = Incorrect + Hallucination, Total = Miss + Hall."
        return (Table(title=self.title, columns=COLUMNS, rows=tuple(rows), note=note),)

    def rates(self, one: Judged[Video, Compared]) -> Rates:
        events, missed, incorrect, made_up = _counts(one)
        return Rates(events - missed, events, incorrect + made_up, events)


def cleaned(caption: str) -> str:
    """A caption as the published scripts show it to the judge: an end mark is cut out, or else loops are.

    A unit of up to 49 characters that comes five times in a row or more is left once, one of 50 to 99 from four times.
    """
    if _END in caption:
        return caption.replace(_END, "")
    return _LONG_LOOP.sub(r"\1", _SHORT_LOOP.sub(r"\1", caption))


def parse(reply: str, count: int) -> Compared | None:
    """The three counts in a reply; ``None`` where one is missing, or they cannot be of so many events."""

    def read(found: Mapping[str, Any]) -> Compared | None:
        numbers = _numbers(found, "Missed", "Incorrect", "Hallucination")
        if numbers is None or numbers[0] + numbers[1] > count:
            return None
        return Compared(missed=numbers[0], incorrect=numbers[1], hallucination=numbers[2], named=_named(found))

    return answer_in(reply, read)


def parse_counts(reply: str, count: int) -> Compared | None:
    """The four counts of the shorter question; ``None`` unless missed, correct and incorrect add up to all events."""

    def read(found: Mapping[str, Any]) -> Compared | None:
        numbers = _numbers(found, "Missed", "Correct", "Incorrect", "Hallucination")
        if numbers is None or sum(numbers[:3]) != count:
            return None
        return Compared(missed=numbers[0], incorrect=numbers[2], hallucination=numbers[3])

    return answer_in(reply, read)


def _numbers(found: Mapping[str, Any], *keys: str) -> list[int] | None:
    numbers = [whole_number(found.get(key)) for key in keys]
    known = [number for number in numbers if number is not None and number >= 0]
    return known if len(known) == len(keys) else None


def _named(found: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    lists = {key: found.get(key) for key in _LISTS}
    return {key: tuple(map(str, value)) for key, value in lists.items() if isinstance(value, list)}


def _video(row: Any, number: int, data: Path) -> Video:
    video, events = (row.get("video"), row.get("events")) if isinstance(row, dict) else (None, None)
    if not isinstance(video, str) or not isinstance(events, list) or not events:
        raise ConfigError(f"{data}: row {number} has no video with events")
    return Video(video, tuple(map(str, events)))


def _counts(one: Judged[Video, Compared]) -> tuple[float, ...]:
    """What a video adds: events, missed, incorrect, made up; all missed where it was not judged."""
    events = float(len(one.item.events))
    found = one.verdict
    if found is None:
        return events, events, 0.0, 0.0
    return events, float(found.missed), float(found.incorrect), float(found.hallucination)


def _row(name: str, judged: Sequence[Judged[Video, Compared]]) -> Row:
    items = [_counts(one) for one in judged]
    columns: Mapping[str, Statistic] = {
        "Miss": ratio(1, 0, times=100),
        "Incorrect": ratio(2, 0, times=100),
        "Hallucination": ratio(3, 0, times=100),
        "Hall.": _sum_of(2, 3),
        "Total": _sum_of(1, 2, 3),
    }
    return Row(name=name, n=len(items), scores={column: score(items, one) for column, one in columns.items()})


def _sum_of(*columns: int) -> Statistic:
    return lambda sums: sum((ratio(n, 0, times=100)(sums) for n in columns[1:]), ratio(columns[0], 0, times=100)(sums))
