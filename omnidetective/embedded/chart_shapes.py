"""The flat colours of a picture, and the filled rectangles of one colour in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnidetective.embedded.chart_words import Rect

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FLAT = 10
"""Largest difference between neighbours within a flat colour; JPEG leaves a little."""
_NEAR = 26.0
"""Colours nearer than this are one, as are pixels and their colour: largest difference of a channel."""
_MOST_COLOURS = 14
_LEAST_SHARE = 0.0004
_LEAST_WIDTH_PX, _LEAST_HEIGHT_PX = 4, 3
_FILLED = 0.87
_MOST_RECTS = 600
_BLUR_PX = 3


@dataclass(frozen=True, slots=True)
class Palette:
    """The flat colours of a picture, most frequent first, shape ``(count, 3)``, blue, green, red."""

    colours: NDArray[np.float32]

    @property
    def ground(self) -> NDArray[np.float32]:
        first: NDArray[np.float32] = self.colours[0]
        return first

    def mask(self, picture: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
        """Where a picture has this colour: 255, else 0."""
        import cv2
        import numpy as np

        low = np.clip(self.colours[number] - _NEAR, 0, 255).astype(np.uint8)
        high = np.clip(self.colours[number] + _NEAR, 0, 255).astype(np.uint8)
        found: NDArray[np.uint8] = cv2.inRange(picture, low, high)  # type: ignore[assignment]
        return found

    def nearest(self, colour: NDArray[np.float32]) -> int | None:
        """The number of the colour that this is; None where it is none of them."""
        import numpy as np

        away = np.abs(self.colours - colour).max(axis=1)
        number = int(away.argmin())
        return number if away[number] <= _NEAR else None


def palette(picture: NDArray[np.uint8]) -> Palette:
    """The flat colours of a picture, shape ``(height, width, 3)``; at least one."""
    import numpy as np

    signed = picture.astype(np.int16)
    across = np.abs(signed[:-1, 1:] - signed[:-1, :-1]).max(axis=2)
    down = np.abs(signed[1:, :-1] - signed[:-1, :-1]).max(axis=2)
    flat = picture[:-1, :-1][(across <= _FLAT) & (down <= _FLAT)]
    if len(flat) == 0:
        flat = picture.reshape(-1, 3)
    wide = flat.astype(np.int32)
    bins = (wide[:, 0] >> 3 << 10) + (wide[:, 1] >> 3 << 5) + (wide[:, 2] >> 3)
    counts = np.bincount(bins, minlength=1 << 15)
    order = np.argsort(-counts, kind="stable")[:200]
    kept: list[NDArray[np.float32]] = []
    weights: list[float] = []
    for number in order:
        count = float(counts[number])
        if count < _LEAST_SHARE * len(flat) and kept:
            break
        colour = np.array([number >> 10, number >> 5 & 31, number & 31], np.float32) * 8 + 4
        for n, known in enumerate(kept):
            if float(np.abs(known - colour).max()) <= _NEAR:
                if float(np.abs(known - colour).max()) <= 12:
                    kept[n] = ((known * weights[n] + colour * count) / (weights[n] + count)).astype(np.float32)
                    weights[n] += count
                break
        else:
            if len(kept) < _MOST_COLOURS:
                kept.append(colour)
                weights.append(count)
    return Palette(np.stack(kept))


def rectangles(picture: NDArray[np.uint8], colours: Palette) -> list[Rect]:
    """The filled rectangles of one colour, without those of the ground. Letters on them do not matter."""
    import cv2
    import numpy as np

    found: list[Rect] = []
    height, width = picture.shape[:2]
    kernel = np.ones((3, 3), np.uint8)
    for number in range(1, len(colours.colours)):
        mask = cv2.morphologyEx(colours.mask(picture, number), cv2.MORPH_CLOSE, kernel)
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        if len(outlines) > 20 * _MOST_RECTS:
            continue  # A texture, and no colour of shapes.
        for outline in outlines:
            x, y, w, h = cv2.boundingRect(outline)
            if w < _LEAST_WIDTH_PX or h < _LEAST_HEIGHT_PX or (w > 0.9 * width and h > 0.6 * height):
                continue
            if cv2.contourArea(outline) >= _FILLED * (w - 1) * (h - 1):
                found.append(Rect(x, y, x + w, y + h, number))
    return found if len(found) <= _MOST_RECTS else []


def exact(rect: Rect, picture: NDArray[np.uint8]) -> Rect:
    """A rectangle with its edges to a part of a pixel: JPEG and smooth drawing blur them evenly to both sides."""
    import numpy as np

    left, top, right, bottom = (round(v) for v in (rect.left, rect.top, rect.right, rect.bottom))
    across = slice(left + (right - left) // 5, max(left + (right - left) // 5 + 1, right - (right - left) // 5))
    down = slice(top + (bottom - top) // 5, max(top + (bottom - top) // 5 + 1, bottom - (bottom - top) // 5))
    inside = np.median(picture[down, across].reshape(-1, 3), axis=0).astype(np.float32)
    columns = np.median(picture[max(0, top - _BLUR_PX) : bottom + _BLUR_PX, across].astype(np.float32), axis=1)
    rows = np.median(picture[down, max(0, left - _BLUR_PX) : right + _BLUR_PX].astype(np.float32), axis=0)
    upper, lower = _edges(columns, inside, max(0, top - _BLUR_PX), top, bottom)
    first, last = _edges(rows, inside, max(0, left - _BLUR_PX), left, right)
    return Rect(first, upper, last, lower, rect.colour)


def _edges(
    profile: NDArray[np.float32], inside: NDArray[np.float32], offset: int, start: int, stop: int
) -> tuple[float, float]:
    """Both ends of a stretch along a profile of colours: as much as is of its colour belongs to it."""
    import numpy as np

    away = np.abs(profile - inside).sum(axis=1)
    a, b = start - offset, stop - offset
    reach = min(_BLUR_PX, (b - a) // 2)
    ends: list[float | None] = []
    for window in (away[max(0, a - _BLUR_PX) : a + reach], away[b - reach : b + _BLUR_PX][::-1]):
        outside = float(window[0]) if len(window) else 0.0
        if outside < 30 or len(window) < _BLUR_PX + 1:
            ends.append(None)
        else:
            ends.append(float(np.clip(1 - window / outside, 0, 1).sum()))
    first = start if ends[0] is None else start + reach - ends[0]
    last = stop if ends[1] is None else stop - reach + ends[1]
    return float(first), float(last)
