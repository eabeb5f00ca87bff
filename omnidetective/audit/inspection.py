"""The instrument audit: a caption is held against everything that was measured, without asking a model."""

from __future__ import annotations

from collections.abc import Callable

from omnidetective.audit import camera, cuts, figures, form, quotes, screen_text, sounds, times
from omnidetective.audit.finding import Confirmation, Finding, Inspection
from omnidetective.audit.reading import Reading
from omnidetective.captions.alignment import THRESHOLD
from omnidetective.case import Case

__all__ = ["CHECKS", "Check", "Confirmation", "Finding", "Inspection", "inspect"]

Check = Callable[[Reading], Inspection]
"""One check; what it confirms is known to those after it."""

CHECKS: tuple[tuple[str, Check], ...] = (
    (quotes.CHECK, quotes.check),
    (screen_text.CHECK, screen_text.check),
    (sounds.CHECK, sounds.check),
    (cuts.CHECK, cuts.check),
    (camera.CHECK, camera.check),
    (figures.CHECK, figures.check),
    (times.CHECK, times.check),
    (form.CHECK, form.check),
)
"""Every check by its name. A new one is a file beside these and a row here; the check of the form comes last."""


def inspect(caption: str, case: Case, *, quote_similarity: float = THRESHOLD) -> Inspection:
    """What the instruments say of a caption.

    A caption that says only what was measured has no finding; what nobody measured is not judged.

    Args:
        caption: of the clip, or of the segment that the case is about; times are those of the whole clip.
        case: with the observations of the instruments.
        quote_similarity: similarity from which a quotation counts as the words that were recognised, 0…1.

    Returns:
        Findings and confirmations in the order of the text, each once; what is missing comes after the errors.
    """
    reading = Reading.of(caption, case, quote_similarity=quote_similarity)
    findings: list[Finding] = []
    for _, check in CHECKS:
        result = check(reading)
        findings += result.findings
        reading = reading.knowing(result.confirmed)
    errors = [finding for finding in findings if finding.kind == "error" and finding.snippet.strip()]
    missing = [finding for finding in findings if finding.kind == "missing"]
    place = {finding.snippet: caption.find(finding.snippet) for finding in errors}
    errors.sort(key=lambda finding: place[finding.snippet])
    return Inspection(
        tuple(dict.fromkeys((*errors, *missing))),
        tuple(sorted(reading.confirmed, key=lambda confirmed: (confirmed.start, confirmed.end))),
    )
