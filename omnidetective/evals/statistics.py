"""Scores with 95 % intervals: a statistic of sums over items, and the same over items drawn again (the bootstrap).

The items are what was captioned: several questions about one clip are not independent of each other, so clips are
drawn, never questions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from omnidetective.frozen import Sparse

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 2000
_SEED = 20251012
_CHUNK = 100_000
"""Items of several draws that are in memory at the same time."""


class Score(Sparse):
    """A number and its 95 % interval; all absent where there is nothing to calculate it from."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


Statistic = Callable[["NDArray[np.float64]"], "NDArray[np.float64]"]
"""Sums of the columns, shape (draws, columns) → the statistic of each draw; NaN where it is not defined."""


def score(items: Sequence[Sequence[float]], statistic: Statistic, *, resamples: int = RESAMPLES) -> Score:
    """A statistic of the sums over items, with its percentile interval.

    Args:
        items: what each item adds to each sum, shape (items, columns).
        statistic: vectorised over draws; see :func:`ratio`.
        resamples: how often the items are drawn again; the same seed each time, so the same input has the same output.
    """
    import numpy as np

    if not items:
        return Score()
    matrix = np.asarray(items, dtype=np.float64)
    value = float(statistic(matrix.sum(axis=0)[None, :])[0])
    if not math.isfinite(value):
        return Score()
    known = statistic(_drawn(matrix.tobytes(), matrix.shape, resamples))
    known = known[np.isfinite(known)]
    if not len(known):
        return Score(value=value)
    low, high = np.percentile(known, (2.5, 97.5))
    return Score(value=value, low=float(low), high=float(high))


@lru_cache(maxsize=4)
def _drawn(items: bytes, shape: tuple[int, ...], resamples: int) -> NDArray[np.float64]:
    """The sums over items drawn with replacement, shape (resamples, columns).

    The scores of a row are statistics of the same items, one after the other: these are drawn once for all of them.
    """
    import numpy as np

    matrix = np.frombuffer(items, dtype=np.float64).reshape(shape)
    count = len(matrix)
    random = np.random.default_rng(_SEED)
    at_once = max(1, _CHUNK // count)
    sums = []
    for first in range(0, resamples, at_once):
        draws = min(at_once, resamples - first)
        drawn = random.integers(count, size=(draws, count)) + count * np.arange(draws)[:, None]
        times = np.bincount(drawn.ravel(), minlength=draws * count).reshape(draws, count)
        sums.append(times @ matrix)
    found = np.concatenate(sums)
    found.flags.writeable = False
    return found


def ratio(numerator: int, denominator: int, *, times: float = 1.0) -> Statistic:
    """One sum by another; not defined where that is 0."""

    def statistic(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        import numpy as np

        below = sums[:, denominator]
        with np.errstate(divide="ignore", invalid="ignore"):
            result: NDArray[np.float64] = np.where(below != 0, times * sums[:, numerator] / below, np.nan)
        return result

    return statistic


def mean_over_groups(column: int, *, width: int, times: float = 1.0) -> Statistic:
    """The mean over groups of one sum by the group's weight; groups without weight are left out.

    Args:
        column: of the sum, within a group.
        width: columns of each group, which stand side by side; the first is its weight.
    """

    def statistic(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        import numpy as np

        weights, values = sums[:, 0::width], sums[:, column::width]
        there = weights > 0
        each = np.where(there, times * values / np.where(there, weights, 1.0), 0.0)
        counts = there.sum(axis=1)
        result: NDArray[np.float64] = np.where(counts > 0, each.sum(axis=1) / np.maximum(counts, 1), np.nan)
        return result

    return statistic
