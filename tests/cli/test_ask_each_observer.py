"""``observers ask`` for every built-in, in a process of its own, on the sample clips: in words, and with ``--json``."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
import yaml
from servers.faulty_openai import FaultyOpenAI, says

from omnidetective.evidence import ShotEvidence, SpeechEvidence, TextEvidence
from omnidetective.observers.registry import BUILT_IN
from omnidetective.records import Observation
from omnidetective.resources import resource_root

pytestmark = pytest.mark.weights

SAMPLES = resource_root() / "data"
WITNESSES = ("audio_llm", "frame_captioner", "omni_llm", "video_llm")
TOLD = {
    "asr": ("reading.mp4", "18-22", "rather selfish is to be ill-disposed"),
    "charts": ("poster.jpg", None, "No chart"),
    "code": ("poster.jpg", None, "No program text"),
    "colour": ("studio.webm", "6.5-8.5", "red"),
    "faces": ("mountains.mkv", None, "No face"),
    "metadata": ("messagerie.mp4", None, "h264"),
    "ocr": ("poster.jpg", None, "SPRING FAIR"),
    "shots": ("mountains.mkv", None, "Cuts at 5.28 s"),
    "tables": ("poster.jpg", None, "No table"),
    "sound": ("on_hold.mp3", None, "music"),
    **dict.fromkeys(WITNESSES, ("reading.mp4", "3-6", "A man reads from a book.")),
}
"""Clip, span, and what its answer holds."""


async def ask(name: str, *options: str, models: Path) -> str:
    clip, span, _ = TOLD[name]
    words = [*(["--span", span] if span else []), *options, "--models", str(models)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "omnidetective", "observers", "ask", name, str(SAMPLES / clip), *words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ},
    )  # fmt: skip
    said, complained = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, complained.decode()
    return said.decode()


def model_set(folder: Path, base_url: str) -> Path:
    file = folder / "witnesses.yaml"
    content = {
        "name": "witnesses",
        "description": "One model that takes everything.",
        "models": {
            "any": {
                "provider": "openai", "dialect": "vllm", "model": "any", "base_url": base_url,
                "capabilities": {"images": True, "audio": True, "video": True},
            }
        },
        "roles": {"detective": "any", **dict.fromkeys(WITNESSES, "any")},
    }  # fmt: skip
    file.write_text(yaml.safe_dump(content))
    return file


def test_all_are_here() -> None:
    assert TOLD.keys() == BUILT_IN.keys()


@pytest.mark.parametrize("name", sorted(BUILT_IN))
async def test_it_answers(name: str, tmp_path: Path) -> None:
    async with FaultyOpenAI(lambda seen: says("A man reads from a book.")) as server:
        models = model_set(tmp_path, server.base_url)
        said, whole = await asyncio.gather(ask(name, models=models), ask(name, "--json", models=models))
        assert server.calls == (2 if name in WITNESSES else 0)
    assert TOLD[name][2] in said
    observed = Observation.model_validate_json(whole)
    assert observed.observer == name
    assert observed.error is None
    assert observed.answer.strip() == said.strip()
    assert json.loads(whole)["question"]
    span = TOLD[name][1]
    if span is not None:
        start_s, end_s = (float(second) for second in span.split("-"))
        match observed.data:
            case SpeechEvidence(segments=segments):
                assert all(s.start_s < end_s and s.end_s > start_s for s in segments)
            case ShotEvidence(cuts=cuts):
                assert all(start_s <= cut.time_s < end_s for cut in cuts)
            case TextEvidence(cards=cards):
                assert all(card.start_s is None or card.start_s < end_s for card in cards)
