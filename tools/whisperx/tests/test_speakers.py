"""Speakers: an untrained pyannote pipeline from its real form on disk, and WhisperX's assignment on a made one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import SAID, context, heard, opened, put, speech, whisperx
from omnidetective_whisperx.heard import HeardWord, Utterance
from omnidetective_whisperx.segments import segments
from omnidetective_whisperx.speakers import assign
from pydantic import ValidationError

from omnidetective.errors import ConfigError


async def test_speakers_are_labels(models: Path) -> None:
    observer = whisperx(
        model=str(models / "speaking"), align_model=str(models / "aligner"),
        diarize=True, diarize_model=str(models / "diarization"), max_speakers=3,
    )  # fmt: skip
    found = speech(await heard(observer, "reading.mp4", (4.0, 16.0)))
    assert " ".join(s.text for s in found.segments) == SAID
    assert {s.speaker for s in found.segments} <= {"S1", "S2", "S3", None}


async def test_speakers_of_segments_without_times_of_words(models: Path) -> None:
    observer = whisperx(
        model=str(models / "speaking"), align=False, diarize=True, diarize_model=str(models / "diarization"),
        min_speakers=1, max_speakers=1,
    )  # fmt: skip
    found = speech(await heard(observer, "reading.mp4", (4.0, 16.0)))
    assert [s.text for s in found.segments] == [SAID] * 2
    assert {s.speaker for s in found.segments} <= {"S1", None}


async def test_a_span_that_is_too_long_for_it_says_so(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnidetective_whisperx.hearing._MOST_DIARIZED_S", 10.0)
    observer = whisperx(
        model=str(models / "speaking"), align=False, diarize=True, diarize_model=str(models / "diarization")
    )
    answer = await heard(observer, "reading.mp4")
    assert "Speakers are told apart only in up to" in answer.answer
    assert {s.speaker for s in speech(answer).segments} == {None}


async def test_a_pipeline_that_cannot_be_loaded_is_the_error_of_the_question(models: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("pipeline: {name: no.such.Pipeline}")
    observer = whisperx(model=str(models / "speaking"), align=False, diarize=True, diarize_model=str(tmp_path))
    async with opened("reading.mp4") as clip:
        answer = await put(observer, clip)
    assert answer.error is not None
    assert answer.error.reason == "bad_model"


def test_pyannote_does_not_report_home(models: Path) -> None:
    script = f"""
import asyncio
from conftest import whisperx
observer = whisperx(model={str(models / "speaking")!r}, align=False)
asyncio.run(observer._models.recogniser())
from pyannote.audio.telemetry.metrics import is_metrics_enabled
print(is_metrics_enabled())
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYANNOTE_METRICS_ENABLED"}
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parent, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "False", "and nothing else is printed where answers are"


def word(start_s: float, end_s: float, text: str) -> HeardWord:
    return HeardWord(start_s=start_s, end_s=end_s, text=text)


def test_a_sentence_is_cut_where_the_speaker_changes_and_labels_count_in_the_order_of_speaking() -> None:
    turns = pd.DataFrame(
        {"start": [0.0, 1.0, 3.0], "end": [1.0, 2.5, 4.0], "speaker": ["SPEAKER_07", "SPEAKER_00", "SPEAKER_07"]}
    )
    words = (
        word(100.1, 100.5, "Who"), word(100.5, 100.9, "goes?"), word(101.1, 101.4, "A"), word(101.5, 101.9, "friend."),
    )  # fmt: skip
    later = Utterance(start_s=103.0, end_s=103.8, text="Pass.", words=(word(103.0, 103.8, "Pass."),))
    said = Utterance(start_s=100.1, end_s=101.9, text="Who goes? A friend.", words=words, language="en", score=0.9)
    found = list(segments(assign(turns, [later, said], offset_s=100.0)))
    assert [(s.speaker, s.text, s.start_s, s.end_s) for s in found] == [
        ("S1", "Who goes?", 100.1, 100.9),
        ("S2", "A friend.", 101.1, 101.9),
        ("S1", "Pass.", 103.0, 103.8),
    ]


def test_a_word_between_two_turns_belongs_to_the_sentence_s_speaker() -> None:
    turns = pd.DataFrame({"start": [0.0, 1.0], "end": [0.4, 3.0], "speaker": ["A", "B"]})
    said = Utterance(start_s=0.5, end_s=2.0, text="um well", words=(word(0.5, 0.8, "um"), word(1.2, 2.0, "well")))
    (found,) = segments(assign(turns, [said], offset_s=0.0))
    assert (found.speaker, found.text) == ("S1", "um well")


def test_nobody_is_named_where_no_turn_was_found() -> None:
    said = Utterance(start_s=0.5, end_s=2.0, text="hello")
    empty = pd.DataFrame({"start": [], "end": [], "speaker": []})
    (found,) = segments(assign(empty, [said], offset_s=0.0))
    assert found.speaker is None


def test_more_speakers_at_least_than_at_most_is_refused() -> None:
    context()
    with pytest.raises((ConfigError, ValidationError), match="is more than max_speakers"):
        whisperx(min_speakers=3, max_speakers=2)
