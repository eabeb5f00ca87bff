"""``charts``: values that are right, wrong or missed on drawn charts by kind, and charts seen where there are none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from omnidetective.evals.sample_truth import Truth
from omnidetective.page_evidence import ChartEvidence, ChartPoint
from scripts.bench.instruments.asking import Bench
from scripts.bench.instruments.films import Studio
from scripts.bench.instruments.rows import Row, of, share
from scripts.bench.samples import DATA
from tests.pictures.charts import DrawnChart, DrawnPoint, random_chart
from tests.pictures.no_charts import no_charts

FIRST_SEED = 1000
CHARTS = 42
"""Seven of each kind of drawing; the seeds are not those that the reader was made with."""
_ROUNDING = 1e-9


@dataclass(slots=True)
class Tally:
    """How the values of some charts were read."""

    charts: int = 0
    found: int = 0
    values: int = 0
    right: int = 0
    wrong: int = 0
    printed: int = 0
    titles: int = 0

    def add(self, drawn: DrawnChart, seen: ChartEvidence) -> None:
        """Count one picture."""
        self.charts += 1
        self.values += len(drawn.points)
        chart = next((chart for chart in seen.charts if chart.kind == drawn.kind), None)
        if chart is None:
            self.wrong += sum(len(other.points) for other in seen.charts)
            return
        self.found += 1
        self.titles += chart.title == drawn.title
        for point in chart.points:
            if is_right(point, drawn.points):
                self.right += 1
                self.printed += point.printed
            else:
                self.wrong += 1


def is_right(point: ChartPoint, truth: Iterable[DrawnPoint]) -> bool:
    """Whether a value is that of its label and series: printed ones exactly, measured ones within their tolerance."""
    off = (point.tolerance or 0.0) + _ROUNDING
    return any(
        wanted.label == point.label and wanted.series == point.series and abs(wanted.value - point.value) <= off
        for wanted in truth
    )


async def measure(bench: Bench, truth: Truth, studio: Studio) -> list[Row]:
    """See the module."""
    drawn = [random_chart(FIRST_SEED + n) for n in range(CHARTS)]
    answers = []
    for n, chart in enumerate(drawn):
        path = studio.folder / f"chart{n}.png"
        chart.image.save(path)
        answers.append((chart, await bench.ask("charts", path, ChartEvidence)))
    others = [
        await bench.ask("charts", DATA / clip.file, ChartEvidence) for clip in truth.clips if clip.modality == "image"
    ]
    for n, picture in enumerate(no_charts()):
        path = studio.folder / f"other{n}.png"
        picture.image.save(path)
        others.append(await bench.ask("charts", path, ChartEvidence))
    return [*on_charts(answers), on_others(others)]


def on_charts(answers: Sequence[tuple[DrawnChart, ChartEvidence]]) -> list[Row]:
    """The rows for charts whose values are known."""
    tallies: dict[str, Tally] = {}
    for drawn, seen in answers:
        for name in (drawn.kind, "all kinds"):
            tallies.setdefault(name, Tally()).add(drawn, seen)
    rows = []
    for name in sorted(tallies, key=lambda kind: (kind == "all kinds", kind)):
        tally = tallies[name]
        rows.append(
            Row(
                "charts",
                f"{name}: charts found; values right (printed ones), wrong, not told, of {tally.values}",
                f"{of(tally.found, tally.charts)}; {share(tally.right, tally.values)} ({tally.printed}), "
                f"{tally.wrong}, {tally.values - tally.right - tally.wrong}",
            )
        )
    everything = tallies.get("all kinds", Tally())
    return [*rows, Row("charts", "titles read exactly", of(everything.titles, everything.charts))]


def on_others(answers: Sequence[ChartEvidence]) -> Row:
    """The row for pictures without charts."""
    return Row(
        "charts",
        "pictures without a chart in which one was seen",
        of(sum(bool(a.charts) for a in answers), len(answers)),
    )
