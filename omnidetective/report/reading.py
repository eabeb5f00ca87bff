"""The parts of a line that statistics need, read leniently.

Lines may come from older or newer versions of this program: unknown fields are passed over, missing ones are absent,
and names that may grow (attributes, outcomes, checks) are plain text here. Numbers are bounded, because lines may come
from anywhere.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Count = Annotated[int, Field(ge=0, le=2**53)]
Number = Annotated[float, Field(ge=-1e7, le=1e7)]
Seconds = Annotated[float, Field(ge=0, le=1e9)]
Dollars = Annotated[Decimal, Field(ge=0, le=10**12)]


class View(BaseModel):
    """Base: immutable, and blind to what it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class ModelUsageView(View):
    """What was spent; ``cost_usd`` is ``None`` where it is unknown."""

    calls: Count = 0
    cached_calls: Count = 0
    failed_attempts: Count = 0
    unreported: Count = 0
    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    cost_usd: Dollars | None = None


class UsageView(ModelUsageView):
    """The whole of a clip and its parts."""

    by_model: dict[str, ModelUsageView] = Field(default_factory=dict)
    by_stage: dict[str, ModelUsageView] = Field(default_factory=dict)
    by_role: dict[str, ModelUsageView] = Field(default_factory=dict)


class FindingView(View):
    """One error or one missing thing; ``check`` names the instrument check that found it."""

    check: str | None = None


class AttributeAuditView(View):
    """What was found in one attribute."""

    errors: tuple[FindingView, ...] = ()
    missing: tuple[FindingView, ...] = ()


class AuditSummaryView(View):
    """How the audit came about."""

    by: str = "instruments"
    not_in_caption: Count = 0
    overruled: Count = 0
    unaudited: dict[str, str] = Field(default_factory=dict)
    after_by: str | None = None


class ContradictionView(View):
    """Who settled a contradiction; ``None`` while it is open."""

    settled_by: str | None = None


class RefinementView(View):
    """What the refiner did."""

    fixed_errors: tuple[str, ...] = ()
    filled_missing: tuple[str, ...] = ()
    dropped_forbidden: tuple[str, ...] = ()
    timestamp_adjustments: tuple[str, ...] = ()
    applied: bool = True
    refusals: tuple[str, ...] = ()


class MediaView(View):
    """How long the clip is; ``None`` for an image."""

    duration_s: Seconds | None = None


class QualityView(View):
    """Why the verdict is as it is, and what the gate measured."""

    reasons: tuple[str, ...] = ()
    scores: dict[str, Number] = Field(default_factory=dict)


class ProvenanceView(View):
    """What made the record, and how long it took."""

    workflow: str | None = None
    seconds: Seconds | None = None
    stages: dict[str, Seconds] = Field(default_factory=dict)


class RecordView(View):
    """One line of the output."""

    id: str
    outcome: str
    caption: str
    media: MediaView = MediaView()
    attributes: dict[str, str] | None = None
    audit: dict[str, AttributeAuditView] | None = None
    audit_after: dict[str, AttributeAuditView] | None = None
    audit_summary: AuditSummaryView | None = None
    contradictions: tuple[ContradictionView, ...] = ()
    refinement: RefinementView | None = None
    quality: QualityView = QualityView()
    usage: UsageView | None = None
    provenance: ProvenanceView = ProvenanceView()


def why_unreadable(error: ValidationError) -> str:
    """The first thing that keeps a line from being read, in a few words."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return "not JSON"
    where = ".".join(str(part) for part in first["loc"])[:80]
    return f"{where}: {first['msg']}" if where else first["msg"]
