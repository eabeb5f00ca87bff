"""Laws of tiles: together they are the whole picture, none is larger than need be, there are never too many."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from omnidetective.tiling import tile_grid

SIDES = st.integers(1, 20_000)


@given(width=SIDES, height=SIDES, side_px=st.integers(64, 2000), most=st.integers(1, 40))
def test_tiles_are_the_whole_picture(width: int, height: int, side_px: int, most: int) -> None:
    tiles = tile_grid(width, height, side_px=side_px, most=most, overlap=0.1)
    assert len(tiles) <= most
    if max(width, height) <= side_px:
        assert tiles == ()
    if not tiles:
        return
    assert len(tiles) >= 2
    rows, columns = max(tile.row for tile in tiles) + 1, max(tile.column for tile in tiles) + 1
    assert [(tile.row, tile.column) for tile in tiles] == [(r, c) for r in range(rows) for c in range(columns)]
    for length, edges in (
        (width, sorted({(tile.left, tile.right) for tile in tiles})),
        (height, sorted({(tile.top, tile.bottom) for tile in tiles})),
    ):
        assert edges[0][0] == 0
        assert edges[-1][1] == length
        shared = min((a[1] - b[0] for a, b in pairwise(edges)), default=0)
        assert shared >= min(round(0.1 * side_px), length) - 1 or len(edges) == 1


@given(width=st.integers(200, 5000), height=st.integers(200, 5000), side_px=st.integers(300, 1000))
def test_with_tiles_enough_none_is_larger_than_asked(width: int, height: int, side_px: int) -> None:
    enough = math.ceil(width / (0.9 * side_px)) * math.ceil(height / (0.9 * side_px)) + 1
    for tile in tile_grid(width, height, side_px=side_px, most=max(2, enough), overlap=0.1):
        assert max(tile.width, tile.height) <= side_px


def test_a_scan_of_a_page() -> None:
    assert [(t.width, t.height) for t in tile_grid(2480, 3508, side_px=768, most=4, overlap=0.08)] == [(1271, 1785)] * 4
    assert len(tile_grid(2480, 3508, side_px=768, most=100, overlap=0.08)) == 20
