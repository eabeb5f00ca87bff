"""Check "form": collapse into repetition, stray markup and tokens, chatter, and talk about sources."""

from __future__ import annotations

import re
from collections.abc import Iterator

from omnidetective.audit.finding import Finding, Inspection
from omnidetective.audit.reading import Reading
from omnidetective.captions.anchors import find_anchors
from omnidetective.captions.markup import MarkKind, find_marks
from omnidetective.captions.repetition import Repetition, find_repetition

CHECK = "form"
MOST = 20
"""Findings that are given: whoever rewrites the caption has seen enough by then."""

_WHY: dict[MarkKind, str] = {
    "markdown": "markdown has no place in a caption",
    "html": "a tag has no place in a caption",
    "token": "a model's special token has no place in a caption",
    "control": "a control character has no place in a caption",
    "preamble": "it speaks to the reader of an answer instead of describing the clip",
    "source": "it speaks of where the caption comes from instead of describing the clip",
}


def check(reading: Reading) -> Inspection:
    """What is wrong with the text whatever the clip shows; repetition of what really was repeated is not."""
    found: dict[str, tuple[int, Finding]] = {}
    position = 0
    for mark in find_marks(reading.caption):
        at = reading.caption.find(mark.snippet, position)
        position = at if at >= 0 else position
        if mark.snippet and mark.snippet not in found and not reading.only_verbatim(mark.snippet):
            found[mark.snippet] = position, _error(mark.snippet, _WHY[mark.kind])
    for repetition in find_repetition(reading.caption):
        snippet = repetition.snippet
        if snippet and snippet not in found and not _really_repeated(repetition, reading):
            how = "right after itself" if repetition.kind == "loop" else "in one caption"
            found[snippet] = repetition.start, _error(snippet, f"said {repetition.times} times {how}")
    ordered = sorted(found.values(), key=lambda item: item[0])
    return Inspection(tuple(finding for _, finding in ordered[:MOST]))


def _error(snippet: str, why: str) -> Finding:
    return Finding(CHECK, "narrative", "error", snippet, why)


def _really_repeated(repetition: Repetition, reading: Reading) -> bool:
    """Whether an instrument bears out every time that something is said: cuts come again, and so do spoken words."""
    known = [*reading.verbatim, *((confirmed.start, confirmed.end) for confirmed in reading.confirmed)]
    if repetition.kind == "loop":
        return any(start <= repetition.start < end for start, end in known)
    places = list(_occurrences(_without_anchor(repetition.snippet), reading.caption))
    return bool(places) and all(any(a < end and start < b for start, end in known) for a, b in places)


def _occurrences(snippet: str, caption: str) -> Iterator[tuple[int, int]]:
    for match in re.finditer(re.escape(snippet), caption, re.IGNORECASE):
        yield match.span()


def _without_anchor(snippet: str) -> str:
    anchors = find_anchors(snippet)
    return snippet[anchors[0].end :].strip() if anchors and not anchors[0].start else snippet
