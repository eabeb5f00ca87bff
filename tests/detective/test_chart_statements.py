"""What the embedded writer says of a chart."""

from __future__ import annotations

from detective.cases import make_case, seen_by

from omnidetective.detective.writer import write
from omnidetective.evidence import TextCard, TextEvidence
from omnidetective.page_evidence import Chart, ChartEvidence, ChartPoint

BOX = (0.1, 0.1, 0.9, 0.9)


def point(label: str, value: float, tolerance: float | None = None, series: str | None = None) -> ChartPoint:
    return ChartPoint(series=series, label=label, value=value, printed=tolerance is None, tolerance=tolerance)


def told(chart: Chart, *texts: str) -> str:
    cards = tuple(TextCard(text=text, box=BOX, score=0.99) for text in texts)
    case = make_case(
        seen_by("ocr", TextEvidence(cards=cards, frames_read=1)),
        seen_by("charts", ChartEvidence(charts=(chart,))),
        modality="image",
    )
    return write(case).caption


def test_printed_numbers_as_they_are_printed_and_measured_ones_as_about() -> None:
    chart = Chart(
        kind="bars", title="Sales", y_title="Euros", unit="$",
        points=(point("Q1", 1200), point("Q2", 18.5, 0.3), point("Q3", -7.0)), box=BOX,
    )  # fmt: skip
    caption = told(chart, "Sales", "$1,200.00", "Q1", "Q2", "Q3", "Source: own survey")
    assert (
        "A bar chart titled “Sales”, with “Euros” on its y axis, shows: Q1 $1,200.00, Q2 about $18.5, Q3 -$7."
        in caption
    )
    assert caption.count("“Sales”") == 1
    assert "“Source: own survey”" in caption


def test_series_are_told_one_after_the_other() -> None:
    chart = Chart(
        kind="line", unit="%",
        points=(
            point("2019", 4.2, 0.1, "Online"), point("2020", 5.1, 0.1, "Online"), point("2019", 7.5, 0.1, "Stores"),
        ),
        box=BOX,
    )  # fmt: skip
    assert "A line chart shows: Online: 2019 about 4.2%, 2020 about 5.1%; Stores: 2019 about 7.5%." in told(chart)


def test_of_a_long_chart_the_extremes_come_first() -> None:
    chart = Chart(kind="bars", points=tuple(point(f"D{n}", 10 + (n * 7) % 20, 0.5) for n in range(1, 21)), box=BOX)
    assert (
        "A bar chart shows: the highest of 20 values is D17 about 29, the lowest D20 about 10, beside D1 about 17."
        in told(chart)
    )
