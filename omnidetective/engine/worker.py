"""A worker process: builds one pipeline and runs many clips at once on it."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Final

from omnidetective.engine.logs import current_clip, send_logs
from omnidetective.engine.wire import (
    Assignment,
    ClipPipeline,
    Finish,
    Finished,
    LogLine,
    Message,
    Ready,
    StartFailed,
    WorkerSetup,
    pack,
    receive,
)
from omnidetective.errors import OmnidetectiveError, UserError
from omnidetective.records import CaptionRecord, FailureRecord, InputRow

MANAGED_SIGNALS: Final = frozenset({signal.SIGINT, signal.SIGTERM})
"""Signals that the parent answers for the whole run."""

CLOSE_S: Final = 10.0
"""How long a pipeline may take to close."""
_PR_SET_PDEATHSIG: Final = 1
_log = logging.getLogger(__name__)


def worker_main(sock: socket.socket, setup: WorkerSetup) -> None:
    """Entry point of the process. It leaves when it is told to finish, and dies when the parent does."""
    _leave_the_terminal()
    _die_with(setup.parent_pid)
    sock.set_inheritable(False)
    asyncio.run(_serve(sock, setup))


def _leave_the_terminal() -> None:
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


def _die_with(parent_pid: int) -> None:
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
        pipeline = setup.factory(setup.config, setup.base_dir)
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent has to be told
        send(start_failed(error))
        await writer.drain()
        return
    send(Ready())
    clips: set[asyncio.Task[None]] = set()
    while isinstance(message := await receive(reader), Assignment):
        task = asyncio.create_task(do_clip(pipeline, message.row, setup.clip_timeout_s, send))
        clips.add(task)
        task.add_done_callback(clips.discard)
    if not isinstance(message, Finish):
        os._exit(1)  # The parent is gone: nobody can write what the clips in flight would say.
    try:
        async with asyncio.timeout(CLOSE_S):
            await pipeline.aclose()
    except Exception:  # noqa: BLE001 - every clip is written; there is nothing left to lose
        _log.warning("the pipeline did not close cleanly", exc_info=True)
    await asyncio.sleep(0)  # Lets log lines that other threads left reach the socket.
    await writer.drain()


async def do_clip(pipeline: ClipPipeline, row: InputRow, timeout_s: float, send: Callable[[Message], None]) -> None:
    """Do one clip, and send how it ended, whatever its pipeline does short of ending the process."""
    current_clip.set(row.id)
    try:
        async with asyncio.timeout(timeout_s) as limit:
            result = await pipeline.process(row)
        finished = _checked(result, row)
    except TimeoutError:
        if limit.expired():
            finished = Finished.without_record(
                row,
                outcome="timed_out",
                error_type="ClipTimeoutError",
                reason="clip_timeout",
                message=f"the clip was not done after {timeout_s:g} s",
                hint="raise limits.clip_timeout_s",
            )
        else:
            finished = _internal(row)
    except asyncio.CancelledError:
        send(_internal(row))  # Nobody here cancels a clip: its own code did, and the parent waits for an answer.
        raise
    except (Exception, SystemExit):  # noqa: BLE001 - the border of a clip: any fault becomes its recorded outcome
        finished = _internal(row)
    send(finished)


def _checked(result: CaptionRecord | FailureRecord, row: InputRow) -> Finished:
    if not isinstance(result, CaptionRecord | FailureRecord) or result.id != row.id:
        raise TypeError(f"the pipeline returned {type(result).__name__} for clip {row.id!r}")
    return Finished.of(result)


def _internal(row: InputRow) -> Finished:
    """The exception that is being handled, as the outcome of a clip."""
    error = sys.exception()
    _log.info("the pipeline failed", exc_info=True)
    return Finished.without_record(
        row,
        outcome="internal",
        error_type=type(error).__name__,
        reason="internal",
        message="".join(traceback.format_exception_only(error)).strip(),
        hint="this is a fault of the program: please report it with the traceback from --log-file",
    )


def start_failed(error: Exception) -> StartFailed:
    """What the parent is told when the pipeline cannot be built."""
    if isinstance(error, OmnidetectiveError):
        return StartFailed(error.message, error.reason, error.hint, isinstance(error, UserError))
    _log.info("the pipeline cannot be built", exc_info=True)
    said = "".join(traceback.format_exception_only(error)).strip()
    return StartFailed(f"the pipeline cannot be built: {said}", "worker_start", "", by_user=False)
