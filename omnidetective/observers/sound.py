"""Instrument: loudness over time, silence, onsets, and kinds of sound where a classifier is installed."""

from __future__ import annotations

from typing import ClassVar

from omnidetective.embedded.inference import require_packages
from omnidetective.embedded.models import embedded_models
from omnidetective.embedded.sound_events import sound_events, without_silence
from omnidetective.embedded.sounds import PACKAGES, PATCH_HOP_S, PATCH_S, RATE_HZ, WEIGHTS
from omnidetective.embedded.weights import find
from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import SoundEvent, SoundEvidence, Span
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec, observation
from omnidetective.observers.instrument import span_of
from omnidetective.observers.onsets import frame_power, onsets
from omnidetective.observers.sound_answer import describe
from omnidetective.records import Observation

MODEL = "embedded:yamnet"

_PIECE_PATCHES = 1000
"""Eight minutes: what is held in memory at a time."""


class SoundSettings(ObserverSettings):
    """Settings of `sound`."""

    classify: bool | None = None
    """Name kinds of sound: unset, where the weights are there; `true`, be unavailable without them; `false`, never."""
    below_db: float = -50.0
    """What counts as silent, in dB of full scale."""
    min_silence_s: float = 0.5
    """Shortest silence that is reported."""


class Sound:
    """Measures how loud it is, where it is silent and where it sets in, and names kinds of sound."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="sound",
        kind="instrument",
        modalities=("video", "audio"),
        needs="audio",
        description=(
            "Measures loudness over time, silence, and the moments at which the sound sets in or jumps up and, where "
            "its classifier is installed, names kinds of sound with their times (AudioSet classes: speech, music, dog, "
            "siren, applause …). It does not understand words. A score is how sure it is; below 0.5 take it as a hint."
        ),
        attributes=("scene", "actions", "emotions"),
        settings=SoundSettings,
        cost="0.02 s of one processor for a second of sound",
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, SoundSettings)
        self._settings = settings
        self._models = embedded_models(num_workers=context.settings.num_workers)
        if settings.classify:
            _require_classifier()

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        wanted = span_of(clip, span)
        loudness = await clip.loudness(
            wanted, below_db=self._settings.below_db, min_silence_s=self._settings.min_silence_s
        )
        why_not = self._why_not_classified()
        events, starts_s = await self._listen(clip, wanted, classify=not why_not)
        evidence = SoundEvidence(
            loudness_lufs=None if loudness.integrated_lufs is None else round(loudness.integrated_lufs, 1),
            silent=loudness.silent,
            events=without_silence(events, loudness.silent),
            classified=not why_not,
            levels=loudness.levels,
            onsets_s=starts_s,
        )
        model = None if why_not else MODEL
        return observation(
            self.spec, question, span, answer=describe(evidence, wanted, why_not), data=evidence, model=model
        )

    def _why_not_classified(self) -> str:
        """Why kinds of sound cannot be named; empty where they can."""
        if self._settings.classify is False:
            return "switched off"
        try:
            _require_classifier()
        except ObserverUnavailableError as error:
            if self._settings.classify:
                raise
            return str(error)
        return ""

    async def _listen(
        self, clip: Clip, span: Span, *, classify: bool
    ) -> tuple[tuple[SoundEvent, ...], tuple[float, ...]]:
        """Kinds of sound, where they are wanted, and onsets."""
        import numpy as np

        step_s = _PIECE_PATCHES * PATCH_HOP_S
        scores, powers = [], []
        labels: tuple[str, ...] = ()
        start_s = span.start_s
        while start_s < span.end_s:
            # A little longer than the step, so that the last patch of a piece is whole.
            samples = await clip.pcm(Span(start_s=start_s, end_s=min(start_s + step_s + PATCH_S, span.end_s)))
            more = start_s + step_s < span.end_s
            powers.append(frame_power(samples[: round(step_s * RATE_HZ)] if more else samples))
            if classify:
                heard = await self._models.sounds(samples)
                scores.append(heard.scores[:_PIECE_PATCHES] if more else heard.scores)
                labels = heard.labels
            start_s += step_s if more else span.duration_s
        starts_s = onsets(np.concatenate(powers), offset_s=span.start_s) if powers else ()
        if not scores:
            return (), starts_s
        events = sound_events(np.concatenate(scores), labels, duration_s=span.duration_s, offset_s=span.start_s)
        return events, starts_s


def _require_classifier() -> None:
    require_packages(*PACKAGES)
    find(WEIGHTS)
