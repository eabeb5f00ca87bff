"""The straight lines of a picture that go along or down: what a ruled table is drawn with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BLOCK_PX = 31
_CONTRAST = 10
"""Brightness by which a line differs from what is around it."""
_SHORTEST_ACROSS = 1.6
_SHORTEST_DOWN = 1.35
"""In heights of the text, so that no letter is a line."""
_SHORTEST_PX = 24
_THICKEST = 0.45
_THICKEST_PX = 10.0
_MOST = 600
"""Of each direction, the longest: a photograph of a fence has thousands."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A line: ``at`` is how far down it is, or from the left, ``start`` and ``end`` are its ends; all in pixels."""

    at: float
    start: float
    end: float

    @property
    def length(self) -> float:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Rules:
    """The lines of a picture by direction."""

    along: tuple[Rule, ...]
    down: tuple[Rule, ...]


def find_rules(gray: NDArray[np.uint8], text_px: float) -> Rules:
    """The lines of a picture.

    Args:
        gray: shape ``(height, width)``.
        text_px: the usual height of its lines of text.
    """
    import cv2
    import numpy as np

    # The median of a neighbourhood is its ground, also among dense text: a line is what differs from that.
    ink = (cv2.absdiff(gray, cv2.medianBlur(gray, _BLOCK_PX)) > _CONTRAST).astype(np.uint8)
    across_px = max(_SHORTEST_PX, round(_SHORTEST_ACROSS * text_px))
    down_px = max(_SHORTEST_PX, round(_SHORTEST_DOWN * text_px))
    flat = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((1, across_px), np.uint8))
    upright = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((down_px, 1), np.uint8))
    thickest_px = max(_THICKEST_PX, _THICKEST * text_px)
    along = [Rule(y + h / 2, x, x + w) for x, y, w, h in _boxes(flat) if h <= thickest_px]
    down = [Rule(x + w / 2, y, y + h) for x, y, w, h in _boxes(upright) if w <= thickest_px]
    return Rules(_longest(along), _longest(down))


def _boxes(mask: Any) -> list[tuple[int, int, int, int]]:
    import cv2

    stats = cv2.connectedComponentsWithStats(mask, connectivity=8)[2]
    return [(int(x), int(y), int(w), int(h)) for x, y, w, h, _ in stats[1:]]


def _longest(rules: list[Rule]) -> tuple[Rule, ...]:
    return tuple(sorted(rules, key=lambda rule: -rule.length)[:_MOST])
