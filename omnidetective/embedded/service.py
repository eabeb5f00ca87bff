"""The model service: one process that runs the embedded models for all workers of a run on this machine.

It is given a listening socket that its parent keeps: should it die, whoever connects waits in the socket's queue until
the parent has started another. Each model has a queue of its own, first come, first served, and a few slots that work
on it. A request that was running when the service died is tried again with nothing beside it, so that the one that
kills the service is found out, and no other pays for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from omnidetective.embedded.inference import processors
from omnidetective.embedded.service_wire import (
    REQUESTS,
    Cancel,
    FailedReply,
    Payload,
    Reply,
    Request,
    SoundReply,
    SoundRequest,
    SpeechReply,
    SpeechRequest,
    Started,
    TextReply,
    TextRequest,
    VoiceReply,
    VoiceRequest,
    WireError,
    receive,
    send,
)
from omnidetective.embedded.sounds import WEIGHTS, SoundModel
from omnidetective.embedded.speech import SpeechModel
from omnidetective.embedded.text import TextModel
from omnidetective.embedded.voice import find_voice
from omnidetective.embedded.weights import find
from omnidetective.errors import OmnidetectiveError

_KINDS: Final = ("voice", "speech", "sounds", "text")
_MOST_THREADS: Final = 4
_MOST_SLOTS: Final = 8
_FEWEST_SLOTS: Final = 2
"""While one waits for memory or Python, the other computes; and a long piece does not hold up everybody else."""
_M_ARENA_MAX: Final = -8
_HEAPS: Final = 2


@dataclass(frozen=True, slots=True)
class Room:
    """How the processors are divided.

    Attributes:
        slots: requests at once for each model.
        threads: of one request.
    """

    slots: int
    threads: int

    @classmethod
    def of(cls, available: int) -> Room:
        """For so many processors. Models take turns more than they compete, so each gets the whole machine."""
        slots = max(_FEWEST_SLOTS, min(_MOST_SLOTS, available // _MOST_THREADS))
        return cls(slots, max(1, min(_MOST_THREADS, available // slots)))


def serve(listener: socket.socket, parent: socket.socket) -> None:
    """Answer until the parent is gone. Never returns.

    Args:
        listener: where workers connect.
        parent: is told ``a`` when the first worker was accepted; its end is the end of this process.
    """
    from tqdm import tqdm

    # faster-whisper makes a progress bar that it does not show, whose own lock is one between processes: the kernel
    # would be left with it when this process is killed, as it always is.
    tqdm.set_lock(threading.RLock())
    _keep_few_heaps()
    asyncio.run(_Service(Room.of(processors())).run(listener, parent))


@dataclass(slots=True)
class _Job:
    request: Request
    payload: bytes
    writer: asyncio.StreamWriter
    cancelled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        self.cancelled.set()
        self.payload = b""

    def tell(self, message: Reply | Started, payload: Payload | None = None) -> None:
        if not self.cancelled.is_set():
            send(self.writer, message, payload)


class _Gate:
    """Lets requests run side by side, or one alone, which goes first."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._running = 0
        self._alone = False

    @contextlib.asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        async with self._changed:
            await self._changed.wait_for(lambda: not self._alone)
            self._running += 1
        try:
            yield
        finally:
            async with self._changed:
                self._running -= 1
                self._changed.notify_all()

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """For one task only."""
        async with self._changed:
            self._alone = True
            await self._changed.wait_for(lambda: self._running == 0)
        try:
            yield
        finally:
            async with self._changed:
                self._alone = False
                self._changed.notify_all()


class _Service:
    def __init__(self, room: Room) -> None:
        self._room = room
        self._gate = _Gate()
        self._queues: dict[str, asyncio.Queue[_Job]] = {kind: asyncio.Queue() for kind in _KINDS}
        self._suspects: asyncio.Queue[_Job] = asyncio.Queue()
        self._threads = ThreadPoolExecutor(room.slots * len(_KINDS) + 1, thread_name_prefix="model")

    async def run(self, listener: socket.socket, parent: socket.socket) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(_die_with(parent))
            for queue in self._queues.values():
                for slot in range(self._room.slots):
                    group.create_task(self._work_off(queue, slot, self._gate.beside))
            group.create_task(self._work_off(self._suspects, 0, self._gate.alone))

            async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                with contextlib.suppress(BlockingIOError):
                    parent.send(b"a")
                await self._converse(reader, writer)

            server = await asyncio.start_unix_server(converse, sock=listener, limit=2**20)
            group.create_task(server.serve_forever())

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take the requests of one worker; what it no longer waits for when it goes is cancelled."""
        jobs: dict[int, _Job] = {}
        try:
            while (received := await receive(reader, REQUESTS)) is not None:
                request, payload = received
                if isinstance(request, Cancel):
                    if (job := jobs.pop(request.id, None)) is not None:
                        job.cancel()
                    continue
                jobs[request.id] = job = _Job(request, payload, writer)
                (self._suspects if request.alone else self._queues[request.kind]).put_nowait(job)
        except WireError:
            pass  # It is another program, or another version of this one: the connection is closed.
        finally:
            for job in jobs.values():
                job.cancel()
            writer.close()

    async def _work_off(
        self,
        queue: asyncio.Queue[_Job],
        slot: int,
        turn: Callable[[], contextlib.AbstractAsyncContextManager[None]],
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            job = await queue.get()
            if job.cancelled.is_set():
                continue
            async with turn():
                if job.cancelled.is_set():
                    continue
                job.tell(Started(id=job.request.id))
                reply, payload = await loop.run_in_executor(self._threads, self._answer, job, slot)
            job.tell(reply, payload)
            job.cancel()  # Answered: what it holds is let go.

    def _answer(self, job: _Job, slot: int) -> tuple[Reply, bytes | None]:
        try:
            return _infer(job, slot, self._room)
        except OmnidetectiveError as error:
            return FailedReply(id=job.request.id, message=error.message, reason=error.reason, hint=error.hint), None
        except Exception as error:  # noqa: BLE001 - the border of a request: its observer is told
            said = f"{type(error).__name__}: {error}"
            return FailedReply(id=job.request.id, message=said, reason=type(error).__name__), None


def _infer(job: _Job, slot: int, room: Room) -> tuple[Reply, bytes | None]:
    import numpy as np

    request, payload = job.request, job.payload
    match request:
        case VoiceRequest():
            samples = np.frombuffer(payload, np.float32)
            spans = find_voice(samples, offset_s=request.offset_s, lenient=request.lenient)
            return VoiceReply(id=request.id, spans=spans), None
        case SpeechRequest():
            until = float("inf") if request.seconds_left is None else time.monotonic() + request.seconds_left
            speech = SpeechModel.shared(find(request.weights), threads=room.threads, at_once=room.slots)
            heard = speech.transcribe(
                np.frombuffer(payload, np.float32),
                request.voiced,
                language=request.language,
                offset_s=request.offset_s,
                deadline=until,
                stop=job.cancelled,
            )
            return SpeechReply(id=request.id, transcript=heard), None
        case SoundRequest():
            sounds = SoundModel.shared(find(WEIGHTS), threads=room.threads)
            scores = sounds.scores(np.frombuffer(payload, np.float32))
            return SoundReply(id=request.id, labels=sounds.labels), scores.tobytes()
        case TextRequest():
            # The engine reads one picture at a time, so each slot has its own.
            lines = TextModel.shared(threads=room.threads, slot=slot).read(payload)
            return TextReply(id=request.id, lines=lines), None


def _keep_few_heaps() -> None:
    """Have threads share heaps: glibc gives each its own, and keeps what any of them ever needed (measured: +45 %)."""
    with contextlib.suppress(OSError, AttributeError):  # Another C library does without.
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _HEAPS)


async def _die_with(parent: socket.socket) -> None:
    """Where the kernel does not see to it, the closed socket tells that the parent is gone."""
    parent.setblocking(False)
    with contextlib.suppress(ConnectionError):
        while await asyncio.get_running_loop().sock_recv(parent, 64):
            pass
    os._exit(0)
