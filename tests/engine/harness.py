"""Runs of the engine on real files, in this process and as a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.fakes import create

from omnidetective.config import Config, load_config
from omnidetective.engine.run import run_batch
from omnidetective.engine.tally import RunSummary

TESTS = Path(__file__).parents[1]
MARK = "ENGINE_TEST_MARK"


Start = Callable[..., "subprocess.Popen[str]"]


class Folder:
    """An input, an output and what the output says."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.input = path / "in.jsonl"
        self.output = path / "out.jsonl"
        self.failures_file = path / "out.failures.jsonl"

    def rows(self, rows: Iterable[dict[str, Any]]) -> None:
        self.input.write_text("".join(json.dumps({"video": "v.mp4", **row}) + "\n" for row in rows))

    def ids(self) -> list[str]:
        """Ids of the output in order; every line must be a whole JSON object."""
        return [json.loads(line)["id"] for line in self._lines(self.output)]

    def failures(self) -> dict[str, dict[str, Any]]:
        """Failures by id; no id may have two of them."""
        failures = [json.loads(line) for line in self._lines(self.failures_file)]
        by_id = {failure["id"]: failure for failure in failures}
        assert len(by_id) == len(failures)
        return by_id

    def reasons(self) -> dict[str, str]:
        return {clip_id: failure["error"]["reason"] for clip_id, failure in self.failures().items()}

    async def run(self, *, settings: tuple[str, ...] = (), **options: Any) -> RunSummary:
        """One run in this process (its workers are real)."""
        options = {"factory": create, **options}
        return await run_batch(configured(*settings), self.input, self.output, **options)

    @staticmethod
    def _lines(path: Path) -> list[bytes]:
        if not path.exists():
            return []
        content = path.read_bytes()
        assert content == b"" or content.endswith(b"\n")
        return content.split(b"\n")[:-1]


def configured(*settings: str) -> Config:
    return load_config(overrides=settings, environ={})


def start_run(folder: Folder, *options: str, mark: str = "", most_kb: int | None = None) -> subprocess.Popen[str]:
    """``omnidetective run`` with the row-driven pipeline, as a process group of its own.

    ``most_kb`` limits the size of its files: writing on fails half way, as on a full disk.
    """
    limited = [] if most_kb is None else ["bash", "-c", f'ulimit -f {most_kb}; exec "$@"', "-"]
    return subprocess.Popen(
        [
            *limited,
            sys.executable,
            "-m",
            "engine.driver",
            "run",
            "--input",
            "in.jsonl",
            "--output",
            "out.jsonl",
            *options,
        ],
        cwd=folder.path,
        env={**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}", MARK: mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def until(condition: Callable[[], object], *, seconds: float = 20.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.01)


def marked(mark: str) -> list[int]:
    """Ids of the processes that carry the mark of a run in their environment and are not dead."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                if f"{MARK}={mark}".encode() in (entry / "environ").read_bytes():
                    state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                    if state != "Z":
                        found.append(int(entry.name))
    return found
