"""Instrument: what is said, and when, by the embedded recogniser or a served one."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from omnidetective.embedded.inference import require_packages
from omnidetective.embedded.models import embedded_models
from omnidetective.embedded.voice import PACKAGES
from omnidetective.embedded.weights import find
from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import Span, SpeechEvidence, SpeechSegment
from omnidetective.llm.transcriber import Hearing
from omnidetective.media.clip import Clip
from omnidetective.observers.asr_answer import describe
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec, observation
from omnidetective.observers.embedded_asr import EmbeddedRecogniser
from omnidetective.observers.faint_voice import is_sure, with_faint_voices
from omnidetective.observers.instrument import span_of, time_to_answer_s
from omnidetective.observers.served_asr import ServedRecogniser
from omnidetective.observers.whisperx_asr import whisperx_recogniser
from omnidetective.records import Observation

_PIECE_S = 600.0
"""What is held in memory at a time."""
_LEAST_PIECE_S = 1.0
_BEFORE_VOICE_S = 0.15


class AsrSettings(ObserverSettings):
    """Settings of `asr`."""

    engine: Literal["auto", "embedded", "openai", "dashscope", "whisperx"] = "auto"
    """Who listens. `embedded`: the recogniser on this machine. `openai`: the model of the role `asr`, at the endpoint
    `/audio/transcriptions` (OpenAI, vLLM, Groq and others serve it), or in a chat call where it is asked that way.
    `dashscope`: the model of the role `asr` with `provider: dashscope`, DashScope's own recognition, which gives the
    times of words. `whisperx`: the package `omnidetective-whisperx`, set up by `observers.whisperx.*`. `auto`: the
    model of the role `asr` where there is one, else `embedded`."""
    model: str = "whisper-base"
    """Weights of the embedded recogniser: see `omnidetective weights list`."""
    language: str | None = None
    """Language that is spoken, as an ISO 639-1 code (`en`, `fr`); found out by default."""


class Recogniser(Protocol):
    """Writes down what is said in stretches of voice."""

    @property
    def name(self) -> str: ...

    @property
    def hearing(self) -> Hearing:
        """Whether it tells speakers apart, the longest piece that it takes, and whether its segments have scores."""
        ...

    async def transcribe(
        self, clip: Clip, piece: Span, voiced: Sequence[Span] | None, *, deadline: float
    ) -> tuple[SpeechEvidence, float]:
        """The speech of a piece in times of the clip, and up to where there was time to listen.

        Args:
            voiced: where a voice is active; ``None`` where no voice detector is installed.
            deadline: on ``time.monotonic()``.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a clip, where a voice is active in it (``None``: not known), and where one may be."""

    span: Span
    voiced: tuple[Span, ...] | None
    faint: tuple[Span, ...] = ()


class Asr:
    """Writes down what is said, with times, and says plainly when nobody speaks."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="asr",
        kind="instrument",
        modalities=("video", "audio"),
        needs="audio",
        description=(
            "Transcribes speech word for word with times and language, and measures where a voice is active at all. It "
            "transcribes everything in the span, whatever is asked. It does not tell who speaks (at most it labels "
            "voices S1, S2) or in which tone, and misses words under loud music or noise; ask about a short span to "
            "have it listen again."
        ),
        attributes=("speech", "narrative"),
        settings=AsrSettings,
        role="asr",
        cost=(
            "embedded: 0.1 s of one processor for a second of speech; a served model: one call for up to 28 s of "
            "speech, or for 20 minutes where it tells speakers apart; nothing where nobody speaks"
        ),
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, AsrSettings)
        self._limit_s = settings.timeout_s or context.settings.investigate.observer_timeout_s
        played = context.model_set.spec("asr")
        provider = "" if played is None else played.provider
        _check_engine(settings.engine, provider)
        self._models = embedded_models(num_workers=context.settings.num_workers)
        self._recogniser: Recogniser
        if settings.engine == "whisperx":
            require_packages(*PACKAGES)
            self._recogniser = whisperx_recogniser(context, language=settings.language)
            self._gated = True
        elif settings.engine in ("openai", "dashscope") or (
            settings.engine == "auto" and provider not in ("", "embedded")
        ):
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
        dropped = rooms = 0
        heard_to_s = wanted.start_s
        async for piece in self._pieces(clip, wanted):
            voiced += piece.voiced or ()
            if heard_to_s < piece.span.start_s:
                continue
            evidence, heard_to_s = await self._hear(clip, piece, deadline)
            segments += evidence.segments
            voiced += evidence.voiced
            dropped += evidence.dropped
            rooms += any(segment.speaker for segment in evidence.segments)
        if rooms > 1:
            # The labels of one piece are not those of another.
            segments = [segment.model_copy(update={"speaker": None}) for segment in segments]
        evidence = SpeechEvidence(
            segments=tuple(sorted(segments, key=lambda segment: segment.start_s)),
            voiced=tuple(sorted(voiced, key=lambda voice: voice.start_s)),
            language=_main_language(segments),
            gated=self._gated,
            dropped=dropped,
            heard_to_s=None if heard_to_s >= wanted.end_s - 0.01 else round(heard_to_s, 2),
        )
        answer = describe(evidence, wanted, heard_to_s=heard_to_s, apart=rooms > 1)
        return observation(self.spec, question, span, answer=answer, data=evidence, model=self._recogniser.name)

    async def _pieces(self, clip: Clip, wanted: Span) -> AsyncIterator[_Piece]:
        """The parts that the recogniser is to hear at once, each with its voices."""
        longest_s = self._recogniser.hearing.longest_s
        whole: _Piece | None = None
        start_s = wanted.start_s
        while start_s < wanted.end_s:
            piece = await self._piece(clip, Span(start_s=start_s, end_s=min(start_s + _PIECE_S, wanted.end_s)), wanted)
            if whole is not None and piece.span.end_s - whole.span.start_s > longest_s:
                yield whole
                whole = None
            whole = piece if whole is None else _joined(whole, piece)
            start_s = piece.span.end_s
        if whole is not None:
            yield whole

    async def _piece(self, clip: Clip, span: Span, wanted: Span) -> _Piece:
        if not self._gated:
            return _Piece(span, None)
        samples = await clip.pcm(span)
        found = await self._models.voice(samples, offset_s=span.start_s)
        faint: tuple[Span, ...] = ()
        if self._recogniser.hearing.scores:
            # Words of a faint voice are believed only of a recogniser that says how sure it is.
            found, faint = await with_faint_voices(self._models, samples, span, found)
        if found and span.end_s < wanted.end_s:
            span, found = _cut_between_words(span, found)
            faint = tuple(voice for voice in faint if voice.end_s <= span.end_s)
        return _Piece(span, found, faint)

    async def _hear(self, clip: Clip, piece: _Piece, deadline: float) -> tuple[SpeechEvidence, float]:
        """What is said in a piece; ``voiced`` are only the faint voices whose words are believed."""
        evidence, heard_to_s = SpeechEvidence(segments=()), piece.span.end_s
        if piece.voiced != ():
            evidence, heard_to_s = await self._recogniser.transcribe(clip, piece.span, piece.voiced, deadline=deadline)
        if not piece.faint or heard_to_s < piece.span.end_s:
            return evidence, heard_to_s
        quiet, _ = await self._recogniser.transcribe(clip, piece.span, piece.faint, deadline=deadline)
        sure = tuple(segment for segment in quiet.segments if is_sure(segment))
        believed = tuple(v for v in piece.faint if any(s.start_s < v.end_s and v.start_s < s.end_s for s in sure))
        dropped = evidence.dropped + quiet.dropped + len(quiet.segments) - len(sure)
        return SpeechEvidence(segments=(*evidence.segments, *sure), voiced=believed, dropped=dropped), heard_to_s


def _check_engine(engine: str, provider: str) -> None:
    native = provider == "dashscope"
    if engine == "dashscope" and not native:
        raise ObserverUnavailableError(
            "the engine is dashscope, but no model with `provider: dashscope` plays asr",
            reason="no_model",
            hint="let one play asr in the model set: {provider: dashscope, model: fun-asr-flash-2026-06-15, "
            "api_key_env: DASHSCOPE_API_KEY}",
        )
    if engine == "openai" and native:
        raise ObserverUnavailableError(
            "the engine is openai, but the model that plays asr is spoken to by DashScope's own interface",
            reason="no_model",
            hint="--set observers.asr.engine=dashscope",
        )


def _joined(first: _Piece, second: _Piece) -> _Piece:
    """Two pieces that follow each other as one."""
    span = Span(start_s=first.span.start_s, end_s=second.span.end_s)
    voiced = None if first.voiced is None or second.voiced is None else (*first.voiced, *second.voiced)
    return _Piece(span, voiced, (*first.faint, *second.faint))


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
