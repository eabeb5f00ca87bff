"""The titles of a chart and of its axes, by where they stand."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from omnidetective.embedded.chart_words import Rect, Word

_ABOVE = 0.4
"""How far above a plot area its title stands at most, in heights of the area."""
_BELOW = 3.0
_CENTRED = 0.12


def title_above(words: Sequence[Word], area: Rect, *, taken: Collection[Word]) -> Word | None:
    """The largest words above a plot area."""
    above = [
        word
        for word in words
        if word not in taken
        and word.number is None
        and len(word.text) > 2
        and word.box.bottom <= area.top + 0.3 * word.letters_px
        and area.top - word.box.bottom <= max(_ABOVE * area.height, 4 * word.letters_px)
        and word.box.left < area.right
        and word.box.right > area.left - 0.25 * area.width
        and word.box.width > 1.5 * word.letters_px
    ]
    if not above:
        return None
    largest = max(word.letters_px for word in above)
    return min((word for word in above if word.letters_px >= 0.85 * largest), key=lambda word: word.box.top)


def title_below(words: Sequence[Word], area: Rect, bottom: float, *, taken: Collection[Word]) -> Word | None:
    """The words in the middle below the labels, which end at ``bottom``."""
    below = [
        word
        for word in words
        if word not in taken
        and word.number is None
        and len(word.text) > 2
        and -0.3 * word.letters_px <= word.box.top - bottom <= _BELOW * word.letters_px
        and abs(word.box.x - area.x) <= _CENTRED * area.width
    ]
    return min(below, key=lambda word: word.box.top, default=None)


def title_beside(turned: Sequence[Word], area: Rect) -> Word | None:
    """The longest words that stand upright to the left of a plot area."""
    beside = [
        word
        for word in turned
        if word.box.right <= area.left + word.letters_px
        and area.top - 0.1 * area.height <= word.box.y <= area.bottom + 0.1 * area.height
        and word.number is None
        and len(word.text) > 2
    ]
    return max(beside, key=lambda word: (len(word.text), -word.box.left), default=None)
