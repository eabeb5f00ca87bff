"""What an observer does besides answering: prints, files in the working directory, tasks and processes left behind."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_OURS: Final = "omnidetective.media.decoder_child"
"""Decoder processes are kept for the next question, whoever asks it."""
_LOOK_AGAIN_S: Final = 0.05


@dataclass(slots=True)
class Traces:
    """What was seen, after the block of :func:`watched` has ended."""

    printed: str = ""
    written: list[str] = field(default_factory=list)


@contextlib.contextmanager
def watched() -> Iterator[Traces]:
    """Work in an empty directory, and keep what is printed: by Python, by libraries below it and by programs."""
    traces = Traces()
    with tempfile.TemporaryDirectory(prefix="omnidetective-cwd-") as folder, contextlib.chdir(folder):
        text = io.StringIO()
        with _descriptor_kept() as low, contextlib.redirect_stdout(text):
            yield traces
        traces.written = sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*"))
        traces.printed = (text.getvalue() + b"".join(low).decode(errors="replace")).strip()


@contextlib.contextmanager
def _descriptor_kept() -> Iterator[list[bytes]]:
    kept: list[bytes] = []
    with tempfile.TemporaryFile() as file:
        before = os.dup(1)
        os.dup2(file.fileno(), 1)
        try:
            yield kept
        finally:
            os.dup2(before, 1)
            os.close(before)
            file.seek(0)
            kept.append(file.read())


@dataclass(frozen=True, slots=True)
class Running:
    """Tasks of this event loop, and processes started by this one."""

    tasks: frozenset[asyncio.Task[object]]
    processes: frozenset[int]

    @classmethod
    def now(cls) -> Running:
        return cls(frozenset(asyncio.all_tasks()), frozenset(_children()))

    async def left(self, seconds: float) -> list[str]:
        """What runs that did not before, after waiting for it to end for so long at most."""
        until = asyncio.get_running_loop().time() + seconds
        while True:
            now = Running.now()
            tasks, processes = now.tasks - self.tasks, now.processes - self.processes
            if not (tasks or processes) or asyncio.get_running_loop().time() > until:
                told = [f"task {task.get_coro().__qualname__}" for task in tasks]  # type: ignore[union-attr]
                return sorted(told) + [f"process {pid} ({_command(pid)})" for pid in sorted(processes)]
            await asyncio.sleep(_LOOK_AGAIN_S)


def _children() -> Iterator[int]:
    """Ids of the processes started by this one that are not dead; none where there is no ``/proc``."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid() and state != "Z" and _OURS not in _command(int(entry.name)):
                yield int(entry.name)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()[:80]
    except OSError:
        return ""
