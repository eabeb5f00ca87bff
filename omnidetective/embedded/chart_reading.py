"""Charts in a picture: where they are, and what they say. Pure; whoever reads the text gives its lines.

A chart is told only where numbers in the picture bear it out: an axis whose numbers lie on a straight line, numbers
at the bars that agree with their lengths, or labelled slices. What cannot be read surely is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from omnidetective.embedded.chart_axes import Axis, find_axes, snapped
from omnidetective.embedded.chart_bar_reading import bars_among
from omnidetective.embedded.chart_line_reading import read_lines
from omnidetective.embedded.chart_page import FoundChart, Page, Taken
from omnidetective.embedded.chart_pie_reading import read_pies
from omnidetective.embedded.chart_shapes import palette, rectangles
from omnidetective.embedded.chart_words import Rect, Word, upright_words, words_of
from omnidetective.embedded.text import TextLine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LEAST_LINES = 2


def worth_reading(lines: Sequence[TextLine]) -> bool:
    """Whether the text of a picture can be that of a chart: without at least two labels or numbers there is none."""
    return len(lines) >= _LEAST_LINES


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
    import numpy as np

    if not worth_reading(lines):
        return ()
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
    shades = palette(picture)
    rects = tuple(rectangles(picture, shades))
    page = Page(
        picture, gray, words_of(lines, gray), upright_words(turned, gray.shape[1], gray.shape[0]), shades, rects
    )
    taken = Taken()
    found = [*read_pies(page, taken), *_upright(page, taken), *_lying(page, taken), *_unscaled(page, taken)]
    return tuple(sorted(found, key=lambda one: (one.chart.box[1], one.chart.box[0])))


def _upright(page: Page, taken: Taken) -> list[FoundChart]:
    """Charts with a vertical value axis: bars, else lines."""
    axes = sorted(find_axes(page.words), key=lambda axis: axis.left)
    found: list[FoundChart] = []
    for axis in [*axes, *_two_marks(page.words, axes)]:
        beside = [other for other in axes if other is not axis and _same_rows(axis, other)]
        sides = ((axis.right, min((o.left for o in beside if o.left > axis.right), default=float(page.width)), True),
                 (max((o.right for o in beside if o.right < axis.left), default=0.0), axis.left, False))  # fmt: skip
        for left, right, to_right in sides:
            lined = snapped(axis, page.gray, to_right=to_right) if len(axis.words) > 2 else axis
            one = bars_among(page, taken, lined, _within(page.rects, lined, left, right), upright=True, axes=axes)
            if one is None and len(axis.words) > 2 and not _other_scale(axis, beside, left, right):
                one = read_lines(page, taken, lined, left, right, axes)
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


def _lying(page: Page, taken: Taken) -> list[FoundChart]:
    """Bars that lie, with a horizontal value axis: the same, turned."""
    import numpy as np

    words = taken.free(page.words)
    turned_words = [word.turned(page.width) for word in words]
    rects = [rect.turned(page.width) for rect in page.rects if not taken.covers(rect)]
    found: list[FoundChart] = []
    axes = find_axes(turned_words)
    gray = np.rot90(page.gray)
    for axis in [*axes, *_two_marks(turned_words, axes)]:
        # Turned, a scale below the bars stands to their right, one above them to their left.
        for left, right, to_right in ((0.0, axis.left, False), (axis.right, float(page.height), True)):
            lined = snapped(axis, gray, to_right=to_right) if len(axis.words) > 2 else axis
            free = [r for r in rects if not taken.covers(r.turned_back(page.width))]
            one = bars_among(page, taken, lined, _within(free, lined, left, right), upright=False, axes=axes)
            if one is not None:
                found.append(one)
                break
    return found


def _unscaled(page: Page, taken: Taken) -> list[FoundChart]:
    """Bars without an axis whose numbers stand at them."""
    found: list[FoundChart] = []
    for upright in (True, False):
        free = [r for r in page.rects if not taken.covers(r)]
        if not upright:
            free = [r.turned(page.width) for r in free]
        one = bars_among(page, taken, None, free, upright=upright)
        if one is not None:
            found.append(one)
    return found
