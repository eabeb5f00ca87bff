from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from engine.harness import Folder, Start, start_run


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture(autouse=True)
def workers_need_no_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A spawned process imports the main module again; pytest's is of no use to a worker and takes half its start."""
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)


@pytest.fixture
def start(folder: Folder) -> Iterator[Start]:
    """Starts runs on the folder; what is left of them in the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def begin(*options: str, mark: str = "", most_kb: int | None = None) -> subprocess.Popen[str]:
        started.append(start_run(folder, *options, mark=mark, most_kb=most_kb))
        return started[-1]

    yield begin
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
