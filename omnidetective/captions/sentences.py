"""Sentences and tokens of a caption. Pure, linear."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from omnidetective.captions.letters import shape
from omnidetective.captions.quote_marks import quotation_spans


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence; ``text == source[start:end]``, without the space around it."""

    text: str
    start: int
    end: int


_BREAK = re.compile(r"[.!?…。！？]+|\s+")
_LINE_END = re.compile(r"[\n\r\u2028\u2029\x0b\x0c\x85]")
_CLOSERS = re.compile(r"[)\]}»”’」』*_\"']{0,8}")
# What a sentence may begin with; brackets and emphasis before it are looked through.
_OPENERS = re.compile(r"[(\[{*_¿¡#]{0,8}")
_WIDE_STOP = re.compile(r"[。！？]")
_ANCHOR_LIKE = re.compile(r"At\s\d")

_TITLE = re.compile(
    r"(?<![^\W\d_])(?:mr|mrs|ms|dr|prof|st|sgt|capt|lt|cpl|col|gen|maj|rev|hon|pres|gov|sen|rep|sr|jr|mt|ft|vs|approx|ca|cf"
    r"|figs?|eq|vol|pp|eds?|messrs|mme|mlle|inc|ltd|co|corp|bros|dept|est|ave|blvd|rd|ph\.d|e\.g|i\.e)$",
    re.IGNORECASE,
)
_INITIALS = re.compile(r"(?<![^\W_])(?:[A-Z]\.)*[A-HJ-Z]$|(?<![^\W_])(?:[A-Z]\.)+[A-Z]$")
_NUMERO = re.compile(r"(?<![^\W_])[Nn]os?$")
_SHORT = 12
_LIST_NUMBER = re.compile(r"[(\[]?(?:\d{1,3}|[A-Za-z])")


def split_sentences(text: str) -> tuple[Sentence, ...]:
    """The sentences of a text, in order; between them lies nothing but space.

    A sentence ends after . ! ? … 。！？ (and the quotation marks and brackets that close there) when the text ends or
    what follows may begin a sentence, and at the end of a paragraph. Nothing is split inside a quotation, in a
    number, after an abbreviation, or where a line was merely wrapped.
    """
    found: list[Sentence] = []
    start = 0
    for cut in _cuts(text):
        found += _stripped(text, start, cut)
        start = cut
    return (*found, *_stripped(text, start, len(text)))


def count_tokens(text: str) -> int:
    """Words, numbers and punctuation marks; each Han character, kana or hangul syllable counts for itself.

    No tokenizer is asked, so the count is the same on every machine. English prose has about 1.2 tokens of a model's
    tokenizer for each of these; other languages differ.
    """
    return sum(1 for _ in _TOKEN.finditer(shape(text)))


# Over classes of characters, see `shape`: 3.5 and 1,000 are one number, don't is one word.
_TOKEN = re.compile(r"d+(?:\.d+)*+(?:[wd]|'(?=w))*+|[wd]+(?:'[wd]+)*+|[c.'p]")


def _stripped(text: str, start: int, end: int) -> Iterator[Sentence]:
    piece = text[start:end]
    bare = piece.strip()
    if bare:
        start += len(piece) - len(piece.lstrip())
        yield Sentence(bare, start, start + len(bare))


def _cuts(text: str) -> Iterator[int]:
    """Where one sentence ends and the next may begin."""
    spans = quotation_spans(text)
    starts, ends = {start for start, _ in spans}, {end for _, end in spans}
    sentence_start = 0
    for position, stop in _ends(text, spans):
        after = _past(_CLOSERS, text, position) if stop else position
        # A mark taken for a closing one may open the next quotation.
        after = next((at for at in range(position, after) if at in starts), after)
        if stop and not _may_end(text, position, sentence_start):
            continue
        if after in ends and after < len(text) and not text[after].isspace():
            continue  # 「你好。」她说: who said it follows without a space
        if _begins(text, after, starts, stop=stop):
            sentence_start = after
            yield after


def _ends(text: str, spans: tuple[tuple[int, int], ...]) -> Iterator[tuple[int, bool]]:
    """Positions after a stop (True) or at the end of a line (False), those inside quotations left out.

    A quotation that ends in a stop counts as a stop after its closing mark.
    """
    n = 0
    for match in _BREAK.finditer(text):
        while n < len(spans) and spans[n][1] <= match.start():
            yield from _quotation_end(text, spans[n])
            n += 1
        if n < len(spans) and spans[n][0] <= match.start():
            continue
        if not match[0].isspace():
            yield match.end(), True
        elif _LINE_END.search(match[0]):
            yield match.start(), False
    for span in spans[n:]:
        yield from _quotation_end(text, span)


def _quotation_end(text: str, span: tuple[int, int]) -> Iterator[tuple[int, bool]]:
    if text[span[1] - 2] in ".!?…。！？":
        yield span[1], True


def _may_end(text: str, position: int, sentence_start: int) -> bool:
    """Whether the stop before a position ends a sentence rather than an abbreviation, an initial or a list number."""
    if text[position - 1] != "." or text[position - 2 : position - 1] == ".":
        return True
    after = _past(_SPACE, text, position)
    if _ANCHOR_LIKE.match(text, after):
        return True
    if position - sentence_start < _SHORT and _LIST_NUMBER.fullmatch(text[sentence_start : position - 1].strip()):
        return False
    word = (text[max(sentence_start, position - _SHORT) : position - 1].split() or [""])[-1]
    if _TITLE.search(word) or _INITIALS.search(word):
        return False
    return not (_NUMERO.search(word) and text[after : after + 1].isdigit())


_SPACE = re.compile(r"\s*")


def _past(pattern: re.Pattern[str], text: str, position: int) -> int:
    """The end of what a pattern takes at a position; the patterns here may take nothing."""
    match = pattern.match(text, position)
    return match.end() if match else position


def _begins(text: str, position: int, quotations: set[int], *, stop: bool) -> bool:
    """Whether a sentence may begin at a position (or nothing is left)."""
    at = _past(_SPACE, text, position)
    space = text[position:at]
    if at == len(text) or len(_LINE_END.findall(space.replace("\r\n", "\n"))) > 1:
        return True
    if not space:
        return stop and bool(_WIDE_STOP.search(text[max(0, position - 3) : position]))
    if at in quotations:
        return True
    at = _past(_OPENERS, text, at)
    first = text[at : at + 1]
    return (first.isalnum() or not stop) and not first.islower()
