"""Loudness, silence and kinds of sound, on clips whose sound is known."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from observers.conftest import SAMPLES, Film, instrument, observe

from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import SoundEvidence
from omnidetective.observers.onsets import MOST_ONSETS, onsets
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


def pulses(film: Film, name: str, expression: str, seconds: float) -> Path:
    source = f"aevalsrc='{expression}':s=16000:d={seconds}"
    return film(name, "-f", "lavfi", "-i", source, "-c:a", "pcm_s16le")


async def test_the_sound_sets_in_and_jumps_up(film: Film) -> None:
    """A hum that begins at 1 s, two knocks over it, and a hum that swells so slowly that it never sets in."""
    hum = "0.02*sin(2*PI*220*t)*between(t,1,8)"
    knocks = "0.6*sin(2*PI*800*t)*(between(t,3,3.2)+between(t,5.5,5.7))"
    path = pulses(film, "knocks.wav", f"{hum}+{knocks}+0.3*sin(2*PI*330*t)*max(0,min(1,(t-8)/8))", 18)
    answer = await observe(instrument(Sound, classify=False), path)
    assert sound(answer).onsets_s == pytest.approx((1.0, 3.0, 5.5), abs=0.03)
    assert "It sets in or jumps up at 1.0" in answer.answer
    within = await observe(instrument(Sound, classify=False), path, (2.0, 4.0))
    assert sound(within).onsets_s == pytest.approx((3.0,), abs=0.03)


async def test_steady_noise_has_no_onsets_and_is_even(film: Film) -> None:
    path = film("steady.wav", "-f", "lavfi", "-i", "anoisesrc=d=20:a=0.2:c=pink:r=16000:s=1", "-c:a", "pcm_s16le")
    answer = await observe(instrument(Sound, classify=False), path)
    assert sound(answer).onsets_s == ()
    assert "even throughout" in answer.answer
    assert "softer" not in answer.answer


async def test_a_lasting_change_of_loudness_is_told(film: Film) -> None:
    noise = "anoisesrc=d=20:a=0.3:c=pink:r=16000:s=1,volume=volume='if(lt(t,12),1,0.1)':eval=frame"
    answer = await observe(instrument(Sound, classify=False), film("softer.wav", "-f", "lavfi", "-i", noise))
    assert re.search(r"From about 12\.[05] s on it is softer by 20 dB\.", answer.answer)
    heard = sound(answer)
    assert [level.end_s - level.start_s for level in heard.levels] == pytest.approx([0.5] * 40)
    loud = [level.lufs or 0.0 for level in heard.levels if level.end_s <= 11.5]
    soft = [level.lufs or 0.0 for level in heard.levels if level.start_s >= 12.5]
    assert sum(loud) / len(loud) - sum(soft) / len(soft) == pytest.approx(20, abs=1)


async def test_speech_with_pauses_is_no_change(film: Film) -> None:
    answer = await observe(instrument(Sound, classify=False), SAMPLES / "reading.mp4")
    assert "softer" not in answer.answer
    assert sound(answer).onsets_s == pytest.approx((4.54, 12.6, 16.99), abs=0.1)


def test_onsets_are_never_many() -> None:
    rng = np.random.default_rng(0)
    power = np.full(400_000, 1e-6, np.float32)
    power[100::100] = rng.uniform(0.01, 0.2, power[100::100].size)
    for more in range(1, 6):
        power[100 + more :: 100] = power[100::100][: power[100 + more :: 100].size]
    found = onsets(power)
    assert len(found) == MOST_ONSETS
    assert list(found) == sorted(found)


@pytest.mark.parametrize("frames", [0, 1, 28, 29, 60])
def test_a_sound_that_is_too_short_has_no_onsets(frames: int) -> None:
    assert onsets(np.full(frames, 0.1, np.float32)) == ()
