"""The stretch of a longer text that fits some words best. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from rapidfuzz import fuzz

from omnidetective.captions.alignment import similarity

LONGEST_CHARS = 2000
"""Of longer words only the beginning is compared."""
_ROUGH = 0.7
"""The search keeps to windows as long as the words and counts edits otherwise: it may see less than there is."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """``text[start:end]`` and how similar it is to the words, 0…1 (1 - edits / length of the longer)."""

    similarity: float
    start: int
    end: int


def best_stretch(words: str, text: str, *, at_least: float) -> Stretch | None:
    """The stretch of whole words in a text that is most like some words, where it is alike enough.

    Args:
        words, text: in plain form, see :func:`omnidetective.captions.alignment.plain`.
        at_least: smallest similarity, 0…1.
    """
    words = words[:LONGEST_CHARS]
    if not words or len(text) < at_least * len(words):
        return None
    whole = Stretch(similarity(words, text), 0, len(text)) if at_least * len(text) <= len(words) else None
    found = [whole] if whole else []
    if len(text) > len(words):
        window = fuzz.partial_ratio_alignment(words, text, score_cutoff=100 * at_least * _ROUGH)
        if window is not None:
            found += _whole_words(words, text, window.dest_start, window.dest_end)
    best = max(found, key=lambda stretch: stretch.similarity, default=None)
    return best if best is not None and best.similarity >= at_least else None


def _whole_words(words: str, text: str, start: int, end: int) -> list[Stretch]:
    """The window with the words at its edges whole: each edge word taken in or left out."""
    wide_start = text.rfind(" ", 0, start + 1) + 1
    wide_end = text.find(" ", max(start, end - 1))
    wide_end = len(text) if wide_end < 0 else wide_end
    if " " not in words and wide_end - wide_start > 3 * len(words):
        return [Stretch(similarity(words, text[start:end]), start, end)]  # no spaces between words, as in Chinese
    narrow_start = start if start == wide_start else text.find(" ", start, end) + 1 or start
    narrow_end = text.rfind(" ", start, end)
    narrow_end = narrow_end if end != wide_end and narrow_end > narrow_start else wide_end
    return [
        Stretch(similarity(words, text[a:b]), a, b)
        for a in {wide_start, narrow_start}
        for b in {wide_end, narrow_end}
        if a < b
    ]
