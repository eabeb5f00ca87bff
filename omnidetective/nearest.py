"""What a user may have meant: the nearest of the names that there are."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like this one; ``None`` where none is much like it."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)), None)


def did_you_mean(name: str, known: Iterable[str], *, prefix: str = "") -> str:
    """The end of an error message: ``; did you mean PREFIXname?``, or nothing."""
    close = nearest(name, known)
    return "" if close is None else f"; did you mean {prefix}{close}?"
