"""The one place that runs ffmpeg.

Every run: commands built with ffmpeg-python, never a shell string; only the demuxer that probing found, and only the
protocols ``file`` and ``pipe``; standard input closed; no environment but the search paths, so there are no keys to
steal; limits on wall time, processor time, address space, output and core dumps; its own session, killed as a group.

The limits are set by ``/bin/sh`` (``ulimit``) in the process that then becomes ffmpeg. Python's ``preexec_fn`` is not
safe where there are threads, and ``prlimit`` from outside would come after ffmpeg has started.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import os
import shutil
import signal
import weakref
from typing import TYPE_CHECKING, Any, Literal

from omnidetective.errors import ConfigError, MediaError
from omnidetective.evidence import Span
from omnidetective.media.source import Source

if TYPE_CHECKING:
    from pathlib import Path

THREADS = max(1, min(4, os.cpu_count() or 1))
_RUNS_AT_ONCE = max(1, min(4, os.cpu_count() or 1))
# copyts: ffmpeg's own zero moves with the streams that are read (MPEG-TS, MPEG-PS, Ogg); see ``on_the_clock``.
_GLOBAL = ("-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-copyts")
_KNOW_THEIR_KEYFRAMES = frozenset({"mov", "matroska", "avi", "flv"})
_SEEK_EARLIER_S = 10.0
"""In other containers a seek may land behind the keyframe that is needed, and all frames up to the next be missing."""
_LIMIT_COUNTS_FOR_S = 300.0
_STDERR_KEPT = 2000
_WITH_LIMITS = (
    'ulimit -c 0; ulimit -t "$1" || :; ulimit -f "$2" || :; ulimit -v "$3" 2>/dev/null || :; shift 3; exec "$@"'
)
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
_ENOMEM_STATUS = 256 - 12
"""ffmpeg ends with the error number of what failed it, modulo 256."""
_limiters: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = weakref.WeakKeyDictionary()


@functools.cache
def find_ffmpeg() -> str:
    """The ffmpeg to use: the system's, otherwise the one that imageio-ffmpeg carries.

    Raises:
        ConfigError: there is none.
    """
    if system := shutil.which("ffmpeg"):
        return system
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise ConfigError(
            "there is no ffmpeg", reason="ffmpeg_missing", hint="install ffmpeg, or pip install imageio-ffmpeg"
        ) from error


def clean_environment() -> dict[str, str]:
    """The environment that programs which open media are given. No path in it means the working directory.

    An empty entry does, and OpenCV leaves one in ``LD_LIBRARY_PATH`` when it is loaded.
    """
    given = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    paths = {name: os.pathsep.join(filter(None, value.split(os.pathsep))) for name, value in given.items()}
    return {"LC_ALL": "C"} | {name: value for name, value in paths.items() if value}


def open_input(source: Source, span: Span) -> Any:
    """An ffmpeg-python input of a span of the clip. Its filters must begin with ``on_the_clock``."""
    import ffmpeg

    options: dict[str, Any] = {
        "f": source.probe.demuxer,
        "format_whitelist": source.probe.demuxer,
        "protocol_whitelist": "file,pipe",
        "threads": THREADS,
    }
    if source.probe.demuxer == "mov":
        # QuickTime can keep its samples in other files. Off by default; said here so that it stays so.
        options |= {"enable_drefs": 0, "use_absolute_path": 0}
    seek_s = span.start_s
    if source.probe.demuxer not in _KNOW_THEIR_KEYFRAMES:
        seek_s = max(0.0, seek_s - _SEEK_EARLIER_S)
    if seek_s > 0:
        options["ss"] = _seconds(seek_s)
    if span.end_s < source.duration_s:
        options["t"] = _seconds(span.end_s - seek_s)
    return ffmpeg.input(f"file:{source.path}", **options)


def on_the_clock(source: Source, span: Span, kind: Literal["audio", "video"]) -> str:
    """Filters that make the start of the span time zero, by the same clock that frames are found by."""
    zero_s = source.probe.start_s + span.start_s
    prefix = "a" if kind == "audio" else ""
    return f"{prefix}setpts=PTS-({zero_s:.6f})/TB,{prefix}trim=start=0"


async def run_ffmpeg(output: Any, *, source: Source, span: Span, what: str, target: Path | None = None) -> bytes:
    """Run an ffmpeg-python output and return what it wrote to standard output.

    Args:
        output: the output node; it writes to ``pipe:1``, or to ``target``.
        source: the clip, whose settings limit the run.
        span: the part of it that is read: the time limit counts for every five minutes of it.
        what: what is being done, for the error message: ``"read the sound"``.
        target: the file that it writes, where the format cannot be written to a pipe.

    Raises:
        MediaError: ``decode_timeout``, ``output_limit``, ``memory_limit``, ``decode_crashed`` or ``decode_failed``.
    """
    settings = source.settings
    max_bytes = settings.max_output_mb << 20
    timeout_s = settings.process_timeout_s * max(1, math.ceil(span.duration_s / _LIMIT_COUNTS_FOR_S))
    executable = find_ffmpeg()
    limits = (
        str(math.ceil(timeout_s) * (THREADS + 1)),
        str(max_bytes // 512 + 1),
        str(settings.process_memory_mb << 10),
    )
    command = [executable, *_GLOBAL, *output.compile(cmd=executable)[1:]]
    async with _limiter():
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            _WITH_LIMITS,
            "sh",
            *limits,
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=clean_environment(),
            cwd="/",
            start_new_session=True,
            limit=1 << 20,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        errors = asyncio.create_task(_tail(process.stderr))
        try:
            async with asyncio.timeout(timeout_s):
                written = await _read(process.stdout, max_bytes)
                if written is None:
                    _kill_group(process)
                status = await process.wait()
                said = await errors
        except TimeoutError:
            raise MediaError(
                f"it took longer than {timeout_s:g} s to {what}",
                reason="decode_timeout",
                hint="raise media.process_timeout_s, or ask for a shorter span",
                retryable=True,
            ) from None
        finally:
            _kill_group(process)
            await asyncio.shield(process.wait())
            errors.cancel()
    if written is None or status == -signal.SIGXFSZ or (target is not None and _full(target, max_bytes)):
        raise MediaError(
            f"more than {settings.max_output_mb} MB came out of the attempt to {what}",
            reason="output_limit",
            hint="raise media.max_output_mb, or ask for a shorter span",
        )
    if status == 0:
        return written
    reason = "decode_crashed" if status < 0 else "memory_limit" if status == _ENOMEM_STATUS else "decode_failed"
    how = f"ended by signal {-status}" if status < 0 else said or f"exit status {status}"
    raise MediaError(
        f"ffmpeg could not {what}: {how}",
        reason=reason,
        # Libraries report a failed allocation in many ways, or crash on it.
        hint="where other players read the file, raise media.process_memory_mb",
        retryable=status == -signal.SIGKILL,
    )


async def _read(stream: asyncio.StreamReader, max_bytes: int) -> bytes | None:
    """Everything up to the end of the stream; ``None`` as soon as it is more than ``max_bytes``."""
    data = bytearray()
    while chunk := await stream.read(1 << 20):
        data += chunk
        if len(data) > max_bytes:
            return None
    return bytes(data)


async def _tail(stream: asyncio.StreamReader) -> str:
    """The end of what was said, on one line and short; all of it is read, so that the writer never blocks."""
    kept = b""
    while chunk := await stream.read(1 << 16):
        kept = (kept + chunk)[-_STDERR_KEPT:]
    lines = [line.strip() for line in kept.decode(errors="replace").splitlines() if line.strip()]
    return "; ".join(lines[-3:])[-400:]


def _kill_group(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        # The session leader's id is the group's; it cannot be another's before the process is waited for.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _full(path: Path, max_bytes: int) -> bool:
    return path.exists() and path.stat().st_size >= max_bytes


def _limiter() -> asyncio.Semaphore:
    return _limiters.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(_RUNS_AT_ONCE))


def _seconds(value: float) -> str:
    return f"{value:.6f}"
