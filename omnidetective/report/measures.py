"""Measuring captions: how long they are, and what the gate scored. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from omnidetective.captions.anchors import find_anchors
from omnidetective.captions.sentences import count_tokens
from omnidetective.report.counting import Histogram, bounded
from omnidetective.report.numbers import Lengths, Score
from omnidetective.rubric import COMPLETENESS, DIMENSION_NAMES

_RANGES: Final = {
    "grounding": ("0-20 %", "20-40 %", "40-60 %", "60-80 %", "80-100 %"),
    COMPLETENESS: ("1", "2", "3", "4", "5"),
    **dict.fromkeys(sorted(DIMENSION_NAMES), ("1", "2", "3")),
}


class LengthCount:
    """How long captions are."""

    def __init__(self) -> None:
        self._words, self._tokens, self._anchors = Histogram(), Histogram(), Histogram()
        self._words_per_minute, self._anchors_per_minute = Histogram(), Histogram()

    def add(self, caption: str, duration_s: float | None) -> None:
        """Count a caption; ``duration_s`` is the length of its clip, ``None`` of an image."""
        words, anchors = len(caption.split()), len(find_anchors(caption))
        self._words.add(words)
        self._tokens.add(count_tokens(caption))
        self._anchors.add(anchors)
        if duration_s:
            self._words_per_minute.add(words / duration_s * 60)
            self._anchors_per_minute.add(anchors / duration_s * 60)

    def result(self) -> Lengths | None:
        """The numbers; ``None`` when there is no caption."""
        words, tokens, anchors = self._words.result(), self._tokens.result(), self._anchors.result()
        if words is None or tokens is None or anchors is None:
            return None
        return Lengths(
            words=words,
            tokens=tokens,
            anchors=anchors,
            words_per_minute=self._words_per_minute.result(),
            anchors_per_minute=self._anchors_per_minute.result(),
        )


class ScoreCount:
    """What the gate measured."""

    def __init__(self) -> None:
        self._spreads: dict[str, Histogram] = {}
        self._ranges = {name: dict.fromkeys(ranges, 0) for name, ranges in _RANGES.items()}

    def add(self, scores: Mapping[str, float]) -> None:
        """Count the scores of a caption."""
        for name, value in scores.items():
            name = bounded(name, self._spreads)
            self._spreads.setdefault(name, Histogram()).add(value)
            if name in _RANGES:
                place = math.floor(value * 5) if name == "grounding" else round(value) - 1
                self._ranges[name][_RANGES[name][min(max(place, 0), len(_RANGES[name]) - 1)]] += 1

    def result(self) -> dict[str, Score]:
        """Score → its spread; with a distribution where the scale is known."""
        return {
            name: Score(**spread.model_dump(), distribution=self._ranges.get(name))
            for name, histogram in sorted(self._spreads.items())
            if (spread := histogram.result()) is not None
        }
