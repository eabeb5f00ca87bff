"""Real WhisperX over real sound, with tiny models that the tests make, and with real weights where they are."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import checkpoints
import pytest

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
from omnidetective.rows import parse_row
from omnidetective_whisperx import WhisperX

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
async def opened(name: str) -> Any:
    """A sample clip."""
    path = SAMPLES / name
    async with open_clip(parse_row({"path": str(path)}), context().settings.media, base_dir=path.parent) as clip:
        yield clip


async def put(observer: WhisperX, clip: Clip, span: tuple[float, float] | None = None) -> Observation:
    """Put a question as the detective would."""
    wanted = None if span is None else Span(start_s=span[0], end_s=span[1])
    return await ask(observer, clip, "What is said?", wanted, timeout_s=300)


async def heard(observer: WhisperX, name: str, span: tuple[float, float] | None = None) -> Observation:
    """The answer about a sample clip; there has to be one."""
    async with opened(name) as clip:
        answer = await put(observer, clip, span)
    assert answer.error is None, answer.error
    return answer


def speech(answer: Observation) -> SpeechEvidence:
    assert isinstance(answer.data, SpeechEvidence)
    return answer.data


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tiny models: ``random``, ``speaking``, ``aligner``, ``diarization``; and NLTK's data."""
    folder = tmp_path_factory.mktemp("models")
    checkpoints.random_whisper(folder / "random")
    checkpoints.speaking_whisper(folder / "speaking", SAID)
    checkpoints.random_aligner(folder / "aligner")
    checkpoints.random_diarization(folder / "diarization")
    checkpoints.sentence_data(folder / "nltk_data")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _no_hub(models: Path) -> Iterator[None]:
    """Nothing of the machine's own is found, and nothing is fetched: only what the tests have made is here."""
    empty = models / "empty"
    changed = {
        "HF_HOME": str(empty), "HF_HUB_CACHE": str(empty / "hub"), "HF_HUB_OFFLINE": "1", "TORCH_HOME": str(empty),
        "NLTK_DATA": str(models / "nltk_data"), "HOME": str(empty),
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMNIDETECTIVE_CACHE", os.environ.get("OMNIDETECTIVE_CACHE") or str(_cache()))
        patch.delenv("HF_TOKEN", raising=False)
        for name, value in changed.items():
            patch.setenv(name, value)
        yield


def _cache() -> Path:
    from omnidetective.resources import cache_root

    return cache_root()


@pytest.fixture
def whisper_base() -> Path:
    """The folder of omnidetective's own recogniser; skips where it was not pulled."""
    try:
        return WeightStore().find("whisper-base")
    except ObserverUnavailableError as missing:
        pytest.skip(str(missing))
