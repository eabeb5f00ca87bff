"""Witness: a model that sees frames and hears the sound at once."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import Span
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec
from omnidetective.observers.witness import audio_part, frame_count, frame_parts, question_witness
from omnidetective.records import Observation


class OmniLlmSettings(ObserverSettings):
    """Settings of `omni_llm`."""

    max_frames: int = Field(default=12, ge=1)
    """Most frames of one look."""
    fps: float = Field(default=2.0, gt=0)
    """Frames a second of the span, up to `max_frames`."""
    max_tokens: int | None = 1024
    """Longest answer, in tokens."""


class OmniLlm:
    """Sees and hears at once, and so can say which sound belongs to what is shown."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="omni_llm",
        kind="witness",
        modalities=("video",),
        needs="audio",
        description=(
            "An omni-modal model that sees frames and hears the sound of the span together. Ask what belongs "
            "together: who speaks, what makes a sound, whether sound and picture agree, how the mood develops. For a "
            "question about the picture alone or the sound alone the single-sense witnesses are more careful."
        ),
        attributes=("scene", "characters", "objects", "actions", "narrative", "speech", "camera", "emotions"),
        settings=OmniLlmSettings,
        role="omni_llm",
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, OmniLlmSettings)
        self._settings = settings
        self._prompts = context.prompts
        self._model = context.chat(self.spec)
        can = self._model.capabilities
        if not (can.audio and can.images and can.mixed_media and (can.max_media_parts or 2) > 1):
            raise ObserverUnavailableError(
                f"{self._model.name} does not take pictures and sound in one message",
                reason="unsupported_media",
                hint="give the role omni_llm to another model",
            )

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        most = min(self._settings.max_frames, (self._model.capabilities.max_media_parts or 10_000) - 1)
        count = frame_count(clip, span, most=most, fps=self._settings.fps)
        frames = await clip.uniform_frames(count, span=span)
        sound = await audio_part(clip, span, self._model)
        return await question_witness(
            self.spec,
            self._model,
            self._prompts,
            clip=clip,
            question=question,
            span=span,
            media=(*frame_parts(frames), sound),
            max_tokens=self._settings.max_tokens,
        )
