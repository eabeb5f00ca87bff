"""The whole real way of WhisperX over real sound: voices, recognition, alignment, times."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from conftest import SAID, heard, opened, put, speech, whisperx
from omnidetective_whisperx.models import Models

from omnidetective.evidence import SpeechEvidence

VOICES = ((4.33, 11.39), (12.6, 15.59), (16.8, 21.95))


def in_order_and_in_bounds(evidence: SpeechEvidence, start_s: float, end_s: float) -> None:
    """What holds for every transcript with times of words."""
    assert [s.start_s for s in evidence.segments] == sorted(s.start_s for s in evidence.segments)
    for segment in evidence.segments:
        assert start_s <= segment.start_s < segment.end_s <= end_s
        assert any(v.start_s - 0.01 <= segment.start_s < v.end_s + 0.01 for v in evidence.voiced), segment
        assert segment.words
        assert [w.start_s for w in segment.words] == sorted(w.start_s for w in segment.words)
        for word in segment.words:
            assert segment.start_s <= word.start_s <= word.end_s <= segment.end_s
            assert word.score is not None
            assert 0 <= word.score <= 1


async def test_sentences_and_words_have_times_inside_the_voices(models: Path) -> None:
    answer = await heard(whisperx(model=str(models / "speaking"), align_model=str(models / "aligner")), "reading.mp4")
    found = speech(answer)
    assert " ".join(s.text for s in found.segments) == SAID
    words = [w.text for s in found.segments for w in s.words or ()]
    assert words == SAID.split()
    in_order_and_in_bounds(found, 4.33, 21.95)
    assert "Good morning Mr. Dashwood." in [s.text for s in found.segments], "an abbreviation ends no sentence"
    assert found.language == "en"
    assert {s.language for s in found.segments} == {"en"}
    assert found.gated
    assert answer.model == f"whisperx:{models / 'speaking'}"
    assert "“Good morning Mr. Dashwood.”" in answer.answer
    assert "where no words could be made out" in answer.answer, "the other voices are not passed over"


async def test_a_span_is_told_in_the_times_of_the_clip(models: Path) -> None:
    observer = whisperx(model=str(models / "speaking"), align_model=str(models / "aligner"))
    found = speech(await heard(observer, "reading.mp4", (11.8, 16.2)))
    assert " ".join(s.text for s in found.segments) == SAID
    in_order_and_in_bounds(found, 12.6, 15.6)
    assert all(11.8 <= voice.start_s < voice.end_s <= 16.2 for voice in found.voiced)


async def test_pieces_of_a_long_clip_are_heard_once_each_in_the_times_of_the_clip(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omnidetective_whisperx.hearing.PIECE_S", 12.0)
    observer = whisperx(model=str(models / "speaking"), align_model=str(models / "aligner"))
    found = speech(await heard(observer, "reading.mp4"))
    assert " ".join(s.text for s in found.segments) == f"{SAID} {SAID}"
    in_order_and_in_bounds(found, 4.33, 21.95)
    assert found.segments[-1].start_s > 12.0


@pytest.mark.parametrize("batch_size", [1, 2, 8])
async def test_the_size_of_a_batch_changes_no_word(models: Path, batch_size: int) -> None:
    observer = whisperx(model=str(models / "speaking"), align=False, batch_size=batch_size)
    found = speech(await heard(observer, "reading.mp4"))
    assert [s.text for s in found.segments] == [SAID] * 3, "three voices with pauses between them"
    for segment, (start_s, end_s) in zip(found.segments, VOICES, strict=True):
        assert segment.start_s == pytest.approx(start_s, abs=0.4)
        assert segment.end_s == pytest.approx(end_s, abs=0.4)
        assert segment.words is None


async def test_what_is_guessed_is_dropped_and_counted(models: Path) -> None:
    observer = whisperx(model=str(models / "random"), align_model=str(models / "aligner"))
    answer = await heard(observer, "reading.mp4")
    found = speech(answer)
    assert found.segments == ()
    assert found.dropped >= 1
    assert len(found.voiced) == 3
    assert answer.answer.startswith("No words could be made out")


async def test_nothing_is_said_in_music_by_a_model_that_always_speaks(models: Path) -> None:
    answer = await heard(whisperx(model=str(models / "speaking"), align=False), "mountains.mkv")
    assert speech(answer) == SpeechEvidence(segments=(), voiced=(), gated=True, dropped=0)
    assert answer.answer.startswith("No speech is heard in 0.00–10.00 s")


async def test_without_an_alignment_model_for_the_language_it_is_told_and_nothing_is_lost(models: Path) -> None:
    answer = await heard(whisperx(model=str(models / "speaking")), "reading.mp4")
    assert [s.text for s in speech(answer).segments] == [SAID] * 3
    assert "Words have no times of their own: the alignment model WAV2VEC2_ASR_BASE_960H is not on" in answer.answer


async def test_when_time_is_up_the_rest_is_named_and_not_taken_for_silence(models: Path) -> None:
    answer = await heard(whisperx(model=str(models / "speaking"), align=False, timeout_s=0.0001), "reading.mp4")
    found = speech(answer)
    assert found.segments == ()
    assert len(found.voiced) == 3
    assert found.heard_to_s is not None
    assert found.heard_to_s < 5
    assert "The time was up" in answer.answer


async def test_many_clips_and_observers_at_once_load_each_model_once(
    models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import whisperx as library

    loaded: list[str] = []
    at_work: list[int] = []
    for name in ("load_model", "load_align_model"):
        monkeypatch.setattr(library, name, _counted(getattr(library, name), loaded))
    monkeypatch.setattr(library, "align", _counted(library.align, at_work, thread=True))
    # Folders of their own, as models are kept for the life of the process.
    (tmp_path / "speaking").symlink_to(models / "speaking")
    (tmp_path / "aligner").symlink_to(models / "aligner")
    settings = {"model": str(tmp_path / "speaking"), "align_model": str(tmp_path / "aligner")}
    observers = [whisperx(**settings) for _ in range(2)]
    assert loaded == []
    names = ["reading.mp4", "on_hold.mp3", "messagerie.mp4"]
    answers = await asyncio.gather(*(heard(o, name) for o in observers for name in names))
    assert loaded == ["load_model", "load_align_model"]
    assert all(SAID in " ".join(s.text for s in speech(a).segments) for a in answers)
    assert len(set(at_work)) == 1, "one clip at a time"


def _counted(function: Any, calls: list[Any], *, thread: bool = False) -> Any:
    def call(*arguments: Any, **named: Any) -> Any:
        calls.append(threading.get_ident() if thread else function.__name__)
        return function(*arguments, **named)

    return call


async def test_a_question_that_is_cancelled_gives_up_its_place(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    observer = whisperx(model=str(models / "speaking"), align=False)
    await heard(observer, "reading.mp4", (4.0, 8.0))
    busy, release = threading.Event(), threading.Event()
    other = asyncio.ensure_future(Models(observer._settings).work(lambda: (busy.set(), release.wait(60))))
    await asyncio.to_thread(busy.wait, 60)
    used: list[Any] = []
    monkeypatch.setattr("omnidetective_whisperx.hearing._hear", lambda *_, **__: used.append(1) or ([], 0))
    async with opened("reading.mp4") as clip:
        question = asyncio.ensure_future(put(observer, clip))
        await asyncio.sleep(0.5)
        question.cancel()
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await question
    await other
    await Models(observer._settings).work(lambda: None)
    assert used == []


async def test_a_model_that_cannot_be_loaded_is_the_error_of_the_question(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"no model")
    async with opened("reading.mp4") as clip:
        answer = await put(whisperx(model=str(tmp_path), align=False), clip)
    assert answer.error is not None
    assert answer.error.reason == "bad_model"
    assert "cannot be loaded" in answer.error.message


@pytest.mark.parametrize("by", ["torch", "ctranslate2"])
async def test_too_little_memory_of_the_gpu_is_told_with_what_helps_and_not_tried_again(
    models: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    import torch
    from omnidetective_whisperx.recogniser import Recogniser

    # There is no GPU here: these are the errors that the two libraries raise.
    raised = torch.OutOfMemoryError if by == "torch" else RuntimeError
    tried: list[int] = []

    def transcribe(self: Recogniser, *_: Any, batch_size: int, **__: Any) -> Any:
        tried.append(batch_size)
        raise raised("CUDA failed with error out of memory")

    monkeypatch.setattr(Recogniser, "transcribe", transcribe)
    async with opened("reading.mp4") as clip:
        answer = await put(whisperx(model=str(models / "speaking"), align=False, batch_size=16), clip)
    assert answer.error is not None
    assert answer.error.reason == "out_of_memory"
    assert "observers.whisperx.batch_size" in answer.error.message
    assert "compute_type" in answer.error.message
    assert tried == [16]


async def test_a_failing_library_does_not_tell_the_token(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from omnidetective_whisperx.recogniser import Recogniser

    monkeypatch.setenv("HF_TOKEN", "hf_canary")

    def transcribe(*_: Any, **__: Any) -> Any:
        raise ValueError("request with hf_canary\nrefused")

    monkeypatch.setattr(Recogniser, "transcribe", transcribe)
    async with opened("reading.mp4") as clip:
        answer = await put(whisperx(model=str(models / "speaking"), align=False), clip)
    assert answer.error is not None
    assert answer.error.message == "WhisperX failed: ValueError: request with *** refused"
