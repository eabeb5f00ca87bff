"""Every setting there is, with its default and its meaning. Where values come from is :mod:`omnidetective.config`'s.

The descriptions are the user's documentation: ``docs/reference/settings.md`` is written from them.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from omnidetective.section import Count, Seconds, Section
from omnidetective.stage_settings import (
    AnnotateSettings,
    AuditSettings,
    EnsembleSettings,
    GateSettings,
    InvestigateSettings,
    RefineSettings,
    RouteSettings,
    SplitSettings,
    VerifySettings,
)


class MediaSettings(Section):
    """Where media may come from, and what opening them may cost."""

    roots: tuple[Path, ...] = ()
    """Folders that local paths may be in, besides the input file's folder and the working directory."""
    allow_private: bool = False
    """Let URLs in rows reach private, loopback and link-local addresses."""
    max_download_mb: Count = 2048
    """Largest file that a URL or a data: URI may bring."""
    fetch_timeout_s: Seconds = 300.0
    """Time for one download, all redirects and attempts included."""
    fetch_attempts: Count = 3
    """Most times that a download is tried, when the server or the connection fails."""
    process_timeout_s: Seconds = 120.0
    """Time for one request to the decoder, or one run of ffmpeg for each five minutes of media; then it is killed."""
    process_memory_mb: Count = 4096
    """Address space of ffmpeg and of the decoder (RLIMIT_AS)."""
    max_output_mb: Count = 512
    """Most bytes that one run of ffmpeg may write."""
    frame_longest_side_px: Count = 768
    """Longest side of the frames that witnesses are shown."""
    frame_quality: Annotated[int, Field(ge=1, le=95)] = 85
    """JPEG quality of those frames."""
    max_duration_s: Seconds = 14400.0
    """Longest clip that is taken at all."""
    cache_mb: Count = 128
    """Frames and sound of one clip that are kept in memory, because several observers ask for the same."""


class RetrySettings(Section):
    """The one retry layer: rate limits, server errors and time-outs are tried again, nothing else is."""

    attempts: Count = 8
    """Most times that one call is made, in at most `total_s`."""
    first_wait_s: Seconds = 1.0
    """Wait before the second attempt, doubled with each further one and shortened by up to half at random."""
    max_wait_s: Seconds = 60.0
    """Longest wait between two attempts, unless the provider asks for longer by Retry-After."""
    total_s: Seconds = 300.0
    """Wall time for all attempts of one call together."""
    call_timeout_s: Seconds = 120.0
    """Time for one attempt, from the first byte sent to the last byte read."""
    repairs: Annotated[int, Field(ge=0)] = 2
    """How often a model is shown what is wrong with the form of its answer and asked again."""


class CacheSettings(Section):
    """The answers of models, kept so that no call is paid twice."""

    enabled: bool = True
    """Off asks every time. Either way nothing is kept of the embedded cast, which costs nothing."""
    path: Path | None = None
    """File to keep them in; several outputs can share one. By default `<output stem>.cache.sqlite`."""


class SegmentSettings(Section):
    """How a long clip is cut into segments, which are worked on side by side."""

    max_s: Annotated[float, Field(ge=5)] = 60.0
    """Longest segment; a clip that is no longer is worked on whole."""
    parallel: Count = 4
    """Most segments of one clip in work at the same time."""


class ModelLimits(Section):
    """What a provider allows on one key for one model."""

    requests_per_minute: Count | None = None
    """Most calls a minute. They are spread evenly: at most two seconds' worth of them go at once."""
    tokens_per_minute: Count | None = None
    """Most tokens a minute, of prompts and answers. Estimated before a call, corrected by what is reported after it."""
    concurrency: Count | None = None
    """Most calls at once."""


class GuardSettings(Section):
    """When an observer that keeps failing is left alone for a while. Each observer's own limits are among its settings:
    `observers.NAME.timeout_s`, `per_clip` and `at_once`."""

    failures: Annotated[int, Field(ge=0)] = 5
    """Let an observer rest, in one worker, after so many questions in a row that it failed by its own fault: it was
    late, raised an error, died, or answered what is no observation; 0: never. Faults of the clip, of the span asked
    about and of a model's provider do not count."""
    rest_s: Seconds = 60.0
    """How long it rests. Then it is asked one question, which decides whether it works again."""


class LimitSettings(Section):
    """Limits of a clip and of a run."""

    clip_timeout_s: Seconds = 1800.0
    """Wall time for one clip, all stages together."""
    attempts: Count = 2
    """How often a clip is tried whose worker process died (a crash in a decoder, too little memory), before it is given
    up; from the second time on it has a worker to itself."""
    stage_timeout_s: Seconds = 900.0
    """Wall time for one stage, for a clip (or segment) of up to five minutes; longer ones get it in proportion. The
    detective gets it on top of `investigate.seconds`, after which it concludes by itself."""
    breaker: Annotated[int, Field(ge=0)] = 3
    """Stop the run after so many clips in a row that fail since a key is refused, a quota is used up or a model is not
    there, with no record in between; 0: go on whatever happens."""
    max_cost_usd: Annotated[Decimal, Field(gt=0)] | None = None
    """Most US dollars that all runs on an output spend together (`--max-cost`). Before each call the most that it may
    cost is reserved; a call that does not fit is not made, its clip is left as not started, and the run ends with exit
    status 3. Every model that may be asked needs a known price: see `prices`. No cap by default."""
    models: dict[str, ModelLimits] = Field(default_factory=dict)
    """What providers allow, by globs on `provider:model`; of several that fit, the last one that says something holds,
    and all are stronger than `limits` in a model set. They hold for all workers of a run together. Without limits, and
    beside them, 429 answers are heeded: the whole run rests as long as is asked, and goes on with fewer calls at once.
    `--set 'limits.models.openai:gpt-4.1*.requests_per_minute=500'`."""


class WorkerSettings(Section):
    """Worker processes of a run, and when they are replaced."""

    recycle_after: Annotated[int, Field(ge=0)] = 1000
    """Replace a worker after so many clips, whatever libraries may have leaked by then; 0: never. Its successor is
    started beforehand."""
    memory_mb: Annotated[int, Field(ge=1)] | None = None
    """Replace a worker that holds more than this, programs that it started included (Linux only). It finishes the clips
    that it has; at one and a half times as much it is killed, and they are tried again, one by one. No limit by
    default."""
    share_models: bool = True
    """Run the embedded models (Whisper, YAMNet, PP-OCR, voice detector) in one process for all workers of a run, so
    that they are in memory once. Off: each worker loads its own."""


class TelemetrySettings(Section):
    """What is told about a run to other programs."""

    otel: bool | None = None
    """Send OpenTelemetry spans of clips, stages and calls to `OTEL_EXPORTER_OTLP_ENDPOINT` (OTLP over HTTP); by default
    where that is set. Needs `pip install 'omnidetective[otel]'`."""


class RaySettings(Section):
    """Where and on what the actors of `--engine ray` run; see docs/guides/cluster.md."""

    address: str | None = None
    """Address of a Ray cluster, `host:port` of its head, or `auto` for the one that this machine belongs to. Unset: Ray
    is started on this machine for the run, and ends with it."""
    num_cpus: Annotated[float, Field(ge=0)] = 1.0
    """CPUs that each actor asks the cluster for. It is a claim, not a limit."""
    num_gpus: Annotated[float, Field(ge=0)] = 0.0
    """GPUs that each actor asks for: for observers of your own that run a model on one. The embedded cast runs on the
    CPU, and models behind an address need none here."""


class Settings(Section):
    """The whole configuration."""

    workflow: str = "omnidetective"
    """Name of a workflow in configs/workflows, or a YAML file."""
    models: str = "local"
    """Name of a model set in configs/models, or a YAML file."""
    prompts: Path | None = None
    """Folder whose prompt files replace the built-in ones of the same name."""
    prices: Path | None = None
    """YAML file of prices in the form of configs/prices.yaml, for contracts, resellers and models of your own. Its rows
    are stronger than the built-in ones; a model that costs nothing has prices of 0."""
    num_workers: Count = 1
    """Worker processes."""
    concurrency: Count = 4
    """Clips in flight in one worker. The built-in model sets choose for themselves: 2 where the models run here, 16
    where they are served."""
    engine: Literal["local", "ray"] = "local"
    """What the workers are: processes on this machine, or actors of Ray, on this machine or on a cluster."""
    trajectory: bool = True
    """Keep the detective's conversation in the record."""
    media: MediaSettings = MediaSettings()
    cache: CacheSettings = CacheSettings()
    retry: RetrySettings = RetrySettings()
    segment: SegmentSettings = SegmentSettings()
    route: RouteSettings = RouteSettings()
    annotate: AnnotateSettings = AnnotateSettings()
    investigate: InvestigateSettings = InvestigateSettings()
    ensemble: EnsembleSettings = EnsembleSettings()
    verify: VerifySettings = VerifySettings()
    audit: AuditSettings = AuditSettings()
    refine: RefineSettings = RefineSettings()
    split: SplitSettings = SplitSettings()
    gate: GateSettings = GateSettings()
    guard: GuardSettings = GuardSettings()
    limits: LimitSettings = LimitSettings()
    workers: WorkerSettings = WorkerSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    ray: RaySettings = RaySettings()
    observers: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Settings of each observer by its name: see `omnidetective observers show NAME`."""
