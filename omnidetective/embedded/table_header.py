"""How many rows at the top of a table head its columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from omnidetective.embedded.table_columns import is_number
from omnidetective.page_evidence import TableCell

_DEEPEST = 3
_NUMBERS = 0.7


def header_rows(cells: Sequence[TableCell], rows: int, columns: int, marked: Callable[[int], bool]) -> int:
    """Of the rows at the top, those that head the columns; 0 where nothing shows that there are any.

    Args:
        marked: whether so many rows at the top are set apart, by their ground or a line.
    """
    depth = _depth(cells, rows, columns)
    if depth >= rows:
        return 0
    return depth if marked(depth) or _words_over_numbers(cells, depth, columns) else 0


def _depth(cells: Sequence[TableCell], rows: int, columns: int) -> int:
    """One row, or as many as cells over several rows and over several columns there take."""
    depth = 1
    while depth < min(rows, _DEEPEST):
        top = [cell for cell in cells if cell.row < depth]
        reach = max((cell.row + cell.row_span for cell in top), default=depth)
        wide = any(cell.column_span > 1 and cell.row + cell.row_span == depth for cell in top)
        deeper = min(_DEEPEST, max(reach, depth + 1 if wide else depth))
        if deeper == depth:
            break
        depth = deeper
    return depth


def _words_over_numbers(cells: Sequence[TableCell], depth: int, columns: int) -> bool:
    heads = [cell for cell in cells if cell.row < depth and cell.text]
    if any(is_number(cell.text) for cell in heads):
        return False
    for column in range(columns):
        below = [cell.text for cell in cells if cell.row >= depth and cell.column == column and cell.text]
        headed = any(cell.column <= column < cell.column + cell.column_span for cell in heads)
        if headed and len(below) >= 2 and sum(map(is_number, below)) >= _NUMBERS * len(below):
            return True
    return False
