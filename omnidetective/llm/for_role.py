"""A model in one role of the cast: its calls go on the account of that role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omnidetective.evidence import SpeechEvidence
from omnidetective.llm.base import ChatModel
from omnidetective.llm.messages import AudioPart, ChatReply, ChatRequest
from omnidetective.llm.usage import paid_by
from omnidetective.llm.wrapped import WrappedChat

if TYPE_CHECKING:
    from omnidetective.llm.transcribe import Hearing, Transcriber


class ChatForRole(WrappedChat):
    """A chat model that plays a role; several roles can share one model."""

    def __init__(self, inner: ChatModel, role: str) -> None:
        super().__init__(inner)
        self._role = role

    async def complete(self, request: ChatRequest) -> ChatReply:
        """See :class:`~omnidetective.llm.base.ChatModel`."""
        with paid_by(role=self._role):
            return await self.inner.complete(request)


class TranscriberForRole:
    """A recogniser that plays a role."""

    def __init__(self, inner: Transcriber, role: str) -> None:
        self._inner = inner
        self._role = role

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def hearing(self) -> Hearing:
        return self._inner.hearing

    async def transcribe(self, audio: AudioPart, *, language: str | None = None) -> SpeechEvidence:
        """See :class:`~omnidetective.llm.transcribe.Transcriber`."""
        with paid_by(role=self._role):
            return await self._inner.transcribe(audio, language=language)

    async def aclose(self) -> None:
        await self._inner.aclose()
