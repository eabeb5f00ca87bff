"""Witness: a model that is shown the clip, or a span of it, as a video."""

from __future__ import annotations

from typing import ClassVar

from omnidetective.evidence import Span
from omnidetective.llm.base import Capabilities
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec
from omnidetective.observers.filming import WAYS, Way, film_lacks, film_shown
from omnidetective.observers.witness import Shown, Witness, WitnessSettings


class VideoSettings(WitnessSettings):
    """Settings of `video_llm`."""

    ways: tuple[Way, ...] = WAYS
    """Ways in which a video may be given to the model, the best first; one that it does not take is passed over.
    `inline`: in the body of the call. `upload`: by way of the provider's own store, when it is too large for the body
    (DashScope keeps it for 48 hours). `url`: the provider fetches the address of the input row by itself; only whole
    clips from public addresses. That is not allowed by default: what the provider fetches may not be what was hashed
    and cached here, and the address may hold a signature that is not meant for it."""


class VideoLlm(Witness):
    """Sees what moves, where others see stills."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="video_llm",
        kind="witness",
        modalities=("video",),
        needs="video",
        description=(
            "A video language model that sees the clip or the span as a moving film, and hears its sound where it can. "
            "Ask what happens in which order, how something moves, how one thing leads to the next. It looks at about "
            "two frames a second: ask frame_captioner and ocr about details and lettering, and shots about exact times."
        ),
        attributes=("scene", "characters", "objects", "actions", "narrative", "speech", "camera", "emotions"),
        settings=VideoSettings,
        role="video_llm",
        cost="one model call with the span as a video, some 800 tokens for each second of it",
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, VideoSettings)
        self._ways = settings.ways
        super().__init__(settings, context)

    def lacks(self, can: Capabilities) -> str:
        return film_lacks(can, self._ways)

    async def show(self, clip: Clip, question: str, span: Span | None) -> Shown:
        return await film_shown(clip, span, self._model, ways=self._ways)
