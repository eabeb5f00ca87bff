"""`asr` on WhisperX: a package of its own that brings the observer `whisperx`; here one that says what it was asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
from observers.conftest import SAMPLES

Asked = Callable[..., subprocess.CompletedProcess[str]]

PLUGIN = """
from typing import Literal
from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import Span, SpeechEvidence, SpeechSegment, Word
from omnidetective.observers.base import ObserverSettings, ObserverSpec, observation

class Settings(ObserverSettings):
    model: str = "small"
    says: str = "words"
    kind: Literal["whole", "part", "other"] = "whole"
    broken: bool = False

class WhisperX:
    spec = ObserverSpec(name="whisperx", kind="instrument", modalities=("video", "audio"), needs="audio",
                        description="Writes down what is said.", settings=Settings)
    def __init__(self, settings, context):
        if settings.broken:
            raise ObserverUnavailableError("no recogniser is here", reason="no_weights", hint="hf download it")
        self.settings = settings
    async def observe(self, clip, question, span):
        if self.settings.kind == "other":
            return observation(self.spec, question, span, answer="nothing typed")
        if self.settings.says == "boom":
            raise ObserverUnavailableError("the memory of the GPU is too small", reason="out_of_memory", hint="less")
        words = (Word(start_s=5.0, end_s=6.0, text=self.settings.says, score=0.9),)
        said = SpeechSegment(start_s=5.0, end_s=6.0, text=self.settings.says, language="en", speaker="S1", words=words)
        heard_to_s = 7.5 if self.settings.kind == "part" else None
        evidence = SpeechEvidence(segments=(said,), gated=True, dropped=2, heard_to_s=heard_to_s)
        return observation(self.spec, question, span, answer="heard", data=evidence,
                           model=f"whisperx:{self.settings.model}")
"""


@pytest.fixture
def ask(tmp_path: Path) -> Asked:
    """``ask(*arguments, installed=True)``: `observers ask asr` on WhisperX about a sample clip, as JSON."""
    site = tmp_path / "site"
    info = site / "omnidetective_whisperx-0.1.dist-info"
    info.mkdir(parents=True)
    (site / "omnidetective_whisperx.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: omnidetective-whisperx\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[omnidetective.observers]\nwhisperx = omnidetective_whisperx:WhisperX\n")

    def run(*arguments: str, clip: Path = SAMPLES / "reading.mp4", installed: bool = True) -> Any:
        sources = os.environ.get("PYTHONPATH", "")
        path = os.pathsep.join([*([str(site)] if installed else []), sources])
        return subprocess.run(
            [sys.executable, "-m", "omnidetective", "observers", "ask", "asr", str(clip), "--json",
             "--set", "observers.asr.engine=whisperx", *arguments],
            capture_output=True, text=True, timeout=120, check=False, env=os.environ | {"PYTHONPATH": path},
        )  # fmt: skip

    return run


def test_words_times_and_speakers_of_the_package_are_those_of_asr(ask: Asked) -> None:
    asked = ask("--set", "observers.whisperx.model=turbo", "--set", "observers.whisperx.says=hello")
    assert asked.returncode == 0, asked.stderr
    answer = json.loads(asked.stdout)
    assert answer["observer"] == "asr"
    assert answer["model"] == "whisperx:turbo"
    assert "5.00–6.00 s, S1: “hello”" in answer["answer"]
    heard = answer["data"]
    assert heard["segments"] == [
        {
            "start_s": 5.0, "end_s": 6.0, "text": "hello", "language": "en", "speaker": "S1",
            "words": [{"start_s": 5.0, "end_s": 6.0, "text": "hello", "score": 0.9}],
        }
    ]  # fmt: skip
    assert heard["dropped"] == 2
    assert [round(voice["start_s"]) for voice in heard["voiced"]] == [5, 13, 17], "by the detector of asr"
    assert "heard_to_s" not in heard


def test_music_is_not_given_to_it(ask: Asked) -> None:
    answer = json.loads(ask(clip=SAMPLES / "mountains.mkv").stdout)
    assert answer["data"]["segments"] == []
    assert answer["answer"].startswith("No speech is heard")


def test_where_its_time_was_up_the_rest_is_named(ask: Asked) -> None:
    answer = json.loads(ask("--set", "observers.whisperx.kind=part").stdout)
    assert "words were listened to only up to 7.50 s" in answer["answer"]
    assert answer["data"]["heard_to_s"] == 7.5


def test_it_is_asked_about_all_of_a_long_clip_at_once_so_that_a_label_is_one_voice(ask: Asked, tmp_path: Path) -> None:
    # `asr` by itself hears ten minutes at a time; this one says its words, by S1, each time that it is asked.
    long = tmp_path / "long.mp3"
    sound = ["-stream_loop", "26", "-i", str(SAMPLES / "reading.mp4"), "-vn", "-ac", "1", "-ar", "16000", "-b:a", "32k"]
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run([ffmpeg, "-v", "error", "-nostdin", *sound, str(long)], check=True, timeout=120)
    heard = json.loads(ask(clip=long).stdout)["data"]
    assert [segment["speaker"] for segment in heard["segments"]] == ["S1"]
    assert heard["voiced"][-1]["end_s"] > 650


def test_without_the_package_the_command_that_installs_it_is_told(ask: Asked) -> None:
    asked = ask(installed=False)
    assert asked.returncode != 0
    assert "pip install omnidetective-whisperx" in asked.stderr


def test_what_the_package_lacks_is_what_asr_lacks(ask: Asked) -> None:
    asked = ask("--set", "observers.whisperx.broken=true")
    assert asked.returncode != 0
    assert "no recogniser is here" in asked.stderr
    assert "hf download it" in asked.stderr


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("observers.whisperx.kind=other", "without a transcript"),
        ("observers.whisperx.says=boom", "the memory of the GPU is too small"),
    ],
    ids=["untyped answer", "error"],
)
def test_its_failure_is_told(ask: Asked, setting: str, told: str) -> None:
    asked = ask("--set", setting)
    assert told in asked.stdout + asked.stderr


def test_the_language_is_set_in_one_place(ask: Asked) -> None:
    asked = ask("--set", "observers.asr.language=fr")
    assert asked.returncode != 0
    assert "observers.whisperx.language=fr" in asked.stderr
