"""From lines read in single frames to cards with a first and a last time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rapidfuzz import fuzz

from omnidetective.embedded.text import TextLine

_ALIKE = 80.0
"""Readings at least so similar (0 to 100), in about the same place, are one card read twice."""
_MOVED = 0.15
"""How far a card may move between two readings, as a share of the frame."""
_MISSED = 1
"""Readings in a row that may miss a card without ending it."""
_SEEN_ONCE_SCORE = 0.8
"""A line that only one reading saw has to be this sure."""


@dataclass(slots=True)
class Card:
    """One card: its readings, and between which frames it came and went."""

    first: int
    last: int
    readings: list[TextLine] = field(default_factory=list)

    @property
    def best(self) -> TextLine:
        """The text that was read most surely in sum, in its surest reading."""
        weight: dict[str, float] = {}
        for reading in self.readings:
            weight[reading.text] = weight.get(reading.text, 0.0) + reading.score
        text = max(weight, key=lambda t: weight[t])
        return max((r for r in self.readings if r.text == text), key=lambda r: r.score)

    def shows(self, line: TextLine) -> bool:
        """Whether a line is this card, read once more."""
        known = self.readings[-1]
        moved = max(abs(a - b) for a, b in zip(_centre(known), _centre(line), strict=True))
        return moved <= _MOVED and fuzz.ratio(known.text, line.text) >= _ALIKE


def track(readings: Sequence[Sequence[TextLine]]) -> list[Card]:
    """Follow lines from frame to frame.

    Args:
        readings: the lines of each frame, in order of time.
    """
    cards: list[Card] = []
    running: list[Card] = []
    for n, lines in enumerate(readings):
        running = [card for card in running if n - card.last <= _MISSED + 1]
        taken: set[int] = set()
        for line in lines:
            known = next((card for card in running if id(card) not in taken and card.shows(line)), None)
            if known is None:
                known = Card(n, n)
                cards.append(known)
                running.append(known)
            taken.add(id(known))
            known.last = n
            known.readings.append(line)
    once = len(readings) > 1
    return [c for c in cards if not once or len(c.readings) > 1 or c.best.score >= _SEEN_ONCE_SCORE]


def _centre(line: TextLine) -> tuple[float, float]:
    return (line.box[0] + line.box[2]) / 2, (line.box[1] + line.box[3]) / 2
