"""The lines that go in and come out: input row, record, failure (DESIGN §4 and §5, schema version 1).

A field that a workflow does not produce is absent from the line. An empty list means *looked and found nothing*.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal, get_args

from pydantic import Field, JsonValue, PlainSerializer

from omnidetective.errors import FailureOutcome
from omnidetective.evidence import Evidence, Span
from omnidetective.findings import (
    AttributeAudit,
    AuditSummary,
    Contradiction,
    Refinement,
    Routing,
    Sample,
    Verification,
)
from omnidetective.frozen import Frozen, Sparse

SCHEMA_VERSION: Literal[1] = 1

Outcome = Literal["accepted", "rejected", "partial"]
Modality = Literal["video", "audio", "image"]
Attribute = Literal["scene", "characters", "objects", "actions", "narrative", "speech", "camera", "emotions"]
ATTRIBUTES: tuple[Attribute, ...] = get_args(Attribute)
Kind = Literal["witness", "instrument"]
Cost = Annotated[
    Decimal | None,
    PlainSerializer(lambda value: None if value is None else float(value), return_type=float | None),
]
"""US dollars, exact inside and a JSON number outside; ``None`` is *unknown*, never free."""


class InputRow(Frozen):
    """One line of the input, understood.

    Attributes:
        id: the user's id as text, or one derived from the content of the row.
        media: where the media are: a path, a URL or a ``data:`` URI.
        declared: the modality that the key named (``video``, ``audio``, ``image``); ``None`` for ``path``/``url``.
        raw: the row as the user wrote it; handed through to the record under ``input``.
        line_number: where it stands in the input, from 1; 0 for a row that came from no file.
    """

    id: str
    media: str
    declared: Modality | None = None
    raw: dict[str, JsonValue]
    line_number: int = 0


class MediaFacts(Sparse):
    """What probing found. Sizes are as displayed (rotation applied); times are seconds.

    ``path`` or ``url`` is what the user named; ``duration_s`` is absent for an image, ``pages`` is there for
    an image of several pages only.
    """

    path: str | None = None
    url: str | None = None
    sha256: str
    modality: Modality
    duration_s: float | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    has_audio: bool
    has_video: bool
    pages: int | None = None


class ModelUsage(Sparse):
    """Calls and tokens of one model. Tokens of a call that reported none are not guessed: see ``unreported``."""

    calls: int = 0
    cached_calls: int = 0
    failed_attempts: int = 0
    unreported: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: Cost = Decimal(0)

    def __add__(self, other: ModelUsage) -> ModelUsage:
        known = self.cost_usd is not None and other.cost_usd is not None
        return ModelUsage(
            calls=self.calls + other.calls,
            cached_calls=self.cached_calls + other.cached_calls,
            failed_attempts=self.failed_attempts + other.failed_attempts,
            unreported=self.unreported + other.unreported,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cost_usd=(self.cost_usd or Decimal(0)) + (other.cost_usd or Decimal(0)) if known else None,
        )

    @classmethod
    def sum_of(cls, usages: Sequence[ModelUsage]) -> ModelUsage:
        """The sum of many at once, much cheaper than adding one to the other."""
        costs = [usage.cost_usd for usage in usages]
        return ModelUsage(
            calls=sum(usage.calls for usage in usages),
            cached_calls=sum(usage.cached_calls for usage in usages),
            failed_attempts=sum(usage.failed_attempts for usage in usages),
            unreported=sum(usage.unreported for usage in usages),
            prompt_tokens=sum(usage.prompt_tokens for usage in usages),
            completion_tokens=sum(usage.completion_tokens for usage in usages),
            cost_usd=None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0)),
        )


class Usage(ModelUsage):
    """The whole of a clip, and the same by model, by stage of the workflow and by role of the cast."""

    by_model: dict[str, ModelUsage] = Field(default_factory=dict)
    by_stage: dict[str, ModelUsage] = Field(default_factory=dict)
    by_role: dict[str, ModelUsage] = Field(default_factory=dict)


class ObservationError(Sparse):
    """Why an observer gave no answer: the class of the error, its stable code, and what it says."""

    type: str
    reason: str
    message: str


class Observation(Sparse):
    """What came back from one inquiry.

    ``id`` is empty until the observation joins the case, which numbers them (``o1``, ``o2``, …); events and audit
    findings cite it. Exactly one of ``answer`` and ``error`` says something.
    """

    id: str = ""
    observer: str
    kind: Kind
    question: str
    span: Span | None = None
    answer: str = ""
    data: Evidence | None = None
    model: str | None = None
    seconds: float = 0.0
    usage: ModelUsage | None = None
    error: ObservationError | None = None


class Event(Sparse):
    """One thing that happens, in one sentence of the caption or less, with the observations that show it."""

    start_s: float | None = None
    end_s: float | None = None
    text: str
    modality: Literal["visual", "audio", "speech", "audiovisual"]
    evidence: tuple[str, ...]


class TranscriptLine(Sparse):
    """One stretch of speech."""

    start_s: float
    end_s: float
    text: str
    speaker: str | None = None
    language: str | None = None


class Candidate(Sparse):
    """A whole caption proposed by one source; of a long clip, of one ``span`` of it."""

    source: str
    caption: str
    span: Span | None = None


class StageDraft(Sparse):
    """The caption as one stage left it, where it differs from what the stage was given."""

    stage: str
    caption: str


class Quality(Sparse):
    """The verdict, and why.

    ``reasons`` begin with those of the verdict; what was dropped or corrected on the way follows. ``scores`` holds what
    the gate measured: ``tokens``, ``grounding`` (share of sentences that cite evidence, 0…1), ``completeness`` (1…5) or
    the dimensions of the professional rubric (1…3 each).
    """

    verdict: Outcome
    reasons: tuple[str, ...] = ()
    scores: dict[str, float] = Field(default_factory=dict)


class FunctionCall(Sparse):
    name: str
    arguments: str


class ToolCall(Sparse):
    """One function call of an assistant turn, in the OpenAI shape; ``arguments`` is JSON text."""

    id: str
    type: Literal["function"] = "function"
    function: FunctionCall


class TrajectoryMessage(Sparse):
    """One message of the detective's conversation, in the OpenAI chat shape. Media are named, never inlined."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: tuple[ToolCall, ...] | None = None
    tool_call_id: str | None = None


class Provenance(Sparse):
    """How the record came about, so that it can be made again.

    ``prompts`` maps a prompt's name to ``version+sha``; ``stages`` a stage's name to its seconds.
    """

    omnidetective: str
    workflow: str
    models: dict[str, str]
    config_sha: str
    prompts: dict[str, str]
    started_at: str
    seconds: float
    stages: dict[str, float]


class CaptionRecord(Sparse):
    """One line of the output."""

    schema_version: Literal[1] = SCHEMA_VERSION
    id: str
    outcome: Outcome
    input: dict[str, JsonValue]
    media: MediaFacts
    caption: str
    attributes: dict[Attribute, str] | None = None
    events: tuple[Event, ...] | None = None
    transcript: tuple[TranscriptLine, ...] | None = None
    routing: Routing | None = None
    observations: tuple[Observation, ...] | None = None
    candidates: tuple[Candidate, ...] | None = None
    drafts: tuple[StageDraft, ...] | None = None
    verification: Verification | None = None
    audit: dict[Attribute, AttributeAudit] | None = None
    audit_after: dict[Attribute, AttributeAudit] | None = None
    audit_summary: AuditSummary | None = None
    contradictions: tuple[Contradiction, ...] | None = None
    refinement: Refinement | None = None
    samples: tuple[Sample, ...] | None = None
    quality: Quality
    trajectory: tuple[TrajectoryMessage, ...] | None = None
    usage: Usage
    provenance: Provenance

    def to_line(self) -> str:
        """The record as one line of JSON, without the line break."""
        return self.model_dump_json()


class FailureDetail(Sparse):
    """Why a clip has no record.

    ``type`` is the class in :mod:`omnidetective.errors`, ``reason`` its stable code, ``retryable`` whether
    ``--retry-failed`` can help without a change by the user, ``hint`` what the user can do.
    """

    type: str
    message: str
    stage: str
    attempts: int
    reason: str
    retryable: bool
    hint: str = ""


class FailureRecord(Sparse):
    """One line of ``<output stem>.failures.jsonl``.

    ``input`` is the row, or the text of the line where that is no JSON object.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    id: str
    outcome: FailureOutcome
    error: FailureDetail
    input: dict[str, JsonValue] | str
    line_number: int = 0
    usage: Usage | None = None

    def to_line(self) -> str:
        """The failure as one line of JSON, without the line break."""
        return self.model_dump_json()


def case_id(n: int, branch: str = "") -> str:
    """The id of the ``n``-th observation of a case, from 1; ``branch`` tells apart what is observed side by side."""
    return f"{branch}o{n}"
