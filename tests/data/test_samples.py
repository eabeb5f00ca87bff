"""The sample clips are what their truth says, measured on the coded files by ffmpeg and by nothing of this project."""

from __future__ import annotations

import hashlib
import re
import subprocess
from functools import cache
from itertools import pairwise
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from numpy.typing import NDArray

from omnidetective.evals.sample_truth import SILENCE_DBFS, SILENCE_MIN_S, ClipTruth, Truth
from omnidetective.rows import parse_row

DATA = Path(__file__).parents[2] / "data"
CLIPS = Truth.load(DATA / "truth.json").clips
RATE_HZ = 16_000
SMALL = (80, 60)

every_clip = pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.id)
every_video = pytest.mark.parametrize("clip", [c for c in CLIPS if c.modality == "video"], ids=lambda clip: clip.id)
every_sound = pytest.mark.parametrize("clip", [c for c in CLIPS if c.has_audio], ids=lambda clip: clip.id)


def ffmpeg(*arguments: str) -> tuple[bytes, str]:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-nostats", *arguments]
    done = subprocess.run(command, capture_output=True, timeout=60)
    return done.stdout, done.stderr.decode()


@cache
def small_frames(clip_id: str) -> NDArray[np.int16]:
    """All frames of a clip, grey and small: (frames, height, width)."""
    clip = next(clip for clip in CLIPS if clip.id == clip_id)
    width, height = SMALL
    scaled = (
        "-vf",
        f"scale={width}:{height}:flags=area,format=gray",
        "-fps_mode",
        "passthrough",
        "-f",
        "rawvideo",
        "-",
    )
    raw, _ = ffmpeg("-i", str(DATA / clip.file), *scaled)
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width).astype(np.int16)


@cache
def sound(clip_id: str) -> NDArray[np.float64]:
    """The sound track as mono samples in -1…1."""
    clip = next(clip for clip in CLIPS if clip.id == clip_id)
    raw, _ = ffmpeg("-i", str(DATA / clip.file), "-vn", "-ac", "1", "-ar", str(RATE_HZ), "-f", "s16le", "-")
    return np.frombuffer(raw, "<i2") / 32768


def level_db(clip: ClipTruth, start_s: float, end_s: float) -> float:
    part = sound(clip.id)[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)]
    return float(20 * np.log10(np.sqrt((part**2).mean()) + 1e-9))


def fps(clip: ClipTruth) -> float:
    assert clip.duration_s is not None
    return len(small_frames(clip.id)) / clip.duration_s


def test_clips_are_small_and_unchanged() -> None:
    sizes = [(DATA / clip.file).stat().st_size for clip in CLIPS]
    assert sum(sizes) <= 4_000_000
    assert {clip.file: hashlib.sha256((DATA / clip.file).read_bytes()).hexdigest() for clip in CLIPS} == {
        clip.file: clip.sha256 for clip in CLIPS
    }


def test_input_names_every_clip_once() -> None:
    rows = [parse_row(line, number) for number, line in enumerate((DATA / "input.jsonl").read_bytes().splitlines(), 1)]
    assert [(row.id, row.media) for row in rows] == [(clip.id, clip.file) for clip in CLIPS]
    assert {"video", "audio", "image", "path"} <= {key for row in rows for key in row.raw}
    assert any(row.raw.keys() - {"id", "video", "audio", "image", "path"} for row in rows), "no field of the user's"
    for row, clip in zip(rows, CLIPS, strict=True):
        assert row.declared in (None, clip.modality)


def test_samples_cover_what_they_are_for() -> None:
    assert {clip.modality for clip in CLIPS} == {"video", "audio", "image"}
    assert {line.language for clip in CLIPS for line in clip.transcript} == {"en", "fr"}
    french_s = sum(line.span.duration_s for clip in CLIPS for line in clip.transcript if line.language == "fr")
    assert french_s >= 10
    assert any(clip.has_video and not clip.has_audio and clip.cuts and clip.cards for clip in CLIPS)
    assert any(clip.has_audio and not clip.has_speech for clip in CLIPS)
    assert any(clip.modality == "video" and not clip.cuts for clip in CLIPS)


def test_readme_names_every_clip_and_licence() -> None:
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    assert [clip.file for clip in CLIPS if f"| `{clip.file}` |" not in readme] == []
    assert (DATA / "licenses" / "pocketsphinx-testdata.txt").stat().st_size > 1000
    unnamed = {file.name for file in DATA.iterdir() if file.is_file()} - {clip.file for clip in CLIPS}
    assert unnamed == {"README.md", "input.jsonl", "truth.json"}


@every_clip
def test_streams_and_size(clip: ClipTruth) -> None:
    _, report = ffmpeg("-i", str(DATA / clip.file))
    assert len(re.findall(r"Stream #.*Audio:", report)) == clip.has_audio
    video = re.findall(r"Stream #.*Video:.*?(\d{3,})x(\d{3,})", report)
    assert video == ([(str(clip.width), str(clip.height))] if clip.has_video else [])


@every_video
def test_picture_lasts_as_long_as_the_truth(clip: ClipTruth) -> None:
    _, report = ffmpeg("-i", str(DATA / clip.file), "-an", "-vf", "showinfo", "-f", "null", "-")
    times = [float(text) for text in re.findall(r"pts_time:([\d.]+)", report)]
    assert times[0] == 0
    assert times[-1] + (times[-1] - times[-2]) == pytest.approx(clip.duration_s, abs=0.01)


@every_sound
def test_sound_lasts_as_long_as_the_truth(clip: ClipTruth) -> None:
    assert sound(clip.id).size / RATE_HZ == pytest.approx(clip.duration_s, abs=0.1)


@every_video
def test_picture_changes_at_once_at_cuts_and_only_there(clip: ClipTruth) -> None:
    changes = np.abs(np.diff(small_frames(clip.id), axis=0)).mean(axis=(1, 2))
    at = {round(cut * fps(clip)) - 1 for cut in clip.cuts}
    elsewhere = [change for number, change in enumerate(changes) if number not in at]
    assert min((changes[number] for number in at), default=255) > 30
    assert max(elsewhere) < 20


@every_video
def test_text_comes_and_goes_on_the_frame_that_the_truth_names(clip: ClipTruth) -> None:
    frames = small_frames(clip.id)
    # The share of pixels that change strongly, from one frame to the next. Movement changes some, a panel far more.
    changed = (np.abs(np.diff(frames, axis=0)) > 24).mean(axis=(1, 2))
    cuts = {round(cut * fps(clip)) for cut in clip.cuts} | {0, len(frames)}
    for card in clip.cards:
        assert card.start_s is not None
        assert card.end_s is not None
        for edge in {round(card.start_s * fps(clip)), round(card.end_s * fps(clip))} - cuts:
            around = [changed[number] for number in range(edge - 6, edge + 5) if number != edge - 1]
            assert changed[edge - 1] > 0.02 + 3 * max(around)


@every_sound
def test_silence_is_where_ffmpeg_hears_none(clip: ClipTruth) -> None:
    silence = f"silencedetect=noise={SILENCE_DBFS}dB:duration={SILENCE_MIN_S}"
    _, report = ffmpeg("-i", str(DATA / clip.file), "-vn", "-af", silence, "-f", "null", "-")
    starts = [float(text) for text in re.findall(r"silence_start: (-?[\d.]+)", report)]
    ends = [float(text) for text in re.findall(r"silence_end: ([\d.]+)", report)]
    assert len(starts) == len(clip.silent)
    assert starts == pytest.approx([item.start_s for item in clip.silent], abs=0.15)
    assert ends == pytest.approx([item.end_s for item in clip.silent], abs=0.15)


@every_sound
def test_sounds_are_audible_from_start_to_end_and_nothing_else_is(clip: ClipTruth) -> None:
    for item in clip.sounds:
        assert level_db(clip, item.start_s, item.end_s) > -35
        assert level_db(clip, item.start_s, item.start_s + 0.3) > -45
        assert level_db(clip, item.end_s - 0.3, item.end_s) > -45
    assert clip.duration_s is not None
    edges = [0.0, *(edge for item in clip.sounds for edge in (item.start_s, item.end_s)), clip.duration_s]
    assert edges == sorted(edges)
    for start_s, end_s in list(pairwise(edges))[::2]:
        if end_s - start_s > 0.5:
            assert level_db(clip, start_s + 0.2, end_s - 0.2) < -50


@every_clip
def test_speech_is_a_sound_of_the_clip(clip: ClipTruth) -> None:
    assert [item.span for item in clip.sounds if item.label == "speech"] == [line.span for line in clip.transcript]
    assert clip.has_audio or not clip.sounds
