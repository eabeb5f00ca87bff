"""Witness: a model that sees and hears at once: frames and sound, or a film with its sound."""

from __future__ import annotations

from typing import ClassVar

from omnidetective.evidence import Span
from omnidetective.llm.base import Capabilities
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec
from omnidetective.observers.filming import WAYS, film_lacks, film_shown
from omnidetective.observers.looking import FrameSettings, frames_chosen
from omnidetective.observers.witness import Shown, Witness, audio_part, joined


class OmniLlm(Witness):
    """Sees and hears at once, and so can say which sound belongs to what is shown."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="omni_llm",
        kind="witness",
        modalities=("video",),
        needs="audio",
        description=(
            "An omni-modal model that sees and hears the span at once. Ask what belongs "
            "together: who speaks, what makes a sound, whether sound and picture agree, how the mood develops. For a "
            "question about the picture alone or the sound alone the single-sense witnesses are more careful."
        ),
        attributes=("scene", "characters", "objects", "actions", "narrative", "speech", "camera", "emotions"),
        settings=FrameSettings,
        role="omni_llm",
        cost="one model call with up to 16 pictures and the sound of the span, or with the span as a video",
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, FrameSettings)
        self._look = settings
        super().__init__(settings, context)

    def lacks(self, can: Capabilities) -> str:
        if takes_both(can) or (can.video_sound and not film_lacks(can, WAYS)):
            return ""
        return "takes neither pictures and sound in one message nor videos with their sound"

    async def show(self, clip: Clip, question: str, span: Span | None) -> Shown:
        can = self._model.capabilities
        if not takes_both(can):
            return await film_shown(clip, span, self._model)
        frames = await frames_chosen(clip, question, span, self._look, can=can, beside=1)
        return joined((frames, (await audio_part(clip, span, self._model),)))


def takes_both(can: Capabilities) -> bool:
    """Whether a model takes pictures and sound in one message."""
    return can.audio and can.images and can.mixed_media and (can.max_media_parts or 2) > 1
