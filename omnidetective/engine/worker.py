"""A worker process: builds one pipeline and runs many clips at once on it."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import sys
import tempfile
import threading
from typing import Final

from omnidetective.engine.logs import send_logs
from omnidetective.engine.permit_talk import PermitTalk
from omnidetective.engine.wire import Assignment, Finish, LogLine, Message, Ready, WorkerSetup, pack, receive
from omnidetective.engine.workshop import Workshop, start_failed
from omnidetective.records import InputRow

MANAGED_SIGNALS: Final = frozenset({signal.SIGINT, signal.SIGTERM})
"""Signals that the parent answers for the whole run."""

_PR_SET_PDEATHSIG: Final = 1


def worker_main(sock: socket.socket, setup: WorkerSetup) -> None:
    """Entry point of the process. It leaves when it is told to finish, and dies when the parent does."""
    leave_the_terminal()
    die_with(setup.parent_pid)
    sock.set_inheritable(False)
    if setup.scratch is not None:
        os.environ["TMPDIR"] = tempfile.tempdir = str(setup.scratch)
    if setup.model_service is not None:
        from omnidetective.embedded.models import use_model_service

        use_model_service(setup.model_service)
    if setup.observer_hosts is not None:
        from omnidetective.observers.host.processes import use_hosts

        use_hosts(setup.observer_hosts)
    asyncio.run(_serve(sock, setup))


def leave_the_terminal() -> None:
    """Let only the parent hear Ctrl-C, and keep the programs that clips start from reading the terminal.

    The handlers do nothing; ignoring the signals instead would be inherited by those programs.
    """
    os.setpgid(0, 0)
    for number in MANAGED_SIGNALS:
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, MANAGED_SIGNALS)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a device, opened for its descriptor
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)  # The parent's standard output is not a worker's to write to.


def die_with(parent_pid: int) -> None:
    """Have the kernel kill this process when the thread that started it ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # It died before the line above took effect.
        os._exit(1)


async def _serve(sock: socket.socket, setup: WorkerSetup) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=sock, limit=2**20)
    loop, home = asyncio.get_running_loop(), threading.get_ident()

    def send(message: Message) -> None:
        writer.write(pack(message))

    def send_from_any_thread(line: LogLine) -> None:
        if threading.get_ident() == home:
            send(line)
        else:
            loop.call_soon_threadsafe(send, line)

    send_logs(send_from_any_thread, setup.log_level)
    try:
        workshop = Workshop(setup, send)
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent has to be told
        send(start_failed(error))
        await writer.drain()
        return
    send(Ready())

    async def do(row: InputRow) -> None:
        send(await workshop.do(row))

    clips: set[asyncio.Task[None]] = set()
    while isinstance(message := await receive(reader), Assignment | PermitTalk):
        if isinstance(message, PermitTalk):
            workshop.heard(message)
            continue
        task = asyncio.create_task(do(message.row))
        clips.add(task)
        task.add_done_callback(clips.discard)
    if not isinstance(message, Finish):
        os._exit(1)  # The parent is gone: nobody can write what the clips in flight would say.
    await workshop.close()
    await writer.drain()
