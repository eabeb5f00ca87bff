"""Marks that have no place in a caption. Pure.

Markup, tags, special tokens, control characters, an assistant's chatter and talk about sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from omnidetective.captions.chatter import assistant_talk, closings, openings
from omnidetective.captions.quote_marks import inside, quotation_spans
from omnidetective.captions.source_talk import source_talk

MarkKind = Literal["markdown", "html", "token", "control", "preamble", "source"]

MAX_ROUNDS = 12
"""Taking a mark out can make another of what stood around it; deeper nesting than this is broken up by force."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark; ``snippet`` stands in the caption as it is."""

    snippet: str
    kind: MarkKind


@dataclass(frozen=True, slots=True)
class _Found:
    start: int
    end: int
    kind: MarkKind
    instead: str = ""


_TOKEN = re.compile(
    r"<[|｜][\w▁. -]{1,60}[|｜]>|<0x[0-9A-Fa-f]{2}>|<</?SYS>>|\[/?(?:INST|SYS|PAD|CLS|SEP|MASK|UNK|BOS|EOS)\]|"
    r"</?(?:s|think|thinking|reasoning|answer|pad|unk|bos|eos|eot|eod|mask|tool_call|tool_response|"
    r"(?:start|end)_of_(?:turn|text|image|audio|video)|(?:image|video|audio)(?:_?\d{1,3})?|im_(?:start|end))>"
)
_THOUGHT_OPEN = re.compile(r"<(think|thinking|reasoning)>")
_THOUGHT_CLOSE = re.compile(r"</(think|thinking|reasoning)>")
# Joiners are letters' business in Persian, Indic scripts and emoji: only beside ASCII, or in a row, have they none.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u2060-\u2064\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffd"
    r"\ufffe\uffff\ud800-\udfff\ue000-\uf8ff\U000f0000-\U0010ffff]+"
    r"|(?:^|(?<=[\x00-\x7f]))[\u200c\u200d]+|[\u200c\u200d]{2,}|[\u200c\u200d](?=[\x00-\x7f]|$)"
)
_HTML = re.compile(
    r"(?<!<)<+/?[A-Za-z][A-Za-z0-9:-]{0,30}(?:\s[^<>\n]{0,300})?/?>|<!--[^<>]{0,2000}-->|<!DOCTYPE[^<>]{0,100}>"
)

_RULE = (
    r"^[ \t]*(?:(?:-[ \t]?){3,}|(?:\*[ \t]?){3,}|(?:_[ \t]?){3,}|\|(?:[ \t]{0,8}:?-{2,}:?[ \t]{0,8}\|){1,60})[ \t]*$"
)
_FENCE = r"^[ \t]*(?:```|~~~)[\w+-]*[ \t]*$"
_LINE_HEAD = r"^[ \t]*(?:(?:#{1,6}|[>*+•‣●-])[ \t]+|\d{1,2}[.)][ \t]+(?=[^\W\d_]|[“\"*_\[(]))+"
_LINE_MARK = re.compile(f"{_RULE}|{_FENCE}|{_LINE_HEAD}", re.MULTILINE)
_TABLE_ROW = re.compile(r"^[ \t]*\|[^\n]*\|[ \t]*$", re.MULTILINE)
_LINK = re.compile(r"!?\[(?P<text>[^\[\]\n]{0,300})\]\((?:https?:|www\.|/|#|\.)?[^()\s]{1,500}\)")
_INLINE = re.compile(r"\*{2,}|__+(?=\S)|(?<=\S)__+|~~|`+")
_EMPHASIS = re.compile(
    r"(?<![\w*])\*(?=[^\s*])[^*\n]{1,300}(?<=[^\s*])\*(?![\w*])|(?<!\w)_(?=[^\s_])[^_\n]{1,300}(?<=[^\s_])_(?!\w)"
)
_FORCE = re.compile(r"[<>|｜*_`~#\[\]]")


def find_marks(text: str) -> tuple[Mark, ...]:
    """The marks of a caption, in order.

    What stands inside a quotation was said or shown as it is: only tokens and control characters count there. A mark
    within another (a tag within a thought) is given once, as the outer one.
    """
    found = [*_removable(text), *_outside_quotations(text, _talk(text))]
    return tuple(Mark(text[mark.start : mark.end], mark.kind) for mark in _apart(found))


def without_marks(text: str) -> str:
    """The text without what can go without changing what it says.

    Emphasis, headings, bullets, tables, links (their text stays), fences, tags, special tokens, thoughts between
    thinking tags, control characters, and chatter before and after the caption go; talk about sources stays for the
    audit. Applied to its own result it changes nothing.
    """
    for _ in range(MAX_ROUNDS):
        cleaned = _cleaned(text)
        if cleaned == text:
            return text
        text = cleaned
    text = _FORCE.sub("", text)
    while (cleaned := _cleaned(text)) != text:
        text = cleaned
    return text


def _cleaned(text: str) -> str:
    found = _apart(_removable(text))
    if not found:
        return text
    pieces: list[str] = []
    position = 0
    for mark in found:
        pieces += (text[position : mark.start], mark.instead)
        position = mark.end
        # Of the space on both sides of what went, one is enough.
        before = text[mark.start - 1 : mark.start]
        if not mark.instead and before in ("", " ", "\n") and text[position : position + 1] == " ":
            position += 1
    pieces.append(text[position:])
    return "".join(pieces).strip()


def _apart(found: Iterable[_Found]) -> list[_Found]:
    """In order and without overlap; what starts first, then the longer, counts."""
    kept: list[_Found] = []
    for mark in sorted(found, key=lambda mark: (mark.start, -mark.end)):
        if not kept or mark.start >= kept[-1].end:
            kept.append(mark)
    return kept


def _outside_quotations(text: str, found: Iterable[_Found]) -> Iterator[_Found]:
    spans = quotation_spans(text)
    return (mark for mark in found if not inside(spans, mark.start))


def _removable(text: str) -> Iterator[_Found]:
    yield from _thoughts(text)
    yield from (_Found(*match.span(), "token") for match in _TOKEN.finditer(text))
    yield from (_Found(*match.span(), "control") for match in _CONTROL.finditer(text))
    yield from _outside_quotations(text, _markup(text))


def _thoughts(text: str) -> Iterator[_Found]:
    """Thoughts with their tags. A closing tag alone ends a thought that began with the text."""
    position = 0
    first_close, first_open = _THOUGHT_CLOSE.search(text), _THOUGHT_OPEN.search(text)
    if first_close and not (first_open and first_open.start() < first_close.start()):
        yield _Found(0, first_close.end(), "token")
        position = first_close.end()
    while (opening := _THOUGHT_OPEN.search(text, position)) and (closing := _THOUGHT_CLOSE.search(text, opening.end())):
        yield _Found(opening.start(), closing.end(), "token")
        position = closing.end()


def _markup(text: str) -> Iterator[_Found]:
    yield from (_Found(*match.span(), "html") for match in _HTML.finditer(text))
    yield from (_Found(*match.span(), "markdown") for match in _LINE_MARK.finditer(text))
    yield from (_Found(*match.span(), "markdown", match["text"]) for match in _LINK.finditer(text))
    yield from (_Found(*match.span(), "markdown") for match in _INLINE.finditer(text))
    for match in _EMPHASIS.finditer(text):
        yield _Found(match.start(), match.start() + 1, "markdown")
        yield _Found(match.end() - 1, match.end(), "markdown")
    for row in _TABLE_ROW.finditer(text):
        yield from _bars(text, row.start(), row.end())
    yield from (_Found(start, end, "preamble") for start, end in openings(text))
    yield from (_Found(start, end, "preamble") for start, end in closings(text))


def _bars(text: str, start: int, end: int) -> Iterator[_Found]:
    """The bars of a row of a table; those between cells become commas."""
    bars = [match.span() for match in _BAR.finditer(text, start, end)]
    for n, (a, b) in enumerate(bars):
        yield _Found(a, b, "markdown", ", " if 0 < n < len(bars) - 1 else "")


_BAR = re.compile(r"[ \t]{0,40}\|[ \t]{0,40}")


def _talk(text: str) -> Iterator[_Found]:
    yield from (_Found(start, end, "preamble") for start, end in assistant_talk(text))
    yield from (_Found(start, end, "source") for start, end in source_talk(text))
