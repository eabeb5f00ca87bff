"""Charts in a picture: where they are, and what they say. Pure; whoever reads the text gives its lines.

A chart is told only where numbers in the picture bear it out: an axis whose numbers lie on a straight line, numbers
at the bars that agree with their lengths, or labelled slices. What cannot be read surely is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omnidetective.embedded.chart_axes import Axis, find_axes, snapped
from omnidetective.embedded.chart_bars import Bars, read_bars
from omnidetective.embedded.chart_columns import Columns, find_columns
from omnidetective.embedded.chart_digits import rounded
from omnidetective.embedded.chart_labels import Label, labels_below
from omnidetective.embedded.chart_legend import legend, name_of, series_names
from omnidetective.embedded.chart_lines import Trace, named_at_end, traces
from omnidetective.embedded.chart_pies import find_pies, told_of
from omnidetective.embedded.chart_shapes import Palette, exact, palette, rectangles
from omnidetective.embedded.chart_titles import title_above, title_below, title_beside
from omnidetective.embedded.chart_words import Rect, Word, upright_words, words_of
from omnidetective.embedded.text import TextLine
from omnidetective.page_evidence import Box, Chart, ChartPoint

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LEAST_LABELS = 2
_BASE_PX = 8
"""How far from where the scale has its zero bars may begin: numbers and lines are not drawn to the pixel."""


@dataclass(frozen=True, slots=True)
class FoundChart:
    """A chart, and where text may stand upright that was not read yet, as shares of the picture.

    Attributes:
        beside: left of the plot area, where the title of a vertical axis stands.
        below: where labels are that nobody could read; None where they were read.
    """

    chart: Chart
    beside: Box | None
    below: Box | None


@dataclass(frozen=True, slots=True)
class _Page:
    """A picture, its words, and its flat colours with their rectangles."""

    picture: NDArray[np.uint8]
    gray: NDArray[np.uint8]
    words: tuple[Word, ...]
    turned: tuple[Word, ...]
    shades: Palette
    rects: tuple[Rect, ...]

    @property
    def width(self) -> int:
        return int(self.picture.shape[1])

    @property
    def height(self) -> int:
        return int(self.picture.shape[0])

    def exact(self, rect: Rect) -> Rect:
        return exact(rect, self.picture)

    def exact_turned(self, rect: Rect) -> Rect:
        return exact(rect.turned_back(self.width), self.picture).turned(self.width)

    def share(self, box: Rect) -> Box:
        left, right = (round(min(1.0, max(0.0, x / self.width)), 4) for x in (box.left, box.right))
        top, bottom = (round(min(1.0, max(0.0, y / self.height)), 4) for y in (box.top, box.bottom))
        return left, top, right, bottom


@dataclass(slots=True)
class _Taken:
    """What belongs to charts that were read already."""

    words: list[Word] = field(default_factory=list)
    areas: list[Rect] = field(default_factory=list)

    def free(self, words: Sequence[Word]) -> list[Word]:
        return [word for word in words if word not in self.words]

    def covers(self, box: Rect) -> bool:
        return any(a.left <= box.x <= a.right and a.top <= box.y <= a.bottom for a in self.areas)


def worth_reading(lines: Sequence[TextLine]) -> bool:
    """Whether the text of a picture can be that of a chart at all: with fewer than two numbers or labels there is none."""
    return len(lines) >= _LEAST_LABELS


def read_charts(
    picture: NDArray[np.uint8], lines: Sequence[TextLine], turned: Sequence[TextLine] = ()
) -> tuple[FoundChart, ...]:
    """The charts of a picture from top to bottom.

    Args:
        picture: shape ``(height, width, 3)``, blue, green, red.
        lines: its text.
        turned: text that stands upright, where somebody turned the picture and read it.
    """
    import cv2

    if not worth_reading(lines):
        return ()
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    shades = palette(picture)
    rects = tuple(rectangles(picture, shades))
    page = _Page(picture, gray, words_of(lines, gray), upright_words(turned, gray.shape[1], gray.shape[0]), shades, rects)
    taken = _Taken()
    found = [*_pies(page, taken), *_upright(page, taken), *_lying(page, taken), *_unscaled(page, taken)]
    return tuple(sorted(found, key=lambda one: (one.chart.box[1], one.chart.box[0])))


def _upright(page: _Page, taken: _Taken) -> list[FoundChart]:
    """Charts with a vertical value axis: bars, else lines."""
    axes = sorted(find_axes(page.words), key=lambda axis: axis.left)
    found: list[FoundChart] = []
    for axis in [*axes, *_two_marks(page.words, axes)]:
        beside = [other for other in axes if other is not axis and _same_rows(axis, other)]
        sides = ((axis.right, min((o.left for o in beside if o.left > axis.right), default=float(page.width)), True),
                 (max((o.right for o in beside if o.right < axis.left), default=0.0), axis.left, False))  # fmt: skip
        for left, right, to_right in sides:
            lined = snapped(axis, page.gray, to_right=to_right) if len(axis.words) > 2 else axis
            one = _bars_at(page, taken, lined, left, right, axes)
            if one is None and len(axis.words) > 2 and not _other_scale(axis, beside, left, right):
                one = _lines_at(page, taken, lined, left, right, axes)
            if one is not None:
                found.append(one)
                break
    return found


def _same_rows(axis: Axis, other: Axis) -> bool:
    shared = min(axis.scale.bottom, other.scale.bottom) - max(axis.scale.top, other.scale.top)
    return shared > 0.5 * min(axis.scale.bottom - axis.scale.top, other.scale.bottom - other.scale.top)


def _other_scale(axis: Axis, beside: Sequence[Axis], left: float, right: float) -> bool:
    """Whether a second scale stands on the other side of the plot area: which line is meant by which is not known."""
    for other in beside:
        if other.right <= axis.left and right <= axis.left + 1:
            return True
        if other.left >= right - 1 and not _agrees(axis, other):
            return True
    return False


def _agrees(axis: Axis, other: Axis) -> bool:
    span = abs(axis.scale.value(axis.scale.top) - axis.scale.value(axis.scale.bottom))
    return all(abs(axis.scale.value(mark.y) - mark.value) <= 0.02 * span for mark in other.scale.marks)


def _two_marks(words: Sequence[Word], axes: Sequence[Axis]) -> list[Axis]:
    """Axes of which only two numbers were read; where bars begin at their zero they count."""
    used = [word for axis in axes for word in axis.words]
    return [axis for axis in find_axes([w for w in words if w not in used], least=2) if not axis.scale.logarithmic]


def _within(rects: Sequence[Rect], axis: Axis, left: float, right: float) -> list[Rect]:
    step = (axis.scale.bottom - axis.scale.top) / max(1, len(axis.words) - 1)
    top, bottom = axis.scale.top - 1.2 * step, axis.scale.bottom + 1.2 * step
    return [r for r in rects if r.left >= left - 2 and r.right <= right + 2 and top <= r.y <= bottom]


def _bars_at(
    page: _Page, taken: _Taken, axis: Axis, left: float, right: float, axes: Sequence[Axis]
) -> FoundChart | None:
    rects = [rect for rect in _within(page.rects, axis, left, right) if not taken.covers(rect)]
    return _bars(page, taken, axis, rects, upright=True, axes=axes)


def _bars(
    page: _Page, taken: _Taken, axis: Axis | None, rects: Sequence[Rect], *, upright: bool, axes: Sequence[Axis] = ()
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
    page: _Page, taken: _Taken, bars: Bars, axis: Axis | None, box: Rect, used: list[Word], *, upright: bool
) -> FoundChart:
    colours = list(dict.fromkeys(bar.colour for bar in bars.bars))
    shades = {colour: page.shades.colours[colour] for colour in colours}
    inside = [rect for rect in page.rects if rect.colour in shades and _is_inside(rect, box)]
    free = [word for word in taken.free(page.words) if word not in used]
    names = legend(
        page.picture,
        shades,
        [word for word in free if not any(_is_inside(word.box, rect) for rect in inside)],
        page.shades.ground,
    )
    series = series_names(colours, names, shades) if bars.several else {}
    points = tuple(
        ChartPoint(
            series=series.get(bar.colour),
            label=bar.label,
            value=bar.value if bar.printed else rounded(bar.value, bar.tolerance or 0.0),
            printed=bar.printed,
            tolerance=None if bar.tolerance is None else _told_tolerance(bar.value, bar.tolerance),
        )
        for bar in bars.bars
    )
    missing = upright and sum(point.label is None for point in points) > 0.5 * len(points)
    return _found(
        page, taken, "bars" if upright else "horizontal bars", points, bars.unit,
        plot=_plot(box, axis if upright else None), around=_around(box, [word.box for word in used]), used=[*used, *(names.values() if series else ())],
        labels_missing=missing,
    )  # fmt: skip


def _told_tolerance(value: float, tolerance: float) -> float:
    """The tolerance of what is told: rounding adds to that of the measurement."""
    return float(f"{tolerance + abs(rounded(value, tolerance) - value):.2g}")


def _plot(box: Rect, axis: Axis | None) -> Rect:
    if axis is None:
        return box
    return Rect(min(box.left, axis.right), min(box.top, axis.scale.top), box.right, max(box.bottom, axis.scale.bottom))


def _found(
    page: _Page, taken: _Taken, kind: str, points: tuple[ChartPoint, ...], unit: str, *,
    plot: Rect, around: Rect, used: list[Word], labels_missing: bool = False,
) -> FoundChart:  # fmt: skip
    """The chart with its titles; its words and its area are taken from now on."""
    all_taken = [*used, *taken.words]
    title = title_above(page.words, plot, taken=all_taken)
    x_title = title_below(page.words, plot, around.bottom, taken=[*all_taken, *([title] if title else [])])
    y_title = title_beside(page.turned, Rect(around.left, plot.top, plot.right, plot.bottom))
    words = [*used, *(word for word in (title, x_title) if word is not None)]
    box = _around(around, [plot, *(word.box for word in words)])
    taken.words += words
    taken.areas.append(_around(plot, [around]))
    letters = max((word.letters_px for word in used), default=20.0)
    beside = Rect(max(0.0, around.left - 3.5 * letters), plot.top, around.left, plot.bottom)
    below = Rect(plot.left, plot.bottom + 2, plot.right, min(page.height, plot.bottom + 14 * letters))
    chart = Chart.model_validate(
        {
            "kind": kind,
            "title": title.text if title else None,
            "x_title": x_title.text if x_title else None,
            "y_title": y_title.text if y_title else None,
            "unit": unit or None,
            "points": points,
            "box": page.share(box),
        }
    )
    return FoundChart(
        chart,
        beside=page.share(beside) if beside.width > letters else None,
        below=page.share(below) if labels_missing and below.height > letters else None,
    )


def _lying(page: _Page, taken: _Taken) -> list[FoundChart]:
    """Bars that lie, with a horizontal value axis: the same, turned."""
    import cv2

    words = taken.free(page.words)
    turned_words = [word.turned(page.width) for word in words]
    rects = [rect.turned(page.width) for rect in page.rects if not taken.covers(rect)]
    found: list[FoundChart] = []
    axes = find_axes(turned_words)
    gray = cv2.rotate(page.gray, cv2.ROTATE_90_COUNTERCLOCKWISE)
    for axis in [*axes, *_two_marks(turned_words, axes)]:
        # Turned, a scale below the bars stands to their right, one above them to their left.
        for left, right, to_right in ((0.0, axis.left, False), (axis.right, float(page.height), True)):
            lined = snapped(axis, gray, to_right=to_right) if len(axis.words) > 2 else axis
            free = [r for r in rects if not taken.covers(r.turned_back(page.width))]
            one = _bars(page, taken, lined, _within(free, lined, left, right), upright=False, axes=axes)
            if one is not None:
                found.append(one)
                break
    return found


def _unscaled(page: _Page, taken: _Taken) -> list[FoundChart]:
    """Bars without an axis whose numbers stand at them."""
    found: list[FoundChart] = []
    for upright in (True, False):
        free = [r for r in page.rects if not taken.covers(r)]
        if not upright:
            free = [r.turned(page.width) for r in free]
        one = _bars(page, taken, None, free, upright=upright)
        if one is not None:
            found.append(one)
    return found


def _lines_at(
    page: _Page, taken: _Taken, axis: Axis, left: float, right: float, axes: Sequence[Axis]
) -> FoundChart | None:
    step = (axis.scale.bottom - axis.scale.top) / max(1, len(axis.words) - 1)
    of_axes = [word for one in axes for word in one.words]
    free = [word for word in taken.free(page.words) if word not in axis.words and word not in of_axes]
    labels: list[Label] = []
    for bottom in (axis.scale.bottom, axis.scale.bottom + step):
        found = labels_below(free, bottom=bottom, left=left, right=right, places=(), taken=())
        if len(found) > len(labels):
            labels = found
    labels = _evenly(_single_words(labels))
    if len(labels) < _LEAST_LABELS:
        return None
    pitch = min(b.x - a.x for a, b in zip(labels, labels[1:], strict=False))
    area = Rect(
        max(left + 3, labels[0].x - 0.9 * pitch),
        axis.scale.top - 0.6 * step,
        min(right - 3, labels[-1].x + 0.7 * pitch),
        min(axis.scale.bottom + 0.6 * step, min(label.words[0].box.top for label in labels) - 1),
    )
    if area.width <= 40 or area.height <= 20 or taken.covers(area):
        return None
    ground = palette(page.picture[round(max(0, area.top)) : round(area.bottom), round(area.left) : round(area.right)]).ground
    lines = traces(page.picture, area, page.words, ground)
    points = _line_points(lines, labels, axis, {})
    if not lines or len(points) < 2:
        return None
    used = [*axis.words, *(word for label in labels for word in label.words)]
    plot = Rect(area.left, axis.scale.top, area.right, max(axis.scale.bottom, area.bottom))
    names: dict[int, str] = {}
    if len(lines) > 1:
        shades = {n: line.colour for n, line in enumerate(lines)}
        others = [word for word in free if word not in used]
        beside = {**named_at_end(lines, others), **legend(page.picture, shades, others, page.shades.ground)}
        names = series_names(shades, beside, shades)
        used += beside.values()
        points = _line_points(lines, labels, axis, names)
    around = _around(plot, [word.box for word in used])
    return _found(page, taken, "line", points, f"{axis.unit}{axis.letters}", plot=plot, around=around, used=used)


def _line_points(
    lines: Sequence[Trace], labels: Sequence[Label], axis: Axis, names: dict[int, str]
) -> tuple[ChartPoint, ...]:
    points = []
    for n, line in enumerate(lines):
        for label in labels:
            found = line.at(label.x)
            if found is None:
                continue
            y, off_px = found
            # Where lines meet, one hides a part of the other.
            off_px += max((_hidden(line, other, label.x, y) for other in lines if other is not line), default=0.0)
            value = axis.scale.value(y)
            tolerance = axis.scale.tolerance(y, off_px + max(0.5, axis.scale.off_px))
            points.append(
                ChartPoint(
                    series=names.get(n),
                    label=label.text,
                    value=rounded(value, tolerance),
                    printed=False,
                    tolerance=_told_tolerance(value, tolerance),
                )
            )
    return tuple(points)


def _hidden(line: Trace, other: Trace, x: float, y: float) -> float:
    """By how many pixels another line that crosses, or its marker, may make this one look moved."""
    found = other.at(x)
    reach = (line.thickness(x) + other.thickness(x)) / 2
    return reach if found is not None and abs(found[0] - y) <= reach + 2 else 0.0


def _single_words(labels: Sequence[Label]) -> list[Label]:
    """Labels that were read as one line taken apart, where the others are single words."""
    singles = [label for label in labels if " " not in label.text]
    apart: list[Label] = []
    for label in labels:
        parts = label.words[0].parts if len(label.words) == 1 else ()
        widest = max((single.words[0].box.width for single in singles), default=0.0)
        if len(parts) > 1 and singles and label.words[0].box.width > 1.8 * widest:
            apart += [Label(part.text, part.box.x, (part,)) for part in parts]
        else:
            apart.append(label)
    return sorted(apart, key=lambda label: label.x)


def _evenly(labels: Sequence[Label]) -> list[Label]:
    """Labels at the places of an even division, where they nearly have them: letters do not stand exactly."""
    if len(labels) < 4:
        return list(labels)
    first, last = labels[0].x, labels[-1].x
    step = (last - first) / (len(labels) - 1)
    off = [label.x - (first + n * step) for n, label in enumerate(labels)]
    if max(map(abs, off)) > 0.5 * labels[0].words[0].letters_px:
        return list(labels)
    n_mean, off_mean = (len(labels) - 1) / 2, sum(off) / len(off)
    slope = sum((n - n_mean) * d for n, d in enumerate(off)) / sum((n - n_mean) ** 2 for n in range(len(off)))
    return [
        Label(label.text, first + n * step + off_mean + slope * (n - n_mean), label.words)
        for n, label in enumerate(labels)
    ]


def _pies(page: _Page, taken: _Taken) -> list[FoundChart]:
    found = []
    for pie in find_pies(page.picture, page.shades):
        shades = {one.colour: page.shades.colours[one.colour] for one in pie.slices}
        outside = [word for word in taken.free(page.words) if not pie.reaches(word)]
        legends = legend(page.picture, shades, outside, page.shades.ground)
        near = [word for word in page.words if word not in legends.values()]
        title = title_above(near, pie.box, taken=taken.words)
        words = [word for word in near if word is not title]
        told = told_of(pie, words, {colour: name_of(word) for colour, word in legends.items()})
        if told is None:
            continue
        points = tuple(
            ChartPoint(
                label=one.label,
                value=part.percent if (part := one).percent is not None else rounded(piece.percent, pie.tolerance),
                printed=one.percent is not None,
                tolerance=None if one.percent is not None else _told_tolerance(piece.percent, pie.tolerance),
            )
            for one, piece in zip(told, pie.slices, strict=True)
            if one.agrees
        )
        if len(points) < 2:
            continue
        labels = {point.label for point in points}
        used = [word for word in page.words if word.text in labels or word in legends.values()]
        around = _around(pie.box, [word.box for word in used])
        one = _found(page, taken, "pie", points, "%", plot=pie.box, around=around, used=used)
        found.append(FoundChart(one.chart, None, None))
    return found


def _is_inside(rect: Rect, box: Rect) -> bool:
    return box.left - 2 <= rect.x <= box.right + 2 and box.top - 2 <= rect.y <= box.bottom + 2


def _around(box: Rect, others: Sequence[Rect]) -> Rect:
    every = [box, *others]
    edges: Callable[[str], list[float]] = lambda name: [float(getattr(one, name)) for one in every]  # noqa: E731
    return Rect(min(edges("left")), min(edges("top")), max(edges("right")), max(edges("bottom")))
