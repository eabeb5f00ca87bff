"""What an observer in a host process may use besides the clip: its models are asked by whoever asked the observer.

A model call goes back to the worker whose question is being answered, and is made there by the worker's own cast. So
limits, budget, cache and usage are those of the clip, and no key is needed here.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any, Final, Protocol, TypeVar

from omnidetective.errors import ObserverUnavailableError, OmnidetectiveError
from omnidetective.evidence import SpeechEvidence
from omnidetective.framing import Payload
from omnidetective.llm.base import Capabilities, ChatModel
from omnidetective.llm.cast import Cast, Probe
from omnidetective.llm.messages import AudioPart, ChatReply, ChatRequest
from omnidetective.llm.transcriber import Hearing, Transcriber
from omnidetective.model_sets import ModelSet
from omnidetective.observers.base import ObserverContext
from omnidetective.observers.host.calls import pack
from omnidetective.observers.host.wire import CallAnswer, ChatCall, Open, RoleCast, TranscriptCall
from omnidetective.prompts import PromptLibrary
from omnidetective.settings import Settings

T = TypeVar("T")


class Asker(Protocol):
    """The worker that asked."""

    def say(self, message: ChatCall | TranscriptCall, payload: Payload) -> None: ...


class Inquiry:
    """A question while it is worked on, and the model calls that were made for it."""

    def __init__(self, asker: Asker, number: int) -> None:
        self.number = number
        self._asker = asker
        self._loop = asyncio.get_running_loop()
        self._calls: dict[int, asyncio.Future[CallAnswer]] = {}
        self._numbers = itertools.count()
        self._over = False

    def end(self) -> None:
        """The question is answered, or nobody waits for the answer."""
        self._over = True
        for call in self._calls.values():
            call.cancel()

    def hear(self, answer: CallAnswer) -> None:
        """The worker has made a call."""
        call = self._calls.get(answer.call)
        if call is not None and not call.done():
            call.set_result(answer)

    async def chat(self, role: str, request: ChatRequest) -> ChatReply:
        """Have the worker ask the model of a role. From any thread that runs an event loop."""
        packed, media = pack(request)

        def message(call: int) -> ChatCall:
            return ChatCall(id=self.number, call=call, role=role, request=packed)

        answer = await self._on_our_loop(self._call(message, media))
        if answer.reply is None:
            raise _not_answered(answer)
        return answer.reply

    async def transcript(self, role: str, audio: AudioPart, language: str | None) -> SpeechEvidence:
        """Have the worker ask the recogniser of a role."""

        def message(call: int) -> TranscriptCall:
            return TranscriptCall(
                id=self.number,
                call=call,
                role=role,
                format=audio.format,
                duration_s=audio.duration_s,
                language=language,
            )

        answer = await self._on_our_loop(self._call(message, audio.data))
        if answer.speech is None:
            raise _not_answered(answer)
        return answer.speech

    async def _call(self, message: Callable[[int], ChatCall | TranscriptCall], payload: Payload) -> CallAnswer:
        if self._over:
            raise _NoInquiryError
        number = next(self._numbers)
        waiting: asyncio.Future[CallAnswer] = self._loop.create_future()
        self._calls[number] = waiting
        try:
            self._asker.say(message(number), payload)
            return await waiting
        finally:
            del self._calls[number]

    async def _on_our_loop(self, work: Coroutine[Any, Any, T]) -> T:
        if asyncio.get_running_loop() is self._loop:
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))


def _not_answered(answer: CallAnswer) -> OmnidetectiveError:
    return answer.fault.error() if answer.fault is not None else OmnidetectiveError("the call gave nothing")


class _NoInquiryError(ObserverUnavailableError):
    default_reason = "no_inquiry"

    def __init__(self) -> None:
        super().__init__("a model is asked on account of a question, and none is being answered")


current_inquiry: Final[ContextVar[Inquiry | None]] = ContextVar("current_inquiry", default=None)
"""The question that this task works on."""


def _inquiry() -> Inquiry:
    if (inquiry := current_inquiry.get()) is None:
        raise _NoInquiryError
    return inquiry


class _Chat:
    """The chat model of a role, elsewhere."""

    def __init__(self, role: str, name: str, capabilities: Capabilities) -> None:
        self._role = role
        self.name = name
        self.capabilities = capabilities

    async def complete(self, request: ChatRequest) -> ChatReply:
        """See :class:`~omnidetective.llm.base.ChatModel`."""
        return await _inquiry().chat(self._role, request)

    async def aclose(self) -> None:
        """Nothing is held here."""


class _Transcriber:
    """The recogniser of a role, elsewhere."""

    def __init__(self, role: str, name: str, hearing: Hearing) -> None:
        self._role = role
        self.name = name
        self.hearing = hearing

    async def transcribe(self, audio: AudioPart, *, language: str | None = None) -> SpeechEvidence:
        """See :class:`~omnidetective.llm.transcriber.Transcriber`."""
        return await _inquiry().transcript(self._role, audio, language)

    async def aclose(self) -> None:
        """Nothing is held here."""


class HostCast(Cast):
    """The cast as a host process has it: who plays which role, asked through the worker."""

    def __init__(self, opened: Open, model_set: ModelSet, settings: Settings) -> None:
        super().__init__(model_set, settings.retry, environ={})
        self._names = opened.names
        self._told = {cast.role: cast for cast in opened.roles}

    def chat(self, role: str) -> ChatModel:
        """See :meth:`Cast.chat`."""
        told = self._of(role)
        if told.capabilities is None:
            raise _cannot(told.fault)
        return _Chat(role, told.name, told.capabilities)

    def transcriber(self, role: str = "asr") -> Transcriber:
        """See :meth:`Cast.transcriber`."""
        told = self._of(role)
        if told.hearing is None:
            raise _cannot(told.transcriber_fault)
        return _Transcriber(role, told.transcriber, told.hearing)

    def names(self) -> dict[str, str]:
        """See :meth:`Cast.names`."""
        return dict(self._names)

    async def discover(self) -> None:
        """The worker has done it."""

    async def probe(self, role: str) -> Probe:
        """What the worker has told; servers are not reached from here."""
        told = self._of(role)
        return Probe(role, told.name, None, "reached by the worker that asks")

    def _of(self, role: str) -> RoleCast:
        if role not in self._told:
            self._spec(role)  # Raises, as it would in the worker.
        return self._told[role]


def _cannot(fault: Any) -> OmnidetectiveError:
    return fault.error() if fault is not None else ObserverUnavailableError("nobody plays it", reason="no_model")


def context_of(opened: Open) -> ObserverContext:
    """What observers get that are made for this worker."""
    settings = Settings.model_validate(opened.settings)
    model_set = ModelSet.model_validate(opened.model_set)
    return ObserverContext(HostCast(opened, model_set, settings), model_set, PromptLibrary(settings.prompts), settings)
