"""The picture that charts are looked for in, what of it is spoken for, and a chart as it is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omnidetective.embedded.chart_digits import rounded
from omnidetective.embedded.chart_shapes import Palette, exact
from omnidetective.embedded.chart_titles import title_above, title_below, title_beside
from omnidetective.embedded.chart_words import Rect, Word
from omnidetective.page_evidence import Box, Chart, ChartPoint

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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
class Page:
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
class Taken:
    """What belongs to charts that were read already."""

    words: list[Word] = field(default_factory=list)
    areas: list[Rect] = field(default_factory=list)

    def free(self, words: Sequence[Word]) -> list[Word]:
        return [word for word in words if word not in self.words]

    def covers(self, box: Rect) -> bool:
        return any(a.left <= box.x <= a.right and a.top <= box.y <= a.bottom for a in self.areas)


def found_chart(
    page: Page, taken: Taken, kind: str, points: tuple[ChartPoint, ...], unit: str, *,
    plot: Rect, taken_by: Rect, used: list[Word], labels_missing: bool = False,
) -> FoundChart:  # fmt: skip
    """The chart with its titles; its words and its area are taken from now on.

    Args:
        plot: the plot area.
        taken_by: the area of the chart with its numbers and labels, without titles.
        used: the words of the chart.
    """
    all_taken = [*used, *taken.words]
    title = title_above(page.words, plot, taken=all_taken)
    x_title = title_below(page.words, plot, taken_by.bottom, taken=[*all_taken, *([title] if title else [])])
    y_title = title_beside(page.turned, Rect(taken_by.left, plot.top, plot.right, plot.bottom))
    words = [*used, *(word for word in (title, x_title) if word is not None)]
    box = around(taken_by, [plot, *(word.box for word in words)])
    taken.words += words
    taken.areas.append(around(plot, [taken_by]))
    letters = max((word.letters_px for word in used), default=20.0)
    beside = Rect(max(0.0, taken_by.left - 3.5 * letters), plot.top, taken_by.left, plot.bottom)
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


def told_tolerance(value: float, tolerance: float) -> float:
    """The tolerance of what is told: rounding adds to that of the measurement."""
    return float(f"{tolerance + abs(rounded(value, tolerance) - value):.2g}")


def is_inside(rect: Rect, box: Rect) -> bool:
    """Whether the middle of a rectangle is in a box."""
    return box.left - 2 <= rect.x <= box.right + 2 and box.top - 2 <= rect.y <= box.bottom + 2


def around(box: Rect, others: Sequence[Rect]) -> Rect:
    """The box around boxes."""
    every = [box, *others]
    return Rect(
        min(one.left for one in every),
        min(one.top for one in every),
        max(one.right for one in every),
        max(one.bottom for one in every),
    )
