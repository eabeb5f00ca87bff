"""Line charts: where each line is above every label of the horizontal axis.

A line is what has one colour, is thin, and goes through most of the plot area. Pixels are told apart by the direction
in which they differ from the ground: the soft edge of a line differs from it in the same direction as its middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnidetective.embedded.chart_words import Rect, Word

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_DIFFERENT = 48.0
"""Least difference from the ground, of the channel that differs most."""
_OFF = 42.0
"""How far a pixel may be from the mixtures of the ground and the colour of its line."""
_THROUGHOUT = 0.6
"""Share of a row or column from which on its colour is a gridline or a frame."""
_MOST_LINES = 6
_THICK_SHARE = 0.05
_LEAST_EXTENT = 0.35
_MOST_DOUBLE = 0.2
_SLOPE_PX = 2
_BRIDGE_PX = 14
_NEAR_PX = 5


@dataclass(frozen=True, slots=True)
class Trace:
    """A line: its height at each column from ``left`` on, NaN where it is hidden; all in pixels of the picture.

    ``counts``: how many pixels of it are seen in each column.
    """

    left: int
    heights: NDArray[np.float64]
    counts: NDArray[np.int64]
    colour: NDArray[np.float32]

    def at(self, x: float) -> tuple[float, float] | None:
        """Its height at ``x`` and by how many pixels that may be off; None where it is not to be seen there."""
        import numpy as np

        middle = round(x) - self.left
        known = np.flatnonzero(~np.isnan(self.heights))
        before, after = known[known <= middle], known[known >= middle]
        if len(before) == 0 or len(after) == 0:
            edge = known[0] if len(before) == 0 else known[-1]
            if abs(edge - middle) > 5:
                return None
            return float(self.heights[edge]), 2.0 + self._slope(int(edge))
        a, b = int(before[-1]), int(after[0])
        if b - a > _BRIDGE_PX:
            return None
        y = float(np.interp(middle, (a, b), (self.heights[a], self.heights[b])))
        gap = abs(self.heights[b] - self.heights[a]) if b > a else 0.0
        return y, 1.5 + self._slope(middle) + gap / 2

    def thickness(self, x: float) -> float:
        """How thick it is around ``x``, with its markers."""
        middle = round(x) - self.left
        near = self.counts[max(0, middle - _NEAR_PX) : middle + _NEAR_PX + 1]
        return float(near.max()) if len(near) else 0.0

    def end(self) -> tuple[float, float]:
        """Where it ends on the right."""
        import numpy as np

        last = int(np.flatnonzero(~np.isnan(self.heights))[-1])
        return self.left + last, float(self.heights[last])

    def _slope(self, middle: int) -> float:
        """How much it rises or falls within the error of a label's place."""
        import numpy as np

        near = self.heights[max(0, middle - _SLOPE_PX) : middle + _SLOPE_PX + 1]
        near = near[~np.isnan(near)]
        return float(near.max() - near.min()) / 2 if len(near) else 0.0


def traces(picture: NDArray[np.uint8], area: Rect, words: Sequence[Word], ground: NDArray[np.float32]) -> list[Trace]:
    """The lines in a plot area.

    Args:
        picture: shape ``(height, width, 3)``, blue, green, red.
        words: text in it is no line.
        ground: the colour of the plot area.
    """
    import numpy as np

    top, bottom, left, right = (max(0, round(v)) for v in (area.top, area.bottom, area.left, area.right))
    region = picture[top:bottom, left:right].astype(np.float32) - ground
    if region.shape[0] < 20 or region.shape[1] < 40:
        return []
    strength = np.abs(region).max(axis=2)
    shown = strength > _DIFFERENT
    for word in words:
        a, b = round(word.box.top) - top, round(word.box.bottom) - top
        c, d = round(word.box.left) - left, round(word.box.right) - left
        if b > 0 and d > 0:
            shown[max(0, a) : b, max(0, c) : d] = False
    _without_grid(shown)
    found: list[Trace] = []
    for colour, mask in _colours(region, strength, shown):
        course = _course(mask)
        if course is not None:
            heights, counts = course
            found.append(Trace(left, heights + top, counts, colour + ground))
    return _distinct(found)


def _without_grid(shown: NDArray[np.bool_]) -> None:
    rows = shown.mean(axis=1) > _THROUGHOUT
    columns = shown.mean(axis=0) > _THROUGHOUT
    shown[rows] = False
    shown[:, columns] = False


def _colours(
    region: NDArray[np.float32], strength: NDArray[np.float32], shown: NDArray[np.bool_]
) -> list[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """The colours of lines as differences from the ground, and where each is."""
    import numpy as np

    pixels = region[shown]
    least = 0.5 * region.shape[1]
    if len(pixels) < least or len(pixels) > 0.25 * shown.size:
        return []
    peaks = _peaks(region[_core(strength, shown)], 0.12 * region.shape[1])
    if not peaks:
        return []
    lengths = np.stack([np.linalg.norm(peak) for peak in peaks])
    along = np.clip(pixels @ (np.stack(peaks) / lengths[:, None]).T, 0, 1.1 * lengths)
    off = np.linalg.norm(pixels[:, None] - along[:, :, None] * (np.stack(peaks) / lengths[:, None])[None], axis=2)
    nearest, best = off.argmin(axis=1), off.min(axis=1)
    result = []
    for number, peak in enumerate(peaks):
        chosen = (nearest == number) & (best < _OFF)
        if chosen.sum() < least:
            continue
        mask = np.zeros(shown.shape, bool)
        mask[shown] = chosen
        result.append((peak, mask))
    return result


def _core(strength: NDArray[np.float32], shown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The middle of what is shown: where a line has its own colour, and not that of its soft edge."""
    import numpy as np

    upper, lower = np.roll(strength, 1, axis=0), np.roll(strength, -1, axis=0)
    before, after = np.roll(strength, 1, axis=1), np.roll(strength, -1, axis=1)
    core: NDArray[np.bool_] = shown & (
        ((strength >= upper) & (strength >= lower)) | ((strength >= before) & (strength >= after))
    )
    return core


def _peaks(pixels: NDArray[np.float32], least: float) -> list[NDArray[np.float32]]:
    """The colours that most pixels have, most frequent first."""
    import numpy as np

    peaks: list[NDArray[np.float32]] = []
    while len(pixels) >= least and len(peaks) < _MOST_LINES:
        bins = np.round(pixels / 32).astype(np.int32) + 8
        most = int(np.bincount(bins[:, 0] * 289 + bins[:, 1] * 17 + bins[:, 2]).argmax())
        middle = (np.array([most // 289, most // 17 % 17, most % 17], np.float32) - 8) * 32
        near = pixels[np.abs(pixels - middle).max(axis=1) <= 32]
        if len(near) < least:
            break
        peak = np.median(near, axis=0).astype(np.float32)
        peaks.append(peak)
        # What lies between this colour and the ground is its edge.
        length = float(np.linalg.norm(peak))
        along = np.clip(pixels @ peak / length, 0, 1.2 * length)
        pixels = pixels[np.linalg.norm(pixels - along[:, None] * peak / length, axis=1) > _OFF]
    return peaks


def _course(mask: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
    """The height of a line at each column and how thick it is; None where this is no single thin line."""
    import cv2
    import numpy as np

    height, width = mask.shape
    count, numbers, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    # Patches of a legend and stray pixels stand apart from a line; its own pieces are not upon one another.
    order = sorted(range(1, count), key=lambda n: -int(stats[n, cv2.CC_STAT_WIDTH]))
    if not order:
        return None
    kept = np.zeros(mask.shape, bool)
    taken = np.zeros(width, bool)
    doubled = 0
    for n in order:
        x, w = int(stats[n, cv2.CC_STAT_LEFT]), int(stats[n, cv2.CC_STAT_WIDTH])
        if w < 3:
            continue
        if taken[x : x + w].mean() > 0.3:
            if w > 0.1 * width:
                doubled += w
            continue
        kept |= numbers == n
        taken[x : x + w] = True
    extent = int(taken.sum())
    if extent < _LEAST_EXTENT * width or doubled > _MOST_DOUBLE * extent:
        return None
    rows = np.arange(height)[:, None]
    counts = kept.sum(axis=0)
    sums = (kept * rows).sum(axis=0)
    first = np.where(kept.any(axis=0), kept.argmax(axis=0), 0)
    last = height - 1 - kept[::-1].argmax(axis=0)
    single = (counts > 0) & (last - first + 1 <= 1.5 * counts + 4)
    if single.sum() < 0.7 * (counts > 0).sum() or np.median(counts[counts > 0]) > max(12.0, _THICK_SHARE * height):
        return None
    heights = np.full(width, np.nan)
    heights[single] = sums[single] / counts[single] + 0.5
    return heights, counts.astype(np.int64)


def _distinct(found: Sequence[Trace]) -> list[Trace]:
    """Without lines that only are the edge of another one."""
    import numpy as np

    kept: list[Trace] = []
    for trace in sorted(found, key=lambda item: -int((~np.isnan(item.heights)).sum())):
        for other in kept:
            both = ~np.isnan(trace.heights) & ~np.isnan(other.heights)
            if both.sum() and (np.abs(trace.heights - other.heights)[both] < 4).mean() > 0.5:
                break
        else:
            kept.append(trace)
    return kept


def named_at_end(lines: Sequence[Trace], words: Sequence[Word]) -> dict[int, Word]:
    """The words that stand at the right end of each line, by its number."""
    named: dict[int, list[Word]] = {}
    for word in words:
        for number, line in enumerate(lines):
            x, y = line.end()
            letters = word.letters_px
            if word.number is None and 0 <= word.box.left - x <= 2.5 * letters and abs(word.box.y - y) <= 0.6 * letters:
                named.setdefault(number, []).append(word)
    return {number: found[0] for number, found in named.items() if len(found) == 1}
