"""Witness: a model that listens to the sound track."""

from __future__ import annotations

from typing import ClassVar

from omnidetective.evidence import Span
from omnidetective.llm.base import Capabilities
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverSpec
from omnidetective.observers.witness import Shown, Witness, WitnessSettings, audio_part


class AudioLlm(Witness):
    """Hears speech, sounds and music, and says how they are."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="audio_llm",
        kind="witness",
        modalities=("video", "audio"),
        needs="audio",
        description=(
            "An audio language model that hears the sound track, not the picture. Ask about voices (number, age, "
            "accent, tone, emotion, words), sounds and their sources, music, the acoustics of the place. It can "
            "mishear and invent: check words against asr, and presence of sound against sound."
        ),
        attributes=("scene", "characters", "actions", "narrative", "speech", "emotions"),
        settings=WitnessSettings,
        role="audio_llm",
        cost="one model call with the sound of the span",
    )

    def lacks(self, can: Capabilities) -> str:
        return "" if can.audio else "takes no audio"

    async def show(self, clip: Clip, span: Span | None) -> Shown:
        return (await audio_part(clip, span, self._model),)
