"""The scale of an axis: a straight line, or a straight line of logarithms, through the numbers that stand beside it.

Numbers that do not fit are dropped: a misread tick must not bend the scale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

_FIT_PX = 2.5
_MOST_TICKS = 40
_UNEVEN = 0.02


@dataclass(frozen=True, slots=True)
class Mark:
    """A number and how far down it stands; ``letters_px``: how high it is written."""

    y: float
    value: float
    letters_px: float


@dataclass(frozen=True, slots=True)
class Scale:
    """What a height means: ``value = per_px * y + at_zero``, or 10 to that power.

    Attributes:
        off_px: how far the numbers stand from where they should, as a rule.
        marks: those that fit, from top to bottom.
    """

    per_px: float
    at_zero: float
    logarithmic: bool
    off_px: float
    marks: tuple[Mark, ...]

    def value(self, y: float) -> float:
        level = self.per_px * y + self.at_zero
        return 10**level if self.logarithmic else level

    def y(self, value: float) -> float:
        """Where a value is; not for a value of 0 or less on a logarithmic scale."""
        level = math.log10(value) if self.logarithmic else value
        return (level - self.at_zero) / self.per_px

    def tolerance(self, y: float, off_px: float) -> float:
        """By how much a value may be off that was measured at ``y`` to within ``off_px``."""
        return max(abs(self.value(y + d) - self.value(y)) for d in (-off_px, off_px))

    def through(self, y: float, value: float) -> Scale:
        """The same scale, moved so that it has a value at ``y``."""
        level = math.log10(value) if self.logarithmic else value
        return replace(self, at_zero=level - self.per_px * y)

    @property
    def top(self) -> float:
        return self.marks[0].y

    @property
    def bottom(self) -> float:
        return self.marks[-1].y


def fit(marks: Sequence[Mark], *, least: int = 3, even: bool = True) -> Scale | None:
    """The scale that most of the numbers agree on; values grow upwards.

    Args:
        least: fewest numbers that must fit.
        even: whether they must be a multiple of one step apart, as the ticks of an axis are.
    """
    ordered = sorted(marks, key=lambda mark: mark.y)[:_MOST_TICKS]
    straight = _consensus(ordered, [mark.value for mark in ordered], least=least, even=even)
    if all(mark.value > 0 for mark in ordered):
        logs = _consensus(ordered, [math.log10(mark.value) for mark in ordered], least=max(least, 3), even=even)
        if logs is not None and (straight is None or len(logs) > len(straight)):
            return _line(ordered, logs, logarithmic=True)
    return None if straight is None else _line(ordered, straight, logarithmic=False)


def _consensus(marks: Sequence[Mark], levels: Sequence[float], *, least: int, even: bool) -> tuple[int, ...] | None:
    best: tuple[int, ...] = ()
    for a, b in combinations(range(len(marks)), 2):
        down = marks[b].y - marks[a].y
        if down < marks[a].letters_px or levels[b] >= levels[a]:
            continue
        slope = (levels[b] - levels[a]) / down
        fitting = tuple(
            n
            for n, mark in enumerate(marks)
            if abs((levels[n] - levels[a]) / slope - (mark.y - marks[a].y)) <= max(_FIT_PX, 0.15 * mark.letters_px)
        )
        if len(fitting) > len(best):
            best = fitting
    if len(best) < least or (even and not _even([levels[n] for n in best])):
        return None
    # A few misread ticks are possible; where most do not fit it is no axis.
    within = best[-1] - best[0] + 1
    return best if len(best) >= 0.6 * within else None


def _even(levels: Sequence[float]) -> bool:
    steps = [a - b for a, b in pairwise(levels)]
    least = min(steps)
    return least > 0 and all(abs(step / least - round(step / least)) <= _UNEVEN * step / least for step in steps)


def _line(marks: Sequence[Mark], chosen: Sequence[int], *, logarithmic: bool) -> Scale:
    ys = [marks[n].y for n in chosen]
    levels = [math.log10(marks[n].value) if logarithmic else marks[n].value for n in chosen]
    mean_y, mean_level = sum(ys) / len(ys), sum(levels) / len(levels)
    spread = sum((y - mean_y) ** 2 for y in ys)
    per_px = sum((y - mean_y) * (level - mean_level) for y, level in zip(ys, levels, strict=True)) / spread
    at_zero = mean_level - per_px * mean_y
    off = [abs((level - at_zero) / per_px - y) for y, level in zip(ys, levels, strict=True)]
    off_px = math.sqrt(sum(d * d for d in off) / len(off))
    return Scale(per_px, at_zero, logarithmic, off_px, tuple(marks[n] for n in chosen))
