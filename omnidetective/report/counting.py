"""Counters whose memory does not grow with the number of lines."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Final

from omnidetective.report.numbers import Spread

MOST_NAMES: Final = 1000
"""Names that are told apart; a file with more than that has gone wrong, and the rest is counted as one."""
OTHERS: Final = "(others)"
_LONGEST_NAME: Final = 200


class Tally:
    """How often each name came."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str, times: int = 1) -> None:
        """Count a name."""
        self._counts[bounded(name, self._counts)] += times

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def result(self) -> dict[str, int]:
        """Name → count, the most frequent first; equal ones by name."""
        return dict(sorted(self._counts.items(), key=lambda item: (-item[1], item[0])))


def bounded(name: str, known: Mapping[str, object]) -> str:
    """The name to count under: shortened where it is no name, and one for all where there are too many."""
    name = name[:_LONGEST_NAME]
    return name if name in known or len(known) < MOST_NAMES else OTHERS


class Histogram:
    """Values to three significant digits: counts below 1,000 are exact, percentiles within half a percent."""

    def __init__(self) -> None:
        self._counts: Counter[float] = Counter()

    def add(self, value: float) -> None:
        """Count a value."""
        self._counts[float(f"{value:.3g}")] += 1

    def result(self) -> Spread | None:
        """The spread; ``None`` when nothing was counted. Percentiles lie between two values where need be."""
        if not self._counts:
            return None
        steps = sorted(self._counts.items())
        count = sum(times for _, times in steps)
        mean = math.fsum(value * times for value, times in steps) / count
        p10, median, p90 = (_percentile(steps, count, share) for share in (0.1, 0.5, 0.9))
        return Spread(count=count, mean=_short(mean), p10=p10, median=median, p90=p90)


def _percentile(steps: list[tuple[float, int]], count: int, share: float) -> float:
    position = (count - 1) * share
    low, high = _at(steps, math.floor(position)), _at(steps, math.ceil(position))
    return _short(low + (high - low) * (position % 1))


def _at(steps: list[tuple[float, int]], rank: int) -> float:
    """The value that stands at a place, from 0, of all values in order."""
    for value, times in steps:
        if rank < times:
            return value
        rank -= times
    return steps[-1][0]


def _short(value: float) -> float:
    return float(f"{value:.6g}")
