"""Where quotations begin and end, whatever marks were used. Pure, linear.

Each kind of marks is paired by itself in one pass; a mark that opens again before it was closed shows that the
earlier one was left open, and an end of paragraph ends all hope of a closing mark. So an unclosed mark costs at most
its own quotation, never the text after it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator

SINGLE_MAX_CHARS = 300
"""A quotation between 'single' marks is no longer than this: apostrophes would mislead further on."""

_PARAGRAPH = r"\n[^\S\n]*\n|\r\n[^\S\n]*\r\n|\u2029"
_WORD = r"A-Za-z0-9\u00c0-\u024f\u0370-\u052f"
_OPENING_BEFORE = ":,([{—–"

_DIRECTED = (("“", "”"), ("„", "“”"), ("«", "»"), ("「", "」"), ("『", "』"))
_BRACKETING = re.compile(rf"[“”„«»「」『』]|{_PARAGRAPH}")
_REVERSED = re.compile(rf"(?P<open>(?<![^\s(\[:,—–])»(?=\S))|(?P<close>(?<=\S)«)|{_PARAGRAPH}")
_STRAIGHT = re.compile(rf'"|{_PARAGRAPH}')
_MIXED = re.compile(
    rf'(?P<open>“|(?<![{_WORD}])"(?=\S))|(?P<close>”|(?<=\S)"(?![{_WORD}]))|{_PARAGRAPH}',
)
# What opens with an apostrophe in running English: the '90s, 'tis, rock 'n' roll.
_CLIPPED = r"(?:\d\ds|tis|twas|twere|em|til|till|cause|cuz|bout|round|n|nuff|neath|cross|fore|ere|kay|sup)(?!\w)"
_SINGLE = re.compile(
    rf"(?P<open>(?<![^\s(\[:,—–])['‘](?=[\w¿¡(#@$])(?!(?i:{_CLIPPED})))|(?P<close>(?<=\S)['’](?!\w))|\n"
)


def quotation_spans(text: str) -> tuple[tuple[int, int], ...]:
    """``(start, end)`` of each quotation, marks included, in order and without overlap.

    Of nested quotations the outermost counts. Understood are “…”, "…", «…», »…«, „…“, 「…」, 『…』, 'single' and
    ‘single’ marks, and a curly mark closed by a straight one or the other way round.
    """
    spans = _outermost([*_directed(text), *_pairs(text, _REVERSED), *_straight(text)])
    if '"' in text and ("“" in text or "”" in text):
        spans = _with(spans, _pairs(text, _MIXED))
    if "'" in text or "‘" in text:
        spans = _with(spans, (s for s in _pairs(text, _SINGLE) if s[1] - s[0] <= SINGLE_MAX_CHARS))
    return tuple(spans)


def inside(spans: tuple[tuple[int, int], ...], position: int) -> bool:
    """Whether a position lies in one of some ordered spans."""
    n = bisect_right(spans, (position, len(spans) and spans[-1][1] + position + 1)) - 1
    return n >= 0 and spans[n][0] <= position < spans[n][1]


def _directed(text: str) -> Iterator[tuple[int, int]]:
    open_at: dict[str, int] = {}
    for match in _BRACKETING.finditer(text):
        mark = match[0]
        if len(mark) > 1 or mark == "\u2029":
            open_at.clear()
            continue
        for opening, closing in _DIRECTED:
            if mark in closing and opening in open_at:
                yield open_at.pop(opening), match.end()
            elif mark == opening:
                open_at[opening] = match.start()


def _straight(text: str) -> Iterator[tuple[int, int]]:
    open_at: int | None = None
    for match in _STRAIGHT.finditer(text):
        if match[0] != '"':
            open_at = None
            continue
        at = match.start()
        before = text[at - 1] if at else " "
        after = text[at + 1] if at + 1 < len(text) else " "
        can_open = not after.isspace() and not _in_word(before)
        if open_at is None:
            open_at = at if can_open else None
        elif before.isspace() or (before in _OPENING_BEFORE and _in_word(after)):
            open_at = at if can_open else open_at
        else:
            yield open_at, at + 1
            open_at = None


def _in_word(character: str) -> bool:
    """Letters of scripts that put spaces around a quotation."""
    return character.isalnum() and character < "\u0590"


def _pairs(text: str, marks: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    open_at: int | None = None
    for match in marks.finditer(text):
        if match["open"]:
            open_at = match.start()
        elif not match["close"]:
            open_at = None
        elif open_at is not None:
            yield open_at, match.end()
            open_at = None


def _outermost(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if not kept or start >= kept[-1][1]:
            kept.append((start, end))
    return kept


def _with(known: list[tuple[int, int]], more: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Known spans, and those of the others that touch none of them."""
    ends = [end for _, end in known]
    free = []
    for start, end in more:
        n = bisect_right(ends, start)
        if n == len(known) or known[n][0] >= end:
            free.append((start, end))
    return _outermost([*known, *free])
