"""Tables without lines: rows and columns that follow from how text stands, and only where that is plain.

A false table is worse than none. Much is asked: three rows, gaps that no row crosses, columns whose text stands one
below the other, most cells filled, nothing drawn between them, and a sign that it is a table at all: a column of
numbers or a head that is set apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from statistics import median

from omnidetective.embedded.placed_text import Placed, around, rows_of, usual_height
from omnidetective.embedded.table_grid import Grid, GridCell

_FEWEST_ROWS = 3
_MOST_ROWS = 400
_WIDEST_GAP = 2.2
"""Between two rows, in heights of the text."""
_IRREGULAR = 1.8
"""Of the usual distance of rows, what is no longer the same table."""
_NARROWEST = 0.45
"""Between two columns, in heights."""
_ALIGNED = 0.45
"""By how much text of one column may be out of line, in heights."""
_MOST_OF = 0.8
_FILLED = 0.75
_NUMBERS = 0.7
_LONG_CHARS = 36
_DROPPED = 3
"""Most lines at the top and at the bottom that may stand beside each other like a row, and be none of the table."""

_LETTER = re.compile(r"[^\W\d_]")
_DIGIT = re.compile(r"\d")
_BEGINS = re.compile(r"\W*\d")
_AMOUNT = re.compile(r"[^\w]*\d[\d.,:\s]*[^\w]*")
_LONGEST_CHARS = 90


def column_grids(
    pieces: Iterable[Placed],
    *,
    clear: Callable[[tuple[float, float, float, float]], bool],
    headed: Callable[[Grid], bool],
) -> tuple[Grid, ...]:
    """The tables that text makes by itself, from top to bottom.

    Args:
        clear: whether nothing but text stands in a box.
        headed: whether the first row is set apart by its ground or a line.
    """
    found = []
    for run in _runs(rows_of(pieces)):
        grid = next((grid for part in _parts(run) if (grid := _plain(part, clear, headed)) is not None), None)
        if grid is not None:
            found.append(grid)
    return tuple(found)


def is_number(text: str) -> bool:
    """Whether a cell holds a number, with its unit or sign, rather than words."""
    return _BEGINS.match(text) is not None and len(_LETTER.findall(text)) <= max(3, len(_DIGIT.findall(text)))


def _runs(rows: Sequence[Sequence[Placed]]) -> Iterator[list[Sequence[Placed]]]:
    """Rows of two pieces and more that follow each other at about the same distance."""
    run: list[Sequence[Placed]] = []
    for row in rows:
        if run:
            height = usual_height([piece for other in run for piece in other])
            gap = min(piece.top for piece in row) - max(piece.bottom for piece in run[-1])
            steps = [_down(b) - _down(a) for a, b in pairwise(run)]
            irregular = bool(steps) and _down(row) - _down(run[-1]) > _IRREGULAR * median(steps) + 0.3 * height
            if len(row) < 2 or gap > _WIDEST_GAP * height or (irregular and len(run) > 1) or len(run) >= _MOST_ROWS:
                yield run
                run = []
        if len(row) >= 2:
            run.append(row)
    yield run


def _parts(run: Sequence[Sequence[Placed]]) -> Iterator[Sequence[Sequence[Placed]]]:
    """The run, and then what is left of it without its first or last rows."""
    for dropped in range(2 * _DROPPED + 1):
        for top in range(min(dropped, _DROPPED) + 1):
            bottom = dropped - top
            if bottom <= _DROPPED and len(run) - dropped >= _FEWEST_ROWS:
                yield run[top : len(run) - bottom]


def _plain(
    rows: Sequence[Sequence[Placed]],
    clear: Callable[[tuple[float, float, float, float]], bool],
    headed: Callable[[Grid], bool],
) -> Grid | None:
    pieces = [piece for row in rows for piece in row]
    height = usual_height(pieces)
    gaps = _gaps(rows, _NARROWEST * height)
    if not gaps:
        return None
    box = around(pieces)
    lefts = (box[0], *((a + b) / 2 for a, b in gaps), box[2])
    tops = (box[1], *((max(p.bottom for p in a) + min(p.top for p in b)) / 2 for a, b in pairwise(rows)), box[3])
    if any(b <= a for a, b in pairwise(tops)):
        return None
    texts, cells = _filled(rows, lefts)
    columns = [[texts.get((r, c), []) for r in range(len(rows))] for c in range(len(lefts) - 1)]
    if sum(map(bool, (cell for column in columns for cell in column))) < _FILLED * len(rows) * len(columns):
        return None
    if not all(_aligned(column[1:], _ALIGNED * height) for column in columns):
        return None
    told = [[" ".join(piece.text for piece in cell) for cell in column] for column in columns]
    if sum(_is_long(column) for column in told) > len(told) / 2 or _is_list(told):
        return None
    grid = Grid(lefts, tops, cells)
    if max(len(text) for column in told for text in column) > _LONGEST_CHARS:
        return None
    return grid if _is_told_by_content(told, headed(grid)) and clear(box) else None


def _gaps(rows: Sequence[Sequence[Placed]], narrowest_px: float) -> list[tuple[float, float]]:
    """The stretches from left to right without text in any row but the first: a head may stand over two columns."""
    gaps = _free([piece for row in rows for piece in row], narrowest_px)
    if len(rows) <= _FEWEST_ROWS or len(rows[0]) == len(gaps) + 1:
        return gaps
    without = _free([piece for row in rows[1:] for piece in row], narrowest_px)
    return without if len(without) > len(gaps) and len(rows[0]) > 1 else gaps


def _free(pieces: Iterable[Placed], narrowest_px: float) -> list[tuple[float, float]]:
    free: list[tuple[float, float]] = []
    reached: float | None = None
    for piece in sorted(pieces, key=lambda item: item.left):
        if reached is not None and piece.left - reached >= narrowest_px:
            free.append((reached, piece.left))
        reached = piece.right if reached is None else max(reached, piece.right)
    return free


def _filled(
    rows: Sequence[Sequence[Placed]], lefts: Sequence[float]
) -> tuple[dict[tuple[int, int], list[Placed]], tuple[GridCell, ...]]:
    """What stands in each field, and the cells: a piece over a border makes one of several fields."""
    texts: dict[tuple[int, int], list[Placed]] = {}
    cells: list[GridCell] = []
    last = len(lefts) - 2
    for r, row in enumerate(rows):
        covered: set[int] = set()
        for piece in row:
            first = max(n for n, left in enumerate(lefts[:-1]) if n == 0 or left <= piece.left)
            end = max(n for n, left in enumerate(lefts[:-1]) if n == 0 or left < piece.right)
            texts.setdefault((r, first), []).append(piece)
            if end > first and first not in covered:
                cells.append(GridCell(r, first, 1, end - first + 1))
                covered |= set(range(first, end + 1))
        cells += [GridCell(r, c) for c in range(last + 1) if c not in covered]
    return texts, tuple(sorted(cells, key=lambda cell: (cell.row, cell.column)))


def _aligned(column: Sequence[Sequence[Placed]], tolerance_px: float) -> bool:
    """Whether most of a column stands at one left edge, or one right edge, or around one middle."""
    cells = [around(cell) for cell in column if cell]
    if len(cells) < 2:
        return False
    for places in ([c[0] for c in cells], [c[2] for c in cells], [(c[0] + c[2]) / 2 for c in cells]):
        middle = median(places)
        if sum(abs(place - middle) <= tolerance_px for place in places) >= _MOST_OF * len(places):
            return True
    return False


def _is_long(column: Sequence[str]) -> bool:
    """Whether running text stands in a column."""
    lengths = [len(text) for text in column if text]
    return bool(lengths) and median(lengths) > _LONG_CHARS


def _is_told_by_content(columns: Sequence[Sequence[str]], headed: bool) -> bool:
    """Whether there are numbers, or a head: of two columns, much else may stand side by side."""
    numbers = [_is_numeric(column[1:]) for column in columns]
    if len(columns) > 2:
        return any(numbers) or (headed and len(columns[0]) > _FEWEST_ROWS)
    if not numbers[1] or numbers[0]:
        return False  # Two columns of numbers are the scales of a chart.
    amounts = sum(_AMOUNT.fullmatch(text) is not None for text in columns[1][1:])
    return headed or not is_number(columns[1][0]) or amounts >= _MOST_OF * (len(columns[1]) - 1)


def _is_numeric(column: Sequence[str]) -> bool:
    filled = [text for text in column if text]
    return len(filled) >= 2 and sum(map(is_number, filled)) >= _NUMBERS * len(filled)


def _is_list(columns: Sequence[Sequence[str]]) -> bool:
    """A list with numbers, or code with the numbers of its lines: the first column counts, from its first row on."""
    counts = [text.strip(" .):|") for text in columns[0] if text]
    numbers = [int(text) for text in counts if text.isdecimal() and len(text) < 6]
    steps = sum(b - a == 1 for a, b in pairwise(numbers))
    counted = len(columns[0]) - 1
    return steps == counted or (len(columns) == 2 and steps >= max(1, _NUMBERS * counted))


def _down(row: Sequence[Placed]) -> float:
    return sum(piece.down for piece in row) / len(row)
