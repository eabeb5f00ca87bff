"""From what some clips took to what many will take, in proportion to their length. Pure.

The ratio estimator of survey sampling (Cochran, Sampling Techniques, chapter 6): what was taken by all clips of the
pilot together, over their length together, times the length that is left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from omnidetective.frozen import Sparse

_T90 = (6.31, 2.92, 2.35, 2.13, 2.02, 1.94, 1.89, 1.86, 1.83, 1.81)
"""Student's t for 90 % by degrees of freedom, from 1."""
_T90_MANY = 1.65


class Foreseen(Sparse):
    """An amount, and the ends between which it is at 90 %; these are absent after a pilot of one clip."""

    expected: float
    low: float | None = None
    high: float | None = None

    def plus(self, other: Foreseen) -> Foreseen:
        """The sum of two amounts that were measured apart."""
        if self.low is None or other.low is None or self.high is None or other.high is None:
            return Foreseen(expected=self.expected + other.expected)
        error = math.hypot(self.high - self.expected, other.high - other.expected)
        return around(self.expected + other.expected, error)


NONE = Foreseen(expected=0.0, low=0.0, high=0.0)


def around(expected: float, error: float) -> Foreseen:
    """An amount with an error to both sides; no amount is below nothing."""
    return Foreseen(expected=expected, low=max(0.0, expected - error), high=expected + error)


def scaled(taken: Sequence[float], sizes: Sequence[float], left: float, *, left_error: float = 0.0) -> Foreseen:
    """What is taken by all that is left.

    Args:
        taken: by each clip of the pilot.
        sizes: of the same clips, in seconds or as 1 for each picture; their sum is more than 0.
        left: the size of all that is to do.
        left_error: how far off, in proportion, that may be.
    """
    rate = sum(taken) / sum(sizes)
    expected = rate * left
    clips = len(taken)
    if clips < 2:
        return Foreseen(expected=expected)
    off = [y - rate * x for y, x in zip(taken, sizes, strict=True)]
    deviation = math.sqrt(sum(one * one for one in off) / (clips - 1))
    mean = sum(sizes) / clips
    t90 = _T90[clips - 2] if clips - 2 < len(_T90) else _T90_MANY
    return around(expected, math.hypot(t90 * left * deviation / (mean * math.sqrt(clips)), expected * left_error))
