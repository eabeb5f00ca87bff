"""From lines to grids: which lines cross each other, and which cells they leave, merged ones included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from omnidetective.embedded.table_rules import Rule, Rules

_TOUCH = 0.4
"""In heights of the text: by how much lines may miss each other and yet meet, and differ and yet be one."""
_TOUCH_PX = 6.0
_WALL = 0.6
"""Share of a cell's side that must be drawn."""
_OPEN = 1.0
"""In heights of the text: by how much lines go on beyond the last that crosses them where a table is open at a side."""
_LOWEST_ROW = 0.7
_MOST_CELLS = 5_000


@dataclass(frozen=True, slots=True)
class GridCell:
    """A cell; rows and columns count from 0."""

    row: int
    column: int
    row_span: int = 1
    column_span: int = 1


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells between lines.

    Attributes:
        lefts: where the columns begin, and where the last one ends, in pixels; ``tops`` likewise for rows.
        cells: in order of reading; they fill the grid, and none overlaps another.
    """

    lefts: tuple[float, ...]
    tops: tuple[float, ...]
    cells: tuple[GridCell, ...]

    @property
    def rows(self) -> int:
        return len(self.tops) - 1

    @property
    def columns(self) -> int:
        return len(self.lefts) - 1

    @property
    def box(self) -> tuple[float, float, float, float]:
        return self.lefts[0], self.tops[0], self.lefts[-1], self.tops[-1]

    def walls(self, left: float, down: float, right: float) -> list[float]:
        """Which borders of cells lie between two places at one height, in pixels from the left."""
        if not self.tops[0] <= down < self.tops[-1]:
            return []
        row = next(n for n, (a, b) in enumerate(pairwise(self.tops)) if a <= down < b)
        here = (cell for cell in self.cells if cell.row <= row < cell.row + cell.row_span)
        edges = {self.lefts[n] for cell in here for n in (cell.column, cell.column + cell.column_span)}
        return sorted(x for x in edges if left < x < right)


def grids(rules: Rules, text_px: float) -> tuple[Grid, ...]:
    """The grids of two rows and two columns or more, from top to bottom. An outer grid stands for those within it."""
    near_px = max(_TOUCH_PX, _TOUCH * text_px)
    found = [grid for along, down in _crossing(rules, near_px) if (grid := _grid(along, down, near_px, text_px))]
    found.sort(key=lambda grid: -_area(grid))
    outer: list[Grid] = []
    for grid in found:
        if not any(_within(grid, other) for other in outer):
            outer.append(grid)
    return tuple(sorted(outer, key=lambda grid: (grid.tops[0], grid.lefts[0])))


def _crossing(rules: Rules, near_px: float) -> Iterable[tuple[list[Rule], list[Rule]]]:
    """Lines that hang together by crossings."""
    parent = list(range(len(rules.along) + len(rules.down)))

    def root(n: int) -> int:
        while parent[n] != n:
            parent[n] = parent[parent[n]]
            n = parent[n]
        return n

    for a, along in enumerate(rules.along):
        for d, down in enumerate(rules.down, len(rules.along)):
            meets = along.start - near_px <= down.at <= along.end + near_px
            if meets and down.start - near_px <= along.at <= down.end + near_px:
                parent[root(a)] = root(d)
    groups: dict[int, tuple[list[Rule], list[Rule]]] = {}
    for n, rule in enumerate((*rules.along, *rules.down)):
        groups.setdefault(root(n), ([], []))[n >= len(rules.along)].append(rule)
    return groups.values()


def _grid(along: list[Rule], down: list[Rule], near_px: float, text_px: float) -> Grid | None:
    if len(along) < 2 or len(down) < 1:
        return None
    tops = _places(along, max(near_px, _LOWEST_ROW * text_px))
    lefts = _places(down, max(near_px, _LOWEST_ROW * text_px))
    lefts, open_lefts = _opened(lefts, along, _OPEN * text_px + near_px)
    tops, open_tops = _opened(tops, down, _OPEN * text_px + near_px)
    rows, columns = len(tops) - 1, len(lefts) - 1
    if rows < 2 or columns < 2 or rows * columns > _MOST_CELLS:
        return None
    beside = [  # Whether a line is drawn left of each cell; above each cell.
        [lefts[c] in open_lefts or _drawn(down, lefts[c], tops[r], tops[r + 1], near_px) for c in range(columns)]
        for r in range(rows)
    ]
    above = [
        [tops[r] in open_tops or _drawn(along, tops[r], lefts[c], lefts[c + 1], near_px) for c in range(columns)]
        for r in range(rows)
    ]
    return Grid(tuple(lefts), tuple(tops), tuple(_cells(beside, above)))


def _cells(beside: Sequence[Sequence[bool]], above: Sequence[Sequence[bool]]) -> Iterable[GridCell]:
    """Fields with no line between them are one cell, where they make a rectangle."""
    rows, columns = len(beside), len(beside[0])
    seen: set[tuple[int, int]] = set()
    cells: list[GridCell] = []
    for r in range(rows):
        for c in range(columns):
            if (r, c) in seen:
                continue
            together = {(r, c)}
            todo = [(r, c)]
            while todo:
                a, b = todo.pop()
                near = []
                if b + 1 < columns and not beside[a][b + 1]:
                    near.append((a, b + 1))
                if b > 0 and not beside[a][b]:
                    near.append((a, b - 1))
                if a + 1 < rows and not above[a + 1][b]:
                    near.append((a + 1, b))
                if a > 0 and not above[a][b]:
                    near.append((a - 1, b))
                for field in near:
                    if field not in together:
                        together.add(field)
                        todo.append(field)
            seen |= together
            down = max(a for a, _ in together) - r + 1
            across = max(b for _, b in together) - c + 1
            if len(together) == down * across and min(b for _, b in together) == c:
                cells.append(GridCell(r, c, down, across))
            else:
                cells += [GridCell(a, b) for a, b in together]
    return sorted(cells, key=lambda cell: (cell.row, cell.column))


def _places(rules: Iterable[Rule], near_px: float) -> list[float]:
    """Where lines are, those of one place together: the place of the longest of them."""
    places: list[list[Rule]] = []
    for rule in sorted(rules, key=lambda item: item.at):
        if places and rule.at - places[-1][0].at <= near_px:
            places[-1].append(rule)
        else:
            places.append([rule])
    return [max(together, key=lambda rule: rule.length).at for together in places]


def _opened(places: list[float], crossing: Sequence[Rule], beyond_px: float) -> tuple[list[float], set[float]]:
    """Where most crossing lines go on beyond the first or the last place, the table goes on, too."""
    longest = max(rule.length for rule in crossing)
    long = [rule for rule in crossing if rule.length >= 0.8 * longest]
    first, last = min(rule.start for rule in long), max(rule.end for rule in long)
    opened: set[float] = set()
    if sum(rule.start < places[0] - beyond_px for rule in long) > len(long) / 2:
        opened.add(first)
    if sum(rule.end > places[-1] + beyond_px for rule in long) > len(long) / 2:
        opened.add(last)
    return sorted({*places, *opened}), opened


def _drawn(rules: Iterable[Rule], at: float, start: float, end: float, near_px: float) -> bool:
    """Whether a line is drawn at a place for most of a stretch."""
    parts = sorted(
        (max(start, rule.start), min(end, rule.end))
        for rule in rules
        if abs(rule.at - at) <= near_px and rule.start < end and rule.end > start
    )
    covered = 0.0
    reached = start
    for a, b in parts:
        covered += max(0.0, b - max(a, reached))
        reached = max(reached, b)
    return covered >= _WALL * (end - start)


def _area(grid: Grid) -> float:
    left, top, right, bottom = grid.box
    return (right - left) * (bottom - top)


def _within(inner: Grid, outer: Grid) -> bool:
    a, b = inner.box, outer.box
    shared = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    return shared > 0.8 * _area(inner)
