"""Bar charts among the rectangles of a picture: which stand on one line, and what they say."""

from __future__ import annotations

from collections.abc import Sequence

from omnidetective.embedded.chart_axes import Axis
from omnidetective.embedded.chart_bars import Bars, read_bars
from omnidetective.embedded.chart_columns import Columns, find_columns
from omnidetective.embedded.chart_digits import rounded
from omnidetective.embedded.chart_legend import legend, series_names
from omnidetective.embedded.chart_page import FoundChart, Page, Taken, around, found_chart, is_inside, told_tolerance
from omnidetective.embedded.chart_words import Rect, Word
from omnidetective.page_evidence import ChartPoint

_BASE_PX = 8
"""How far from where the scale has its zero bars may begin: numbers and lines are not drawn to the pixel."""


def bars_among(
    page: Page, taken: Taken, axis: Axis | None, rects: Sequence[Rect], *, upright: bool, axes: Sequence[Axis] = ()
) -> FoundChart | None:
    """The bars among some rectangles; all is turned where the bars lie."""
    zero = None
    if axis is not None and not axis.scale.logarithmic:
        at = axis.scale.y(0.0)
        step = (axis.scale.bottom - axis.scale.top) / max(1, len(axis.words) - 1)
        zero = at if axis.scale.top - step <= at <= axis.scale.bottom + 1.2 * step else None
    columns = find_columns(rects, zero=zero)
    if columns is None or (axis is not None and not _fits(columns, axis, zero)):
        return None
    columns = columns.exact(page.exact if upright else page.exact_turned)
    words = page.words if upright else tuple(word.turned(page.width) for word in page.words)
    used_before = taken.words if upright else [word.turned(page.width) for word in taken.words]
    of_axes = [word for one in axes for word in one.words]
    own = list(axis.words) if axis is not None else []
    free = [word for word in words if word not in own and word not in used_before and word not in of_axes]
    bars = read_bars(columns, axis, free, upright=upright, turned=page.turned if upright else ())
    if bars is None:
        return None
    used = [*own, *bars.used]
    back = used if upright else [word for word in page.words if word.turned(page.width) in used]
    box = columns.box if upright else columns.box.turned_back(page.width)
    return _bar_chart(page, taken, bars, axis, box, back, upright=upright)


def _fits(columns: Columns, axis: Axis, zero: float | None) -> bool:
    """Whether bars stand where an axis has its zero or its lowest number, and do not reach far beyond the highest."""
    step = (axis.scale.bottom - axis.scale.top) / max(1, len(axis.words) - 1)
    at_zero = zero is not None and abs(columns.base - zero) <= (_BASE_PX if len(axis.words) > 2 else _BASE_PX / 2)
    at_low = columns.base >= axis.scale.bottom - _BASE_PX and columns.base <= axis.scale.bottom + 1.3 * step
    if len(axis.words) < 3:
        return at_zero and columns.box.top >= axis.scale.top - 1.2 * step
    return (at_zero or at_low) and columns.box.top >= axis.scale.top - 1.2 * step


def _bar_chart(
    page: Page, taken: Taken, bars: Bars, axis: Axis | None, box: Rect, used: list[Word], *, upright: bool
) -> FoundChart:
    colours = list(dict.fromkeys(bar.colour for bar in bars.bars))
    shades = {colour: page.shades.colours[colour] for colour in colours}
    inside = [rect for rect in page.rects if rect.colour in shades and is_inside(rect, box)]
    free = [word for word in taken.free(page.words) if word not in used]
    names = legend(
        page.picture,
        shades,
        [word for word in free if not any(is_inside(word.box, rect) for rect in inside)],
        page.shades.ground,
    )
    series = series_names(colours, names, shades) if bars.several else {}
    points = tuple(
        ChartPoint(
            series=series.get(bar.colour),
            label=bar.label,
            value=bar.value if bar.printed else rounded(bar.value, bar.tolerance or 0.0),
            printed=bar.printed,
            tolerance=None if bar.tolerance is None else told_tolerance(bar.value, bar.tolerance),
        )
        for bar in bars.bars
    )
    missing = upright and sum(point.label is None for point in points) > 0.5 * len(points)
    return found_chart(
        page,
        taken,
        "bars" if upright else "horizontal bars",
        points,
        bars.unit,
        plot=_plot(box, axis if upright else None),
        taken_by=around(box, [word.box for word in used]),
        used=[*used, *(names.values() if series else ())],
        labels_missing=missing,
    )


def _plot(box: Rect, axis: Axis | None) -> Rect:
    if axis is None:
        return box
    return Rect(min(box.left, axis.right), min(box.top, axis.scale.top), box.right, max(box.bottom, axis.scale.bottom))
