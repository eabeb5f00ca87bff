"""Where a long clip is cut: laws of the spans, and real clips."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from e2e.media_files import ffmpeg, video
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.media.intake import open_clip
from omnidetective.rows import parse_row
from omnidetective.segments import plan_segments, segment_at
from omnidetective.settings import MediaSettings, SegmentSettings

TIMES = st.lists(st.floats(0, 2000), max_size=60)


@given(duration_s=st.floats(0.1, 2000), max_s=st.floats(5, 300), best=TIMES, good=TIMES)
def test_segments_cover_the_clip_without_gaps_and_none_is_too_long(
    duration_s: float, max_s: float, best: list[float], good: list[float]
) -> None:
    spans = segment_at(duration_s, max_s, best=best, good=good)
    assert spans[0].start_s == 0
    assert spans[-1].end_s == duration_s
    assert all(a.end_s == b.start_s for a, b in pairwise(spans))
    assert all(span.duration_s <= max_s + 1e-6 for span in spans)
    assert all(span.duration_s >= max_s / 2 - 1e-6 for span in spans[:-1])


@pytest.mark.parametrize(
    ("best", "good", "ends"),
    [
        ((50.0, 20.0), (58.0,), [50.0, 85.0, 120.0]),  # a cut before a silence, though the silence is later
        ((20.0,), (58.0,), [58.0, 89.0, 120.0]),  # a cut too early leaves it to the silence
        ((), (), [60.0, 120.0]),  # nothing to go by: equal parts
        ((40.0, 55.0, 59.0, 118.0), (), [59.0, 118.0, 120.0]),  # the latest cut in reach
    ],
)
def test_a_segment_ends_at_a_cut_else_in_a_silence_else_in_equal_parts(
    best: tuple[float, ...], good: tuple[float, ...], ends: list[float]
) -> None:
    assert [span.end_s for span in segment_at(120.0, 60.0, best=best, good=good)] == ends


async def test_a_short_clip_is_worked_on_whole_and_a_long_one_is_cut_where_the_picture_changes(tmp_path: Path) -> None:
    video(tmp_path / "film.mp4", seconds=8)
    row = parse_row({"id": "film", "video": str(tmp_path / "film.mp4")})
    async with open_clip(row, MediaSettings(roots=(tmp_path,)), base_dir=tmp_path) as clip:
        assert await plan_segments(clip, SegmentSettings(max_s=60)) == ()
        spans = await plan_segments(clip, SegmentSettings(max_s=5))
    assert [round(span.end_s) for span in spans] == [4, 8]


async def test_a_long_recording_is_cut_in_its_silences(tmp_path: Path) -> None:
    pauses = "volume='if(lt(mod(t,4),3),1,0)':eval=frame"
    ffmpeg("-f", "lavfi", "-i", "sine=frequency=440", "-af", pauses, "-t", "12", str(tmp_path / "sound.wav"))
    row = parse_row({"id": "sound", "audio": str(tmp_path / "sound.wav")})
    async with open_clip(row, MediaSettings(roots=(tmp_path,)), base_dir=tmp_path) as clip:
        spans = await plan_segments(clip, SegmentSettings(max_s=5))
    assert [round(span.end_s, 1) for span in spans] == [3.5, 7.5, 12.0]
