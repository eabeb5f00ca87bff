"""What kind of character a character is. Pure.

Characters are classed through the Unicode database: Python's ``\\w`` takes the vowel signs of Hindi or Thai for
punctuation, and CJK has no spaces between words.
"""

from __future__ import annotations

import unicodedata

_CJK_RANGES = (
    (0x1100, 0x11FF), (0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x3029), (0x3041, 0x3096), (0x309D, 0x309F),
    (0x30A1, 0x30FA), (0x30FC, 0x30FF), (0x3105, 0x312F), (0x3131, 0x318E), (0x31F0, 0x31FF), (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF), (0xA960, 0xA97C), (0xAC00, 0xD7FF), (0xF900, 0xFAFF), (0xFF66, 0xFFDC),
    (0x1B000, 0x1B16F), (0x20000, 0x3FFFF),
)  # fmt: skip
CJK = "".join(f"{chr(first)}-{chr(last)}" for first, last in _CJK_RANGES)
"""Han, kana, bopomofo and hangul, as the inside of a regular expression's character class."""


def is_cjk(character: str) -> bool:
    """Whether one character is written without spaces around words: Han, kana, bopomofo or hangul."""
    code = ord(character)
    return code >= 0x1100 and any(first <= code <= last for first, last in _CJK_RANGES)


def shape(text: str) -> str:
    """The text with every character replaced by its class, so that patterns over classes keep their offsets.

    ``c`` a CJK character, ``d`` a digit, ``w`` another letter, number or combining mark, a space for space, ``'`` an
    apostrophe, ``.`` a full stop or comma, ``p`` anything else.
    """
    return text.translate({ord(character): _class(character) for character in set(text)})


def _class(character: str) -> str:
    if character.isspace():
        return " "
    if character in "'’":
        return "'"
    if character in ".,":
        return "."
    if is_cjk(character):
        return "c"
    category = unicodedata.category(character)
    return "d" if category == "Nd" else "w" if category[0] in "LNM" or character in "_\u200c\u200d" else "p"
