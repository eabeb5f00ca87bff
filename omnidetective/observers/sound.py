"""Instrument: how loud it is, where it is silent, and which kinds of sound are heard."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from omnidetective.embedded import sounds
from omnidetective.embedded.inference import infer, require_packages, threads_for
from omnidetective.embedded.sound_events import sound_events
from omnidetective.embedded.weights import find
from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import SoundEvent, SoundEvidence, Span
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec, observation
from omnidetective.records import Observation

_MOST_LISTED = 40


class SoundSettings(ObserverSettings):
    """Settings of `sound`."""

    classify: bool | None = None
    """Tell kinds of sound apart: unset, where the classifier is installed; `true` to insist on it."""
    silent_below_db: float = Field(default=-50.0, lt=0)
    """What counts as silent, in dB of full scale."""
    min_silence_s: float = Field(default=0.5, gt=0)
    """Shorter silences are left out."""


class Sound:
    """Measures loudness and silence; a classifier names kinds of sound where it is installed."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="sound",
        kind="instrument",
        modalities=("video", "audio"),
        needs="audio",
        description=(
            "Measures the loudness of the sound track and where it is silent, and names kinds of sound (music, bird, "
            "telephone …) with their times and scores where its classifier is installed. It does not understand words."
        ),
        attributes=("scene", "actions", "objects", "emotions"),
        settings=SoundSettings,
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, SoundSettings)
        self._settings = settings
        self._threads = threads_for(context.settings.num_workers)
        self._classifies = settings.classify is not False
        if self._classifies:
            try:
                require_packages(*sounds.PACKAGES)
                find(sounds.WEIGHTS)
            except ObserverUnavailableError:
                if settings.classify:
                    raise
                self._classifies = False

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        loudness = await clip.loudness(
            span, below_db=self._settings.silent_below_db, min_silence_s=self._settings.min_silence_s
        )
        evidence = SoundEvidence(
            loudness_lufs=loudness.integrated_lufs,
            silent=loudness.silent,
            events=await self._events(clip, span) if self._classifies else (),
            classified=self._classifies,
        )
        return observation(self.spec, question, span, answer=_in_words(evidence), data=evidence)

    async def _events(self, clip: Clip, span: Span | None) -> tuple[SoundEvent, ...]:
        samples = await clip.pcm(span)
        offset_s = 0.0 if span is None else span.start_s

        def listen() -> tuple[SoundEvent, ...]:
            model = sounds.SoundModel.shared(find(sounds.WEIGHTS), threads=self._threads)
            return sound_events(
                model.scores(samples), model.labels, duration_s=samples.size / sounds.RATE_HZ, offset_s=offset_s
            )

        return await infer(listen)


def _in_words(evidence: SoundEvidence) -> str:
    if evidence.loudness_lufs is None:
        return "Silent throughout."
    words = [f"Integrated loudness {evidence.loudness_lufs:.1f} LUFS."]
    if evidence.silent:
        spans = ", ".join(f"{span.start_s:.1f} to {span.end_s:.1f} s" for span in evidence.silent)
        words.append(f"Silent from {spans}.")
    else:
        words.append("No silence.")
    if not evidence.classified:
        words.append("Kinds of sound were not told apart: the classifier is not installed.")
    elif evidence.events:
        heard = (f"{e.label} from {e.start_s:.1f} to {e.end_s:.1f} s (score {e.score:.2f})" for e in evidence.events)
        words.append(f"Heard: {'; '.join(list(heard)[:_MOST_LISTED])}.")
    else:
        words.append("No kind of sound was recognised.")
    return " ".join(words)
