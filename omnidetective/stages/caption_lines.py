"""A caption as versions of it are compared and put together: lines that know their moment. Pure.

A line is a sentence without its anchors; the anchors are looked at apart, because a finding on a time is no finding on
the words, and the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from omnidetective.captions.alignment import plain
from omnidetective.captions.anchors import Anchor, anchor_text, find_anchors
from omnidetective.captions.moments import canonical_anchors
from omnidetective.captions.quote_marks import quotation_spans
from omnidetective.captions.sentences import split_sentences

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_NUMERALS = {
    "zero": "0", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8",
    "nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14", "fifteen": "15",
    "sixteen": "16", "seventeen": "17", "eighteen": "18", "nineteen": "19", "twenty": "20",
}  # fmt: skip
"""Spelt numbers; "one" is seldom meant as one."""


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence.

    Attributes:
        text: the sentence as it stands; ``text == caption[start:end]``.
        body: the same without its anchors.
        words: the body's plain words, in order, joined by spaces.
        second: the moment in which it begins; ``None`` before the first anchor.
        opens: whether it begins with the anchor of that moment.
        last: the moment in which it ends; another one where an anchor stands within it.
    """

    text: str
    start: int
    end: int
    body: str
    words: str
    second: int | None
    opens: bool
    last: int | None


@lru_cache(maxsize=8)
def lines_of(caption: str) -> tuple[Line, ...]:
    """The sentences of a caption, in order."""
    anchors = find_anchors(caption)
    lines: list[Line] = []
    second: int | None = None
    n = 0
    for sentence in split_sentences(caption):
        mine: list[Anchor] = []
        while n < len(anchors) and anchors[n].start < sentence.end:
            mine.append(anchors[n])
            n += 1
        opens = bool(mine) and not caption[sentence.start : mine[0].start].strip()
        begins = mine[0].second if opens else second
        body = _bodily(caption, sentence.start, sentence.end, mine)
        second = mine[-1].second if mine else second
        lines.append(Line(sentence.text, sentence.start, sentence.end, body, plain(body), begins, opens, second))
    return tuple(lines)


def standing(caption: str, snippet: str) -> tuple[tuple[int, int], ...]:
    """``(start, end)`` of each place where a snippet stands: to the letter, else by its plain words, line by line."""
    snippet = snippet.strip()
    if not snippet:
        return ()
    found = []
    at = caption.find(snippet)
    while at >= 0:
        end = at + len(snippet)
        if not (_splits_word(caption, at) or _splits_word(caption, end)):
            found.append((at, end))
        at = caption.find(snippet, end)
    if found:
        return tuple(found)
    words = plain(snippet)
    if not words:
        return ()
    return tuple(
        (line.start, line.end) for line in lines_of(caption) if holds(plain(line.text), words) or words == line.words
    )


def holds(text: str, words: str) -> bool:
    """Whether plain words stand in a plain text, as whole words where the script has any."""
    if f" {words} " in f" {text} ":
        return True
    return not words.isascii() and words in text


def quoted_in(text: str) -> Iterator[str]:
    """What stands between quotation marks, as plain words; empty quotations left out."""
    for start, end in quotation_spans(text):
        if words := plain(text[start + 1 : end - 1]):
            yield words


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence to be written.

    Attributes:
        second, last: the moments in which it begins and ends.
        body: what it says, without its anchor.
        stands: the sentence as it stood with its anchor, where nothing of it has changed.
        opens: whether it stood at the beginning of its moment.
    """

    second: int | None
    last: int | None
    body: str
    stands: str | None = None
    opens: bool = False

    @classmethod
    def of(cls, line: Line) -> Piece:
        """A line as it is."""
        return cls(line.second, line.last, line.body, line.text, line.opens)


def written(pieces: Iterable[Piece]) -> str:
    """A caption of some sentences in order: each moment opens with its anchor, whichever sentence is its first."""
    return " ".join(_anchored(pieces))


def with_lines(caption: str, kept: Collection[int]) -> str:
    """A caption with only some of its lines; the first that is left of a moment has its anchor."""
    return written(Piece.of(line) for n, line in enumerate(lines_of(caption)) if n in kept)


def numbers_in(text: str) -> frozenset[str]:
    """The numbers of a text as figures, spelt ones up to twenty included."""
    found = {number.lstrip("0") or "0" for number in _NUMBER.findall(text)}
    return frozenset(found | {_NUMERALS[word] for word in plain(text).split() if word in _NUMERALS})


def _anchored(pieces: Iterable[Piece]) -> Iterator[str]:
    """Each sentence with an anchor where a moment begins, and without one where it goes on."""
    now: int | None = None
    for piece in pieces:
        goes_on = piece.second == now or piece.second is None
        if piece.stands is not None and (piece.opens != goes_on or piece.last != piece.second):
            yield piece.stands
        elif goes_on:
            yield piece.body[:1].upper() + piece.body[1:]
        else:
            # Written with a colon, it is put into the one form by who knows which capitals an anchor takes away.
            opening = anchor_text(piece.second or 0).replace(",", ":")
            yield canonical_anchors(f"{opening} {piece.body}", (piece.second or 0) + 1.0).text
        now = piece.last


def _splits_word(text: str, at: int) -> bool:
    """Whether a position lies within a word of a script that sets words apart."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    return before.isascii() and after.isascii() and before.isalnum() and after.isalnum()


def _bodily(text: str, start: int, end: int, anchors: Collection[Anchor]) -> str:
    pieces = []
    for anchor in anchors:
        pieces.append(text[start : anchor.start])
        start = min(anchor.end, end)
    pieces.append(text[start:end])
    return "".join(pieces).strip()
