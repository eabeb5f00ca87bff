"""Faults of form that need no model: marks, anchors that are written another way, exact repetition. Pure.

Repaired before the refiner is asked, so that no call is paid for them, and after it has answered, so that a good
version is not sent back for an asterisk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from omnidetective.audit.report import Report
from omnidetective.captions.markup import find_marks, without_marks
from omnidetective.captions.moments import canonical_anchors
from omnidetective.captions.repetition import find_repetition, without_repetition
from omnidetective.detective.conversation import shortened
from omnidetective.findings import AttributeAudit, AuditError
from omnidetective.records import Attribute
from omnidetective.stages.caption_lines import standing

_MOST_TOLD = 20
_QUOTED_CHARS = 80


@dataclass(frozen=True, slots=True)
class Repaired:
    """A caption in good form, and what was done to it, in the words of the record's refinement."""

    text: str
    dropped_forbidden: tuple[str, ...] = ()
    timestamp_adjustments: tuple[str, ...] = ()


def repaired(caption: str, duration_s: float | None) -> Repaired:
    """A caption without marks and exact repetition, its anchors in the one form.

    Args:
        caption: the caption, or one section of it.
        duration_s: length of the clip; ``None`` for an image, whose anchors are left for the audit.
    """
    dropped: list[str] = []
    text = without_marks(caption)
    if text != caption:
        left = {mark.snippet for mark in find_marks(text)}
        gone = dict.fromkeys(mark.snippet for mark in find_marks(caption) if mark.snippet not in left)
        dropped += [f"“{shortened(snippet, _QUOTED_CHARS)}” has no place in a caption" for snippet in gone]
    repeated = find_repetition(text)
    if repeated and (once := without_repetition(text)) != text:
        text = once
        dropped += [f"“{shortened(r.snippet, _QUOTED_CHARS)}” stood there {r.times} times" for r in repeated]
    canonical = canonical_anchors(text, duration_s)
    return Repaired(canonical.text, _told(dropped), _told(list(canonical.adjustments)))


def report_after(report: Report, text: str, measured: Report, duration_s: float | None) -> Report:
    """The report as it stands once a caption's form is repaired.

    Args:
        report: the report on the caption before.
        text: the repaired caption.
        measured: what the instruments find in the repaired caption; it replaces what they found before.
        duration_s: length of the clip, for repairing the snippets as the caption was.

    Returns:
        The auditor's findings, those left out whose snippet is gone, and the instruments' new ones.
    """
    attributes: dict[Attribute, AttributeAudit] = {}
    for attribute in dict.fromkeys((*report, *measured)):
        old, new = report.get(attribute, AttributeAudit()), measured.get(attribute, AttributeAudit())
        kept = (_moved(error, text, duration_s) for error in old.errors if error.check is None)
        attributes[attribute] = AttributeAudit(
            errors=(*(error for error in kept if error is not None), *new.errors),
            missing=(*(m for m in old.missing if m.check is None), *new.missing),
            expressiveness=old.expressiveness,
        )
    return attributes


def is_empty(report: Mapping[Attribute, AttributeAudit]) -> bool:
    """Whether a report finds nothing at all, expressiveness included."""
    return not any(a.errors or a.missing or a.expressiveness for a in report.values())


def _moved(error: AuditError, text: str, duration_s: float | None) -> AuditError | None:
    """An error with its snippet as the repaired caption has it; ``None`` where it is gone."""
    if standing(text, error.snippet):
        return error
    snippet = repaired(error.snippet, duration_s).text
    return error.model_copy(update={"snippet": snippet}) if standing(text, snippet) else None


def _told(changes: list[str]) -> tuple[str, ...]:
    more = len(changes) - _MOST_TOLD
    return (*changes[:_MOST_TOLD], f"and {more} more") if more > 0 else tuple(changes)
