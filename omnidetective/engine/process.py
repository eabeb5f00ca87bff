"""The parent's side of one worker process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable
from typing import Any, Final

from omnidetective.engine.base import WorkerDiedError
from omnidetective.engine.logs import log_from_worker
from omnidetective.engine.permit_desk import PermitDesk
from omnidetective.engine.permit_talk import PermitTalk
from omnidetective.engine.starter import SPAWN, reap_process, start_process
from omnidetective.engine.wire import (
    Assignment,
    Finish,
    Finished,
    LogLine,
    Message,
    Ready,
    Spending,
    StartFailed,
    WorkerSetup,
    pack,
    receive,
)
from omnidetective.engine.worker import worker_main
from omnidetective.errors import OmnidetectiveError, UserError
from omnidetective.llm.limits.bookkeeper import Bookkeeper
from omnidetective.records import InputRow

_START_S: Final = 300.0
_LEAVE_S: Final = 15.0
_LAST_WORDS_S: Final = 2.0
_POLL_S: Final = 0.1
_log = logging.getLogger(__name__)


class WorkerProcess:
    """One worker: started, given clips, and surely gone after :meth:`close`."""

    def __init__(self, setup: WorkerSetup, keeper: Bookkeeper, spending: Callable[[Spending], None]) -> None:
        """
        Args:
            setup: what it is told.
            keeper: gives leave for its model calls.
            spending: told what its clips in flight have spent, as it happens.
        """
        self._spending = spending
        self._desk = PermitDesk(keeper, self._send)
        self._ours, self._theirs = socket.socketpair()
        self._process = SPAWN.Process(target=worker_main, args=(self._theirs, setup), name="omnidetective-worker")
        self._writer: asyncio.StreamWriter | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._waiting: dict[str, asyncio.Future[Finished]] = {}
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._how: str | None = None
        self._too_large: str | None = None
        self._leaving = False

    @property
    def pid(self) -> int | None:
        """Its process id; ``None`` before it is started."""
        return self._process.pid

    async def start(self) -> None:
        """Start the process and wait until its pipeline is built.

        Raises:
            OmnidetectiveError: the pipeline cannot be built, here or in any other worker.
            WorkerDiedError: the process died before that.
        """
        with self._theirs:
            await start_process(self._process)
        reader, self._writer = await asyncio.open_unix_connection(sock=self._ours, limit=2**20)
        self._listener = asyncio.create_task(self._listen(reader))
        self._watcher = asyncio.create_task(self._watch())
        try:
            async with asyncio.timeout(_START_S):
                await asyncio.shield(self._ready)
        except TimeoutError:
            raise OmnidetectiveError(
                f"a worker process was not ready after {_START_S:g} s", reason="worker_start"
            ) from None

    async def work(self, row: InputRow, *, deadline_s: float) -> Finished:
        """Have a clip done.

        Raises:
            WorkerDiedError: the process died first, or was killed because there was no answer within ``deadline_s``.
        """
        if self._how is not None or self._writer is None:
            raise self._death(self._how or "was not started", held=False)
        answer: asyncio.Future[Finished] = asyncio.get_running_loop().create_future()
        self._waiting[row.id] = answer
        # No waiting for the socket to drain: a worker is never given more than it does at once.
        self._writer.write(pack(Assignment(row)))
        try:
            async with asyncio.timeout(deadline_s) as limit:
                return await answer
        except TimeoutError:
            if not limit.expired():
                raise
            self.kill()
            raise WorkerDiedError(f"was stuck and was killed after {deadline_s:g} s", held=True, stuck=True) from None

    def kill_too_large(self, how: str) -> None:
        """Kill the process because of the memory that it holds.

        Args:
            how: what is said of it.
        """
        if self._how is None:
            self._too_large = how
            self.kill()

    def kill(self) -> None:
        """Kill the process, and what it started in its process group."""
        if self._process.pid is not None and not self._gone():
            self._how = self._how or "was killed"
            _kill_group(self._process.pid)
            os.kill(self._process.pid, signal.SIGKILL)

    async def close(self) -> None:
        """End the process: politely when it has answered for every clip, otherwise at once."""
        self._leaving = True
        try:
            if self._writer and self._watcher and self._how is None and self._ready.done() and not self._waiting:
                self._writer.write(pack(Finish()))
                await asyncio.wait({self._watcher}, timeout=_LEAVE_S)
        finally:
            self.kill()
            if self._watcher is not None:
                await asyncio.wait({self._watcher}, timeout=_LEAVE_S)
            if self._writer is not None:
                self._writer.close()
            self._ours.close()
            self._desk.close()

    def _send(self, message: Message) -> None:
        if self._writer is not None and self._how is None:
            self._writer.write(pack(message))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while (message := await receive(reader)) is not None:
            self._heard(message)

    def _heard(self, message: Message) -> None:
        match message:
            case Finished():
                answer = self._waiting.pop(message.id, None)
                if answer is not None and not answer.done():
                    answer.set_result(message)
            case Spending():
                self._spending(message)
            case PermitTalk():
                self._desk.heard(message)
            case LogLine():
                log_from_worker(message)
            case Ready():
                if not self._ready.done():
                    self._ready.set_result(None)
            case StartFailed():
                kind = UserError if message.by_user else OmnidetectiveError
                if not self._ready.done():
                    self._ready.set_exception(kind(message.message, reason=message.reason, hint=message.hint))

    async def _watch(self) -> None:
        """Notice the end of the process, also where a program that it started keeps the socket open."""
        while not self._gone():
            if self._listener.done() and not self._leaving:
                self.kill()  # It closed the socket and lives: it can neither be given clips nor finish any.
            await asyncio.sleep(_POLL_S)
        self._how = self._how or "ended"  # Nothing more is given to it.
        await asyncio.wait({self._listener}, timeout=_LAST_WORDS_S)
        if self._listener.done() and (error := self._listener.exception()) is not None:
            _log.error("a worker process sent something that cannot be read", exc_info=error)
        self._listener.cancel()
        if self._process.pid is not None:
            _kill_group(self._process.pid)  # What it started dies with it, before its id can be given to others.
        self._how = _how_it_ended(await reap_process(self._process))
        self._desk.close()
        pending: list[asyncio.Future[Any]] = [self._ready, *self._waiting.values()]
        for answer in pending:
            if not answer.done():
                answer.set_exception(self._death(self._how, held=True))
                answer.exception()  # Marked as seen: at the end of a run nobody waits for it any more.

    def _death(self, how: str, *, held: bool) -> WorkerDiedError:
        return WorkerDiedError(self._too_large or how, held=held, too_large=self._too_large is not None)

    def _gone(self) -> bool:
        """Whether the process ended; it is not reaped, so that its id stays its own until its group is killed."""
        if self._process.pid is None:
            return True
        try:
            options = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self._process.pid, options) is not None
        except ChildProcessError:
            return True


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _how_it_ended(exitcode: int | None) -> str:
    if exitcode is None:
        return "ended"
    if exitcode < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-exitcode).name}"
        return f"was ended by signal {-exitcode}"
    return f"ended with status {exitcode}"
