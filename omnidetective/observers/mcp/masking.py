"""Text that comes from a server, made fit to be shown: no secrets that it was given, no control characters, bounded."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

_SHORTEST_SECRET = 4
_SHORTEST_PART = 8


@dataclass(frozen=True, slots=True)
class Mask:
    """Hides the values of the variables that a server was given, should it repeat them."""

    secrets: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, values: Iterable[str]) -> Mask:
        """The values, and the long words of each: of ``Bearer KEY`` a server may repeat the key alone.

        Values of less than four characters are no secrets, and would be hidden in the midst of words.
        """
        whole = {value for value in values if len(value) >= _SHORTEST_SECRET}
        words = {word for value in whole for word in value.split() if len(word) >= _SHORTEST_PART}
        return cls(tuple(sorted(whole | words, key=len, reverse=True)))

    def __call__(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def legible(text: str) -> str:
    """The text without control and formatting characters and halves of characters; line breaks and tabs stay."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co"))


def one_line(text: str, max_chars: int) -> str:
    """The text in one line, cut where it is longer."""
    line = " ".join(legible(text[: max_chars * 8]).split())
    return line if len(line) <= max_chars else line[: max_chars - 1].rstrip() + "…"
