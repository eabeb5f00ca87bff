"""Bars that stand on one line, each with what is stacked on it. Bars that lie are turned before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from omnidetective.embedded.chart_words import Rect

_EDGE_PX = 3.0
_STACK_GAP_PX = 5.0
_WIDTH_SHARE = 0.2
_LEAST_VARIETY_PX = 2.0


@dataclass(frozen=True, slots=True)
class Column:
    """A bar, or the bars stacked on one another from the base on; ``down``: it hangs below the base."""

    parts: tuple[Rect, ...]
    down: bool

    @property
    def box(self) -> Rect:
        return Rect(
            min(part.left for part in self.parts),
            min(part.top for part in self.parts),
            max(part.right for part in self.parts),
            max(part.bottom for part in self.parts),
        )


@dataclass(frozen=True, slots=True)
class Columns:
    """All bars of one chart, from left to right, and the height of the line that they stand on."""

    base: float
    columns: tuple[Column, ...]

    def exact(self, edge: Callable[[Rect], Rect]) -> Columns:
        """The same bars with exact edges, as a function gives them, on the line that most of them agree on."""
        columns = tuple(replace(column, parts=tuple(map(edge, column.parts))) for column in self.columns)
        base = median(column.parts[0].top if column.down else column.parts[0].bottom for column in columns)
        return Columns(base, columns)

    @property
    def stacked(self) -> bool:
        return any(len(column.parts) > 1 for column in self.columns)

    @property
    def box(self) -> Rect:
        return Rect(
            min(column.box.left for column in self.columns),
            min(column.box.top for column in self.columns),
            max(column.box.right for column in self.columns),
            max(column.box.bottom for column in self.columns),
        )

    @property
    def width(self) -> float:
        return median(column.box.width for column in self.columns)


def find_columns(rects: Sequence[Rect], *, zero: float | None = None) -> Columns | None:
    """The bars among the rectangles of a plot area; None where there are fewer than two, or all are equally long.

    Args:
        zero: where the scale has its zero, if it has one there.
    """
    bars = _without_grounds(rects)
    best: Columns | None = None
    for base in _bases(bars, zero):
        columns = _standing(bars, base)
        if columns is not None and (best is None or _rank(columns, zero) > _rank(best, zero)):
            best = columns
    return best


def _rank(columns: Columns, zero: float | None) -> tuple[bool, int, float]:
    at_zero = zero is not None and abs(columns.base - zero) <= 2 * _EDGE_PX
    return at_zero, len(columns.columns), columns.base


def _bases(bars: Iterable[Rect], zero: float | None) -> list[float]:
    edges = sorted([bar.bottom for bar in bars] + ([] if zero is None else [zero]))
    bases: list[float] = []
    for edge in edges:
        if not bases or edge - bases[-1] > 1:
            bases.append(edge)
    return bases


def _without_grounds(rects: Sequence[Rect]) -> list[Rect]:
    """Rectangles that hold two others are areas, and no bars."""
    kept = []
    for rect in rects:
        inside = sum(
            other is not rect
            and other.left >= rect.left - 1
            and other.right <= rect.right + 1
            and other.top >= rect.top - 1
            and other.bottom <= rect.bottom + 1
            and other.width * other.height > 24
            for other in rects
        )
        if inside < 2:
            kept.append(rect)
    return kept


def _standing(bars: Sequence[Rect], base: float) -> Columns | None:
    on_base = [(bar, False) for bar in bars if abs(bar.bottom - base) <= _EDGE_PX]
    on_base += [(bar, True) for bar in bars if abs(bar.top - base) <= _EDGE_PX and bar.height > 2 * _EDGE_PX]
    if len(on_base) < 2:
        return None
    middle = median(bar.width for bar, _ in on_base)
    on_base = [(bar, down) for bar, down in on_base if abs(bar.width - middle) <= max(_EDGE_PX, _WIDTH_SHARE * middle)]
    columns: list[Column] = []
    for bar, down in sorted(on_base, key=lambda item: (item[0].left, -item[0].height)):
        if columns and bar.left < columns[-1].box.right - _EDGE_PX:
            if columns[-1].down == down:
                return None  # They overlap: no plain bars.
            continue
        columns.append(Column(tuple(_stack(bar, bars, down=down)), down))
    if len(columns) < 2:
        return None
    ends = [column.box.bottom if column.down else column.box.top for column in columns]
    parts = {part.height for column in columns for part in column.parts}
    if max(ends) - min(ends) < _LEAST_VARIETY_PX and max(parts) - min(parts) < _LEAST_VARIETY_PX:
        return None
    return Columns(base, tuple(columns))


def _stack(first: Rect, bars: Sequence[Rect], *, down: bool) -> list[Rect]:
    stack = [first]
    while True:
        end = stack[-1].bottom if down else stack[-1].top
        following = next(
            (
                bar
                for bar in bars
                if bar not in stack
                and abs(bar.left - first.left) <= _EDGE_PX
                and abs(bar.right - first.right) <= _EDGE_PX
                and -2 <= ((bar.top - end) if down else (end - bar.bottom)) <= _STACK_GAP_PX
            ),
            None,
        )
        if following is None:
            return stack
        stack.append(following)
