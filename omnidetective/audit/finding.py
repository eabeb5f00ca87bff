"""What a check of the instrument audit says: findings against the caption, and what it bears out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from omnidetective.records import Attribute

WHY_CHARS = 240
"""The longest reason of a finding."""
_QUOTED_CHARS = 80


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a caption, or missing from it.

    Attributes:
        check: the check that found it, a name in :data:`omnidetective.audit.inspection.CHECKS`.
        snippet: of an error, what is wrong, verbatim from the caption and never empty; of something missing, what is
            missing, in words.
        why: what was measured, at most 240 characters.
        evidence: ids of the observations that prove it; empty where the facts of the file or the text itself do.
    """

    check: str
    attribute: Attribute
    kind: Literal["error", "missing"]
    snippet: str
    why: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A stretch of the caption that an instrument bears out: ``snippet == caption[start:end]``."""

    check: str
    attribute: Attribute
    start: int
    end: int
    snippet: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """The result of one check or of all; each tuple is in the order of the text, what is missing at the end."""

    findings: tuple[Finding, ...] = ()
    confirmed: tuple[Confirmation, ...] = ()


def clipped(text: str, chars: int = WHY_CHARS) -> str:
    """A text on one line and no longer than this, with an ellipsis where it was cut."""
    line = " ".join(text[: 4 * chars].split())
    return line if len(line) <= chars and len(text) <= 4 * chars else line[: chars - 1].rstrip() + "…"


def quoted(text: str) -> str:
    """A short form of some words in quotation marks, for a reason."""
    return f"“{clipped(text, _QUOTED_CHARS)}”"


def verbatim(text: str) -> str:
    """All of some words in quotation marks, on one line: what is missing has to be written in as it was."""
    return f"“{' '.join(text.split())}”"
