"""UGC-VideoCap: three scores of 1 to 5 against a reference caption, one call a caption.

Native file ``final_caption_qa.json`` (HF ``openinterx/UGC-VideoCap``, MIT): ``{"valid_count": 999, "samples":
[{"video_id", "answer", …}]}``. The reference asks GPT-4o up to 20 times and scores a caption that it cannot judge
0, 0, 0, which is below the scale. So does the first row here; a second has those that were judged alone, and a third
has clips without a caption as 0 too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from omnidetective.errors import ConfigError
from omnidetective.evals.base import Benchmark, Judged
from omnidetective.evals.judge import Judge
from omnidetective.evals.native import as_json, read_json
from omnidetective.evals.replies import answer_in, whole_number
from omnidetective.evals.result import Row, Table
from omnidetective.evals.statistics import Statistic, ratio, score
from omnidetective.frozen import Frozen

FILE = "final_caption_qa.json"
ASPECTS = ("visual", "audio", "details")
_TRIES = 20
_FULL = 5


@dataclass(frozen=True, slots=True)
class Sample:
    """One video and its reference caption."""

    video_id: str
    reference: str


class Scores(Frozen):
    """The judge's answer."""

    visual: Annotated[int, Field(ge=1, le=5)]
    audio: Annotated[int, Field(ge=1, le=5)]
    details: Annotated[int, Field(ge=1, le=5)]


class _Native(BaseModel):
    model_config = ConfigDict(extra="ignore")

    video_id: str
    answer: str


_SAMPLES = TypeAdapter(list[_Native])


class UgcVideoCap(Benchmark[Sample, Scores]):
    """UGC-VideoCap."""

    name: ClassVar[str] = "ugc-videocap"
    title: ClassVar[str] = "UGC-VideoCap"
    data: ClassVar[str] = f"{FILE} of the dataset openinterx/UGC-VideoCap, or its folder"
    judging: ClassVar[str] = "1 call a caption; GPT-4o in the papers"
    source: ClassVar[str] = "https://huggingface.co/datasets/openinterx/UGC-VideoCap"
    headline: ClassVar[str] = "average"

    def read(self, data: Path) -> Sequence[Sample]:
        native = read_json(data, FILE)
        samples = native.get("samples") if isinstance(native, dict) else None
        if not isinstance(samples, list):
            raise ConfigError(f"{data} has no list of samples", hint=f"--data takes {self.data}")
        try:
            rows = _SAMPLES.validate_python(samples)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ConfigError(f"{data} holds a sample of another form: samples.{where}: {first['msg']}") from error
        return [Sample(row.video_id, row.answer) for row in rows if row.answer.strip()]

    def names(self, item: Sample) -> tuple[str, ...]:
        return (item.video_id,)

    async def judge(self, item: Sample, caption: str, judge: Judge) -> Scores:
        prompts = judge.prompts
        return await judge.ask(
            prompts.get("eval/ugc_videocap_task").render(
                captions=as_json({"caption": caption, "reference": item.reference})
            ),
            parse,
            system=prompts.get("eval/ugc_videocap").render(),
            tries=_TRIES,
            max_tokens=200,
        )

    def tables(self, judged: Sequence[Judged[Sample, Scores]]) -> tuple[Table, ...]:
        known = [_points(one.verdict) for one in judged if one.verdict is not None]
        failed = [_points(None) for one in judged if one.failed]
        missing = [_points(None) for one in judged if one.no_caption]
        rows = [_row("overall", [*known, *failed])]
        if failed:
            rows.append(_row("clips with a verdict alone", known))
        if missing:
            rows.append(_row("with clips without a caption as 0", [*known, *failed, *missing]))
        note = "Percent of full marks. The reference scores what it cannot judge 0, below the scale."
        return (Table(title=self.title, columns=(*ASPECTS, "average"), rows=tuple(rows), digits=2, note=note),)


def parse(reply: str) -> Scores | None:
    """The three scores in a reply; ``None`` where one is missing, no whole number, or not 1 to 5."""

    def read(found: Mapping[str, Any]) -> Scores | None:
        numbers = [whole_number(found.get(aspect)) for aspect in ASPECTS]
        if any(number is None or not 1 <= number <= _FULL for number in numbers):
            return None
        visual, audio, details = (number or 0 for number in numbers)
        return Scores(visual=visual, audio=audio, details=details)

    return answer_in(reply, read)


def _points(scores: Scores | None) -> tuple[float, ...]:
    """What an item adds to the sums: itself, then its scores, then their sum; 0 for one that was not judged."""
    if scores is None:
        return (1.0, 0.0, 0.0, 0.0, 0.0)
    points = (float(scores.visual), float(scores.audio), float(scores.details))
    return (1.0, *points, sum(points))


def _row(name: str, points: Sequence[Sequence[float]]) -> Row:
    percent: dict[str, Statistic] = {
        aspect: ratio(n, 0, times=100 / _FULL) for n, aspect in enumerate(ASPECTS, start=1)
    }
    percent["average"] = ratio(4, 0, times=100 / _FULL / len(ASPECTS))
    return Row(name=name, n=len(points), scores={column: score(points, one) for column, one in percent.items()})
