"""Instruments over real media: sample clips of known content, and clips that ffmpeg makes at test time."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

from omnidetective.config import Config, load_config
from omnidetective.embedded.weights import WeightStore
from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import Span
from omnidetective.llm.cast import Cast
from omnidetective.media.intake import open_clip
from omnidetective.observers.ask import ask
from omnidetective.observers.base import Observer, ObserverContext
from omnidetective.observers.registry import read_settings
from omnidetective.prompts import PromptLibrary
from omnidetective.records import Observation
from omnidetective.resources import resource_root
from omnidetective.rows import parse_row

Film = Callable[..., Path]
SAMPLES = resource_root() / "data"


def context(*overrides: str, cast: Any = None) -> ObserverContext:
    """What an observer is given, with the built-in embedded cast unless another is given."""
    config: Config = load_config(overrides=overrides, environ={})
    cast = Cast(config.model_set, config.settings.retry, environ={}) if cast is None else cast
    return ObserverContext(cast, config.model_set, PromptLibrary(), config.settings)


def instrument(kind: type[Observer], given: ObserverContext | None = None, **settings: Any) -> Observer:
    """An observer with these settings."""
    return kind(read_settings(kind.spec, settings), given or context())


async def observe(observer: Observer, path: Path, span: tuple[float, float] | None = None) -> Observation:
    """Put a question about a file as the detective would, and insist on an answer."""
    async with open_clip(parse_row({"path": str(path)}), context().settings.media, base_dir=path.parent) as clip:
        wanted = None if span is None else Span(start_s=span[0], end_s=span[1])
        answer = await ask(observer, clip, "What is there?", wanted, timeout_s=120)
    assert answer.error is None, answer.error
    return answer


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    """``film(name, *ffmpeg arguments)``: a file of that name, made once a session for the same arguments."""
    folder = tmp_path_factory.mktemp("films")

    def made(name: str, *arguments: str) -> Path:
        path = folder / hashlib.sha256("\0".join(arguments).encode()).hexdigest()[:12] / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y", *arguments, str(path)]
            subprocess.run(command, check=True, timeout=120)
        return path

    return made


def _need(name: str) -> Path:
    try:
        return WeightStore().find(name)
    except ObserverUnavailableError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def whisper() -> Path:
    """The folder of the default recogniser; skips where it was not pulled."""
    return _need("whisper-base")


@pytest.fixture
def yamnet() -> Path:
    """The folder of the sound classifier; skips where it was not pulled."""
    return _need("yamnet")
