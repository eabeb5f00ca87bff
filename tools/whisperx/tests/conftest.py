"""Real WhisperX over real sound, with tiny models that the tests make, and with real weights where they are."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import checkpoints
import pytest
from omnidetective_whisperx import WhisperX

from omnidetective.config import load_config
from omnidetective.embedded.weights import WeightStore
from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import Span, SpeechEvidence
from omnidetective.llm.cast import Cast
from omnidetective.media.clip import Clip
from omnidetective.media.intake import open_clip
from omnidetective.observers.ask import ask
from omnidetective.observers.base import ObserverContext
from omnidetective.observers.registry import read_settings
from omnidetective.prompts import PromptLibrary
from omnidetective.records import Observation
from omnidetective.resources import cache_root
from omnidetective.rows import parse_row

SAMPLES = Path(__file__).resolve().parents[3] / "data"
SAID = "Good morning Mr. Dashwood. It is raining in Norland."


def context(*overrides: str) -> ObserverContext:
    """What an observer is given."""
    config = load_config(overrides=overrides, environ={})
    cast = Cast(config.model_set, config.settings.retry, environ={})
    return ObserverContext(cast, config.model_set, PromptLibrary(), config.settings)


def whisperx(*, overrides: tuple[str, ...] = (), **settings: Any) -> WhisperX:
    """The observer with these settings, set up as the tool box sets it up."""
    return WhisperX(read_settings(WhisperX.spec, {"device": "cpu"} | settings), context(*overrides))


@contextlib.asynccontextmanager
async def opened(name: str | Path) -> AsyncIterator[Clip]:
    """A sample clip, by its name, or any file."""
    path = SAMPLES / name
    async with open_clip(parse_row({"path": str(path)}), context().settings.media, base_dir=path.parent) as clip:
        yield clip


async def put(observer: WhisperX, clip: Clip, span: tuple[float, float] | None = None) -> Observation:
    """Put a question as the detective would."""
    wanted = None if span is None else Span(start_s=span[0], end_s=span[1])
    return await ask(observer, clip, "What is said?", wanted, timeout_s=300)


async def heard(observer: WhisperX, name: str | Path, span: tuple[float, float] | None = None) -> Observation:
    """The answer about a clip; there has to be one."""
    async with opened(name) as clip:
        answer = await put(observer, clip, span)
    assert answer.error is None, answer.error
    return answer


def speech(answer: Observation) -> SpeechEvidence:
    assert isinstance(answer.data, SpeechEvidence)
    return answer.data


@pytest.fixture(scope="session", autouse=True)
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty cache of the hub in place of the machine's own; nothing is fetched. Before anything imports the hub."""
    home = tmp_path_factory.mktemp("home")
    changed = {
        "HF_HOME": home / "hf", "HF_HUB_CACHE": home / "hf" / "hub", "HF_HUB_OFFLINE": "1",
        "TORCH_HOME": home / "torch", "NLTK_DATA": checkpoints.sentence_data(home / "nltk"), "HOME": home,
        "OMNIDETECTIVE_CACHE": cache_root(), "PYANNOTE_METRICS_ENABLED": "false",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("HF_TOKEN", raising=False)
        for name, value in changed.items():
            patch.setenv(name, str(value))
        yield home / "hf" / "hub"


@pytest.fixture(scope="session")
def models(hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tiny models: ``random``, ``speaking``, ``aligner``, ``diarization``."""
    folder = tmp_path_factory.mktemp("models")
    checkpoints.random_whisper(folder / "random")
    checkpoints.speaking_whisper(folder / "speaking", SAID)
    checkpoints.random_aligner(folder / "aligner")
    checkpoints.random_diarization(folder / "diarization")
    return folder


@pytest.fixture
def whisper_base() -> Path:
    """The folder of omnidetective's own recogniser; skips where it was not pulled."""
    try:
        return WeightStore().find("whisper-base")
    except ObserverUnavailableError as missing:
        pytest.skip(str(missing))
