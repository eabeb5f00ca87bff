"""Witness: a model that looks at frames."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import Span
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec
from omnidetective.observers.witness import frame_count, frame_parts, question_witness
from omnidetective.records import Observation


class FrameCaptionerSettings(ObserverSettings):
    """Settings of `frame_captioner`."""

    max_frames: int = Field(default=12, ge=1)
    """Most frames of one look."""
    fps: float = Field(default=2.0, gt=0)
    """Frames a second of the span, up to `max_frames`: a short span is looked at more densely."""
    max_tokens: int | None = 1024
    """Longest answer, in tokens."""


class FrameCaptioner:
    """Sees what is shown, frame by frame; hears nothing."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="frame_captioner",
        kind="witness",
        modalities=("video", "image"),
        needs="video",
        description=(
            "A vision model that sees frames of the span with their times, and hears nothing. Ask about the place, "
            "people and what they wear and do, objects, colours, layout, camera. Name a span of a few seconds for a "
            "denser look. It can misread text (check with ocr) and it infers motion from stills."
        ),
        attributes=("scene", "characters", "objects", "actions", "narrative", "camera", "emotions"),
        settings=FrameCaptionerSettings,
        role="frame_captioner",
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, FrameCaptionerSettings)
        self._settings = settings
        self._prompts = context.prompts
        self._model = context.chat(self.spec)
        if not self._model.capabilities.images:
            raise ObserverUnavailableError(
                f"{self._model.name} takes no pictures",
                reason="unsupported_media",
                hint="give the role frame_captioner to another model",
            )

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        most = min(self._settings.max_frames, self._model.capabilities.max_media_parts or self._settings.max_frames)
        count = frame_count(clip, span, most=most, fps=self._settings.fps)
        return await question_witness(
            self.spec,
            self._model,
            self._prompts,
            clip=clip,
            question=question,
            span=span,
            media=frame_parts(await clip.uniform_frames(count, span=span)),
            max_tokens=self._settings.max_tokens,
        )
