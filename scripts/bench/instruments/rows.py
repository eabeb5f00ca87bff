"""A line of the table of instruments, and how shares are told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of one instrument.

    Attributes:
        observer: the instrument.
        what: what is measured, and on what.
        result: the number, with its unit.
    """

    observer: str
    what: str
    result: str


def of(part: int, whole: int) -> str:
    """``3 of 4``."""
    return f"{part} of {whole}"


def share(part: float, whole: float) -> str:
    """``96.3 %``; – where there is nothing to have a share of."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def mean(values: Sequence[float], unit: str, digits: int = 2) -> str:
    """The mean and the largest of some errors: ``0.02 s (at most 0.04 s)``; – where there are none."""
    if not values:
        return "–"
    average, most = (f"{value:.{digits}f} {unit}".rstrip() for value in (sum(values) / len(values), max(values)))
    return f"{average} (at most {most})"


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table; the name of an instrument stands in its first row only."""
    lines = ["| instrument | measured | result |", "|---|---|---:|"]
    last = ""
    for row in rows:
        name = "" if row.observer == last else f"`{row.observer}`"
        last = row.observer
        lines.append(f"| {name} | {row.what} | {row.result} |")
    return "\n".join(lines)
