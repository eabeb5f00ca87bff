"""The host process: loads one source of observers, and answers the questions of many workers at once.

Started by its guardian, as ``python -m omnidetective.observers.host.main SOURCE LISTENER GUARDIAN GUARDIAN_PID``.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import faulthandler
import logging
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import Final

from omnidetective.errors import ObserverUnavailableError
from omnidetective.framing import Payload, WireError
from omnidetective.observers.border import BadObservationError, checked
from omnidetective.observers.host.clips import Clips
from omnidetective.observers.host.context import Inquiry, current_inquiry
from omnidetective.observers.host.faults import Fault
from omnidetective.observers.host.opening import Opening, Openings
from omnidetective.observers.host.sources import SourceRef
from omnidetective.observers.host.wire import (
    TO_HOST,
    TO_HOST_MOST,
    Answered,
    CallAnswer,
    Cancel,
    Cancelled,
    Failed,
    FromHost,
    Hello,
    Leaving,
    Observe,
    Open,
    Started,
    receive,
    send,
)
from omnidetective.turns import Turns

_BEAT_S: Final = 1.0
_TO_STOP_S: Final = 10.0
"""Time for an observer to end when its question is cancelled; after that the process is replaced."""
_TO_CLOSE_S: Final = 1.0
_PR_SET_PDEATHSIG: Final = 1
_EASY_TO_KILL: Final = "500"
log = logging.getLogger(__name__)


class _Worker:
    """One connection, and the questions that came by it."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.opening: Opening | None = None
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self.inquiries: dict[int, Inquiry] = {}
        self.unwanted: set[int] = set()

    def say(self, message: FromHost, payload: Payload | None = None) -> None:
        if not self._writer.is_closing():
            send(self._writer, message, payload)


class Host:
    """Serves one source until its guardian says so, or is gone."""

    def __init__(self, ref: SourceRef, listener: socket.socket, guardian: socket.socket) -> None:
        self._listener = listener
        self._guardian = guardian
        self._openings = Openings(ref)
        self._clips = Clips()
        self._turns = Turns()
        self._working: set[asyncio.Task[None]] = set()
        self._background: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self._leaving = False

    async def run(self) -> None:
        self._listener.setblocking(False)
        self._guardian.setblocking(False)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._over.set)
        for endless in (self._beat(), self._hear_guardian()):
            self._keep(asyncio.create_task(endless))
        accepting = asyncio.create_task(self._accept())
        self._accepting = accepting
        await self._over.wait()
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_TO_CLOSE_S):
                await self._openings.close()

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _tell(self, word: str) -> None:
        with contextlib.suppress(BlockingIOError):
            self._guardian.send(word.encode() + b"\n")

    async def _beat(self) -> None:
        while True:
            self._tell("beat")
            await asyncio.sleep(_BEAT_S)

    async def _hear_guardian(self) -> None:
        reader, self._guardian_writer = await asyncio.open_unix_connection(sock=self._guardian.dup())
        while word := await reader.readline():
            if word == b"retire\n":
                self._leave()
            elif word == b"end\n":
                self._over.set()
        os._exit(1)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._listener)
            reader, writer = await asyncio.open_unix_connection(sock=connection, limit=2**20)
            self._keep(asyncio.create_task(self._converse(reader, writer)))

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take the questions of one worker; what it no longer waits for when it goes is cancelled."""
        worker = _Worker(writer)
        worker.say(Hello(pid=os.getpid()))
        try:
            while (received := await receive(reader, TO_HOST, TO_HOST_MOST)) is not None:
                match received[0]:
                    case Open() as wanted:
                        await writer.drain()  # Whatever is imported now, the worker knows whom it waits for.
                        worker.opening = await self._openings.get(wanted)
                        if (limit_mb := worker.opening.memory_mb) is not None:
                            self._tell(f"memory {limit_mb}")
                        self._tell("ready")
                        worker.say(worker.opening.opened)
                    case Observe() as question:
                        self._begin(worker, question)
                    case Cancel() as unwanted:
                        worker.say(Cancelled(id=unwanted.id))
                        self._cancel(worker, unwanted.id)
                    case CallAnswer() as answer:
                        if (inquiry := worker.inquiries.get(answer.id)) is not None:
                            inquiry.hear(answer)
        except WireError:
            log.warning("a worker said what cannot be understood", exc_info=True)
        finally:
            for number in list(worker.tasks):
                self._cancel(worker, number)
            writer.close()

    def _begin(self, worker: _Worker, question: Observe) -> None:
        if self._leaving:
            worker.say(Leaving(id=question.id))
            return
        worker.tasks[question.id] = task = asyncio.create_task(self._answer(worker, question))
        self._working.add(task)

        def done(task: asyncio.Task[None]) -> None:
            del worker.tasks[question.id]
            worker.unwanted.discard(question.id)
            self._done(task)

        task.add_done_callback(done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        if self._leaving and not self._working:
            self._over.set()

    def _cancel(self, worker: _Worker, number: int) -> None:
        if (task := worker.tasks.get(number)) is not None:
            worker.unwanted.add(number)
            task.cancel()
            self._keep(asyncio.create_task(self._see_it_stop(task)))

    async def _see_it_stop(self, task: asyncio.Task[None]) -> None:
        """An observer that goes on when nobody waits for it any more is got rid of with the whole process."""
        await asyncio.wait({task}, timeout=_TO_STOP_S)
        if not task.done():
            log.warning(
                "the observer goes on %g s after its question was cancelled: the process is replaced", _TO_STOP_S
            )
            self._leave()
            self._done(task)

    def _leave(self) -> None:
        """Take no more questions, and end when those in work are answered."""
        if not self._leaving:
            self._leaving = True
            self._tell("leaving")
            self._accepting.cancel()
            if not self._working:
                self._over.set()

    async def _answer(self, worker: _Worker, question: Observe) -> None:
        try:
            async with self._turns.alone() if question.alone else self._turns.beside():
                worker.say(Started(id=question.id))
                said = await self._ask(worker, question)
        except asyncio.CancelledError:
            return  # Nobody waits for it.
        self._tell("answered")
        worker.say(said)

    async def _ask(self, worker: _Worker, question: Observe) -> Answered | Failed:
        """The answer, or what is wrong; the border of foreign code inside its process."""
        inquiry = Inquiry(worker, question.id)
        worker.inquiries[question.id] = inquiry
        token = current_inquiry.set(inquiry)
        me = asyncio.current_task()
        assert me is not None
        try:
            observer = worker.opening and worker.opening.observers.get(question.observer)
            if not observer:
                raise ObserverUnavailableError(f"there is no observer {question.observer} here")
            async with self._clips.use(question.clip) as clip:
                answer = await observer.observe(clip, question.question, question.span)
            return Answered(id=question.id, observation=checked(answer))
        except asyncio.CancelledError:
            if question.id in worker.unwanted:
                raise
            while me.cancelling():
                me.uncancel()
            return Failed(id=question.id, fault=Fault.of(BadObservationError("cancelled itself", reason="cancelled")))
        except (Exception, SystemExit) as error:
            log.warning("%s failed on %s", question.observer, question.clip.id, exc_info=True)
            return Failed(id=question.id, fault=Fault.of(error))
        finally:
            inquiry.end()
            current_inquiry.reset(token)
            del worker.inquiries[question.id]


def _settle_in(guardian_pid: int) -> None:
    """Be a process that is easily ended and leaves nothing behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        with contextlib.suppress(OSError):  # Where memory runs out, this is what the kernel should end first.
            Path("/proc/self/oom_score_adj").write_text(_EASY_TO_KILL)
    if os.getppid() != guardian_pid:
        os._exit(1)


def main() -> None:
    """Entry point of the process."""
    ref = SourceRef.model_validate_json(sys.argv[1])
    listener, guardian = (socket.socket(fileno=int(number)) for number in sys.argv[2:4])
    for inherited in (listener, guardian):
        inherited.set_inheritable(False)
    _settle_in(int(sys.argv[4]))
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(Host(ref, listener, guardian).run())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        status = 1 if sys.exc_info()[0] else 0
        os._exit(status)  # Threads that a plugin has left running do not keep it.


if __name__ == "__main__":
    main()
