"""Outputs as a run writes them, made of real records: for tests of what reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from omnidetective.errors import FailureOutcome
from omnidetective.findings import AttributeAudit, AuditError, AuditMissing
from omnidetective.records import (
    ATTRIBUTES,
    Attribute,
    CaptionRecord,
    FailureDetail,
    FailureRecord,
    MediaFacts,
    Provenance,
    Quality,
    Usage,
)


def record(clip_id: str = "a", outcome: Any = "accepted", **changes: Any) -> CaptionRecord:
    """A record with nothing in it but what every record has; ``duration_s``, ``reasons``, ``scores``, ``stages`` go
    where they belong."""
    moved = {name: changes.pop(name, None) for name in ("duration_s", "reasons", "scores", "stages", "seconds")}
    values: dict[str, Any] = {
        "id": clip_id,
        "outcome": outcome,
        "input": {"id": clip_id, "video": "a.mp4"},
        "media": MediaFacts(
            path="a.mp4",
            sha256="0" * 64,
            modality="video",
            duration_s=moved["duration_s"],
            has_audio=False,
            has_video=True,
        ),
        "caption": "At 0s, a dog runs.",
        "quality": Quality(verdict=outcome, reasons=moved["reasons"] or (), scores=moved["scores"] or {}),
        "usage": Usage(),
        "provenance": Provenance(
            omnidetective="1",
            workflow="omnidetective",
            models={},
            config_sha="x",
            prompts={},
            started_at="2026-01-01T00:00:00+00:00",
            seconds=1.0 if moved["seconds"] is None else moved["seconds"],
            stages=moved["stages"] or {},
        ),
    }
    return CaptionRecord(**(values | changes))


def failure(clip_id: str, outcome: str = "provider_error", reason: str = "rate_limit", **changes: Any) -> FailureRecord:
    """A failure; ``type_name`` is the class of the error."""
    assert outcome in get_args(FailureOutcome)
    detail = FailureDetail(
        type=changes.pop("type_name", "RateLimitError"),
        message="m",
        stage="annotate",
        attempts=1,
        reason=reason,
        retryable=True,
    )
    values: dict[str, Any] = {"id": clip_id, "outcome": outcome, "error": detail, "input": {"id": clip_id}}
    return FailureRecord(**(values | changes))


def audit(
    errors: dict[Attribute, tuple[str | None, ...]] | None = None,
    missing: dict[Attribute, tuple[str | None, ...]] | None = None,
) -> dict[Attribute, AttributeAudit]:
    """An audit of all attributes: for each finding the check that found it, ``None`` for the auditor's own."""
    return {
        name: AttributeAudit(
            errors=tuple(AuditError(snippet="a dog", why="a cat", check=by) for by in (errors or {}).get(name, ())),
            missing=tuple(AuditMissing(what="a cat", why="seen", check=by) for by in (missing or {}).get(name, ())),
        )
        for name in ATTRIBUTES
    }


def write(path: Path, *lines: CaptionRecord | FailureRecord | str) -> Path:
    """A file of lines, as they are or as a run writes them."""
    texts = [line if isinstance(line, str) else line.to_line() for line in lines]
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return path
