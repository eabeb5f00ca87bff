"""Numbers as they are printed in charts and told in captions: thousands, decimals, signs, units."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

_CURRENCY = "$€£¥₹"
_POWERS = {"k": 1e3, "m": 1e6, "mn": 1e6, "b": 1e9, "bn": 1e9, "t": 1e12, "tn": 1e12}
_DIGITS = (
    r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?|"
    r"\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?|\.\d+"
)
_NUMBER = re.compile(
    rf"(?P<sign>[-−–+]?)\s?(?P<currency>[{_CURRENCY}]?)\s?(?P<sign2>[-−–]?)(?P<digits>{_DIGITS})"
    rf"\s?(?P<power>(?:mn|bn|tn|[kKmMbBT])(?![^\W\d_]))?\s?(?P<after>[%‰°{_CURRENCY}]?)"
)


@dataclass(frozen=True, slots=True)
class Number:
    """A number with what stands with it.

    Attributes:
        amount: as it is written, without its power: 1.5 for ``$1.5M``.
        power: what ``K``, ``M`` or ``B`` behind it stands for; 1 without.
        unit: ``%``, ``$`` and the like; empty without.
        letters: the power as it is written.
        decimals: digits after the decimal point.
        start, end: where it stands in the text.
    """

    amount: float
    power: float
    unit: str
    letters: str
    decimals: int
    start: int
    end: int

    @property
    def value(self) -> float:
        return self.amount * self.power


def read_number(text: str) -> Number | None:
    """The number that a text is, and nothing else; None for other texts."""
    words = text.strip()
    if words in ("O", "o"):
        words = "0"
    elif re.fullmatch(r"[Oo][KkMm%]", words):  # The recogniser takes a zero before a letter for the letter.
        words = "0" + words[1:]
    if words[:1] == "(" and words[-1:] == ")" and words[1:2].isdigit():
        words = "-" + words[1:-1]
    match = _NUMBER.fullmatch(words)
    return None if match is None else _number(match)


def numbers_in(text: str) -> Iterator[Number]:
    """The numbers in running text, in order; digits within words (``Q1``, ``B2B``) are none."""
    for match in _NUMBER.finditer(text):
        number = _number(match)
        before, after = text[match.start("digits") - 1 : match.start("digits")], text[number.end : number.end + 1]
        if before.isalnum() or before == "_" or after.isalnum() or after == "_":
            continue
        if number.amount < 0 and text[match.start() - 1 : match.start()].isalnum():  # ``2019-2020`` holds no minus.
            number = replace(number, amount=-number.amount, start=match.start("digits"))
        yield number


def _number(match: re.Match[str]) -> Number:
    digits = match["digits"]
    plain, decimals = _plain(digits)
    amount = float(plain)
    if (match["sign"] + match["sign2"]).strip("+"):
        amount = -amount
    letters = match["power"] or ""
    return Number(
        amount=amount,
        power=_POWERS[letters.lower()] if letters else 1.0,
        unit=match["currency"] or match["after"] or "",
        letters=letters,
        decimals=decimals,
        start=match.start() + len(match[0]) - len(match[0].lstrip()),
        end=len(match.string[: match.end()].rstrip()),
    )


def _plain(digits: str) -> tuple[str, int]:
    """The digits with a decimal point only, and how many follow it."""
    marks = [c for c in digits if not c.isdigit()]
    if not marks:
        return digits, 0
    last = marks[-1]
    fraction = digits.rpartition(last)[2]
    grouped = last.isspace() or (len(fraction) == 3 and (last == "," or marks.count(last) > 1) and digits[0] != "0")
    if grouped:
        return re.sub(r"\D", "", digits), 0
    whole = re.sub(r"\D", "", digits.rpartition(last)[0]) or "0"
    return f"{whole}.{fraction}", len(fraction)
