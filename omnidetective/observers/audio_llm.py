"""Witness: a model that listens to the sound track."""

from __future__ import annotations

from typing import ClassVar

from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import Span
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec
from omnidetective.observers.witness import audio_part, question_witness
from omnidetective.records import Observation


class AudioLlmSettings(ObserverSettings):
    """Settings of `audio_llm`."""

    max_tokens: int | None = 1024
    """Longest answer, in tokens."""


class AudioLlm:
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
        settings=AudioLlmSettings,
        role="audio_llm",
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, AudioLlmSettings)
        self._settings = settings
        self._prompts = context.prompts
        self._model = context.chat(self.spec)
        if not self._model.capabilities.audio:
            raise ObserverUnavailableError(
                f"{self._model.name} takes no audio",
                reason="unsupported_media",
                hint="give the role audio_llm to another model",
            )

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        return await question_witness(
            self.spec,
            self._model,
            self._prompts,
            clip=clip,
            question=question,
            span=span,
            media=(await audio_part(clip, span, self._model),),
            max_tokens=self._settings.max_tokens,
        )
