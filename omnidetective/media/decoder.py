"""The pool of decoder processes, seen from the worker: requests go out, pictures come back, and nothing hangs.

A process is started when it is first needed, answers many requests, and is killed and replaced when it exceeds its
time, crashes, runs out of memory or says nonsense. A thread for each process does the waiting, so the pool serves
every event loop of this process. The children end by themselves when this process does, however it does.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import select
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from omnidetective.errors import MediaError
from omnidetective.media import wire
from omnidetective.media.ffmpeg import clean_environment
from omnidetective.search_path import search_path
from omnidetective.settings import MediaSettings

_PROCESSES = max(1, min(4, os.cpu_count() or 1))
_START_S = 30.0
"""Time that a new process gets to load its libraries, on top of the limit of its first request."""


async def decode(request: wire.Request, *, settings: MediaSettings) -> list[tuple[wire.Reply, bytes]]:
    """Have a decoder process answer a request.

    Returns:
        The replies with their bytes, without the final ``Done``.

    Raises:
        MediaError: with the decoder's reason, or ``decode_timeout``, ``decode_crashed``, ``decoder_unavailable``,
            ``output_limit``.
    """
    return await _pool(settings.process_memory_mb).ask(request, max_bytes=settings.max_output_mb << 20)


class DecoderPool:
    """Decoder processes with one memory limit.

    Args:
        memory_mb: address space of each process.
        size: most processes at a time.
    """

    def __init__(self, *, memory_mb: int, size: int = _PROCESSES) -> None:
        self._memory_mb = memory_mb
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="decoder")
        self._idle: list[_Child] = []
        self._lock = threading.Lock()
        self._closed = False

    async def ask(self, request: wire.Request, *, max_bytes: int) -> list[tuple[wire.Reply, bytes]]:
        """See ``decode``. Waits for a free process; the time limit of the request counts from then on."""
        call = _Call(request, max_bytes)
        future = self._threads.submit(self._run, call)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            call.cancel()
            raise

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for child in idle:
            child.kill()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def forget(self) -> None:
        """Let go of processes that belong to the parent of a fork."""
        for child in self._idle:
            child.close_pipes()

    def _run(self, call: _Call) -> list[tuple[wire.Reply, bytes]]:
        child = self._take()
        keep = False
        try:
            call.begin(child)
            replies = child.exchange(call.request, max_bytes=call.max_bytes)
            last = replies[-1][0]
            keep = not (isinstance(last, wire.Failed) and last.fatal)
        finally:
            # A process that was told to end may still look alive; the next request would die with it.
            stopped = call.end()
            if not (keep and not stopped and self._give_back(child)):
                child.kill()
        if isinstance(last, wire.Failed):
            raise MediaError(last.message, reason=last.reason, hint=last.hint)
        return [reply for reply in replies if not isinstance(reply[0], wire.Done)]

    def _take(self) -> _Child:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.alive:
                    return child
                child.kill()
        return _Child(self._memory_mb)

    def _give_back(self, child: _Child) -> bool:
        with self._lock:
            if not self._closed:
                self._idle.append(child)
            return not self._closed


class _Call:
    """A request on its way, and the process that works on it: a caller that gives up ends the work."""

    def __init__(self, request: wire.Request, max_bytes: int) -> None:
        self.request = request
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._cancelled = False

    def begin(self, child: _Child) -> None:
        with self._lock:
            self._child = child
            if self._cancelled:
                raise MediaError("nobody waits for it any more", reason="cancelled", retryable=True)

    def end(self) -> bool:
        """Whether the caller gave up before this, and the process with it."""
        with self._lock:
            self._child = None
            return self._cancelled

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            if self._child is not None:
                self._child.stop()


class _Child:
    """One decoder process."""

    def __init__(self, memory_mb: int) -> None:
        self._process = subprocess.Popen(
            # -P: neither the working directory nor a file beside the module is importable, only our own search path.
            [sys.executable, "-P", "-s", "-m", "omnidetective.media.decoder_child", str(memory_mb)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=clean_environment() | {"PYTHONPATH": search_path(), "PYTHONDONTWRITEBYTECODE": "1"},
            cwd="/",
            start_new_session=True,
            bufsize=0,
        )
        self._fresh = True

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def exchange(self, request: wire.Request, *, max_bytes: int) -> list[tuple[wire.Reply, bytes]]:
        """Send a request and read its replies, the last of which ends it."""
        assert self._process.stdin is not None
        fresh, self._fresh = self._fresh, False
        start_s = _START_S if fresh else 0.0
        deadline = time.monotonic() + request.timeout_s + start_s
        replies: list[tuple[wire.Reply, bytes]] = []
        left = max_bytes
        try:
            self._process.stdin.write(wire.pack(request))
            while True:
                reply, blob = wire.read_reply(lambda size: self._read(size, deadline), max_blob_bytes=left)
                left -= len(blob)
                replies.append((reply, blob))
                if not isinstance(reply, wire.Picture):
                    return replies
        except TimeoutError:
            raise _timed_out(request) from None
        except OverflowError:
            raise MediaError(
                f"more than {max_bytes >> 20} MB of pictures were asked for",
                reason="output_limit",
                hint="raise media.max_output_mb, or ask for fewer or smaller frames",
            ) from None
        except (EOFError, BrokenPipeError, wire.WireError) as error:
            self.kill()
            if self._process.returncode == -signal.SIGALRM:
                # Its own clock was first: it starts with the work, ours with the process.
                raise _timed_out(request) from None
            status = self._process.returncode
            if fresh and status > 0:
                # It never came to read the file, or Python had no room in it: a crash in a library is a signal.
                raise MediaError(
                    f"the decoder ended before its first answer (status {status})",
                    reason="decoder_unavailable",
                    hint=wire.CANNOT_LOAD_HINT,
                ) from error
            raise MediaError(
                f"the decoder ended on it (status {status})",
                reason="decode_crashed",
                # A crash is the file's doing and will come again; a kill is the machine's, short of memory perhaps.
                retryable=status == -signal.SIGKILL,
            ) from error

    def stop(self) -> None:
        """End the process from another thread; the one that reads from it finds the end of the pipe."""
        self._process.kill()

    def kill(self) -> None:
        """End the process and wait for it."""
        self._process.kill()
        self._process.wait()
        self.close_pipes()

    def close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self, size: int, deadline: float) -> bytes:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        data = bytearray()
        while len(data) < size:
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not poll.poll(left_s * 1000):
                raise TimeoutError
            chunk = os.read(descriptor, min(size - len(data), 1 << 20))
            if not chunk:
                raise EOFError
            data += chunk
        return bytes(data)


def _timed_out(request: wire.Request) -> MediaError:
    return MediaError(
        f"decoding it took longer than {request.timeout_s:g} s",
        reason="decode_timeout",
        hint="raise media.process_timeout_s",
        retryable=True,
    )


_pools: dict[int, DecoderPool] = {}
_pools_lock = threading.Lock()


def _pool(memory_mb: int) -> DecoderPool:
    with _pools_lock:
        if memory_mb not in _pools:
            _pools[memory_mb] = DecoderPool(memory_mb=memory_mb)
        return _pools[memory_mb]


def close_decoders() -> None:
    """End all decoder processes of this process. They also end with it; the next request starts new ones."""
    with _pools_lock:
        pools = list(_pools.values())
        _pools.clear()
    for pool in pools:
        pool.close()


def _after_fork() -> None:
    # The children answer to the parent. Its pipe ends are closed here, so that they see when it ends.
    global _pools_lock
    _pools_lock = threading.Lock()
    for pool in _pools.values():
        pool.forget()
    _pools.clear()


atexit.register(close_decoders)
os.register_at_fork(after_in_child=_after_fork)
