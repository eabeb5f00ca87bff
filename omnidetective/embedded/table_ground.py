"""What is drawn in the picture besides text and lines: the ground of rows, and whether something else is there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from omnidetective.embedded.placed_text import Placed
from omnidetective.embedded.table_grid import Grid
from omnidetective.embedded.table_rules import Rules

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_EDGE = 24
"""Difference of brightness between neighbouring pixels that is an edge."""
_OTHER_GROUND = 9.0
_ROWS_COMPARED = 6
_SPANNED = 0.7


@dataclass(frozen=True, slots=True)
class Ground:
    """A picture and what was found in it.

    Attributes:
        gray: shape ``(height, width)``.
        drawn: where an edge is that belongs to no text and to no straight line, same shape.
    """

    gray: NDArray[np.uint8]
    drawn: NDArray[np.bool_]
    rules: Rules

    def drawn_share(self, box: tuple[float, float, float, float]) -> float:
        """Which share of a box in pixels something is drawn in that is neither text nor a line."""
        left, top, right, bottom = (max(0, round(value)) for value in box)
        part = self.drawn[top:bottom, left:right]
        return float(part.mean()) if part.size else 0.0

    def set_apart(self, grid: Grid, rows: int) -> bool:
        """Whether so many rows at the top stand on another ground than the next ones, or over the only line."""
        return self._other_ground(grid, rows) or self._underlined(grid, rows)

    def _other_ground(self, grid: Grid, rows: int) -> bool:
        import numpy as np

        left, right = round(grid.lefts[0]), round(grid.lefts[-1])
        levels: list[float] = []
        for top, bottom in list(pairwise(grid.tops))[: rows + _ROWS_COMPARED]:
            inset = 0.15 * (bottom - top)
            part = self.gray[max(0, round(top + inset)) : round(bottom - inset), max(0, left) : right]
            levels.append(float(np.median(part)) if part.size else 0.0)
        heads, below = levels[:rows], levels[rows:]
        return bool(below) and min(abs(a - b) for a in heads for b in below) >= _OTHER_GROUND

    def _underlined(self, grid: Grid, rows: int) -> bool:
        """A line under the head, and none under the row after it."""
        return rows + 1 < grid.rows and self._line_at(grid, rows) and not self._line_at(grid, rows + 1)

    def _line_at(self, grid: Grid, border: int) -> bool:
        left, _, right, _ = grid.box
        near_px = 0.4 * min(b - a for a, b in pairwise(grid.tops))
        covered = [
            min(right, rule.end) - max(left, rule.start)
            for rule in self.rules.along
            if abs(rule.at - grid.tops[border]) <= near_px
        ]
        return max(covered, default=0.0) >= _SPANNED * (right - left)


def ground_of(gray: NDArray[np.uint8], pieces: Iterable[Placed], rules: Rules, text_px: float) -> Ground:
    """See :class:`Ground`."""
    import numpy as np

    levels = gray.astype(np.int16)
    drawn = np.zeros(gray.shape, np.bool_)
    drawn[:, 1:] |= np.abs(np.diff(levels, axis=1)) > _EDGE
    drawn[1:, :] |= np.abs(np.diff(levels, axis=0)) > _EDGE
    grow = max(2.0, 0.15 * text_px)
    for piece in pieces:
        _clear(drawn, (piece.left - grow, piece.top - grow, piece.right + grow, piece.bottom + grow))
    thick = max(4.0, 0.2 * text_px)
    for rule in rules.along:
        _clear(drawn, (rule.start - thick, rule.at - thick, rule.end + thick, rule.at + thick))
    for rule in rules.down:
        _clear(drawn, (rule.at - thick, rule.start - thick, rule.at + thick, rule.end + thick))
    return Ground(gray, drawn, rules)


def _clear(mask: NDArray[np.bool_], box: Sequence[float]) -> None:
    left, top, right, bottom = (max(0, round(value)) for value in box)
    mask[top:bottom, left:right] = False
