"""Witness: a model that sees frames and hears the sound at once."""

from __future__ import annotations

from typing import ClassVar

from omnidetective.evidence import Span
from omnidetective.llm.base import Capabilities
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec
from omnidetective.observers.witness import LookingSettings, Shown, Witness, audio_part, frames_shown, joined


class OmniLlm(Witness):
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
        settings=LookingSettings,
        role="omni_llm",
        cost="one model call with up to 12 pictures and the sound of the span",
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, LookingSettings)
        self._look = settings
        super().__init__(settings, context)

    def lacks(self, can: Capabilities) -> str:
        both = can.audio and can.images and can.mixed_media and (can.max_media_parts or 2) > 1
        return "" if both else "does not take pictures and sound in one message"

    async def show(self, clip: Clip, span: Span | None) -> Shown:
        room = self._model.capabilities.max_media_parts
        frames = await frames_shown(clip, span, self._look, most=None if room is None else room - 1)
        return joined((frames, (await audio_part(clip, span, self._model),)))
