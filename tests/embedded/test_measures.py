"""The arithmetic behind the instruments: changes between pictures, sound events, the sound classifier's front end."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from omnidetective.embedded.changes import largest_change, region, switch_index
from omnidetective.embedded.sound_events import sound_events, without_silence
from omnidetective.embedded.sounds import PATCH_HOP_S, log_mel_patches
from omnidetective.embedded.speech import group
from omnidetective.evidence import SoundEvent, Span

LABELS = ("speech", "music", "silence")


def picture(height: int = 90, width: int = 160, level: int = 40) -> NDArray[np.uint8]:
    return np.full((height, width), level, np.uint8)


def test_a_small_word_is_a_large_change_and_noise_is_none() -> None:
    before = picture()
    word = before.copy()
    word[70:76, 20:60:2] = 235
    noisy = (before + np.random.default_rng(1).integers(0, 5, before.shape)).astype(np.uint8)
    assert largest_change(before, word) > 20
    assert largest_change(before, noisy) < 6
    assert largest_change(before, before) == 0


@given(st.integers(1, 70), st.integers(1, 70))
def test_a_change_of_everything_is_as_large_in_every_size(height: int, width: int) -> None:
    assert largest_change(picture(height, width, 10), picture(height, width, 60)) == pytest.approx(50)


def test_the_step_at_which_a_thing_comes_and_goes_is_found_on_a_moving_ground() -> None:
    rng = np.random.default_rng(2)
    ground = rng.integers(0, 120, (40, 400)).astype(np.float32)
    smooth = np.stack([np.convolve(row, np.ones(25) / 25, "same") for row in ground])
    frames = []
    for n in range(20):
        frame = smooth[:, n : n + 120].astype(np.uint8)
        if n >= 13:
            frame[10:30, 20:100:3] = 235
        frames.append(frame)
    assert switch_index(frames, came=True) == 13
    assert switch_index(frames[::-1], came=False) == 7


def test_of_two_steps_a_thing_came_with_the_last_and_went_with_the_first() -> None:
    frames = [picture(level=20)] * 5 + [picture(level=90)] * 6 + [picture(level=180)] * 5
    assert switch_index(frames, came=True) == 11
    assert switch_index(frames, came=False) == 5


def test_a_fade_is_dated_in_its_middle() -> None:
    frames = [picture(level=20 + 10 * n) for n in range(11)]
    assert switch_index(frames, came=True) == pytest.approx(5, abs=1)


def test_a_region_is_never_empty() -> None:
    assert region(picture(), (0.999, 0.999, 1.0, 1.0)).size == 1
    assert region(picture(), (0.25, 0.5, 0.75, 1.0)).shape == (45, 80)


def scores(*rows: tuple[float, float, float]) -> NDArray[np.float32]:
    return np.array(rows, np.float32)


def test_an_event_lasts_while_its_score_stays_up_and_silence_is_no_event() -> None:
    rows = [(0.0, 0.0, 0.9)] * 4 + [(0.3, 0.0, 0.0), (0.9, 0.0, 0.0), (0.9, 0.0, 0.0), (0.3, 0.0, 0.0)]
    rows += [(0.0, 0.0, 0.9)] * 4
    (event,) = sound_events(scores(*rows), LABELS, duration_s=6.24)
    assert event.label == "speech"
    assert event.start_s == pytest.approx(4 * PATCH_HOP_S + 0.24)
    assert event.end_s == pytest.approx(7 * PATCH_HOP_S + 0.72)


def test_a_single_unsure_patch_is_no_event_and_a_sure_one_is() -> None:
    quiet = [(0.0, 0.0, 0.0)] * 3
    assert sound_events(scores(*quiet, (0.6, 0.0, 0.0), *quiet), LABELS, duration_s=4.0) == ()
    assert len(sound_events(scores(*quiet, (0.9, 0.0, 0.0), *quiet), LABELS, duration_s=4.0)) == 1


def test_a_sound_that_is_there_from_edge_to_edge_covers_everything() -> None:
    (event,) = sound_events(scores(*[(0.0, 0.95, 0.0)] * 9), LABELS, duration_s=4.8, offset_s=10.0)
    assert (event.start_s, event.end_s) == (10.0, 14.8)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)), max_size=40),
    st.floats(0.01, 0.9),
    st.floats(0, 500),
)
def test_events_lie_inside_the_sound(rows: list[tuple[float, float, float]], last_s: float, offset_s: float) -> None:
    duration_s = max(0, len(rows) - 1) * PATCH_HOP_S + last_s
    table = scores(*rows) if rows else np.zeros((0, 3), np.float32)
    for event in sound_events(table, LABELS, duration_s=duration_s, offset_s=offset_s):
        assert offset_s - 0.01 <= event.start_s < event.end_s <= offset_s + duration_s + 0.01
        assert event.score >= 0.4


def test_events_are_cut_at_silences() -> None:
    event = SoundEvent(start_s=0.0, end_s=10.0, label="speech", score=0.9)
    silent = (Span(start_s=0.0, end_s=0.6), Span(start_s=4.0, end_s=5.0), Span(start_s=9.9, end_s=12.0))
    assert [(e.start_s, e.end_s) for e in without_silence((event,), silent)] == [(0.6, 4.0), (5.0, 9.9)]
    assert without_silence((event,), (Span(start_s=0.0, end_s=11.0),)) == ()
    assert without_silence((event,), ()) == (event,)


def test_patches_are_as_many_as_the_sound_is_long_and_silence_is_the_floor() -> None:
    assert log_mel_patches(np.zeros(0, np.float32)).shape == (0, 96, 64)
    assert log_mel_patches(np.zeros(1600, np.float32)).shape == (1, 96, 64)
    assert log_mel_patches(np.zeros(16_000 * 3, np.float32)).shape == (6, 96, 64)
    assert np.allclose(log_mel_patches(np.zeros(16_000, np.float32)), np.log(0.001))


def test_a_tone_is_loudest_in_the_band_of_its_frequency() -> None:
    t = np.arange(16_000) / 16_000
    edges = np.linspace(1127 * np.log(1 + 125 / 700), 1127 * np.log(1 + 7500 / 700), 66)
    for hz in (300, 1000, 4000):
        patch = log_mel_patches(np.sin(2 * np.pi * hz * t).astype(np.float32))[0]
        band, mel = int(patch.mean(axis=0).argmax()), 1127 * np.log(1 + hz / 700)
        assert edges[band] < mel < edges[band + 2]


@given(st.lists(st.floats(0.1, 40), max_size=30))
def test_groups_keep_every_voice_in_order_and_fit_a_window(lengths: list[float]) -> None:
    voices, at_s = [], 0.0
    for n, length in enumerate(lengths):
        at_s += (0.4, 1.5, 6.0)[n % 3]
        voices.append(Span(start_s=at_s, end_s=at_s + length))
        at_s += length
    groups = list(group(voices))
    assert [voice for members in groups for voice in members] == voices
    for members in groups:
        assert len(members) == 1 or members[-1].end_s - members[0].start_s <= 28
