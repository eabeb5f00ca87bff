"""The report on a whole caption, divided among the sections of a long clip. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from omnidetective.audit.report import Report
from omnidetective.captions.alignment import plain
from omnidetective.case import Case
from omnidetective.draft import Draft
from omnidetective.evidence import Span
from omnidetective.findings import AttributeAudit, AuditMissing
from omnidetective.records import Attribute
from omnidetective.stages.caption_lines import holds, quoted_in, standing
from omnidetective.stages.refine_touched import touched

_TIME = re.compile(r"(?<![\w.])(\d{1,5}(?:\.\d{1,3})?)\s?(?:s|sec|seconds?)\b", re.IGNORECASE)


def report_by_section(draft: Draft, report: Report, case: Case) -> tuple[Report, ...]:
    """A report for each section, in order.

    An error goes where its snippet stands, to several sections if it does; a remark on wording where the words stand
    that it cites. What is missing goes to the section that has the time named in it, else to the one with most of the
    evidence it cites, else to the first that says anything.
    """
    if len(draft.sections) == 1:
        return (report,)
    captions = [section.text for section in draft.sections]
    spans = [section.span for section in draft.sections]
    first = next((n for n, caption in enumerate(captions) if caption), 0)
    divided: list[dict[Attribute, AttributeAudit]] = [{} for _ in captions]
    for attribute, audit in report.items():
        places = [_place(missing, spans, case, first) for missing in audit.missing]
        for n, caption in enumerate(captions):
            divided[n][attribute] = AttributeAudit(
                errors=tuple(error for error in audit.errors if standing(caption, error.snippet)),
                missing=tuple(missing for missing, place in zip(audit.missing, places, strict=True) if place == n),
                expressiveness=tuple(finding for finding in audit.expressiveness if _is_about(finding, caption)),
            )
    return tuple(divided)


def _is_about(finding: str, caption: str) -> bool:
    return bool(touched(caption, {"narrative": AttributeAudit(expressiveness=(finding,))}).worded)


def _place(missing: AuditMissing, spans: Sequence[Span | None], case: Case, first: int) -> int:
    said = f"{missing.what} {missing.why}"
    for time in _TIME.findall(said):
        at = next((n for n, span in enumerate(spans) if span and span.start_s <= float(time) < span.end_s), None)
        if at is not None:
            return at
    quotes = list(quoted_in(said))
    for segment, _ in case.speech() or ():
        if any(holds(plain(segment.text), quote) for quote in quotes):
            return _most(
                [Span(start_s=segment.start_s, end_s=max(segment.end_s, segment.start_s + 0.01))], spans, first
            )
    cited = [o.span for o in case.observations if o.id in missing.evidence and o.span is not None]
    return _most(cited, spans, first)


def _most(cited: Iterable[Span], spans: Sequence[Span | None], first: int) -> int:
    """The section that shares most seconds with the evidence; the first one where none does."""
    evidence = tuple(cited)
    shared = [sum(span.overlap_s(other) for other in evidence) if span else 0.0 for span in spans]
    best = max(range(len(spans)), key=lambda n: shared[n])
    return best if shared[best] > 0 else first
