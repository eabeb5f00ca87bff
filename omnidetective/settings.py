"""Every setting there is, with its default and its meaning. Where values come from is :mod:`omnidetective.config`'s.

The descriptions are the user's documentation: ``docs/reference/settings.md`` is written from them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """Base of the settings: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


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

    attempts: Count = 5
    """Most times that one call is made."""
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


class InvestigateSettings(Section):
    """The detective's budget."""

    inquiries: Count = 10
    """Most questions to observers (the Omni-Captioner paper uses 10)."""
    per_turn: Count = 4
    """Most questions that the detective may ask in one turn; more are put off to the next."""
    tokens: Count | None = None
    """Most tokens, of the detective and of the witnesses together; no limit by default."""
    seconds: Seconds = 600.0
    """Most wall time."""
    early_stop: bool = True
    """Let the detective conclude before the budget is spent. Off: all inquiries are always made, as in the paper."""
    observer_timeout_s: Seconds = 180.0
    """Time for one observation."""
    answer_chars: Count = 6000
    """Most characters of one answer that the detective is shown; the record keeps it whole."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """Sampling temperature of the detective; the provider's default when unset."""


class LimitSettings(Section):
    """Limits of a clip."""

    clip_timeout_s: Seconds = 1800.0
    """Wall time for one clip, all stages together."""


class Settings(Section):
    """The whole configuration."""

    workflow: str = "omnidetective"
    """Name of a workflow in configs/workflows, or a YAML file."""
    models: str = "local"
    """Name of a model set in configs/models, or a YAML file."""
    prompts: Path | None = None
    """Folder whose prompt files replace the built-in ones of the same name."""
    num_workers: Count = 1
    """Worker processes."""
    concurrency: Count = 4
    """Clips in flight in one worker."""
    trajectory: bool = True
    """Keep the detective's conversation in the record."""
    media: MediaSettings = MediaSettings()
    retry: RetrySettings = RetrySettings()
    investigate: InvestigateSettings = InvestigateSettings()
    limits: LimitSettings = LimitSettings()
    observers: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Settings of each observer by its name: see `omnidetective observers show NAME`."""
