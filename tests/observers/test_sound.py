"""Loudness, silence and kinds of sound, on clips whose sound is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from observers.conftest import SAMPLES, Film, instrument, observe

from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import SoundEvidence
from omnidetective.observers.sound import Sound


def sound(observation: Any) -> SoundEvidence:
    assert isinstance(observation.data, SoundEvidence)
    return observation.data


@pytest.fixture
def beeps(film: Film) -> Path:
    """Two seconds of silence, three of a 1 kHz tone, three of silence."""
    tone = "aevalsrc='if(between(t,2,5),0.3*sin(2*PI*1000*t),0)':s=16000:d=8"
    return film("beeps.wav", "-f", "lavfi", "-i", tone, "-c:a", "pcm_s16le")


@pytest.mark.weights
async def test_speech_and_music_are_told_apart_with_their_times(yamnet: Path) -> None:
    answer = await observe(instrument(Sound), SAMPLES / "on_hold.mp3")
    heard = sound(answer)
    assert heard.classified
    assert answer.model == "embedded:yamnet"
    assert heard.loudness_lufs == pytest.approx(-21.7, abs=1.0)
    main = [(e.label, e.start_s, e.end_s) for e in heard.events if e.label in ("speech", "music")]
    expected = [("speech", 0.57, 8.2), ("speech", 9.54, 10.9), ("music", 16.0, 25.0)]
    assert [label for label, _, _ in main] == [label for label, _, _ in expected]
    for (_, start_s, end_s), (_, true_start_s, true_end_s) in zip(main, expected, strict=True):
        assert start_s == pytest.approx(true_start_s, abs=0.3)
        assert end_s == pytest.approx(true_end_s, abs=0.3)
    silent = [(span.start_s, span.end_s) for span in heard.silent]
    assert any(start == pytest.approx(10.95, abs=0.2) and end == pytest.approx(16, abs=0.2) for start, end in silent)


@pytest.mark.weights
async def test_a_span_is_told_in_the_times_of_the_clip(yamnet: Path, beeps: Path) -> None:
    heard = sound(await observe(instrument(Sound), beeps, (1.0, 6.0)))
    assert [(s.start_s, s.end_s) for s in heard.silent] == [
        (pytest.approx(1.0, abs=0.05), pytest.approx(2.0, abs=0.05)),
        (pytest.approx(5.0, abs=0.05), pytest.approx(6.0, abs=0.05)),
    ]
    beep = next(event for event in heard.events if event.label == "beep, bleep")
    assert (beep.start_s, beep.end_s) == (pytest.approx(2.0, abs=0.1), pytest.approx(5.0, abs=0.3))


@pytest.mark.weights
async def test_pieces_of_a_long_sound_join_without_a_seam(
    yamnet: Path, film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film("long.wav", "-f", "lavfi", "-i", "sine=f=1000:d=30:r=16000", "-c:a", "pcm_s16le")
    whole = sound(await observe(instrument(Sound), path))
    monkeypatch.setattr("omnidetective.observers.sound._PIECE_PATCHES", 9)
    assert sound(await observe(instrument(Sound), path)) == whole
    assert [(e.start_s, e.end_s) for e in whole.events if e.label == "beep, bleep"] == [(0.0, 30.0)]


@pytest.mark.weights
async def test_silence_is_told_as_silence(yamnet: Path, film: Film) -> None:
    path = film("nothing.wav", "-f", "lavfi", "-i", "anullsrc=r=16000:d=5", "-c:a", "pcm_s16le")
    answer = await observe(instrument(Sound), path)
    heard = sound(answer)
    assert heard.loudness_lufs is None
    assert heard.events == ()
    assert [(s.start_s, s.end_s) for s in heard.silent] == [(0.0, 5.0)]
    assert "silent throughout" in answer.answer


async def test_without_weights_it_measures_and_says_what_it_cannot(
    beeps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMNIDETECTIVE_CACHE", str(tmp_path))
    answer = await observe(instrument(Sound), beeps)
    heard = sound(answer)
    assert len(heard.silent) == 2
    assert not heard.classified
    assert heard.events == ()
    assert answer.model is None
    assert "omnidetective weights pull yamnet" in answer.answer
    with pytest.raises(ObserverUnavailableError) as caught:
        instrument(Sound, classify=True)
    assert caught.value.reason == "no_weights"


async def test_the_classifier_can_be_switched_off(beeps: Path) -> None:
    answer = await observe(instrument(Sound, classify=False), beeps)
    assert not sound(answer).classified
    assert "switched off" in answer.answer
