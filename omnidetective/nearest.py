"""What a user may have meant: the nearest of the names that there are."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_CLOSE = 5


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like this one, of equally alike ones that of the nearest length; else ``None``."""
    alike = difflib.get_close_matches(name, list(known), n=_CLOSE, cutoff=0.5)
    return max(alike, key=lambda other: (_likeness(name, other), -abs(len(other) - len(name))), default=None)


def _likeness(name: str, other: str) -> float:
    return round(difflib.SequenceMatcher(None, other, name).ratio(), 3)


def did_you_mean(name: str, known: Iterable[str], *, prefix: str = "") -> str:
    """The end of an error message: ``; did you mean PREFIXname?``, or nothing."""
    close = nearest(name, known)
    return "" if close is None else f"; did you mean {prefix}{close}?"
