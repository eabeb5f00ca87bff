"""Pieces of text where they stand in a picture, in pixels, and in rows. For what reads tables and code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from omnidetective.embedded.text import TextLine

_ONE_ROW = 0.5
"""Share of the lower one's height by which pieces of one row overlap."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A piece of text and its box, in pixels."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def across(self) -> float:
        """The middle between left and right."""
        return (self.left + self.right) / 2

    @property
    def down(self) -> float:
        """The middle between top and bottom."""
        return (self.top + self.bottom) / 2

    def within(self, left: float, top: float, right: float, bottom: float) -> bool:
        """Whether its middle is in a box."""
        return left <= self.across <= right and top <= self.down <= bottom


def placed(lines: Iterable[TextLine], width_px: int, height_px: int) -> tuple[Placed, ...]:
    """Lines of text of a picture of this size."""
    size = (width_px, height_px, width_px, height_px)
    return tuple(Placed(line.text, *(share * px for share, px in zip(line.box, size, strict=True))) for line in lines)


def rows_of(pieces: Iterable[Placed]) -> list[list[Placed]]:
    """Pieces that stand side by side, from top to bottom and from left to right."""
    rows: list[list[Placed]] = []
    for piece in sorted(pieces, key=lambda item: item.down):
        # What lies further up than the last few rows cannot overlap any more.
        row = next((row for row in reversed(rows[-4:]) if all(_overlap(other, piece) for other in row)), None)
        if row is None:
            rows.append([piece])
        else:
            row.append(piece)
    for row in rows:
        row.sort(key=lambda item: item.left)
    return rows


def usual_height(pieces: Sequence[Placed]) -> float:
    """The median height in pixels; 0 of none."""
    return median(piece.height for piece in pieces) if pieces else 0.0


def around(pieces: Sequence[Placed]) -> tuple[float, float, float, float]:
    """The box of some pieces, of one at least."""
    return (
        min(piece.left for piece in pieces),
        min(piece.top for piece in pieces),
        max(piece.right for piece in pieces),
        max(piece.bottom for piece in pieces),
    )


def _overlap(a: Placed, b: Placed) -> bool:
    return min(a.bottom, b.bottom) - max(a.top, b.top) >= _ONE_ROW * min(a.height, b.height)
