"""Instrument: what is said, and when, by the embedded recogniser or a served one."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Sequence
from typing import ClassVar, Literal, Protocol

from omnidetective.embedded.inference import require_packages
from omnidetective.embedded.models import EmbeddedModels, embedded_models
from omnidetective.embedded.voice import PACKAGES
from omnidetective.embedded.weights import find
from omnidetective.evidence import Span, SpeechEvidence, SpeechSegment
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec, observation
from omnidetective.observers.instrument import span_of, time_to_answer_s, times
from omnidetective.observers.served_asr import ServedRecogniser
from omnidetective.observers.whisperx_asr import whisperx_recogniser
from omnidetective.records import Observation

_PIECE_S = 600.0
"""What is held in memory at a time."""
_LEAST_PIECE_S = 1.0
_BEFORE_VOICE_S = 0.15
_UNHEARD_S = 0.5


class AsrSettings(ObserverSettings):
    """Settings of `asr`."""

    engine: Literal["auto", "embedded", "openai", "whisperx"] = "auto"
    """Who listens: the embedded recogniser, the model of the role `asr`, or the package `omnidetective-whisperx` (set
    up by `observers.whisperx.*`); `auto` is that model where there is one."""
    model: str = "whisper-base"
    """Weights of the embedded recogniser: see `omnidetective weights list`."""
    language: str | None = None
    """Language that is spoken, as an ISO 639-1 code (`en`, `fr`); found out by default."""


class Recogniser(Protocol):
    """Writes down what is said in stretches of voice."""

    @property
    def name(self) -> str: ...

    async def transcribe(
        self, clip: Clip, piece: Span, voiced: Sequence[Span] | None, *, deadline: float
    ) -> tuple[SpeechEvidence, float]:
        """The speech of a piece in times of the clip, and up to where there was time to listen.

        Args:
            voiced: where a voice is active; ``None`` where no voice detector is installed.
            deadline: on ``time.monotonic()``.
        """
        ...


class Asr:
    """Writes down what is said, with times, and says plainly when nobody speaks."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="asr",
        kind="instrument",
        modalities=("video", "audio"),
        needs="audio",
        description=(
            "Transcribes speech word for word with times and language, and measures where a voice is active at all. It "
            "transcribes everything in the span, whatever is asked. It does not tell who speaks or in which tone, and "
            "misses words under loud music or noise; ask about a short span to have it listen again."
        ),
        attributes=("speech", "narrative"),
        settings=AsrSettings,
        role="asr",
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, AsrSettings)
        self._limit_s = context.settings.investigate.observer_timeout_s
        played = context.model_set.spec("asr")
        served = played is not None and played.provider != "embedded"
        self._models = embedded_models(num_workers=context.settings.num_workers)
        self._recogniser: Recogniser
        if settings.engine == "whisperx":
            require_packages(*PACKAGES)
            self._recogniser = whisperx_recogniser(context, language=settings.language, longest_piece_s=_PIECE_S)
            self._gated = True
        elif settings.engine == "openai" or (settings.engine == "auto" and served):
            self._recogniser = ServedRecogniser(context.cast.transcriber("asr"), language=settings.language)
            self._gated = all(importlib.util.find_spec(name) is not None for name in PACKAGES)
        else:
            require_packages(*PACKAGES)
            find(settings.model)
            self._recogniser = EmbeddedRecogniser(settings.model, self._models, language=settings.language)
            self._gated = True

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        wanted = span_of(clip, span)
        deadline = time.monotonic() + time_to_answer_s(self._limit_s, clip, span)
        segments: list[SpeechSegment] = []
        voiced: list[Span] = []
        dropped = 0
        heard_to_s = wanted.start_s
        start_s = wanted.start_s
        while start_s < wanted.end_s:
            piece = Span(start_s=start_s, end_s=min(start_s + _PIECE_S, wanted.end_s))
            found = await self._voice(clip, piece) if self._gated else None
            if found and piece.end_s < wanted.end_s:
                piece, found = _cut_between_words(piece, found)
            voiced += found or ()
            in_time = heard_to_s >= piece.start_s
            if in_time and found != ():
                evidence, heard_to_s = await self._recogniser.transcribe(clip, piece, found, deadline=deadline)
                segments += evidence.segments
                dropped += evidence.dropped
            elif in_time:
                heard_to_s = piece.end_s
            start_s = piece.end_s
        evidence = SpeechEvidence(
            segments=tuple(segments),
            voiced=tuple(voiced),
            language=_main_language(segments),
            gated=self._gated,
            dropped=dropped,
            heard_to_s=None if heard_to_s >= wanted.end_s - 0.01 else round(heard_to_s, 2),
        )
        answer = _describe(evidence, wanted, heard_to_s=heard_to_s, gated=self._gated)
        return observation(self.spec, question, span, answer=answer, data=evidence, model=self._recogniser.name)

    async def _voice(self, clip: Clip, piece: Span) -> tuple[Span, ...]:
        samples = await clip.pcm(piece)
        return await self._models.voice(samples, offset_s=piece.start_s)


class EmbeddedRecogniser:
    """Whisper on this machine's processor."""

    def __init__(self, weights: str, models: EmbeddedModels, *, language: str | None) -> None:
        self._weights = weights
        self._models = models
        self._language = language

    @property
    def name(self) -> str:
        return f"embedded:{self._weights}"

    async def transcribe(
        self, clip: Clip, piece: Span, voiced: Sequence[Span] | None, *, deadline: float
    ) -> tuple[SpeechEvidence, float]:
        """See :class:`Recogniser`."""
        assert voiced is not None, "the voice detector comes with the recogniser"
        samples = await clip.pcm(piece)
        heard = await self._models.transcribe(
            self._weights,
            samples,
            voiced,
            language=self._language,
            offset_s=piece.start_s,
            deadline=deadline,
        )
        return SpeechEvidence(segments=heard.segments, dropped=heard.dropped), heard.heard_to_s


def _cut_between_words(piece: Span, voiced: tuple[Span, ...]) -> tuple[Span, tuple[Span, ...]]:
    """End a piece before a voice that goes on beyond it; the next piece begins with that voice."""
    last = voiced[-1]
    if last.end_s < piece.end_s - 0.1 or last.start_s - piece.start_s < _LEAST_PIECE_S:
        return piece, voiced
    return Span(start_s=piece.start_s, end_s=last.start_s - _BEFORE_VOICE_S), voiced[:-1]


def _main_language(segments: Sequence[SpeechSegment]) -> str | None:
    """The language in which most is said."""
    amounts: dict[str, float] = {}
    for segment in segments:
        if segment.language is not None:
            amounts[segment.language] = amounts.get(segment.language, 0.0) + segment.end_s - segment.start_s
    return max(amounts, key=lambda code: amounts[code]) if amounts else None


def _describe(evidence: SpeechEvidence, span: Span, *, heard_to_s: float, gated: bool) -> str:
    where = f"{span.start_s:.2f}–{span.end_s:.2f} s"
    lines: list[str] = []
    if evidence.segments:
        language = f", language {evidence.language}" if evidence.language else ""
        lines.append(f"Speech in {where}{language}:")
        for segment in evidence.segments:
            unsure = f" (score {segment.score:.2f})" if segment.score is not None and segment.score < 0.7 else ""
            other = f" [{segment.language}]" if segment.language not in (None, evidence.language) else ""
            who = f" {segment.speaker}" if segment.speaker else ""
            lines.append(f"- {segment.start_s:.2f}–{segment.end_s:.2f} s{who}{other}: “{segment.text}”{unsure}")
    elif evidence.voiced:
        lines.append(f"No words could be made out in {where}, but a voice is active at {times(evidence.voiced)}.")
    elif gated:
        lines.append(f"No speech is heard in {where}: no voice is active anywhere.")
    else:
        lines.append(f"No speech is heard in {where}.")
    if evidence.segments and (unheard := _unheard(evidence)):
        lines.append(f"A voice is also active at {times(unheard)}, where no words could be made out.")
    if heard_to_s < span.end_s - 0.01:
        lines.append(f"The time was up: words were listened to only up to {heard_to_s:.2f} s. Ask about the rest.")
    return "\n".join(lines)


def _unheard(evidence: SpeechEvidence) -> list[Span]:
    return [
        voice
        for voice in evidence.voiced
        if voice.duration_s >= _UNHEARD_S
        and not any(s.start_s < voice.end_s and voice.start_s < s.end_s for s in evidence.segments)
    ]
