"""A server that is started here and speaks over its standard input and output.

The package's own transport keeps a line of any length in memory; this one does not: an answer that is too large fails
the one request that it answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from mcp_types import PARSE_ERROR, ErrorData, JSONRPCError, jsonrpc_message_adapter

from omnidetective.observers.mcp.lifeline import Lifeline

TOO_LARGE: Final = -32_099
"""The code of the error that stands for an answer that is too large, of the range that JSON-RPC leaves to servers."""

_CHUNK_BYTES = 1 << 16
_END_BYTES = 256
_SHOWN_BYTES = 1000
_LEAVE_S = 2.0
_POLL_S = 0.02

# An answer's id is the first or the last member of it, so the ends of a line are enough to find it. Only answers count:
# a request of the server has an id of its own.
_ID = rb'"id"\s*:\s*(-?\d{1,18}|"[^"\\]{1,100}")'
_VERSION = rb'(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?'
_OUTCOME = rb'"(?:result|error)"\s*:'
_HEAD_ID: Final = re.compile(rb"\s*\{\s*" + _VERSION + _ID + rb"\s*,\s*" + _OUTCOME)
_ANSWER: Final = re.compile(rb"\s*\{\s*" + _VERSION + _OUTCOME)
_TAIL_ID: Final = re.compile(_ID + rb'\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$')

Messages = MemoryObjectReceiveStream[SessionMessage | Exception]
Streams = tuple[Messages, MemoryObjectSendStream[SessionMessage]]


class Lines:
    """Cuts what a server writes into messages, and holds no more than ``max_bytes`` of it.

    ``heard`` is told of lines that are no messages.
    """

    def __init__(self, max_bytes: int, heard: Callable[[str], None]) -> None:
        self._max_bytes = max_bytes
        self._heard = heard
        self._line = bytearray()
        self._dropped = 0
        self._head = b""

    def feed(self, chunk: bytes) -> Iterator[SessionMessage]:
        """The messages that end in this chunk; what is no message is passed over."""
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            self._take(chunk[start:end])
            message = self._finish()
            if message is not None:
                yield message
            start = end + 1
        self._take(chunk[start:])

    def _take(self, piece: bytes) -> None:
        self._line += piece
        if not self._dropped and len(self._line) <= self._max_bytes:
            return
        if not self._dropped:
            self._head = bytes(self._line[:_END_BYTES])
        self._dropped += len(self._line)
        self._line = self._line[-_END_BYTES:]
        self._dropped -= len(self._line)

    def _finish(self) -> SessionMessage | None:
        line, head, dropped = bytes(self._line), self._head, self._dropped
        self._line, self._head, self._dropped = bytearray(), b"", 0
        if dropped:
            return _instead_of(head, line, TOO_LARGE, too_large(self._max_bytes))
        if not line.strip():
            return None
        try:
            return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
        except ValueError:
            self._heard(line[:_SHOWN_BYTES].decode("utf-8", "replace"))
            return _instead_of(line[:_END_BYTES], line[-_END_BYTES:], PARSE_ERROR, "its answer is no MCP message")


def too_large(max_bytes: int) -> str:
    """What is said in place of an answer that is too large."""
    return f"its answer is larger than {max_bytes >> 20} MB"


def _instead_of(head: bytes, tail: bytes, code: int, message: str) -> SessionMessage | None:
    """An error in place of an answer, so that its request does not wait for ever; ``None`` where it is no answer."""
    found = _HEAD_ID.match(head) or (_TAIL_ID.search(tail) if _ANSWER.match(head) else None)
    if found is None:
        return None
    number = found[1].decode("utf-8", "replace")
    answered = number[1:-1] if number.startswith('"') else int(number)
    return SessionMessage(JSONRPCError(jsonrpc="2.0", id=answered, error=ErrorData(code=code, message=message)))


@asynccontextmanager
async def started_server(
    command: Sequence[str], *, env: dict[str, str], cwd: Path | None, lifeline: Lifeline, max_message_bytes: int
) -> AsyncIterator[Streams]:
    """Start a server, and end it with everything that it started.

    Args:
        env: variables that it gets besides HOME, PATH and the like.

    Raises:
        OSError: it cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        cwd=cwd,
        env=get_default_environment() | env,
        start_new_session=True,
    )
    read_in, read_out = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write_in, write_out = anyio.create_memory_object_stream[SessionMessage](0)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_read, process, read_in, lifeline, max_message_bytes)
            tasks.start_soon(_write, process, write_out)
            tasks.start_soon(_listen, process, lifeline)
            try:
                yield read_out, write_in
            finally:
                read_out.close()
                write_in.close()
                with anyio.CancelScope(shield=True):
                    await _end(process)
                tasks.cancel_scope.cancel()
    finally:
        _kill_group(process)  # Where this was cancelled in the midst of ending it.
        for stream in (read_in, read_out, write_in, write_out):
            stream.close()


async def _read(
    process: Process, to: MemoryObjectSendStream[SessionMessage | Exception], lifeline: Lifeline, max_bytes: int
) -> None:
    assert process.stdout is not None
    lines, wanted = Lines(max_bytes, lifeline.heard), True
    with to:
        while chunk := await process.stdout.read(_CHUNK_BYTES):
            try:
                for message in lines.feed(chunk) if wanted else ():
                    await to.send(message)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                wanted = False  # It is read to its end, so that the server is not held up on its way out.
    lifeline.ended.set()


async def _write(process: Process, messages: MemoryObjectReceiveStream[SessionMessage]) -> None:
    assert process.stdin is not None
    with messages:
        async for message in messages:
            line = message.message.model_dump_json(by_alias=True, exclude_unset=True) + "\n"
            try:
                process.stdin.write(line.encode())
                await process.stdin.drain()
            except (ConnectionError, RuntimeError):
                return  # It has gone: its standard output ends too, which is what the session hears.


async def _listen(process: Process, lifeline: Lifeline) -> None:
    assert process.stderr is not None
    rest = b""
    while chunk := await process.stderr.read(_CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            lifeline.heard(line.decode("utf-8", "replace"))
        rest = rest[-_CHUNK_BYTES:]
    lifeline.heard(rest.decode("utf-8", "replace"))


async def _end(process: Process) -> None:
    """Close its input; what is still there after two seconds is told to end, and then killed."""
    assert process.stdin is not None
    process.stdin.close()
    if not await _gone(process):
        _signal_group(process, signal.SIGTERM)
        await _gone(process)
    _kill_group(process)
    await _gone(process)


async def _gone(process: Process) -> bool:
    """Whether it ends within two seconds. ``wait`` would also wait for those who have inherited its pipes."""
    with anyio.move_on_after(_LEAVE_S):
        while process.returncode is None:  # noqa: ASYNC110 - nobody sets an event
            await anyio.sleep(_POLL_S)
    return process.returncode is not None


def _kill_group(process: Process) -> None:
    _signal_group(process, signal.SIGKILL)
    transport = getattr(process, "_transport", None)
    if transport is not None:
        # Otherwise it stays open for as long as somebody who left the group holds one of the pipes.
        with contextlib.suppress(PermissionError, ProcessLookupError):
            transport.close()


def _signal_group(process: Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
