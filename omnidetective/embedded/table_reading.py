"""The tables of a picture: grids of drawn lines first, then what text makes by itself, with the text of each cell."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from omnidetective.embedded.pixels import grey_of
from omnidetective.embedded.placed_text import Placed, placed, rows_of, usual_height
from omnidetective.embedded.table_columns import column_grids
from omnidetective.embedded.table_grid import Grid, GridCell, grids
from omnidetective.embedded.table_ground import Ground, ground_of
from omnidetective.embedded.table_header import header_rows
from omnidetective.embedded.table_pieces import is_pierced, pieces_of
from omnidetective.embedded.table_rules import find_rules
from omnidetective.embedded.text import TextLine
from omnidetective.page_evidence import Table, TableCell

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_LINES = 4_000
_FILLED = 0.5
"""Share of the cells of a ruled table that hold text."""
_PIERCED = 0.15
_DRAWN = 0.06
_DRAWN_BETWEEN_TEXT = 0.012
"""Share of a table without lines in which something else may be drawn."""


def read_tables(jpeg: bytes, lines: Sequence[TextLine], *, page: int | None = None) -> tuple[Table, ...]:
    """The tables of a picture, from top to bottom. Blocking, for tenths of a second.

    Args:
        lines: what was read in it.

    Raises:
        ValueError: it is no picture.
    """
    gray = grey_of(jpeg)
    if len(lines) < 4:
        return ()
    height_px, width_px = gray.shape[:2]
    return tuple(
        table.model_copy(update={"box": _shares(table.box, width_px, height_px), "page": page})
        for table in _tables(gray, placed(lines[:_MOST_LINES], width_px, height_px))
    )


def _tables(gray: NDArray[np.uint8], lines: Sequence[Placed]) -> list[Table]:
    """With boxes in pixels."""
    text_px = usual_height(lines)
    rules = find_rules(gray, text_px)
    found = [grid for grid in grids(rules, text_px) if not _cuts_text(grid, lines, gray)]

    def walls(line: Placed) -> list[float]:
        return next((w for grid in found if (w := grid.walls(line.left, line.down, line.right))), [])

    pieces = pieces_of(lines, gray, walls)
    ground = ground_of(gray, pieces, rules, text_px)
    ruled = [(grid, table) for grid in found if (table := _ruled(grid, pieces, ground)) is not None]
    free = [piece for piece in pieces if not any(piece.within(*grid.box) for grid, _ in ruled)]
    unruled = column_grids(
        free,
        clear=lambda box: ground.drawn_share(box) <= _DRAWN_BETWEEN_TEXT,
        headed=lambda grid: ground.set_apart(grid, 1),
    )
    tables = [table for _, table in ruled]
    tables += [_table(grid, _texts(grid, free), ground, ruled=False) for grid in unruled]
    return sorted(tables, key=lambda table: (table.box[1], table.box[0]))


def _cuts_text(grid: Grid, lines: Iterable[Placed], gray: NDArray[np.uint8]) -> bool:
    """Whether its lines run through letters: then something else is drawn there."""
    inside = [line for line in lines if line.within(*grid.box)]
    pierced = sum(is_pierced(line, gray, grid.walls(line.left, line.down, line.right)) for line in inside)
    return pierced > _PIERCED * len(inside)


def _ruled(grid: Grid, pieces: Iterable[Placed], ground: Ground) -> Table | None:
    """The table of a grid; ``None`` where it holds too little text: a chart over a grid, panes of a window."""
    texts = _texts(grid, pieces)
    filled = [cell for cell in grid.cells if texts.get(cell)]
    rows = {cell.row for cell in filled}
    columns = {cell.column for cell in filled}
    if len(filled) < max(4.0, _FILLED * len(grid.cells)) or len(rows) < 2 or len(columns) < 2:
        return None
    if ground.drawn_share(grid.box) > _DRAWN:
        return None
    return _table(grid, texts, ground, ruled=True)


def _texts(grid: Grid, pieces: Iterable[Placed]) -> dict[GridCell, str]:
    owners = {
        (row, column): cell
        for cell in grid.cells
        for row in range(cell.row, cell.row + cell.row_span)
        for column in range(cell.column, cell.column + cell.column_span)
    }
    inside: dict[GridCell, list[Placed]] = {}
    for piece in pieces:
        if piece.within(*grid.box):
            row = min(bisect_right(grid.tops, piece.down), grid.rows) - 1
            column = min(bisect_right(grid.lefts, piece.across), grid.columns) - 1
            inside.setdefault(owners[row, column], []).append(piece)
    return {cell: " ".join(piece.text for row in rows_of(held) for piece in row) for cell, held in inside.items()}


def _table(grid: Grid, texts: dict[GridCell, str], ground: Ground, *, ruled: bool) -> Table:
    cells = tuple(
        TableCell(
            row=cell.row,
            column=cell.column,
            text=texts.get(cell, ""),
            row_span=cell.row_span,
            column_span=cell.column_span,
        )
        for cell in grid.cells
    )
    heads = header_rows(cells, grid.rows, grid.columns, lambda rows: ground.set_apart(grid, rows))
    return Table(rows=grid.rows, columns=grid.columns, cells=cells, header_rows=heads, ruled=ruled, box=grid.box)


def _shares(box: tuple[float, float, float, float], width_px: int, height_px: int) -> tuple[float, float, float, float]:
    left, top, right, bottom = (
        round(min(1.0, max(0.0, value / whole)), 4)
        for value, whole in zip(box, (width_px, height_px, width_px, height_px), strict=True)
    )
    return left, top, right, bottom
