"""How much pictures differ, from their brightness: cheap questions that spare expensive ones. Pure.

Brightness is a ``uint8`` array of shape ``(height, width)``; the pictures that are compared have the same shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BLOCK_PX = 16
# A step that stands out, by the largest and by the median one.
_OF_LARGEST = 0.3
_OF_USUAL = 3.0


def largest_change(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """The mean difference in the block of 16 × 16 pixels that differs most, 0…255.

    A word that appears changes few pixels of a picture, and a block of it a lot.
    """
    import numpy as np

    difference = np.abs(a.astype(np.int16) - b.astype(np.int16)).astype(np.float32)
    height, width = difference.shape
    rows, columns = max(1, height // _BLOCK_PX), max(1, width // _BLOCK_PX)
    # Blocks are as even as the size allows, so that none is a sliver.
    bands = np.add.reduceat(difference, np.linspace(0, height, rows, endpoint=False).astype(int), axis=0)
    sums = np.add.reduceat(bands, np.linspace(0, width, columns, endpoint=False).astype(int), axis=1)
    areas = np.outer(_lengths(height, rows), _lengths(width, columns))
    return float((sums / areas).max())


def mean_change(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """The mean difference of all pixels, 0…255."""
    import numpy as np

    return float(np.abs(a.astype(np.int16) - b.astype(np.int16)).mean())


def switch_index(pictures: Sequence[NDArray[np.uint8]], *, came: bool) -> int:
    """In pictures at whose beginning and end a thing is or is not there: the first that shows the other state.

    Where steps stand out, it is one of those, whatever moves behind the thing: the last of them for a thing that came,
    as it stayed from then on, and the first for one that went. Otherwise it fades, and the answer is the first picture
    that is more like the last one, and stays so.

    Args:
        came: whether the thing is there at the end, and not at the beginning.

    Returns:
        An index from 1.
    """
    steps = [mean_change(a, b) for a, b in pairwise(pictures)]
    least = max(_OF_LARGEST * max(steps), _OF_USUAL * sorted(steps)[len(steps) // 2])
    jumps = [n for n, step in enumerate(steps) if step >= least]
    if jumps:
        return (jumps[-1] if came else jumps[0]) + 1
    found = len(pictures) - 1
    while found > 1 and mean_change(pictures[found - 1], pictures[-1]) <= mean_change(pictures[found - 1], pictures[0]):
        found -= 1
    return found


def region(picture: NDArray[np.uint8], box: tuple[float, float, float, float]) -> NDArray[np.uint8]:
    """The part of a picture inside a box of shares ``(left, top, right, bottom)``; at least one pixel."""
    height, width = picture.shape
    left, top = min(width - 1, int(box[0] * width)), min(height - 1, int(box[1] * height))
    right, bottom = max(left + 1, round(box[2] * width)), max(top + 1, round(box[3] * height))
    return picture[top:bottom, left:right]


def _lengths(size: int, parts: int) -> list[int]:
    import numpy as np

    edges = [*np.linspace(0, size, parts, endpoint=False).astype(int), size]
    return [int(b - a) for a, b in pairwise(edges)]
