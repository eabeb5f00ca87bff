"""Speech to text by a served recogniser: the ``/audio/transcriptions`` endpoint, or a chat call that holds only sound.

The endpoint is asked for as much as there can be: ``diarized_json`` of a model that tells speakers apart, otherwise
``verbose_json`` with the times of words and of segments; where it refuses, for segments alone, then for ``json``, then
for ``text`` (gpt-4o-transcribe serves no times: https://developers.openai.com/api/docs/guides/speech-to-text). The form
that was answered is remembered, and a refused one costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol

from omnidetective.errors import BadRequestError, ContentFilterError, FormatError, TransientError
from omnidetective.evidence import SpeechEvidence
from omnidetective.llm.base import Capabilities, ChatModel
from omnidetective.llm.calls import Call
from omnidetective.llm.capabilities import check
from omnidetective.llm.digest import sound_digest
from omnidetective.llm.lanes import ModelLanes
from omnidetective.llm.messages import AudioPart, ChatRequest, Message
from omnidetective.llm.openai_client import OpenAIClient
from omnidetective.llm.openai_outcomes import error_of, read_error
from omnidetective.llm.prices import Price
from omnidetective.llm.retry import with_retries
from omnidetective.llm.sound_account import SoundAccount
from omnidetective.llm.spoken import speech_of
from omnidetective.llm.usage import count_failed_attempt
from omnidetective.settings import RetrySettings

_PATH = "/audio/transcriptions"
_MEDIA_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg", "ogg": "audio/ogg"}
_LONGEST_S = 1200.0
"""Of a conversation that is heard in one piece: of more, too much sound would be in memory at once."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """How a recogniser listens.

    Attributes:
        speakers: it tells speakers apart, so it wants to hear a conversation in one piece.
        longest_s: the longest piece that it hears at once.
        scores: it says how sure it is of each segment.
    """

    speakers: bool = False
    longest_s: float = 600.0
    scores: bool = False


class _Form(NamedTuple):
    response_format: Literal["diarized_json", "verbose_json", "json", "text"]
    granularities: tuple[str, ...] = ()


_DIARIZED = _Form("diarized_json")
_FORMS = (
    _DIARIZED,
    _Form("verbose_json", ("word", "segment")),
    _Form("verbose_json", ("segment",)),
    _Form("json"),
    _Form("text"),
)
_LAST = _FORMS[-1]


class Transcriber(Protocol):
    """Something that writes down what is said."""

    @property
    def name(self) -> str:
        """``provider:model``."""
        ...

    @property
    def hearing(self) -> Hearing: ...

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
        self._name = name
        self._account = SoundAccount(name, price_of, lanes)
        self._capabilities = capabilities.model_copy(update={"audio": True, "text_prompt": True})
        self._retry = retry
        self._parameters = dict(parameters or {})
        self._form = _FORMS[0 if capabilities.speakers else 1]

    @property
    def name(self) -> str:
        return self._name

    @property
    def hearing(self) -> Hearing:
        return hearing_of(self._capabilities)

    async def transcribe(self, audio: AudioPart, *, language: str | None = None) -> SpeechEvidence:
        """See :class:`Transcriber`."""
        check(ChatRequest(messages=(Message.of("user", audio),)), self._capabilities, model=self._name)
        for wanted in _FORMS[_FORMS.index(self._form) :]:
            try:
                with Call(self._name, "transcription", partial(sound_digest, audio)):
                    answer = await with_retries(
                        self._name,
                        partial(self._attempt, audio, language, wanted),
                        self._retry,
                        admission=self._account.admission(audio),
                    )
            except BadRequestError as error:
                if wanted == _LAST or error.reason not in ("bad_request", "unsupported_response_format"):
                    raise
            else:
                self._form = wanted
                return speech_of(answer, audio.duration_s, language=language)
        raise AssertionError("the last form returns or raises")

    async def _attempt(self, audio: AudioPart, language: str | None, wanted: _Form) -> object:
        fields: dict[str, object] = {
            **self._parameters,
            "model": self._name.partition(":")[2],
            "response_format": wanted.response_format,
            "timestamp_granularities": wanted.granularities,
        }
        if language is not None:
            fields["language"] = language
        if wanted == _DIARIZED:
            # Without it more than 30 s of sound are refused.
            fields.setdefault("chunking_strategy", "auto")
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
        self._account.count(answer, audio.duration_s)
        return answer

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

    @property
    def hearing(self) -> Hearing:
        return Hearing()

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


def hearing_of(capabilities: Capabilities) -> Hearing:
    """How a served recogniser listens, by what is known of its model."""
    if not capabilities.speakers:
        return Hearing()
    return Hearing(speakers=True, longest_s=min(capabilities.max_audio_s or _LONGEST_S, _LONGEST_S))
