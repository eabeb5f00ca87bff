"""What a quotation of text on screen has altered: numbers and whole words that stand nowhere in what was read. Pure.

A quotation is the text that was read when nearly all of its letters agree, since text recognition confuses letters. It
does not exchange whole words, nor one number for another: those are the writer's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from omnidetective.captions.alignment import plain, similarity

ALIKE = 0.5
"""Similarity from which two words can be one, misread."""
_FEWEST_LETTERS = 4
_TOKEN = re.compile(r"\w+(?:[.,:']\w+)*")
_NUMBER = re.compile(r"\d+(?:[.,:']\d+)*")
_FEWEST_DIGITS = 3
"""A number of so many digits is found in letters that stand together, too."""
_LOOKS_LIKE = str.maketrans("oqilzsbg|", "001125891")
"""Letters that are read for digits, and the other way round."""


def altered(quotation: str, read: Iterable[str]) -> tuple[str, ...]:
    """The numbers and words of a quotation that none of the texts has, as they are quoted.

    A number must stand there digit by digit, separators and look-alike letters aside. A word of four letters or more
    must be like one that stands there, or be part of letters that stand together there.
    """
    texts = tuple(read)
    numbers = {_digits(token) for text in texts for token in (*_TOKEN.findall(text.lower()), *_NUMBER.findall(text))}
    words = [word for text in texts for word in plain(text).split()]
    squeezed = " ".join(plain(text).replace(" ", "") for text in texts)
    return tuple(
        token
        for token in dict.fromkeys(_TOKEN.findall(quotation))
        if (not _stands(token, numbers, squeezed) if token[0].isdigit() else not _is_like(token, words, squeezed))
    )


def _stands(token: str, numbers: set[str], squeezed: str) -> bool:
    return _digits(token.lower()) in numbers or (len(token) >= _FEWEST_DIGITS and token in squeezed)


def _digits(token: str) -> str:
    return re.sub(r"[.,:']", "", token.translate(_LOOKS_LIKE))


def _is_like(token: str, words: Iterable[str], squeezed: str) -> bool:
    word = plain(token)
    if sum(c.isalpha() for c in word) < _FEWEST_LETTERS or word.replace(" ", "") in squeezed:
        return True
    return any(similarity(word, other) >= ALIKE for other in words)
