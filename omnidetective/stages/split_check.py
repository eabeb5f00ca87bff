"""Whether the sentences of an attribute caption say what the whole caption says. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from omnidetective.captions.alignment import plain
from omnidetective.captions.anchors import anchor_faults, find_anchors
from omnidetective.detective.conversation import shortened
from omnidetective.grounding import content_words
from omnidetective.stages.caption_lines import Line, holds, lines_of, numbers_in, quoted_in

FROM_WHOLE = 0.6
"""Share of a sentence's content words that the whole caption must hold."""
_QUOTED_CHARS = 120


def unfounded(caption: str, whole: str, duration_s: float | None) -> dict[int, str]:
    """The lines of an attribute caption that cannot stand beside the whole one: their positions, and why.

    Quotations, numbers and anchors must be those of the whole caption, and most words too.

    Args:
        duration_s: length of the clip; ``None`` for an image.
    """
    seconds = {anchor.second for anchor in find_anchors(whole)}
    words, text, numbers = content_words(whole), plain(whole), numbers_in(whole)
    found: dict[int, str] = {}
    for n, line in enumerate(lines_of(caption)):
        for reason in _reasons(line, words, text, numbers, seconds):
            found.setdefault(n, reason)
    if found:
        return found
    return _misplaced(caption, whole, duration_s)


def _reasons(line: Line, words: frozenset[str], text: str, numbers: frozenset[str], seconds: set[int]) -> Iterator[str]:
    for quote in quoted_in(line.body):
        if not holds(text, quote):
            yield f"the caption does not quote “{shortened(quote, _QUOTED_CHARS)}”"
    if own := numbers_in(line.body) - numbers:
        yield f"the caption does not give the number {', '.join(sorted(own))}"
    if strange := {anchor.second for anchor in find_anchors(line.text)} - seconds:
        yield f"the caption has no anchor at {', '.join(str(second) for second in sorted(strange))} s"
    said = content_words(line.body)
    if said and len(said & words) < FROM_WHOLE * len(said):
        yield f"the caption does not say: {', '.join(sorted(said - words)[:8])}"


def _misplaced(caption: str, whole: str, duration_s: float | None) -> dict[int, str]:
    """Lines whose anchor is wrong here and not in the whole caption: twice the same, or out of order."""
    known = {(fault.kind, fault.snippet) for fault in anchor_faults(whole, duration_s)}
    faults = [f for f in anchor_faults(caption, duration_s) if (f.kind, f.snippet) not in known]
    if not faults:
        return {}
    first = faults[0]
    at = [n for n, line in enumerate(lines_of(caption)) if first.snippet in line.text]
    return {at[-1]: f"the anchor “{first.snippet}” is wrong: {first.kind.replace('_', ' ')}"} if at else {}
