"""Media made by ffmpeg at test time, and how tests open them."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from media.workbench import NUMBERED, Make, Open, ffmpeg

from omnidetective.media.clip import Clip
from omnidetective.media.fetch import Network
from omnidetective.media.intake import open_clip
from omnidetective.records import InputRow, Modality
from omnidetective.settings import MediaSettings


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that made media are in."""
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture(scope="session")
def make(shelf: Path) -> Make:
    """``make(name, *ffmpeg arguments)``: a file of that name, made once a session for the same arguments."""

    def made(name: str, *arguments: str) -> Path:
        path = shelf / hashlib.sha256("\0".join(arguments).encode()).hexdigest()[:12] / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            ffmpeg(*arguments, str(path))
        return path

    return made


@pytest.fixture(scope="session")
def numbered(make: Make) -> Path:
    """Eight seconds of numbered frames with a 440 Hz tone: H.264 with B frames, keyframes 2 s apart."""
    return make(
        "numbered.mp4",
        *("-f", "lavfi", "-i", NUMBERED, "-f", "lavfi", "-i", "sine=frequency=440", "-t", "8"),
        *("-c:v", "libx264", "-g", "50", "-bf", "3", "-crf", "12", "-c:a", "aac"),
    )


@pytest.fixture(scope="session")
def tone(make: Make) -> Path:
    """Silence, from 2 s to 4 s a tone, silence: 6 s of 16 kHz mono."""
    return make(
        "tone.wav",
        *("-f", "lavfi", "-i", "aevalsrc='if(between(t,2,4),0.5*sin(2*PI*440*t),0)':s=16000:d=6", "-c:a", "pcm_s16le"),
    )


@pytest.fixture
def opened() -> Open:
    """``opened(path, declared=None, **settings)``: ``open_clip`` for a file in its own folder."""

    @asynccontextmanager
    async def open_one(
        media: Path | str,
        declared: Modality | None = None,
        *,
        base_dir: Path | None = None,
        network: Network | None = None,
        **settings: object,
    ) -> AsyncIterator[Clip]:
        base = base_dir or (media.parent if isinstance(media, Path) else Path.cwd())
        row = InputRow(id="clip", media=str(media), declared=declared, raw={})
        chosen = MediaSettings.model_validate(settings)
        async with open_clip(row, chosen, base_dir=base, network=network) as clip:
            yield clip

    return open_one
