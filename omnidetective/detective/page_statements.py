"""Statements on charts: what each shows, every printed number as it is printed, measured ones as about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from omnidetective.case import Case
from omnidetective.detective.statements import Statement, number_name
from omnidetective.embedded.chart_numbers import numbers_in
from omnidetective.embedded.chart_told import figure
from omnidetective.evidence import TextEvidence
from omnidetective.page_evidence import Chart, ChartEvidence, ChartPoint

_MOST_OF_A_SERIES = 12
_MOST_OF_A_CHART = 36
_NAMES = {
    "bars": "a bar chart",
    "horizontal bars": "a chart of horizontal bars",
    "line": "a line chart",
    "pie": "a pie chart",
    "scatter": "a scatter plot",
}
_CURRENCY = re.compile(r"^[$€£¥₹]")


def charts(case: Case) -> Iterator[Statement]:
    """What each chart shows, from top to bottom."""
    printed = _printed(case)
    for observation, evidence in case.evidence(ChartEvidence):
        for chart in evidence.charts:
            yield Statement(None, None, _clause(chart, printed), "visual", (observation.id,), order=2)


def told_in_charts(case: Case) -> frozenset[str]:
    """The texts that the statements on charts repeat word by word: titles, labels and names of series."""
    told: set[str] = set()
    for _, evidence in case.evidence(ChartEvidence):
        for chart in evidence.charts:
            told.update(text for text in (chart.title, chart.x_title, chart.y_title) if text)
            if not _is_long(chart):
                told.update(point.label for point in chart.points if point.label)
            told.update(point.series for point in chart.points if point.series)
    return frozenset(told)


def _printed(case: Case) -> Mapping[float, str]:
    """The numbers that were read in the picture as they are written, by what they are."""
    found: dict[float, str] = {}
    for _, evidence in case.evidence(TextEvidence):
        for card in evidence.cards:
            for number in numbers_in(card.text):
                found.setdefault(number.amount, card.text[number.start : number.end].strip())
    return found


def _clause(chart: Chart, printed: Mapping[float, str]) -> str:
    title = f" titled “{chart.title}”" if chart.title else ""
    axes = [f"“{text}” on its {name} axis" for name, text in (("x", chart.x_title), ("y", chart.y_title)) if text]
    beside = f", with {' and '.join(axes)}," if axes else ""
    series: dict[str | None, list[ChartPoint]] = {}
    for point in chart.points:
        series.setdefault(point.series, []).append(point)
    long = _is_long(chart)
    parts = [
        f"{f'{name}: ' if name else ''}{_extremes(points, chart, printed) if long else _all(points, chart, printed)}"
        for name, points in series.items()
    ]
    return f"{_NAMES[chart.kind]}{title}{beside} shows: {'; '.join(parts)}"


def _is_long(chart: Chart) -> bool:
    count: dict[str | None, int] = {}
    for point in chart.points:
        count[point.series] = count.get(point.series, 0) + 1
    return max(count.values(), default=0) > _MOST_OF_A_SERIES or len(chart.points) > _MOST_OF_A_CHART


def _all(points: Iterable[ChartPoint], chart: Chart, printed: Mapping[float, str]) -> str:
    return ", ".join(_told(point, chart, printed) for point in points)


def _extremes(points: Sequence[ChartPoint], chart: Chart, printed: Mapping[float, str]) -> str:
    """The highest and the lowest value, then the first and the last."""
    highest, lowest = max(points, key=lambda p: p.value), min(points, key=lambda p: p.value)
    ends = [point for point in (points[0], points[-1]) if point is not highest and point is not lowest]
    top, bottom = (_told(point, chart, printed) for point in (highest, lowest))
    told = f"the highest of {number_name(len(points))} values is {top}, the lowest {bottom}"
    return f"{told}, beside {' and '.join(_told(point, chart, printed) for point in ends)}" if ends else told


def _told(point: ChartPoint, chart: Chart, printed: Mapping[float, str]) -> str:
    label = f"{point.label} " if point.label else ""
    if point.printed and point.value in printed:
        return f"{label}{printed[point.value]}"
    number = _with_unit(figure(point.value), chart.unit or "")
    return f"{label}{number}" if point.printed else f"{label}about {number}"


def _with_unit(number: str, unit: str) -> str:
    before = _CURRENCY.match(unit)
    if before is None:
        letters = unit.lstrip("%‰°")
        return f"{number}{letters}{unit[: len(unit) - len(letters)]}"
    sign = "-" if number.startswith("-") else ""
    return f"{sign}{before[0]}{number.removeprefix('-')}{unit[1:]}"
