"""Speech to text by a served recogniser: the ``/audio/transcriptions`` endpoint, or a chat call that holds only sound.

The endpoint is asked for ``verbose_json``, which has segments with times; where it refuses, for ``json``, then for
``text`` (gpt-4o-transcribe serves no segments: https://developers.openai.com/api/docs/guides/speech-to-text). An answer
without segments is one segment over the whole of the sound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Literal, Protocol

from omnidetective.errors import BadRequestError, ContentFilterError, FormatError, TransientError
from omnidetective.evidence import SpeechEvidence, SpeechSegment
from omnidetective.llm.admission import Admission
from omnidetective.llm.base import Capabilities, ChatModel
from omnidetective.llm.calls import Call, current_call
from omnidetective.llm.capabilities import check
from omnidetective.llm.digest import sound_digest
from omnidetective.llm.lanes import ModelLanes
from omnidetective.llm.messages import AudioPart, ChatRequest, Message, TokenUsage
from omnidetective.llm.openai_client import OpenAIClient
from omnidetective.llm.openai_outcomes import error_of, read_error
from omnidetective.llm.prices import Price
from omnidetective.llm.retry import with_retries
from omnidetective.llm.usage import count_call, count_failed_attempt
from omnidetective.settings import RetrySettings
from omnidetective.telemetry import OK

_PATH = "/audio/transcriptions"
_MEDIA_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg", "ogg": "audio/ogg"}

# Whisper's own rules for a segment that it made up, in silence or in a loop (openai/whisper, transcribe.py).
_MAX_NO_SPEECH_PROB = 0.6
_MIN_LOGPROB = -1.0
_MAX_COMPRESSION_RATIO = 2.4

_Format = Literal["verbose_json", "json", "text"]
_FORMATS: tuple[_Format, ...] = ("verbose_json", "json", "text")


class Transcriber(Protocol):
    """Something that writes down what is said."""

    @property
    def name(self) -> str:
        """``provider:model``."""
        ...

    async def transcribe(self, audio: AudioPart, *, language: str | None = None) -> SpeechEvidence:
        """What is said in a piece of sound; times count from its start.

        Raises:
            ProviderError: the call failed.
        """
        ...

    async def aclose(self) -> None:
        """Gives back connections. Safe to call twice."""
        ...


class EndpointTranscriber:
    """A recogniser behind ``/audio/transcriptions``; retried and metered."""

    def __init__(
        self,
        client: OpenAIClient,
        *,
        name: str,
        capabilities: Capabilities,
        retry: RetrySettings,
        price_of: Callable[[str], Price | None],
        lanes: ModelLanes | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self._client = client
        self._lanes = lanes
        self._name = name
        self._capabilities = capabilities.model_copy(update={"audio": True, "text_prompt": True})
        self._retry = retry
        self._price_of = price_of
        self._parameters = dict(parameters or {})
        self._format: _Format = "verbose_json"

    @property
    def name(self) -> str:
        return self._name

    async def transcribe(self, audio: AudioPart, *, language: str | None = None) -> SpeechEvidence:
        """See :class:`Transcriber`."""
        check(ChatRequest(messages=(Message.of("user", audio),)), self._capabilities, model=self._name)
        for wanted in _FORMATS[_FORMATS.index(self._format) :]:
            try:
                with Call(self._name, "transcription", partial(sound_digest, audio)):
                    answer = await with_retries(
                        self._name,
                        partial(self._attempt, audio, language, wanted),
                        self._retry,
                        admission=self._admission(audio),
                    )
            except BadRequestError as error:
                if wanted == "text" or error.reason not in ("bad_request", "unsupported_response_format"):
                    raise
            else:
                self._format = wanted
                return speech_of(answer, audio.duration_s)
        raise AssertionError("the last form returns or raises")

    def _admission(self, audio: AudioPart) -> Admission[object] | None:
        if self._lanes is None:
            return None
        return self._lanes.audio(self._name, audio, lambda answer: self._taken(answer, audio.duration_s))

    async def _attempt(self, audio: AudioPart, language: str | None, wanted: _Format) -> object:
        fields: dict[str, object] = {
            **self._parameters,
            "model": self._name.partition(":")[2],
            "response_format": wanted,
        }
        if language is not None:
            fields["language"] = language
        if wanted == "verbose_json":
            fields["timestamp_granularities"] = ["segment"]
        file = (f"audio.{audio.format}", audio.data, _MEDIA_TYPES[audio.format])
        try:
            answer = await self._client.upload(_PATH, fields=fields, file=file, model=self._name)
            if isinstance(answer, Mapping) and answer.get("error"):
                raise error_of(read_error(answer), endpoint=self._client.endpoint, model=self._name)
            if not isinstance(answer, str) and not (
                isinstance(answer, Mapping) and isinstance(answer.get("text"), str)
            ):
                raise TransientError(f"{self._name}: the answer is no transcript", reason="bad_response", status=200)
        except BaseException:
            count_failed_attempt(self._name)
            raise
        self._count(answer, audio.duration_s)
        return answer

    def _count(self, answer: object, duration_s: float) -> None:
        price = self._price_of(self._name)
        tokens, cost = self._taken(answer, duration_s)
        if (call := current_call.get()) is not None:
            call.answered(OK, tokens)
        by_the_minute = price is not None and price.audio_minute is not None
        count_call(self._name, tokens=tokens, cost_usd=cost, reported=_usage(answer) is not None or by_the_minute)

    def _taken(self, answer: object, duration_s: float) -> tuple[TokenUsage | None, Decimal | None]:
        """The tokens of a call as reported, and its cost."""
        price = self._price_of(self._name)
        tokens = _tokens(_usage(answer))
        if tokens is not None:
            return tokens, price.of_tokens(tokens) if price else None
        # Recognisers that are paid by the minute charge the length of what was sent, reported or not.
        return None, price.of_audio(duration_s) if price else None

    async def aclose(self) -> None:
        await self._client.aclose()


class ChatTranscriber:
    """A recogniser that is asked as a chat model, with the sound alone (qwen3-asr-flash). It gives no times.

    Args:
        model: retried and metered by the cast.
    """

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    @property
    def name(self) -> str:
        return self._model.name

    async def transcribe(self, audio: AudioPart, *, language: str | None = None) -> SpeechEvidence:
        """See :class:`Transcriber`; the language is found by the recogniser itself."""
        reply = await self._model.complete(ChatRequest(messages=(Message.of("user", audio),)))
        if reply.outcome == "blocked":
            raise ContentFilterError(f"{self.name} blocked its answer")
        if reply.outcome == "truncated":
            raise FormatError(f"{self.name} did not finish the transcript", reason="truncated", hint="cut the sound")
        return speech_of(reply.text, audio.duration_s, language=language)

    async def aclose(self) -> None:
        await self._model.aclose()


def speech_of(answer: object, duration_s: float, *, language: str | None = None) -> SpeechEvidence:
    """The speech in a transcription answer: ``verbose_json``, ``json``, or text. Pure.

    Times are held to ``0…duration_s``; segments that the recogniser itself takes for guesses are dropped and counted.
    """
    if isinstance(answer, str):
        return _one_segment(answer, duration_s, language)
    assert isinstance(answer, Mapping), "checked by the caller"
    said = answer.get("language")
    language = said if isinstance(said, str) and said else language
    rows = answer.get("segments")
    if not isinstance(rows, list):
        return _one_segment(str(answer.get("text") or ""), duration_s, language)
    segments: list[SpeechSegment] = []
    dropped = 0
    for row in rows:
        segment = _segment(row, duration_s, language) if isinstance(row, Mapping) else None
        if segment is None or _is_a_guess(row):
            dropped += 1
        else:
            segments.append(segment)
    return SpeechEvidence(segments=tuple(segments), language=language, dropped=dropped)


def _one_segment(text: str, duration_s: float, language: str | None) -> SpeechEvidence:
    words = text.strip()
    segment = SpeechSegment(start_s=0.0, end_s=duration_s, text=words, language=language)
    return SpeechEvidence(segments=(segment,) if words else (), language=language)


def _segment(row: Mapping[str, Any], duration_s: float, language: str | None) -> SpeechSegment | None:
    start, end, text = _number(row.get("start")), _number(row.get("end")), row.get("text")
    if start is None or end is None or not isinstance(text, str) or not text.strip():
        return None
    start, end = max(0.0, min(start, duration_s)), max(0.0, min(end, duration_s))
    if end <= start:
        return None
    logprob = _number(row.get("avg_logprob"))
    return SpeechSegment(
        start_s=start,
        end_s=end,
        text=text.strip(),
        language=language,
        score=None if logprob is None else min(1.0, math.exp(logprob)),
    )


def _is_a_guess(row: Mapping[str, Any]) -> bool:
    no_speech = _number(row.get("no_speech_prob")) or 0.0
    logprob = _number(row.get("avg_logprob")) or 0.0
    ratio = _number(row.get("compression_ratio")) or 0.0
    return (no_speech > _MAX_NO_SPEECH_PROB and logprob < _MIN_LOGPROB) or ratio > _MAX_COMPRESSION_RATIO


def _usage(answer: object) -> object:
    return answer.get("usage") if isinstance(answer, Mapping) else None


def _tokens(usage: object) -> TokenUsage | None:
    if not isinstance(usage, Mapping):
        return None
    prompt, completion = usage.get("input_tokens"), usage.get("output_tokens")
    if not isinstance(prompt, int) or not isinstance(completion, int):
        return None
    details = usage.get("input_token_details")
    audio = details.get("audio_tokens") if isinstance(details, Mapping) else None
    return TokenUsage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        audio_prompt_tokens=audio if isinstance(audio, int) else None,
    )


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)
