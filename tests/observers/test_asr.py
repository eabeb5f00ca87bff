"""Speech on real recordings, and silence, noise and music in which nothing is said."""

from __future__ import annotations

import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import jiwer
import pytest
from observers.conftest import SAMPLES, Film, context, instrument, observe

from omnidetective.errors import ObserverUnavailableError, TransientError
from omnidetective.evidence import Span, SpeechEvidence, SpeechSegment
from omnidetective.llm.messages import AudioPart
from omnidetective.llm.transcribe import Hearing
from omnidetective.observers.asr import Asr, _cut_between_words
from omnidetective.observers.base import Observer

READING = (
    "And Mr. John Dashwood had then leisure to consider how much there might be prudently in his power to do for them. "
    "He was not an ill-disposed young man, unless to be rather cold hearted and rather selfish is to be ill-disposed."
)
VOICES = ((4.33, 11.39), (12.6, 15.59), (16.8, 21.95))


def plain(text: str) -> str:
    return " ".join(re.findall(r"[\w']+", text.lower().replace("-", " ")))


def speech(observation: Any) -> SpeechEvidence:
    assert isinstance(observation.data, SpeechEvidence)
    return observation.data


@pytest.mark.weights
async def test_read_speech_is_transcribed_with_times_and_language(whisper: Path) -> None:
    answer = await observe(instrument(Asr), SAMPLES / "reading.mp4")
    heard = speech(answer)
    assert jiwer.wer(plain(READING), plain(" ".join(s.text for s in heard.segments))) <= 0.05
    assert heard.language == "en"
    assert {s.language for s in heard.segments} == {"en"}
    for segment in heard.segments:
        assert any(start - 0.3 <= segment.start_s < segment.end_s <= end + 0.3 for start, end in VOICES), segment
    assert len({next(n for n, v in enumerate(VOICES) if s.start_s < v[1]) for s in heard.segments}) == 3
    assert answer.model == "embedded:whisper-base"
    assert "John Dashwood" in answer.answer
    assert "language en" in answer.answer


@pytest.mark.weights
async def test_a_span_is_told_in_the_times_of_the_clip(whisper: Path) -> None:
    heard = speech(await observe(instrument(Asr), SAMPLES / "reading.mp4", (11.8, 16.2)))
    assert plain(" ".join(s.text for s in heard.segments)) == "he was not an ill disposed young man"
    assert heard.segments[0].start_s == pytest.approx(12.8, abs=0.3)
    assert heard.segments[-1].end_s == pytest.approx(15.5, abs=0.3)
    assert all(11.8 <= voice.start_s < voice.end_s <= 16.2 for voice in heard.voiced)


@pytest.mark.weights
async def test_another_language_is_recognised(whisper: Path) -> None:
    heard = speech(await observe(instrument(Asr), SAMPLES / "messagerie.mp4", (10.0, 15.5)))
    assert heard.language == "fr"
    assert "numéro de téléphone" in " ".join(s.text for s in heard.segments)


@pytest.mark.weights
async def test_music_is_no_speech(whisper: Path) -> None:
    answer = await observe(instrument(Asr), SAMPLES / "mountains.mkv")
    assert speech(answer) == SpeechEvidence(segments=(), voiced=(), gated=True, dropped=0)
    assert answer.answer.startswith("No speech is heard in 0.00–10.00 s")


@pytest.mark.weights
@pytest.mark.parametrize(
    "source",
    ["anullsrc=r=16000:d=6", "anoisesrc=d=6:a=0.3:c=pink:r=16000", "sine=f=440:d=6", "anoisesrc=d=6:a=0.001:r=16000"],
    ids=["silence", "noise", "tone", "hiss"],
)
async def test_no_words_are_invented(whisper: Path, film: Film, source: str) -> None:
    path = film(f"{source[:9]}{len(source)}.wav", "-f", "lavfi", "-i", source)
    heard = speech(await observe(instrument(Asr), path))
    assert heard.segments == ()
    assert heard.voiced == ()


@pytest.mark.weights
async def test_when_time_is_up_the_rest_is_named_and_not_taken_for_silence(
    whisper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    observer = instrument(Asr, context("investigate.observer_timeout_s=0.000001"))
    answer = await observe(observer, SAMPLES / "reading.mp4")
    heard = speech(answer)
    assert heard.segments == ()
    assert len(heard.voiced) >= 3
    assert "The time was up" in answer.answer
    assert "No speech" not in answer.answer


def test_without_weights_it_is_unavailable_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIDETECTIVE_CACHE", str(tmp_path))
    with pytest.raises(ObserverUnavailableError) as caught:
        instrument(Asr)
    assert (caught.value.reason, caught.value.hint) == ("no_weights", "omnidetective weights pull whisper-base")


def test_without_the_packages_it_is_unavailable_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnidetective.embedded.inference.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ObserverUnavailableError) as caught:
        instrument(Asr)
    assert (caught.value.reason, caught.value.hint) == ("not_installed", "pip install 'omnidetective[local]'")


def test_a_long_recording_is_cut_where_nobody_speaks() -> None:
    piece = Span(start_s=0.0, end_s=600.0)
    voices = (Span(start_s=10.0, end_s=590.0), Span(start_s=595.0, end_s=600.0))
    cut, inside = _cut_between_words(piece, voices)
    assert 590.0 < cut.end_s < 595.0
    assert inside == voices[:1]
    everywhere = (Span(start_s=0.2, end_s=600.0),)
    assert _cut_between_words(piece, everywhere) == (piece, everywhere)
    assert _cut_between_words(piece, voices[:1]) == (piece, voices[:1])


class Stenographer:
    """A served recogniser that writes down the length of what it was sent, and words where it is told to."""

    name = "openai:stenographer"

    def __init__(
        self, *segments: SpeechSegment, error: Exception | None = None, hearing: Hearing | None = None
    ) -> None:
        self.sent: list[AudioPart] = []
        self.hearing = hearing or Hearing()
        self._segments = segments
        self._error = error

    async def transcribe(self, audio: AudioPart, *, language: str | None = None) -> SpeechEvidence:
        self.sent.append(audio)
        if self._error is not None:
            raise self._error
        everything = SpeechSegment(start_s=0.0, end_s=audio.duration_s, text=f"words in {language}")
        return SpeechEvidence(segments=self._segments or (everything,))


def served(stenographer: Stenographer, **settings: Any) -> Observer:
    played = cast("Any", SimpleNamespace(transcriber=lambda role: stenographer))
    return instrument(Asr, context(cast=played), engine="openai", **settings)


async def test_a_served_recogniser_hears_only_voices_and_its_times_are_held_to_them() -> None:
    stenographer = Stenographer()
    answer = await observe(served(stenographer, language="en"), SAMPLES / "reading.mp4")
    heard = speech(answer)
    assert sum(part.duration_s for part in stenographer.sent) < 20, "pauses are not paid for"
    assert [s.text for s in heard.segments] == ["words in en"] * len(stenographer.sent)
    assert heard.segments[0].start_s == pytest.approx(4.5, abs=0.3)
    assert heard.segments[-1].end_s == pytest.approx(21.9, abs=0.3)
    assert answer.model == "openai:stenographer"


async def test_a_served_recogniser_is_sent_no_music_and_no_silence() -> None:
    stenographer = Stenographer()
    answer = await observe(served(stenographer), SAMPLES / "mountains.mkv")
    assert stenographer.sent == []
    assert answer.answer.startswith("No speech is heard")


async def test_what_a_served_recogniser_puts_into_a_pause_is_dropped() -> None:
    stenographer = Stenographer(
        SpeechSegment(start_s=0.5, end_s=2.0, text="real"), SpeechSegment(start_s=9.0, end_s=9.5, text="made up")
    )
    heard = speech(await observe(served(stenographer), SAMPLES / "reading.mp4", (0.0, 12.0)))
    assert [s.text for s in heard.segments] == ["real"]
    assert heard.dropped == 1


async def test_a_failing_call_is_the_observation_s_error() -> None:
    observer = served(Stenographer(error=TransientError("the server is down")))
    with pytest.raises(AssertionError, match="the server is down"):
        await observe(observer, SAMPLES / "reading.mp4")


async def test_a_served_recogniser_works_without_the_voice_detector(
    film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omnidetective.observers.asr.PACKAGES", ("no_such_package",))
    stenographer = Stenographer()
    path = film("four_minutes.mp3", "-f", "lavfi", "-i", "sine=f=300:d=250", "-b:a", "32k")
    started = time.monotonic()
    heard = speech(await observe(served(stenographer), path))
    assert time.monotonic() - started < 20
    assert [round(part.duration_s) for part in stenographer.sent] == [125, 125]
    assert [(round(s.start_s), round(s.end_s)) for s in heard.segments] == [(0, 125), (125, 250)]
