"""Where the lines of a large picture are, from what a detector found in all of it and in its tiles. Pure.

A line that a border of a tile cuts is found in two tiles, in parts. Neighbouring tiles share a strip, so either one of
them has the line whole, or both have a part of it that reaches into the strip: the parts are joined into one region,
which is then read at once. So no text has to be stitched, and none is read twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from omnidetective.tiling import Tile

Corner = tuple[float, float]

_INSIDE = 0.6
"""Share of a region that lies in another one, from which it is a part of that."""
_SAME_ROW = 0.6
"""Shared height of two parts of one line, by the lower of them."""
_AT_EDGE_PX = 4.0
_TALL = 0.7
"""A region as high as so much of the strip that tiles share may be whole in none of them."""


@dataclass(frozen=True, slots=True)
class Region:
    """Where a line is: its corners in the picture's pixels, clockwise from the upper left one.

    ``left_open``, ``top_open``, ``right_open``, ``bottom_open``: whether it ends there at a border between tiles, and
    so may go on behind it.
    """

    corners: tuple[Corner, Corner, Corner, Corner]
    left_open: bool = False
    top_open: bool = False
    right_open: bool = False
    bottom_open: bool = False

    @property
    def box(self) -> tuple[float, float, float, float]:
        xs, ys = [x for x, _ in self.corners], [y for _, y in self.corners]
        return min(xs), min(ys), max(xs), max(ys)

    @property
    def thickness(self) -> float:
        """The shorter side of its box: of a level line its height."""
        left, top, right, bottom = self.box
        return min(right - left, bottom - top)


def scaled(corners: Iterable[Iterable[float]], *, by: float, left: float = 0.0, top: float = 0.0) -> Region:
    """A region of a picture that was made smaller ``by`` a factor, or of a part of it that begins at ``left, top``."""
    a, b, c, d = ((left + float(x) / by, top + float(y) / by) for x, y in corners)
    return Region((a, b, c, d))


def in_tile(region: Region, tile: Tile, *, width: int, height: int) -> Region:
    """A region that was found in a tile, which may end at the tile's borders inside the picture."""
    left, top, right, bottom = region.box
    return Region(
        region.corners,
        left_open=tile.left > 0 and left - tile.left <= _AT_EDGE_PX,
        top_open=tile.top > 0 and top - tile.top <= _AT_EDGE_PX,
        right_open=tile.right < width and tile.right - right <= _AT_EDGE_PX,
        bottom_open=tile.bottom < height and tile.bottom - bottom <= _AT_EDGE_PX,
    )


def merged(whole: Sequence[Region], tiled: Sequence[Region], *, shared_px: float) -> tuple[Region, ...]:
    """The lines of a picture.

    Args:
        whole: found in the whole picture, made smaller: large lettering, and perhaps small.
        tiled: found in its tiles, marked by :func:`in_tile`.
        shared_px: how wide the strip is that two tiles share.
    """
    large = [region for region in whole if region.thickness >= _TALL * shared_px]
    parts = _joined([region for region in tiled if not _within_any(region, large)])
    lines = [*large, *_without_parts(parts)]
    return (*lines, *(region for region in whole if region not in large and not _covered(region, lines)))


def _joined(regions: Sequence[Region]) -> list[Region]:
    """With the parts of one line made one region, from left to right and from top to bottom."""
    level = _chained(sorted(regions, key=lambda region: region.box[0]), _goes_on_right, _beside)
    return _chained(sorted(level, key=lambda region: region.box[1]), _goes_on_below, _below)


def _chained(
    regions: Iterable[Region],
    goes_on: Callable[[Region, Region], bool],
    together: Callable[[Region, Region], Region],
) -> list[Region]:
    lines: list[Region] = []
    for region in regions:
        at = next((n for n, line in enumerate(lines) if goes_on(line, region)), None)
        if at is None:
            lines.append(region)
        else:
            lines[at] = together(lines[at], region)
    return lines


def _goes_on_right(left: Region, right: Region) -> bool:
    """Whether the right one is the rest of a line that a border between them cut."""
    a, b = left.box, right.box
    if not (left.right_open or right.left_open) or _upright(left) or b[2] <= a[2]:
        return False
    shared = min(a[3], b[3]) - max(a[1], b[1])
    return b[0] <= a[2] and shared >= _SAME_ROW * min(a[3] - a[1], b[3] - b[1])


def _goes_on_below(upper: Region, lower: Region) -> bool:
    a, b = upper.box, lower.box
    if not (upper.bottom_open or lower.top_open) or not _upright(upper) or b[3] <= a[3]:
        return False
    shared = min(a[2], b[2]) - max(a[0], b[0])
    return b[1] <= a[3] and shared >= _SAME_ROW * min(a[2] - a[0], b[2] - b[0])


def _upright(region: Region) -> bool:
    left, top, right, bottom = region.box
    return bottom - top > 1.5 * (right - left)


def _beside(left: Region, right: Region) -> Region:
    corners = (left.corners[0], right.corners[1], right.corners[2], left.corners[3])
    return Region(corners, left_open=left.left_open, right_open=right.right_open)


def _below(upper: Region, lower: Region) -> Region:
    corners = (upper.corners[0], upper.corners[1], lower.corners[2], lower.corners[3])
    return Region(corners, top_open=upper.top_open, bottom_open=lower.bottom_open)


def _without_parts(regions: Sequence[Region]) -> list[Region]:
    """Without those that lie in a larger one: a line that one tile has whole, and another a piece of."""
    kept: list[Region] = []
    for region in sorted(regions, key=_area, reverse=True):
        if not _within_any(region, kept):
            kept.append(region)
    return kept


def _within_any(region: Region, others: Iterable[Region]) -> bool:
    return any(_share_inside(region, other) >= _INSIDE for other in others)


def _covered(region: Region, others: Iterable[Region]) -> bool:
    return sum(_share_inside(region, other) for other in others) >= 1 - _INSIDE


def _share_inside(region: Region, other: Region) -> float:
    a, b = region.box, other.box
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return width * height / (_area(region) or 1.0) if width > 0 and height > 0 else 0.0


def _area(region: Region) -> float:
    left, top, right, bottom = region.box
    return (right - left) * (bottom - top)
