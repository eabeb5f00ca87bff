"""The installed package, through the command line, and with real weights."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jiwer
import pytest
from conftest import SAID, SAMPLES, heard, speech, whisperx
from omnidetective_whisperx import WhisperX

from omnidetective.testing import check_observer


def plain(text: str) -> str:
    return " ".join(re.findall(r"[\w']+", text.lower().replace("-", " ").replace("’", "'")))


def spoken(name: str) -> str:
    """What is said in a sample clip, from its description."""
    truth = json.loads((SAMPLES / "truth.json").read_text(encoding="utf-8"))
    (clip,) = [c for c in truth["clips"] if c["file"] == name]
    return " ".join(part["text"] for part in clip["transcript"])


@pytest.mark.weights
@pytest.mark.parametrize(
    ("name", "language", "most_wrong"),
    [("reading.mp4", "en", 0.05), ("messagerie.mp4", "fr", 0.15), ("on_hold.mp3", "en", 0.15)],
)
async def test_real_words_by_the_real_way(whisper_base: Path, name: str, language: str, most_wrong: float) -> None:
    found = speech(await heard(whisperx(model=str(whisper_base), align=False), name))
    rate = jiwer.wer(plain(spoken(name)), plain(" ".join(s.text for s in found.segments)))
    print(f"\n{name}: word error rate {rate:.3f}")
    assert rate <= most_wrong
    assert found.language == language


@pytest.mark.weights
async def test_real_words_are_the_same_in_pieces(whisper_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnidetective_whisperx.hearing.PIECE_S", 14.0)
    found = speech(await heard(whisperx(model=str(whisper_base), align=False), "reading.mp4"))
    assert jiwer.wer(plain(spoken("reading.mp4")), plain(" ".join(s.text for s in found.segments))) <= 0.05


def omnidetective(*arguments: str) -> subprocess.CompletedProcess[str]:
    # The source of omnidetective is found by where these tests run from; the plugin by its entry point.
    return subprocess.run(
        [sys.executable, "-m", "omnidetective", *arguments],
        capture_output=True, text=True, timeout=300, check=False, env=os.environ,
    )  # fmt: skip


def test_it_is_listed_with_what_it_lacks() -> None:
    listed = omnidetective("observers", "list", "--set", "observers.whisperx.model=medium")
    (row,) = [line for line in listed.stdout.splitlines() if line.startswith("whisperx ")]
    assert "omnidetective-whisperx" in row
    assert "not on this machine" in listed.stdout


def test_it_is_asked_on_the_command_line_with_clean_json(models: Path) -> None:
    asked = omnidetective(
        "observers", "ask", "whisperx", str(SAMPLES / "reading.mp4"), "What is said?", "--span", "4-12", "--json",
        "--set", f"observers.whisperx.model={models / 'speaking'}",
        "--set", f"observers.whisperx.align_model={models / 'aligner'}",
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr
    answer = json.loads(asked.stdout)
    assert " ".join(s["text"] for s in answer["data"]["segments"]) == SAID
    assert answer["data"]["segments"][0]["words"][0]["text"] == "Good"


def test_asr_with_it_as_its_engine(models: Path) -> None:
    asked = omnidetective(
        "observers", "ask", "asr", str(SAMPLES / "reading.mp4"), "--json", "--set", "observers.asr.engine=whisperx",
        "--set", f"observers.whisperx.model={models / 'speaking'}",
        "--set", f"observers.whisperx.align_model={models / 'aligner'}",
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr
    answer = json.loads(asked.stdout)
    assert answer["model"] == f"whisperx:{models / 'speaking'}"
    assert " ".join(s["text"] for s in answer["data"]["segments"]) == SAID


def test_it_keeps_to_what_is_expected_of_an_observer(models: Path) -> None:
    settings = {"model": str(models / "speaking"), "align_model": str(models / "aligner"), "device": "cpu"}
    report = check_observer(WhisperX, settings=settings)
    assert not report.problems, report
    assert not report.unavailable
