"""Line charts: the axis, the labels below, and the value of every line at every label."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from omnidetective.embedded.chart_axes import Axis
from omnidetective.embedded.chart_digits import rounded
from omnidetective.embedded.chart_labels import Label, labels_below
from omnidetective.embedded.chart_legend import legend, series_names
from omnidetective.embedded.chart_lines import Trace, named_at_end, traces
from omnidetective.embedded.chart_page import FoundChart, Page, Taken, around, found_chart, told_tolerance
from omnidetective.embedded.chart_shapes import palette
from omnidetective.embedded.chart_words import Rect
from omnidetective.page_evidence import ChartPoint

_LEAST_LABELS = 2


def read_lines(
    page: Page, taken: Taken, axis: Axis, left: float, right: float, axes: Sequence[Axis]
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
    pitch = min(b.x - a.x for a, b in pairwise(labels))
    area = Rect(
        max(left + 3, labels[0].x - 0.9 * pitch),
        axis.scale.top - 0.6 * step,
        min(right - 3, labels[-1].x + 0.7 * pitch),
        min(axis.scale.bottom + 0.6 * step, min(label.words[0].box.top for label in labels) - 1),
    )
    if area.width <= 40 or area.height <= 20 or taken.covers(area):
        return None
    ground = palette(
        page.picture[round(max(0, area.top)) : round(area.bottom), round(area.left) : round(area.right)]
    ).ground
    lines = traces(page.picture, area, page.words, ground)
    points = _line_points(lines, labels, axis, {})
    if not lines or len(points) < 2:
        return None
    used = [*axis.words, *(word for label in labels for word in label.words)]
    plot = Rect(area.left, axis.scale.top, area.right, max(axis.scale.bottom, area.bottom))
    names: dict[int, str] = {}
    shades = {n: line.colour for n, line in enumerate(lines)}
    others = [word for word in free if word not in used]
    beside = {**named_at_end(lines, others), **legend(page.picture, shades, others, page.shades.ground)}
    if len(lines) > 1 or beside:
        names = series_names(shades, beside, shades)
        used += beside.values()
        points = _line_points(lines, labels, axis, names)
    whole = around(plot, [word.box for word in used])
    return found_chart(page, taken, "line", points, f"{axis.unit}{axis.letters}", plot=plot, taken_by=whole, used=used)


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
                    tolerance=told_tolerance(value, tolerance),
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
