"""The moments of a caption, and putting its anchors into the one form. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from omnidetective.captions.anchors import Anchor, anchor_text, find_anchors, is_inside, opens_sentence

MAX_ROUNDS = 4
"""Taking an anchor out can bring another to the head of its sentence; nothing real needs more rounds than two."""

# Words that lose their capital when an anchor comes to stand before them. Names never do.
_SMALL_WORDS = frozenset(
    {"a", "an", "the", "this", "that", "these", "those", "there", "here", "he", "she", "it", "they", "we", "his", "her",
     "its", "their", "our", "one", "two", "three", "another", "both", "some", "several", "many", "most", "all", "each",
     "no", "nothing", "nobody", "somebody", "someone", "something", "everybody", "everyone", "everything", "in", "on",
     "at", "as", "after", "before", "while", "when", "where", "what", "with", "from", "to", "then", "now", "meanwhile",
     "and", "but"}
)  # fmt: skip
_FIRST_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Canonical:
    """A caption with its anchors in the one form, and what was changed, in words."""

    text: str
    adjustments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """What a caption says from one anchor to the next, the anchor included; ``text == source[start:end]``.

    ``second`` is None for what stands before the first anchor.
    """

    second: int | None
    start: int
    end: int
    text: str


def moments(text: str) -> tuple[Moment, ...]:
    """The stretches of a caption between its anchors, whatever their form; space around them left out."""
    anchors = find_anchors(text)
    starts = [0, *(anchor.start for anchor in anchors)]
    ends = [*(anchor.start for anchor in anchors), len(text)]
    seconds = [None, *(anchor.second for anchor in anchors)]
    found: list[Moment] = []
    for second, start, end in zip(seconds, starts, ends, strict=True):
        piece = text[start:end]
        bare = piece.strip()
        if bare:
            start += len(piece) - len(piece.lstrip())
            found.append(Moment(second, start, start + len(bare), bare))
    return tuple(found)


def canonical_anchors(text: str, duration_s: float | None) -> Canonical:
    """The caption with every anchor inside the clip written "At 7s,": the floor of the time, of a range its start.

    An anchor that says the second of the one before it again is taken out. Nothing is put in another order; anchors
    outside the clip or out of order are left for the audit. Applied to its own result it changes nothing.

    Args:
        text: the caption.
        duration_s: length of the clip; None for an image, which has no time: "At 7s," is taken out, and times of any
            other form, which a clock in the picture may show, are left for the audit.
    """
    adjustments: list[str] = []
    for _ in range(MAX_ROUNDS):
        text, made = _round(text, duration_s)
        adjustments += made
        if not made:
            break
    return Canonical(text, tuple(adjustments))


def _round(text: str, duration_s: float | None) -> tuple[str, list[str]]:
    pieces: list[str] = []
    made: list[str] = []
    position = 0
    before: Anchor | None = None
    at_head = False  # an anchor taken out just before left the head of its sentence to what follows
    case: Literal["upper", "lower", "as it is"] = "as it is"
    for anchor in find_anchors(text):
        needless = duration_s is None and anchor.form == "canonical"
        if not needless and not is_inside(anchor, duration_s):
            continue
        again = needless or (before is not None and before.second == anchor.second)
        before = anchor
        if not again and anchor.form == "canonical":
            continue
        between = text[position : anchor.start]
        pieces.append(_cased(between, case))
        at_head = opens_sentence(text, anchor.start) or (at_head and not between.strip())
        position = _past_space(text, anchor.end)
        if again:
            why = "an image has no time" if needless else "it repeats the second before it"
            made.append(f"“{anchor.text}” was taken out: {why}")
            case = "upper" if at_head else "as it is"
            continue
        written = anchor_text(anchor.second)
        written = written.lower() if anchor.text[0].islower() and not at_head else written
        made.append(f"“{anchor.text}” became “{written}”")
        pieces.append(f"{written} " if text[position : position + 1] not in ("", "*", "_", "\n") else written)
        case, at_head = "lower", False
    pieces.append(_cased(text[position:], case))
    return "".join(pieces), made


def _cased(text: str, case: Literal["upper", "lower", "as it is"]) -> str:
    """A continuation with the first letter a sentence head asks for, or the one that follows an anchor."""
    if case == "upper":
        return text[:1].upper() + text[1:]
    word = _FIRST_WORD.match(text) if case == "lower" else None
    return word[0][0].lower() + text[1:] if word and word[0].lower() in _SMALL_WORDS else text


def _past_space(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\u00a0":
        position += 1
    return position
