"""Models whose answers are kept: what is the same call, and what of an answer is worth keeping."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from json import JSONEncoder
from typing import TYPE_CHECKING, Any

from omnidetective.evidence import SpeechEvidence
from omnidetective.llm.base import ChatModel
from omnidetective.llm.cache import ResponseCache
from omnidetective.llm.messages import (
    AudioPart,
    ChatReply,
    ChatRequest,
    FramesPart,
    Message,
    OutputSchema,
    Part,
    TextPart,
    ToolSpec,
)
from omnidetective.llm.usage import count_cached_call
from omnidetective.llm.wrapped import WrappedChat

if TYPE_CHECKING:
    from omnidetective.llm.transcribe import Hearing, Transcriber


_PLAIN = tuple(sorted(ChatRequest.model_fields.keys() - {"messages", "tools", "output"}))
"""What of a request is a number, a word or nothing, and goes into the key as it is."""


class CachedChat(WrappedChat):
    """A chat model that is asked only what it has not answered before.

    Args:
        host: of the endpoint: the same name elsewhere may be another model.
        parameters: what the model set adds to every request.
    """

    def __init__(self, inner: ChatModel, cache: ResponseCache, *, host: str, parameters: Mapping[str, Any]) -> None:
        super().__init__(inner)
        self._cache = cache
        self._place = {"host": host, "parameters": dict(parameters)}

    async def complete(self, request: ChatRequest) -> ChatReply:
        """See :class:`~omnidetective.llm.base.ChatModel`."""

        async def ask() -> tuple[ChatReply, str | None]:
            reply = await self.inner.complete(request)
            return reply, reply.model_dump_json() if reply.outcome == "ok" else None

        reply, kept = await self._cache.answer(self._key(request), self.name, ask, read=ChatReply.model_validate_json)
        if kept:
            count_cached_call(self.name)
        return reply

    async def forget(self, request: ChatRequest) -> None:
        """Ask the next time: the answer was of no use."""
        await self._cache.forget(self._key(request))

    def _key(self, request: ChatRequest) -> str:
        asked: dict[str, Any] = {name: getattr(request, name) for name in _PLAIN}
        asked["messages"] = [_digest(message) for message in request.messages]
        asked["tools"] = [_digest(tool) for tool in request.tools]
        asked["output"] = None if request.output is None else _digest(request.output)
        return _hash({"model": self.name, **self._place, "asked": asked})


_READ_AS = 2
"""What is kept of a transcript is what was read from it: 2 has words, speakers, and the codes of languages."""


class CachedTranscriber:
    """A recogniser that listens to the same sound once."""

    def __init__(self, inner: Transcriber, cache: ResponseCache, *, host: str, parameters: Mapping[str, Any]) -> None:
        self._inner = inner
        self._cache = cache
        self._place = {"host": host, "parameters": dict(parameters)}

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def hearing(self) -> Hearing:
        return self._inner.hearing

    async def transcribe(self, audio: AudioPart, *, language: str | None = None) -> SpeechEvidence:
        """See :class:`~omnidetective.llm.transcribe.Transcriber`."""

        async def ask() -> tuple[SpeechEvidence, str | None]:
            speech = await self._inner.transcribe(audio, language=language)
            return speech, speech.model_dump_json()

        key = _hash({"model": self.name, **self._place, "audio": _part(audio), "language": language, "read": _READ_AS})
        speech, kept = await self._cache.answer(key, self.name, ask, read=SpeechEvidence.model_validate_json)
        if kept:
            count_cached_call(self.name)
        return speech

    async def aclose(self) -> None:
        await self._inner.aclose()


async def forget(model: ChatModel, request: ChatRequest) -> None:
    """Drop the kept answer to a request, where one is kept: it was of no use, and another attempt should ask anew."""
    while isinstance(model, WrappedChat):
        if isinstance(model, CachedChat):
            await model.forget(request)
            return
        model = model.inner


def _digest(item: Message | ToolSpec | OutputSchema) -> str:
    """The hash of what goes out again with every turn, made once."""
    return item.once("digest", lambda: _hash(_message(item) if isinstance(item, Message) else item.model_dump()))


def _message(message: Message) -> dict[str, Any]:
    whole = message.model_dump(mode="json", exclude={"parts"})
    return {**whole, "parts": [_part(part) for part in message.parts]}


def _part(part: Part) -> Any:
    """A part by its content: media by their hash."""
    if isinstance(part, TextPart):
        return part.text
    if isinstance(part, FramesPart):
        return {"frames": [frame.sha256 for frame in part.frames], "fps": part.fps}
    return {"type": part.type, "sha256": part.sha256}


_ENCODER = JSONEncoder(sort_keys=True, ensure_ascii=False)


def _hash(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(_ENCODER.encode(value).encode()).hexdigest()
