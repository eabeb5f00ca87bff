"""How a large picture is cut into tiles: all of it, overlapping a little, as few and as small as may be. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a picture, in its pixels; ``row`` and ``column`` of the grid count from 0."""

    left: int
    top: int
    right: int
    bottom: int
    row: int
    column: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top


def tile_grid(width: int, height: int, *, side_px: int, most: int, overlap: float) -> tuple[Tile, ...]:
    """Tiles in reading order that together cover the whole picture.

    A tile is at most ``side_px`` wide and high, if ``most`` allows so many; else tiles are larger, by as little as can
    be. Of the grids that are equally fine the one with the fewest tiles is taken.

    Args:
        width, height: of the picture, in pixels.
        most: most tiles, at least one.
        overlap: what two neighbours share, as a share of ``side_px``, 0…0.5.

    Returns:
        None for a picture that is no larger than a tile, or where one tile is the most.
    """
    if max(width, height) <= side_px or most < 2:
        return ()
    shared_px = round(overlap * side_px)
    columns, rows = min(
        ((c, r) for c, r in _grids(most, width, height)),
        key=lambda grid: (
            max(side_px, _side(width, grid[0], shared_px), _side(height, grid[1], shared_px)),
            grid[0] * grid[1],
        ),
    )
    if columns * rows == 1:
        return ()
    across, down = list(_cuts(width, columns, shared_px)), list(_cuts(height, rows, shared_px))
    return tuple(
        Tile(left, top, right, bottom, row, column)
        for row, (top, bottom) in enumerate(down)
        for column, (left, right) in enumerate(across)
    )


def _grids(most: int, width: int, height: int) -> Iterator[tuple[int, int]]:
    for columns in range(1, min(most, width) + 1):
        for rows in range(1, min(most // columns, height) + 1):
            yield columns, rows


def _side(length: int, count: int, shared_px: int) -> int:
    """How long each of ``count`` parts is that cover a length and share so much."""
    return min(length, math.ceil((length + (count - 1) * shared_px) / count))


def _cuts(length: int, count: int, shared_px: int) -> Iterator[tuple[int, int]]:
    side = _side(length, count, shared_px)
    for n in range(count):
        start = round(n * (length - side) / max(1, count - 1))
        yield start, start + side
