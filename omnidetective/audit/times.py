"""Check "time": the anchors of a caption and the length that it gives the clip, against the probed duration."""

from __future__ import annotations

import re
from collections.abc import Iterator

from omnidetective.audit.finding import Finding, Inspection, clipped
from omnidetective.audit.reading import Reading
from omnidetective.captions.anchors import Anchor, AnchorFault, anchor_faults, find_anchors

CHECK = "time"
OFF_S = 1.5
OFF_SHARE = 0.1
"""A stated length may be off by the greater of 1.5 s and 10 %."""
_SNIPPET_WORDS = 6

_WORD_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_NUMBER = rf"(?P<number>\d{{1,6}}(?:\.\d{{1,3}})?|{'|'.join(_WORD_NUMBERS)})"
_UNIT = r"(?P<unit>second|sec|minute|min)s?"
_CLIP = r"(?:video|clip|recording|footage|film)"
_LENGTHS = (
    re.compile(
        rf"\b(?:this|(?:the|a)\s+entire)\s+{_NUMBER}[-\s]{_UNIT}(?:[-\s]long)?,?(?:\s+[a-z]+){{0,3}}?\s+{_CLIP}\b",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?:this|the|the\s+(?:whole|entire))\s+(?:[a-z]+\s+)?{_CLIP}\s+(?:lasts|runs|is)\s+(?:for\s+)?{_NUMBER}\s+{_UNIT}(?:\s+(?:long|in\s+length))?\b"
        r"(?!\s+(?:into|in\b|before|after|old|later|and\s+\d|\d))",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\bthis\s+is\s+an?\s+(?:[a-z]+\s+){{0,2}}?{_NUMBER}[-\s]{_UNIT}(?:[-\s]long)?(?:\s+[a-z]+){{0,2}}?\s+{_CLIP}\b",
        re.IGNORECASE,
    ),
    re.compile(rf"\bthis\s+is\s+an?\s+(?:[a-z]+\s+){{0,2}}?{_CLIP}\s+of\s+{_NUMBER}\s+{_UNIT}\b", re.IGNORECASE),
)
_NEXT_WORDS = re.compile(rf"\s*\S+(?:[ \t]+\S+){{0,{_SNIPPET_WORDS - 1}}}")
_WHY = {
    "range": "an anchor is one whole second, not a range",
    "decimal": "an anchor is a whole second",
    "malformed": "an anchor is written like “At 7s,”",
    "duplicate": "the caption has been at {second} s before",
    "out_of_order": "the caption is past {second} s already: anchors increase",
    "outside": "there is no second {second}: probing found a length of {length}",
}


def check(reading: Reading) -> Inspection:
    """Anchors of another form, out of order, twice, or outside the clip, and a wrong length; probing is the proof."""
    whole = reading.case.clip.whole
    duration_s = None if whole is None else whole.end_s
    found = [*_faults(reading, duration_s), *(wrong_lengths(reading, duration_s) if duration_s is not None else ())]
    return Inspection(tuple(finding for _, finding in sorted(found, key=lambda item: item[0])))


def _faults(reading: Reading, duration_s: float | None) -> Iterator[tuple[int, Finding]]:
    caption = reading.caption
    length = "none, as an image has" if duration_s is None else f"{duration_s:.1f} s"
    for anchor, fault in _located(reading.veiled, anchor_faults(reading.veiled, duration_s)):
        why = _WHY[fault.kind].format(second=anchor.second, length=length)
        snippet = anchor.text
        if fault.kind in ("duplicate", "out_of_order"):
            # The same anchor may stand elsewhere, rightly: the words after it tell which is meant.
            following = _NEXT_WORDS.match(caption[anchor.end : anchor.end + 200])
            snippet = caption[anchor.start : anchor.end + (following.end() if following else 0)]
        yield anchor.start, Finding(CHECK, "narrative", "error", snippet, clipped(why))


def _located(caption: str, faults: tuple[AnchorFault, ...]) -> Iterator[tuple[Anchor, AnchorFault]]:
    """Faults with their anchors; both come in the order of the text."""
    anchors = find_anchors(caption)
    seen: set[int] = set()
    n = 0
    kinds_here: set[str] = set()
    for fault in faults:
        while n < len(anchors):
            anchor = anchors[n]
            same = anchor.text == fault.snippet and anchor.time_s == fault.time_s and fault.kind not in kinds_here
            if same and (fault.kind != "duplicate" or anchor.second in seen):
                kinds_here.add(fault.kind)
                yield anchor, fault
                break
            seen.add(anchor.second)
            kinds_here = set()
            n += 1


def wrong_lengths(reading: Reading, duration_s: float) -> Iterator[tuple[int, Finding]]:
    """Lengths that the caption gives a clip and that it does not have, each with where it stands."""
    for piece in reading.pieces:
        for pattern in _LENGTHS:
            match = pattern.search(piece.words)
            if match is None:
                continue
            number = match["number"].lower()
            amount = _WORD_NUMBERS.index(number) + 1 if number in _WORD_NUMBERS else float(number)
            minutes = match["unit"].lower().startswith("min")
            stated_s = amount * 60 if minutes else amount
            # "A two-minute video" is one of about two minutes.
            allowed_s = max(OFF_S, OFF_SHARE * duration_s, 30.0 if minutes else 0.0)
            if abs(stated_s - duration_s) > allowed_s:
                snippet = piece.text[match.start() : match.end()]
                why = f"probing found a length of {duration_s:.1f} s"
                yield piece.start + match.start(), Finding(CHECK, "narrative", "error", snippet, why)
            break
