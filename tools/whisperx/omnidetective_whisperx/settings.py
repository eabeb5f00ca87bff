"""What a user can set: ``--set observers.whisperx.KEY=value``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from omnidetective.observers.base import ObserverSettings

Device = Literal["cpu", "cuda"]
ComputeType = Literal["float32", "float16", "bfloat16", "int8", "int8_float16", "int8_float32"]
Count = Annotated[int, Field(ge=1)]


class WhisperXSettings(ObserverSettings):
    """Settings of `whisperx`."""

    model: Annotated[str, Field(min_length=1)] = "small"
    """Recogniser: a name that faster-whisper knows (`tiny` … `large-v3`, `turbo`, `small.en`), a repository on the hub
    (`owner/name`), or a folder with a model in CTranslate2's form."""
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")] | None = None
    """Language that is spoken, as an ISO 639-1 code (`en`, `fr`); found out for each ten minutes by default."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the models run; `auto` is CUDA where there is a GPU."""
    compute_type: Literal["auto"] | ComputeType = "auto"
    """Numbers that the recogniser computes with; `auto` is float16 on CUDA and int8 on the processor."""
    batch_size: Count = 8
    """Stretches of up to 30 s that are heard at a time. More is faster on a GPU, and takes more of its memory."""
    threads: Count | None = None
    """Threads on the processor; all that this process may use by default."""
    align: bool = True
    """Find the time of every word, with a second model for each language."""
    align_model: str | None = None
    """Model for the times of words: a name that WhisperX knows, a repository on the hub, or a folder. It has to fit the
    language; WhisperX chooses one by the language by default."""
    diarize: bool = False
    """Tell speakers apart, as S1, S2 and so on, with a third model."""
    diarize_model: Annotated[str, Field(min_length=1)] = "pyannote/speaker-diarization-community-1"
    """Model that tells speakers apart: a repository on the hub, or a folder with a pyannote pipeline."""
    min_speakers: Count | None = None
    """There are at least so many speakers; found out by default."""
    max_speakers: Count | None = None
    """There are at most so many speakers; found out by default."""
    download: bool = False
    """Fetch models that are not on this machine at the first question. Without it, only what is here is used."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_speakers and self.max_speakers and self.min_speakers > self.max_speakers:
            raise ValueError(f"min_speakers ({self.min_speakers}) is more than max_speakers ({self.max_speakers})")
        return self
