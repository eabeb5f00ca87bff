"""One connection of a worker to a host process, and the questions that wait on it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from omnidetective.errors import BudgetReachedError
from omnidetective.framing import WireError
from omnidetective.llm.messages import AudioPart
from omnidetective.observers.base import ObserverContext
from omnidetective.observers.host.calls import unpack
from omnidetective.observers.host.faults import Fault
from omnidetective.observers.host.processes import Address
from omnidetective.observers.host.wire import (
    FROM_HOST,
    FROM_HOST_MOST,
    Answered,
    CallAnswer,
    Cancel,
    Cancelled,
    ChatCall,
    Failed,
    FromHost,
    Hello,
    Leaving,
    Observe,
    Opened,
    Started,
    TranscriptCall,
    receive,
    send,
)
from omnidetective.records import Observation

_TO_HEAR_S: Final = 5.0
"""A process that does not even hear for so long that a question was cancelled is stuck."""


class LostError(Exception):
    """The connection ended first. ``started``: while the question was worked on; ``bad``: by what the host sent."""

    def __init__(self, *, started: bool, pid: int, bad: str = "") -> None:
        super().__init__()
        self.started = started
        self.pid = pid
        self.bad = bad


@dataclass(slots=True)
class _Waiting:
    """A question that waits for its answer."""

    heard: asyncio.Queue[tuple[FromHost, bytes] | LostError] = field(default_factory=asyncio.Queue)
    started: bool = False
    refused: BudgetReachedError | None = None


class Link:
    """One connection to one host process, and the questions that wait on it."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pid: int,
        address: Address,
        context: ObserverContext,
    ) -> None:
        self.lost = False
        self._leaving = False
        self._writer = writer
        self._pid = pid
        self._address = address
        self._context = context
        self._waiting: dict[int, _Waiting] = {}
        self._cancelled: dict[int, asyncio.Event] = {}
        self._watching: set[asyncio.Task[None]] = set()
        self._listener = asyncio.create_task(self._listen(reader))

    @property
    def usable(self) -> bool:
        """Whether it takes questions."""
        return not (self.lost or self._leaving)

    async def ask(self, question: Observe) -> Observation:
        """Put a question and make the model calls that its answer needs, on account of whoever asks.

        Raises:
            LostError: the connection ended first.
            OmnidetectiveError: see :meth:`IsolatedObserver.observe`.
        """
        if not self.usable:
            raise LostError(started=False, pid=self._pid)
        self._waiting[question.id] = waiting = _Waiting()
        calls: set[asyncio.Task[None]] = set()
        send(self._writer, question)
        try:
            while True:
                heard = await waiting.heard.get()
                if isinstance(heard, LostError):
                    raise heard
                match heard:
                    case Answered() as answered, _:
                        return answered.observation
                    case Failed() as failed, _:
                        raise _raised(failed.fault, waiting)
                    case Leaving(), _:
                        self._leaving = True
                        raise LostError(started=False, pid=self._pid)
                    case (ChatCall() | TranscriptCall()) as wanted, media:
                        call = asyncio.create_task(self._call(wanted, media, waiting))
                        calls.add(call)
                        call.add_done_callback(calls.discard)
        except asyncio.CancelledError:
            self._cancel(question.id)
            raise
        finally:
            del self._waiting[question.id]
            for call in list(calls):
                call.cancel()

    async def aclose(self) -> None:
        """Close it; the host hears of it."""
        self._listener.cancel()
        for watching in list(self._watching):
            watching.cancel()
        await asyncio.wait({self._listener, *self._watching})

    async def _call(self, wanted: ChatCall | TranscriptCall, media: bytes, waiting: _Waiting) -> None:
        """Make a model call of an observer, in the context of whoever asked it."""
        cast = self._context.cast
        answer = CallAnswer(id=wanted.id, call=wanted.call)
        try:
            if isinstance(wanted, ChatCall):
                reply = await cast.chat(wanted.role).complete(unpack(wanted.request, media))
                answer = answer.model_copy(update={"reply": reply})
            else:
                audio = AudioPart(data=media, format=wanted.format, duration_s=wanted.duration_s)
                speech = await cast.transcriber(wanted.role).transcribe(audio, language=wanted.language)
                answer = answer.model_copy(update={"speech": speech})
        except Exception as error:  # noqa: BLE001 - the observer is told, as if it had made the call itself
            if isinstance(error, BudgetReachedError):
                waiting.refused = error
            answer = answer.model_copy(update={"fault": Fault.of(error)})
        if self.lost:
            return
        try:
            send(self._writer, answer)
        except ValueError as error:  # A model can say what is no Unicode.
            send(self._writer, CallAnswer(id=wanted.id, call=wanted.call, fault=Fault.of(error)))

    def _cancel(self, number: int) -> None:
        if self.lost:
            return
        send(self._writer, Cancel(id=number))
        self._cancelled[number] = heard = asyncio.Event()
        watching = asyncio.create_task(self._see_it_heard(number, heard))
        self._watching.add(watching)
        watching.add_done_callback(self._watching.discard)

    async def _see_it_heard(self, number: int, heard: asyncio.Event) -> None:
        """A host that does not even hear that a question was cancelled works for nobody: have it killed."""
        try:
            async with asyncio.timeout(_TO_HEAR_S):
                await heard.wait()
        except TimeoutError:
            await asyncio.to_thread(self._address.ask, {"ask": "stuck", "pid": self._pid})
        finally:
            self._cancelled.pop(number, None)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        bad = ""
        try:
            while (received := await receive(reader, FROM_HOST, FROM_HOST_MOST)) is not None:
                self._hear(*received)
        except WireError as error:
            bad = f"its process sent {error}"
        finally:
            self.lost = True
            self._writer.close()
            for heard in self._cancelled.values():
                heard.set()
            for waiting in self._waiting.values():
                waiting.heard.put_nowait(LostError(started=waiting.started, pid=self._pid, bad=bad))

    def _hear(self, message: FromHost, payload: bytes) -> None:
        if isinstance(message, Hello | Opened):
            return
        if isinstance(message, Cancelled):
            if (heard := self._cancelled.get(message.id)) is not None:
                heard.set()
        elif (waiting := self._waiting.get(message.id)) is None:
            return  # Nobody waits for it any more.
        elif isinstance(message, Started):
            waiting.started = True
        else:
            waiting.heard.put_nowait((message, payload))


def _raised(fault: Fault, waiting: _Waiting) -> Exception:
    """What an observer raised. Only who was refused money can say that the run's money is spent."""
    if fault.type != BudgetReachedError.__name__:
        return fault.error()
    if waiting.refused is not None:
        return waiting.refused
    return fault.model_copy(update={"type": "a plugin's word for it"}).error()
