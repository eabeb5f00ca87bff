"""Charts in images, read with the real text recogniser: every number is right, or is not told."""

from __future__ import annotations

from pathlib import Path

import pytest
from observers.conftest import SAMPLES, instrument, observe
from pictures.charts import PALETTES, DrawnChart, DrawnPoint, Style, bar_chart, line_chart, pie_chart
from pictures.no_charts import NoChart, no_charts

from omnidetective.observers.charts import Charts
from omnidetective.page_evidence import Chart, ChartEvidence

YEARS = ("2019", "2020", "2021", "2022")


def points(labels: tuple[str, ...], **series: tuple[float, ...]) -> list[DrawnPoint]:
    return [
        DrawnPoint(label, value, None if name == "_" else name)
        for name, values in series.items()
        for label, value in zip(labels, values, strict=True)
    ]


TWO = points(("North", "South", "East"), Online=(420, 310, 150), Stores=(260, 505, 330))
SALES = points(("Q1", "Q2", "Q3", "Q4"), _=(12, 18.5, 7.4, 15))
DRAWN: dict[str, DrawnChart] = {
    "bars with printed numbers": bar_chart(SALES, Style(printed=True, title="Sales by quarter")),
    "measured bars, dark": bar_chart(
        SALES, Style(ground="#202530", ink="#f0f0f0", grid="#454b58", colours=PALETTES[1], y_title="Million euros")
    ),
    "dollars in thousands": bar_chart(points(YEARS, _=(1250, 3400, 2050, 4100)), Style(unit="$", frame=True)),
    "decimal commas": bar_chart(SALES, Style(printed=True, comma=True)),
    "without gridlines, on a plot area of its own colour": bar_chart(SALES, Style(grid="", plot_ground="#eaeaf2")),
    "gains and losses": bar_chart(points(("Oak", "Elm", "Ash", "Fir"), _=(42, -18, 30, -25)), Style(unit="%")),
    "grouped": bar_chart(TWO, Style()),
    "stacked": bar_chart(TWO, Style(colours=PALETTES[2]), stacked=True),
    "stacked, printed in its parts": bar_chart(TWO, Style(printed=True, height=800), stacked=True),
    "lying": bar_chart(points(("Apples", "Pears", "Plums"), _=(31, 64, 48)), Style(), horizontal=True),
    "lying, printed": bar_chart(points(("Apples", "Pears"), _=(31, 64)), Style(printed=True), horizontal=True),
    "lines": line_chart(points(YEARS, Online=(4.2, 5.1, 6.6, 8.3), Stores=(7.5, 6.1, 3.2, 2.4)), Style()),
    "one line far above zero": line_chart(points(YEARS, _=(910, 955, 930, 990)), Style(unit="K"), markers=False),
    "pie with a legend": pie_chart([("Coal", 32), ("Gas", 25), ("Wind", 43)], Style(title="Energy mix")),
    "pie, labels around it, shares printed": pie_chart(
        [("Coal", 32), ("Gas", 25), ("Wind", 43)], Style(printed=True), legend=False
    ),
}


async def read(image_of: DrawnChart | NoChart, folder: Path) -> tuple[tuple[Chart, ...], str]:
    path = folder / "picture.png"
    image_of.image.save(path)
    answer = await observe(instrument(Charts), path)
    assert isinstance(answer.data, ChartEvidence)
    return answer.data.charts, answer.answer


@pytest.mark.parametrize("name", sorted(DRAWN))
async def test_every_value_is_read(name: str, tmp_path: Path) -> None:
    drawn = DRAWN[name]
    (chart,), told = await read(drawn, tmp_path)
    assert (chart.kind, chart.title, chart.y_title or "") == (drawn.kind, drawn.title, drawn.y_title)
    truth = {(point.series, point.label): point for point in drawn.points}
    assert {(point.series, point.label) for point in chart.points} == set(truth)
    span = max(point.value for point in drawn.points) - min(0.0, *(point.value for point in drawn.points))
    for point in chart.points:
        wanted = truth[point.series, point.label]
        assert point.printed == bool(wanted.printed)
        if point.printed:
            assert (point.value, point.tolerance) == (wanted.value, None)
        else:
            assert point.tolerance is not None
            assert abs(point.value - wanted.value) <= point.tolerance <= 0.04 * span
        assert point.label is not None
        assert point.label in told


@pytest.mark.parametrize("picture", no_charts(), ids=lambda picture: picture.name)
async def test_other_pictures_hold_no_chart(picture: NoChart, tmp_path: Path) -> None:
    charts, told = await read(picture, tmp_path)
    assert charts == ()
    assert told == "No chart was found that can be read."


async def test_a_poster_is_no_chart() -> None:
    answer = await observe(instrument(Charts), SAMPLES / "poster.jpg")
    assert answer.data == ChartEvidence(charts=())


async def test_a_number_that_contradicts_its_bar_is_not_told(tmp_path: Path) -> None:
    drawn = DRAWN["bars with printed numbers"]
    from PIL import ImageDraw

    (label,) = [one for one in drawn.written if one.text == "7.4"]
    image = drawn.image.copy()
    pen = ImageDraw.Draw(image)
    pen.rectangle(label.box, fill="white")
    middle = ((label.box[0] + label.box[2]) / 2, label.box[3])
    pen.text(middle, "9.4", fill="#303030", font=Style().font(0.9), anchor="mb")
    charts, _ = await read(NoChart("a bar with another number", image), tmp_path)
    assert {point.label: point.value for point in charts[0].points} == {"Q1": 12, "Q2": 18.5, "Q4": 15}


async def test_two_charts_side_by_side_are_two(tmp_path: Path) -> None:
    from PIL import Image

    left, right = DRAWN["bars with printed numbers"].image, DRAWN["gains and losses"].image
    image = Image.new("RGB", (left.width + right.width, left.height), "white")
    image.paste(left, (0, 0))
    image.paste(right, (left.width, 0))
    charts, _ = await read(NoChart("two charts", image), tmp_path)
    found = {(chart.title, point.label): point.value for chart in charts for point in chart.points}
    assert len(charts) == 2
    assert found["Sales by quarter", "Q2"] == 18.5
    assert found["Revenue by region", "Oak"] == pytest.approx(42, abs=2)
