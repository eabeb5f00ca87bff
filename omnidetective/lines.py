"""The two ends of a case as lines of the output: its record, or its failure."""

from __future__ import annotations

from pydantic import JsonValue

from omnidetective.case import NOT_SETTLED, Case
from omnidetective.errors import NoCandidatesError, OmnidetectiveError
from omnidetective.records import (
    CaptionRecord,
    FailureDetail,
    FailureRecord,
    InputRow,
    Outcome,
    Provenance,
    Quality,
    Usage,
)


def record(case: Case, *, provenance: Provenance, usage: Usage, trajectory: bool) -> CaptionRecord:
    """The record of a finished case.

    Args:
        trajectory: whether the detective's conversation is kept.

    Raises:
        NoCandidatesError: no stage has written a caption.
    """
    if case.draft is None or not case.draft.text.strip():
        raise NoCandidatesError("the workflow ended without a caption")
    shortfalls = _open_shortfalls(case)
    outcome: Outcome = "rejected" if case.rejections else "partial" if shortfalls else "accepted"
    return CaptionRecord(
        id=case.row.id,
        outcome=outcome,
        input=handed_through(case.row),
        media=case.clip.facts,
        caption=case.draft.text,
        attributes=None if case.attributes is None else dict(case.attributes),
        events=case.draft.events or None,
        transcript=case.transcript(),
        routing=case.routing,
        observations=case.observations or None,
        candidates=case.candidates or None,
        drafts=case.drafts if len(case.drafts) > 1 else None,
        verification=case.verification,
        audit=None if case.audit is None else dict(case.audit),
        audit_after=None if case.audit_after is None else dict(case.audit_after),
        audit_summary=case.audit_summary,
        contradictions=case.contradictions or None,
        refinement=case.refinement,
        samples=case.samples if len(case.samples) > 1 else None,
        quality=Quality(
            verdict=outcome,
            reasons=(*case.rejections, *shortfalls, *case.remarks),
            scores=dict(case.scores),
        ),
        trajectory=(case.trajectory or None) if trajectory else None,
        usage=usage,
        provenance=provenance,
    )


def failure(
    row: InputRow, error: OmnidetectiveError, *, stage: str, attempts: int = 1, type_name: str | None = None
) -> FailureRecord:
    """The failure line of a row."""
    return FailureRecord(
        id=row.id,
        outcome=error.outcome,
        error=FailureDetail(
            type=type_name or type(error).__name__,
            message=error.message,
            stage=stage,
            attempts=attempts,
            reason=error.reason,
            retryable=error.retryable,
            hint=error.hint,
        ),
        input=handed_through(row),
        line_number=row.line_number,
    )


def handed_through(row: InputRow) -> dict[str, JsonValue]:
    """The row as the record keeps it: untouched, except that media which came inside it are not repeated."""
    if not row.media.startswith("data:"):
        return row.raw
    kind = row.media.partition(",")[0]
    return {key: f"{kind},…" if value == row.media else value for key, value in row.raw.items()}


def _open_shortfalls(case: Case) -> tuple[str, ...]:
    """The shortfalls, without contradictions that the detective left and that were settled after it."""
    settled = {f"{NOT_SETTLED}{c.what}" for c in case.contradictions if c.settled_by is not None}
    return tuple(text for text in case.shortfalls if text not in settled)
