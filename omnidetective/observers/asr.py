"""Instrument: what is said, word for word, when, and in which language."""

from __future__ import annotations

import threading
import time
from typing import ClassVar, Literal

from pydantic import Field

from omnidetective.embedded import speech, voice
from omnidetective.embedded.inference import infer, require_packages, threads_for
from omnidetective.embedded.weights import find
from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import Span, SpeechEvidence, SpeechSegment
from omnidetective.llm.messages import AudioPart
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec, observation
from omnidetective.records import Observation

_FAR_FROM_VOICE_S = 0.5


class AsrSettings(ObserverSettings):
    """Settings of `asr`."""

    engine: Literal["auto", "embedded", "openai"] = "auto"
    """Who listens: `embedded` (Whisper on this CPU), `openai` (the model set's role `asr`), `auto` for the role's model
    where it is cast, otherwise embedded."""
    model: Literal["whisper-base", "whisper-tiny.en"] = "whisper-base"
    """Weights of the embedded engine: see `omnidetective weights list`."""
    language: str | None = Field(default=None, pattern=r"^[a-z]{2,3}$")
    """ISO 639-1 code; found out by default."""


class Asr:
    """Transcribes speech, and reports silence as silence."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="asr",
        kind="instrument",
        modalities=("video", "audio"),
        needs="audio",
        description=(
            "Speech recognition: what is said, verbatim, with times, language and a score, and where a voice is active "
            "at all. It says plainly when nobody speaks. It knows nothing of who speaks, of tone, or of other sounds."
        ),
        attributes=("speech", "narrative", "characters"),
        settings=AsrSettings,
        role="asr",
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, AsrSettings)
        self._settings = settings
        self._threads = threads_for(context.settings.num_workers)
        self._timeout_s = context.settings.investigate.observer_timeout_s
        is_cast = context.model_set.spec("asr") is not None and not context.cast.is_embedded("asr")
        self._transcriber = None
        if settings.engine == "openai" or (settings.engine == "auto" and is_cast):
            self._transcriber = context.cast.transcriber("asr")
            return
        require_packages(*voice.PACKAGES)
        find(settings.model)

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        offset_s = 0.0 if span is None else span.start_s
        if self._transcriber is None:
            evidence = await self._embedded(clip, span, offset_s)
            model = f"embedded:{self._settings.model}"
        else:
            evidence = await self._served(clip, span, offset_s)
            model = self._transcriber.name
        return observation(self.spec, question, span, answer=_in_words(evidence), data=evidence, model=model)

    async def _embedded(self, clip: Clip, span: Span | None, offset_s: float) -> SpeechEvidence:
        samples = await clip.pcm(span)
        stop = threading.Event()
        deadline = time.monotonic() + 0.9 * self._timeout_s

        def listen() -> SpeechEvidence:
            voiced = voice.find_voice(samples, offset_s=offset_s)
            if not voiced:
                return SpeechEvidence(segments=(), voiced=())
            model = speech.SpeechModel.shared(find(self._settings.model), threads=self._threads)
            found = model.transcribe(
                samples, voiced, language=self._settings.language, offset_s=offset_s, deadline=deadline, stop=stop
            )
            return SpeechEvidence(
                segments=found.segments, voiced=voiced, language=_main_language(found.segments), dropped=found.dropped
            )

        try:
            return await infer(listen)
        finally:
            # A listening that nobody waits for any more ends at its next stretch.
            stop.set()

    async def _served(self, clip: Clip, span: Span | None, offset_s: float) -> SpeechEvidence:
        assert self._transcriber is not None
        voiced = await self._voiced(clip, span, offset_s)
        if voiced == ():
            # Nobody speaks: a paid call could only invent something.
            return SpeechEvidence(segments=(), voiced=())
        encoded = await clip.audio(span, format="mp3")
        part = AudioPart(data=encoded.data, format="mp3", duration_s=encoded.duration_s)
        heard = await self._transcriber.transcribe(part, language=self._settings.language)
        shifted = tuple(
            s.model_copy(update={"start_s": s.start_s + offset_s, "end_s": s.end_s + offset_s}) for s in heard.segments
        )
        kept = tuple(s for s in shifted if voiced is None or _near_voice(s, voiced))
        return heard.model_copy(
            update={"segments": kept, "voiced": voiced or (), "dropped": heard.dropped + len(shifted) - len(kept)}
        )

    async def _voiced(self, clip: Clip, span: Span | None, offset_s: float) -> tuple[Span, ...] | None:
        """Where a voice is active; ``None`` where no detector is installed."""
        try:
            require_packages(*voice.PACKAGES)
        except ObserverUnavailableError:
            return None
        samples = await clip.pcm(span)
        return await infer(lambda: voice.find_voice(samples, offset_s=offset_s))


def _near_voice(segment: SpeechSegment, voiced: tuple[Span, ...]) -> bool:
    return any(
        segment.start_s < span.end_s + _FAR_FROM_VOICE_S and span.start_s - _FAR_FROM_VOICE_S < segment.end_s
        for span in voiced
    )


def _main_language(segments: tuple[SpeechSegment, ...]) -> str | None:
    seconds: dict[str, float] = {}
    for segment in segments:
        if segment.language is not None:
            seconds[segment.language] = seconds.get(segment.language, 0.0) + segment.end_s - segment.start_s
    return max(seconds, key=lambda code: seconds[code]) if seconds else None


def _in_words(evidence: SpeechEvidence) -> str:
    if not evidence.segments:
        if evidence.voiced:
            spans = ", ".join(f"{span.start_s:.1f} to {span.end_s:.1f} s" for span in evidence.voiced)
            return f"A voice is active from {spans}, but no words could be made out."
        return "No speech is heard."
    lines = []
    for s in evidence.segments:
        sure = "" if s.score is None else f", score {s.score:.2f}"
        tongue = "" if s.language is None else f" [{s.language}{sure}]"
        lines.append(f"{s.start_s:.1f} to {s.end_s:.1f} s{tongue}: “{s.text}”")
    return "\n".join(lines)
