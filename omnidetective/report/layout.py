"""Words and columns for a terminal of 80 columns. Pure.

Names out of a file are cleaned of everything that a terminal would act on.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from omnidetective.report.numbers import Compared, Spending

WIDTH: Final = 80
_GAP: Final = "  "
_MOST_ROWS: Final = 20
_NARROWEST: Final = 8


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, lines: int = 1) -> list[str]:
    """A header and rows, names to the left and numbers to the right; nothing where there are no rows.

    A name that is too long for its column gets a line of its own. Of very many rows the first are shown.

    Args:
        lines: of how many of ``rows`` a row of the table is made.
    """
    cells = [[clean(row[0], WIDTH), *row[1:]] for row in rows]
    if not cells:
        return []
    hidden = len(cells) // lines - _MOST_ROWS if len(cells) > lines * (_MOST_ROWS + 1) else 0
    cells = [list(header), *(cells[: -hidden * lines] if hidden else cells)]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    widths[0] = min(widths[0], max(_NARROWEST, WIDTH - sum(len(_GAP) + one for one in widths[1:])))
    drawn = []
    for name, *numbers in cells:
        if width(name) > widths[0]:
            drawn.append(name)
            name = ""
        right = (number.rjust(one) for number, one in zip(numbers, widths[1:], strict=True))
        drawn.append(_GAP.join([name + " " * (widths[0] - width(name)), *right]).rstrip())
    return [*drawn, f"and {hidden:,} more"] if hidden else drawn


def clean(text: str, most: int) -> str:
    """Text that is safe to print, on one line, in at most so many columns."""
    text = "".join(c if c.isprintable() else "�" for c in text[: 4 * WIDTH])
    if width(text) <= most:
        return text
    while width(text) > most - 1:
        text = text[:-1]
    return f"{text}…"


def width(text: str) -> int:
    """Columns that a terminal gives to a text."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def share(count: int, of: int) -> str:
    """``"83 % (25 of 30)"``."""
    return f"{percent(count, of)} ({count:,} of {of:,})"


def percent(count: int, of: int) -> str:
    """A share in whole percent; what is not all is never called 100 %, and what is not none never 0 %."""
    if not of:
        return "–"
    whole = round(100 * count / of)
    if whole == 0 and count:
        return "<1 %"
    return ">99 %" if whole == 100 and count < of else f"{whole} %"


def measures(*values: float) -> list[str]:
    """Measures of one quantity, all with as many digits as people need of the largest."""
    largest = max(map(abs, values))
    whole = all(value == round(value) for value in values)
    digits = 0 if whole or largest >= 100 else 1 if largest >= 10 else 2
    return [f"{value:,.{digits}f}" for value in values]


def compact(count: int) -> str:
    """A count in at most seven columns: ``"99,999"``, ``"831k"``, ``"12.3M"``."""
    if count < 100_000:
        return f"{count:,}"
    for size, letter in ((10**12, "T"), (10**9, "G"), (10**6, "M")):
        if count >= size:
            return f"{count / size:,.{0 if count >= 100 * size else 1}f}{letter}"
    return f"{count // 1000}k"


def at_least(tokens: str, spent: Spending) -> str:
    """Tokens as they are shown: calls that did not say how many they took make a sum a lower limit."""
    return f"{tokens}{'+' if spent.unreported else ''}"


def cost(spent: Spending | Compared) -> str:
    """US dollars; what is unknown is never shown as a sum."""
    if spent.cost_usd is not None:
        return dollars(spent.cost_usd)
    return f"at least {dollars(spent.known_cost_usd)}" if spent.known_cost_usd else "unknown"


def dollars(usd: Decimal) -> str:
    """``"$0.0123"``, ``"$1.50"``, ``"$12,000"``."""
    digits = 0 if usd >= 10_000 else 2 if usd >= 1 or usd == 0 else 4
    return f"${usd:,.{digits}f}"


def duration(seconds: float) -> str:
    """``"90 s"``, ``"12.5 min"``, ``"3.20 h"``."""
    size, unit = (1, "s") if seconds < 120 else (60, "min") if seconds < 7200 else (3600, "h")
    return f"{measures(seconds / size)[0]} {unit}"


def many(count: int, noun: str, *, plural: str | None = None) -> str:
    """``"1 record"``, ``"2 records"``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
