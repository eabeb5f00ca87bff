"""Real MCP servers in real processes, and their tools asked as the detective asks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from omnidetective.config import load_config
from omnidetective.evidence import Span
from omnidetective.llm.cast import Cast
from omnidetective.media.intake import open_clip
from omnidetective.observers.ask import ask
from omnidetective.observers.base import Observer, ObserverContext
from omnidetective.observers.host.sources import SourceRef
from omnidetective.observers.mcp.source import McpSource
from omnidetective.prompts import PromptLibrary
from omnidetective.records import Observation
from omnidetective.rows import parse_row
from omnidetective.settings import MediaSettings

SERVERS = Path(__file__).parents[2] / "servers"
PATIENCE_S = 90.0


def stdio(*arguments: str, **more: Any) -> dict[str, Any]:
    """``observers.NAME.mcp`` of a server in tests/servers: its file and its arguments."""
    script, *rest = arguments
    return {"command": [sys.executable, str(SERVERS / script), *rest], **more}


class Opened:
    """Opens sources as a host process does, and asks their observers."""

    def __init__(self) -> None:
        config = load_config(environ={})
        cast = Cast(config.model_set, config.settings.retry, environ={})
        self._context = ObserverContext(cast, config.model_set, PromptLibrary(), config.settings)
        self._sources: list[McpSource] = []

    async def __call__(self, name: str = "box", **values: Any) -> dict[str, Observer]:
        source = McpSource(SourceRef(name=name, origin="MCP server", opener="", target=""))
        self._sources.append(source)
        values = {"load_timeout_s": PATIENCE_S} | values
        return {observer.spec.name: observer for observer in await source.open(values, self._context)}

    async def again(self, **values: Any) -> dict[str, Observer]:
        """Open the last source once more, as another context would."""
        values = {"load_timeout_s": PATIENCE_S} | values
        return {observer.spec.name: observer for observer in await self._sources[-1].open(values, self._context)}

    async def aclose(self) -> None:
        for source in self._sources:
            await source.close()


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    made = Opened()
    yield made
    await made.aclose()


async def asked(
    observer: Observer,
    path: Path,
    question: str = "What is there?",
    span: tuple[float, float] | None = None,
    timeout_s: float = PATIENCE_S,
) -> Observation:
    """Put a question as the detective would."""
    async with open_clip(parse_row({"path": str(path)}), MediaSettings(), base_dir=path.parent) as clip:
        wanted = None if span is None else Span(start_s=span[0], end_s=span[1])
        return await ask(observer, clip, question, wanted, timeout_s=timeout_s)


async def answered(observer: Observer, path: Path, *rest: Any, **more: Any) -> str:
    """The answer, which there must be."""
    observation = await asked(observer, path, *rest, **more)
    assert observation.error is None, observation.error
    return observation.answer


async def refused(observer: Observer, path: Path, *rest: Any, **more: Any) -> tuple[str, str]:
    """The reason and the message of the error, which there must be."""
    observation = await asked(observer, path, *rest, **more)
    assert observation.error is not None, observation.answer
    return observation.error.reason, observation.error.message


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that must come about."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False


class HttpServer:
    """A server on the loopback that can be started anew on the same port."""

    def __init__(self, kind: str, script: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self._command = [sys.executable, str(script), kind, str(self.port)]
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        env = os.environ | {"LAMP_PORT": str(self.port)}  # As the server of the guide is told.
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
        await until(self._listens)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


@pytest.fixture
def http() -> Iterator[Callable[..., HttpServer]]:
    made: list[HttpServer] = []

    def server(kind: str, script: Path = SERVERS / "mcp_tools.py") -> HttpServer:
        made.append(HttpServer(kind, script))
        return made[-1]

    yield server
    for each in made:
        each.stop()


@pytest.fixture
def video(film: Callable[..., Path]) -> Path:
    """Six seconds of moving picture and tone."""
    return film(
        "mcp.mp4", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=10", "-f", "lavfi", "-i", "sine=frequency=440",
        "-t", "6", "-pix_fmt", "yuv420p",
    )  # fmt: skip


@pytest.fixture
def picture(film: Callable[..., Path]) -> Path:
    return film("mcp.png", "-f", "lavfi", "-i", "testsrc=size=64x48", "-frames:v", "1")


@pytest.fixture
def tone(film: Callable[..., Path]) -> Path:
    return film("mcp.wav", "-f", "lavfi", "-i", "sine=frequency=440", "-t", "4")
