"""Witness: a model that looks at frames."""

from __future__ import annotations

from typing import ClassVar

from omnidetective.evidence import Span
from omnidetective.llm.base import Capabilities
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec
from omnidetective.observers.witness import LookingSettings, Shown, Witness, frames_shown


class FrameCaptioner(Witness):
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
        settings=LookingSettings,
        role="frame_captioner",
        cost="one model call with up to 12 pictures",
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, LookingSettings)
        self._look = settings
        super().__init__(settings, context)

    def lacks(self, can: Capabilities) -> str:
        return "" if can.images else "takes no pictures"

    async def show(self, clip: Clip, span: Span | None) -> Shown:
        return await frames_shown(clip, span, self._look, most=self._model.capabilities.max_media_parts)
