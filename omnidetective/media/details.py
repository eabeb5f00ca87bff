"""What a file says of itself, made safe to show: bounded, on one line, without control characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

_MOST_CHARS = 300
_MOST_ENTRIES = 40
_NAME_CHARS = 40

Fact = str | int | float | bool


@dataclass(frozen=True, slots=True)
class FileDetails:
    """Facts and tags of a file.

    Attributes:
        facts: of the container and its streams, as their headers have them, by plain names.
        tags: what somebody wrote into the file, by plain names; each at most 300 characters on one line.
    """

    facts: Mapping[str, Fact] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def safe_details(facts: Mapping[str, object], tags: Mapping[str, object]) -> FileDetails:
    """Details as a decoder sent them, which may have been taken over by a hostile file: nothing in them is believed."""
    kept_facts: dict[str, Fact] = {}
    for name, value in list(facts.items())[:_MOST_ENTRIES]:
        if isinstance(value, str):
            value = plain_line(value)
        if _is_name(name) and isinstance(value, (str, int, float)) and value != "":
            kept_facts[name] = value
    kept_tags = {
        name: line
        for name, value in list(tags.items())[:_MOST_ENTRIES]
        if _is_name(name) and isinstance(value, str) and (line := plain_line(value))
    }
    return FileDetails(kept_facts, kept_tags)


def plain_line(text: str) -> str:
    """A text on one line, without control, format, private and unpaired characters, at most 300 characters long."""
    visible = "".join(
        " " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c
        for c in text[: 4 * _MOST_CHARS]
        if unicodedata.category(c) not in ("Cf", "Cs", "Co", "Cn")
    )
    line = " ".join(visible.split())
    return line if len(line) <= _MOST_CHARS else line[: _MOST_CHARS - 1].rstrip() + "…"


def _is_name(name: str) -> bool:
    return 0 < len(name) <= _NAME_CHARS and name.isascii() and name.replace("_", "").isalnum()
