"""Instrument: loudness, silence, and kinds of sound where a classifier is installed."""

from __future__ import annotations

from typing import ClassVar

from omnidetective.embedded.inference import require_packages
from omnidetective.embedded.models import embedded_models
from omnidetective.embedded.sound_events import sound_events, without_silence
from omnidetective.embedded.sounds import PACKAGES, PATCH_HOP_S, PATCH_S, WEIGHTS
from omnidetective.embedded.weights import find
from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import SoundEvent, SoundEvidence, Span
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec, observation
from omnidetective.observers.instrument import span_of, times
from omnidetective.records import Observation

MODEL = "embedded:yamnet"

_PIECE_PATCHES = 1000
"""Eight minutes: what is held in memory at a time."""
_MOST_TOLD = 40


class SoundSettings(ObserverSettings):
    """Settings of `sound`."""

    classify: bool | None = None
    """Name kinds of sound: unset, where the weights are there; `true`, be unavailable without them; `false`, never."""
    below_db: float = -50.0
    """What counts as silent, in dB of full scale."""
    min_silence_s: float = 0.5
    """Shortest silence that is reported."""


class Sound:
    """Measures how loud it is and where it is silent, and names kinds of sound."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="sound",
        kind="instrument",
        modalities=("video", "audio"),
        needs="audio",
        description=(
            "Measures loudness and silence of the sound track and, where its classifier is installed, names kinds of "
            "sound with their times (AudioSet classes: speech, music, dog, siren, applause …). It does not understand "
            "words. A score is how sure it is; below 0.5 take it as a hint."
        ),
        attributes=("scene", "actions", "emotions"),
        settings=SoundSettings,
        cost="no model call; some hundredths of a second of one processor for a second of clip",
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
        events, why_not = await self._classify(clip, wanted)
        evidence = SoundEvidence(
            loudness_lufs=None if loudness.integrated_lufs is None else round(loudness.integrated_lufs, 1),
            silent=loudness.silent,
            events=without_silence(events, loudness.silent),
            classified=not why_not,
        )
        model = None if why_not else MODEL
        return observation(
            self.spec, question, span, answer=_describe(evidence, wanted, why_not), data=evidence, model=model
        )

    async def _classify(self, clip: Clip, span: Span) -> tuple[tuple[SoundEvent, ...], str]:
        """The events, or why there are none."""
        if self._settings.classify is False:
            return (), "switched off"
        try:
            _require_classifier()
        except ObserverUnavailableError as error:
            if self._settings.classify:
                raise
            return (), str(error)
        import numpy as np

        step_s = _PIECE_PATCHES * PATCH_HOP_S
        parts = []
        labels: tuple[str, ...] = ()
        start_s = span.start_s
        while start_s < span.end_s:
            # A little longer than the step, so that the last patch of a piece is whole.
            samples = await clip.pcm(Span(start_s=start_s, end_s=min(start_s + step_s + PATCH_S, span.end_s)))
            heard = await self._models.sounds(samples)
            more = start_s + step_s < span.end_s
            parts.append(heard.scores[:_PIECE_PATCHES] if more else heard.scores)
            labels = heard.labels
            start_s += step_s if more else span.duration_s
        scores = np.concatenate(parts) if parts else np.zeros((0, len(labels)), np.float32)
        return sound_events(scores, labels, duration_s=span.duration_s, offset_s=span.start_s), ""


def _require_classifier() -> None:
    require_packages(*PACKAGES)
    find(WEIGHTS)


def _describe(evidence: SoundEvidence, span: Span, why_not: str) -> str:
    where = f"{span.start_s:.2f}–{span.end_s:.2f} s"
    quiet_s = sum(s.duration_s for s in evidence.silent)
    if quiet_s >= span.duration_s - 0.1:
        lines = [f"The sound track is silent throughout, {where}."]
    else:
        lufs = evidence.loudness_lufs
        lines = [
            f"Loudness {lufs:.1f} LUFS over {where}." if lufs is not None else f"Too short to tell loudness, {where}."
        ]
        lines.append(f"Silent: {times(evidence.silent)}." if evidence.silent else "Nowhere silent.")
    if why_not:
        lines.append(f"Kinds of sound were not told apart: {why_not}.")
    elif not evidence.events:
        lines.append("No kind of sound was recognised.")
    else:
        told = sorted(sorted(evidence.events, key=lambda e: -e.score)[:_MOST_TOLD], key=lambda e: e.start_s)
        lines.append("Sounds:")
        lines += [f"- {e.start_s:.2f}–{e.end_s:.2f} s: {e.label} (score {e.score:.2f})" for e in told]
        if len(evidence.events) > len(told):
            lines.append(f"- and {len(evidence.events) - len(told)} less sure ones")
    return "\n".join(lines)
