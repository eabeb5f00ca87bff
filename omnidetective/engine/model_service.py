"""The parent's side of the model service: started when a worker first asks for a model, and again when it has died."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from omnidetective.engine.starter import SPAWN, reap_process, start_process
from omnidetective.engine.worker import die_with, leave_the_terminal

_BACKLOG: Final = 1024
_MOST_PATH_BYTES: Final = 100
"""A socket's path is at most 107 bytes long on Linux, 103 on others."""
_FRUITLESS_DEATHS: Final = 3
_log = logging.getLogger(__name__)


class ModelService:
    """A socket in a private folder, and a process that answers on it for as long as somebody asks.

    The parent keeps the socket, so that workers connect and wait while there is no process, or the next one starts.

    Args:
        folder: readable by this user alone; shorter than 90 characters (see :meth:`fits`).
    """

    def __init__(self, folder: Path) -> None:
        self.address = folder / "models"
        self._listener = socket.socket(socket.AF_UNIX)
        self._tending: asyncio.Task[None] | None = None
        self._pid: int | None = None

    @staticmethod
    def fits(folder: Path) -> bool:
        """Whether a socket can be made there: the system limits the length of its path."""
        return len(os.fsencode(folder)) + len("/models") <= _MOST_PATH_BYTES

    @property
    def pid(self) -> int | None:
        """The process that runs now; ``None`` where there is none."""
        return self._pid

    async def __aenter__(self) -> Self:
        self._listener.bind(str(self.address))
        self._listener.listen(_BACKLOG)
        self._listener.setblocking(False)
        self._tending = asyncio.create_task(self._tend_or_close())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.wait({self._tending})

    async def _tend_or_close(self) -> None:
        try:
            await self._tend()
        except OSError as error:
            _log.error("the process that runs the embedded models cannot be started: %s", error)
        finally:
            self._close()  # Whoever waits, or asks from now on, is told at once.

    async def _tend(self) -> None:
        fruitless = 0
        while fruitless < _FRUITLESS_DEATHS:
            await _readable(self._listener)
            ours, theirs = socket.socketpair()
            with ours:
                accepted, how = await self._live(ours, theirs)
            fruitless = 0 if accepted else fruitless + 1
            _log.warning("the process that runs the embedded models %s and is started again when it is needed", how)
        _log.error(
            "the process that runs the embedded models died %d times before it did anything: observers that need them "
            "are unavailable (--set workers.share_models=false does without the process)",
            _FRUITLESS_DEATHS,
        )

    async def _live(self, ours: socket.socket, theirs: socket.socket) -> tuple[bool, str]:
        """One life of the process: whether it began to answer, and how it ended."""
        process = SPAWN.Process(
            target=_service_main, args=(self._listener, theirs, os.getpid()), name="omnidetective-models"
        )
        ours.setblocking(False)
        accepted = False
        try:
            with theirs:
                await start_process(process)
            self._pid = process.pid
            with contextlib.suppress(ConnectionError):
                while await asyncio.get_running_loop().sock_recv(ours, 64):
                    accepted = True
        finally:
            self._pid = None
            if process.pid is not None:
                # It has closed its end, or nobody needs it any more: not reaped yet, so the id is still its own.
                for kill in (os.kill, os.killpg):
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        kill(process.pid, signal.SIGKILL)
                status = await reap_process(process)
        return accepted, _how_it_ended(status)

    def _close(self) -> None:
        self._listener.close()
        self.address.unlink(missing_ok=True)


async def _readable(listener: socket.socket) -> None:
    """Wait until somebody connects, without taking the connection."""
    loop = asyncio.get_running_loop()
    came: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        loop.remove_reader(listener)
        if not came.done():
            came.set_result(None)

    loop.add_reader(listener, tell)
    try:
        await came
    finally:
        loop.remove_reader(listener)


def _how_it_ended(status: int | None) -> str:
    if status is not None and status < 0:
        return f"was ended by signal {-status}"
    return f"ended with status {status}"


def _service_main(listener: socket.socket, parent: socket.socket, parent_pid: int) -> None:
    """Entry point of the process."""
    leave_the_terminal()
    die_with(parent_pid)
    for inherited in (listener, parent):
        inherited.set_inheritable(False)
    from omnidetective.embedded.service import serve

    serve(listener, parent)
