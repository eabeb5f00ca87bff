"""The frame that is shown at a time, exactly, whatever the container; upright, square, and no larger than asked for."""

from __future__ import annotations

import asyncio
import io
import random
import time
from pathlib import Path

import av
import numpy as np
import pytest
from media.workbench import FPS, NUMBERED, Make, Open, ffmpeg, frame_number
from PIL import Image

from omnidetective.errors import MediaError
from omnidetective.evidence import Span

CONTAINERS = {
    "mp4": ("numbered.mp4", ()),
    "fragmented mp4": ("frag.mp4", ("-c", "copy", "-movflags", "frag_keyframe+empty_moov")),
    "matroska": ("numbered.mkv", ("-c", "copy")),
    "mpeg-ts": ("numbered.ts", ("-c", "copy")),
    "flv": ("numbered.flv", ("-c", "copy")),
    "avi": ("numbered.avi", ("-c:v", "mpeg4", "-bf", "2", "-g", "50", "-q:v", "2", "-c:a", "mp3")),
    "webm": ("numbered.webm", ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus")),
    "mpeg-ps": ("numbered.mpg", ("-c:v", "mpeg2video", "-bf", "2", "-q:v", "2", "-c:a", "mp2")),
}


def _starts_by_full_decode(path: Path) -> list[float]:
    """When each frame begins, found the slow and simple way: decoding everything, without a seek."""
    with av.open(str(path)) as container:
        zero = (container.start_time or 0) / av.time_base
        return [float(f.pts * f.time_base) - zero for f in container.decode(video=0) if f.pts is not None]


@pytest.mark.parametrize("container", CONTAINERS)
async def test_frames_are_those_shown_at_the_times(container: str, numbered: Path, make: Make, opened: Open) -> None:
    name, arguments = CONTAINERS[container]
    path = make(name, "-i", str(numbered), *arguments)
    starts = _starts_by_full_decode(path)
    chance = random.Random(container)
    times = [chance.uniform(0.0, 7.9) for _ in range(16)]
    times += [starts[75], starts[75] + 0.039, starts[76] - 0.002, starts[50], starts[49], starts[0], starts[199]]
    async with opened(path) as clip:
        assert clip.duration_s == pytest.approx(8.0, abs=0.15)
        assert clip.facts.fps == pytest.approx(FPS, abs=0.1)
        frames = await clip.frames(times)
    assert [frame.time_s for frame in frames] == times
    # Half a millisecond is allowed for, because containers round times.
    expected = [max((n for n, start in enumerate(starts) if start <= t + 0.0005), default=0) for t in times]
    assert [frame_number(frame.jpeg) for frame in frames] == expected
    assert expected[-7:] == [75, 75, 75, 50, 49, 0, 199]


async def test_times_outside_the_clip_give_its_first_and_last_frame(numbered: Path, opened: Open) -> None:
    async with opened(numbered) as clip:
        first, last, again = await clip.frames([-5.0, 1e9, -5.0])
        with pytest.raises(ValueError, match="NaN"):
            await clip.frames([float("nan")])
        assert await clip.frames([]) == ()
    assert (first.time_s, frame_number(first.jpeg)) == (0.0, 0)
    assert (last.time_s, frame_number(last.jpeg)) == (clip.duration_s, 199)
    assert again == first


async def test_variable_frame_rate(make: Make, opened: Open) -> None:
    """Frames 0…24 stay, then every tenth: the picture of frame 30 is shown until that of frame 40 comes."""
    path = make(
        "vfr.mp4",
        *("-f", "lavfi", "-i", NUMBERED, "-t", "8", "-vf", "select='lt(n,25)+not(mod(n,10))'"),
        *("-fps_mode", "vfr", "-c:v", "libx264", "-crf", "12"),
    )
    async with opened(path) as clip:
        frames = await clip.sampled_frames(10.0)
    numbers = [int(frame.time_s * FPS + 1e-6) for frame in frames if frame.time_s is not None]
    expected = [n if n < 25 else max(24, n // 10 * 10) for n in numbers]
    assert [frame_number(frame.jpeg) for frame in frames] == expected


async def test_uniform_sampled_and_shot_frames(numbered: Path, opened: Open) -> None:
    async with opened(numbered) as clip:
        uniform = await clip.uniform_frames(4, span=Span(start_s=2.0, end_s=6.0))
        sampled = await clip.sampled_frames(2.0, span=Span(start_s=1.0, end_s=3.0))
        shots = [Span(start_s=0.0, end_s=1.0), Span(start_s=1.0, end_s=8.0)]
        by_shot = await clip.shot_frames(shots, limit=3, every_s=3.5)
    assert [frame.time_s for frame in uniform] == [2.5, 3.5, 4.5, 5.5]
    assert [frame.time_s for frame in sampled] == [1.0, 1.5, 2.0, 2.5]
    assert [frame.time_s for frame in by_shot] == [0.5, 2.75, 6.25]
    assert [frame_number(frame.jpeg) for frame in (*uniform, *sampled)] == [62, 87, 112, 137, 25, 37, 50, 62]


async def test_gray_frames_show_what_sampled_frames_show(numbered: Path, opened: Open) -> None:
    async with opened(numbered) as clip:
        gray = await clip.gray_frames(1.0, longest_side_px=96)
        frames = await clip.sampled_frames(1.0, longest_side_px=96)
    assert [f.time_s for f in gray] == [f.time_s for f in frames] == [float(i) for i in range(8)]
    for one, other in zip(gray, frames, strict=True):
        luma = np.frombuffer(one.luma, "uint8").reshape(one.height, one.width)
        decoded = np.asarray(Image.open(io.BytesIO(other.jpeg)).convert("L"))
        assert np.abs(luma.astype(int) - decoded).mean() < 6


@pytest.mark.parametrize("turn", ["90", "-90", "180", "hflip"])
async def test_rotation_is_as_ffmpeg_shows_it(turn: str, make: Make, opened: Open, tmp_path: Path) -> None:
    plain = make("plain.mp4", "-f", "lavfi", "-i", "testsrc2=s=321x201:r=10:d=1", "-pix_fmt", "yuv444p")
    how = ("-display_hflip",) if turn == "hflip" else ("-display_rotation", turn)
    path = make(f"turned{turn}.mp4", *how, "-i", str(plain), "-c", "copy")
    ffmpeg("-i", str(path), "-frames:v", "1", str(tmp_path / "shown.png"))
    shown = Image.open(tmp_path / "shown.png").convert("RGB")
    async with opened(path) as clip:
        (frame,) = await clip.frames([0.0])
    picture = Image.open(io.BytesIO(frame.jpeg))
    assert picture.size == shown.size == (frame.width, frame.height) == (clip.facts.width, clip.facts.height)
    assert np.abs(np.asarray(picture).astype(int) - np.asarray(shown)).mean() < 8


async def test_pixels_that_are_not_square_are_made_so(make: Make, opened: Open) -> None:
    path = make("wide.mp4", "-f", "lavfi", "-i", "testsrc=s=360x288:r=10:d=1,setsar=16/11", "-pix_fmt", "yuv420p")
    async with opened(path) as clip:
        (frame,) = await clip.frames([0.5])
        (small,) = await clip.frames([0.5], longest_side_px=100)
    assert (clip.facts.width, clip.facts.height) == (frame.width, frame.height) == (524, 288)
    assert (small.width, small.height) == (100, 55)


async def test_frames_are_never_enlarged(numbered: Path, opened: Open) -> None:
    async with opened(numbered, frame_longest_side_px=64) as clip:
        (by_setting,) = await clip.frames([0.0])
        (by_request,) = await clip.frames([0.0], longest_side_px=4000)
    assert (by_setting.width, by_request.width) == (64, 208)


@pytest.mark.parametrize("size", ["2x2", "3x1", "17x9", "641x359"])
async def test_odd_sizes(size: str, make: Make, opened: Open) -> None:
    path = make(
        f"odd{size}.mkv", "-f", "lavfi", "-i", f"color=red:s={size}:r=5:d=1", "-c:v", "ffv1", "-pix_fmt", "bgr0"
    )
    async with opened(path) as clip:
        (frame,) = await clip.frames([0.5])
        cut = await clip.cut(Span(start_s=0.0, end_s=1.0))
    image = Image.open(io.BytesIO(frame.jpeg))
    assert f"{image.width}x{image.height}" == size == f"{clip.facts.width}x{clip.facts.height}"
    red, green, blue = image.convert("RGB").getpixel((0, 0))  # type: ignore[misc]
    assert red > 240
    assert max(green, blue) < 16
    assert cut.data[4:8] == b"ftyp"


async def test_a_single_frame_is_a_clip(make: Make, opened: Open) -> None:
    path = make("single.mp4", "-f", "lavfi", "-i", NUMBERED, "-frames:v", "1", "-c:v", "libx264")
    async with opened(path) as clip:
        assert clip.modality == "video"
        assert clip.duration_s == pytest.approx(0.04)
        assert clip.whole == Span(start_s=0.0, end_s=clip.duration_s)
        frames = await clip.uniform_frames(3)
        assert await clip.scene_cuts() == ()
        assert (await clip.cut(clip.whole)).duration_s == pytest.approx(0.04)
    assert [frame_number(frame.jpeg) for frame in frames] == [0, 0, 0]


async def test_two_hours_give_eight_frames_quickly(make: Make, opened: Open) -> None:
    path = make(
        "long.mp4",
        *("-f", "lavfi", "-i", NUMBERED.replace(f"r={FPS}", "r=1/4"), "-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono"),
        *("-t", "7200"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", "15", "-c:a", "aac", "-b:a", "8k"),
    )
    async with opened(path) as warm:
        await warm.frames([0.0])
    started = time.perf_counter()
    async with opened(path) as clip:
        assert clip.duration_s == pytest.approx(7200, abs=1)
        frames = await clip.uniform_frames(8)
    seconds = time.perf_counter() - started
    assert [frame_number(frame.jpeg) for frame in frames] == [(450 + 900 * i) // 4 for i in range(8)]
    assert seconds < 2.0, f"{seconds:.2f} s"


async def test_a_contact_sheet_is_read_like_text(make: Make, opened: Open) -> None:
    """Frames grow brighter with time, so the tiles must, from left to right and down."""
    path = make(
        "brighter.mp4",
        *("-f", "lavfi", "-i", "color=black:s=160x90:r=10:d=6,format=yuv420p,geq=lum='16+N*3.6':cb=128:cr=128"),
        *("-c:v", "libx264"),
    )
    async with opened(path) as clip:
        sheet = await clip.contact_sheet(6, columns=3, tile_longest_side_px=160)
    image = Image.open(io.BytesIO(sheet.jpeg)).convert("L")
    assert (image.size, sheet.time_s) == ((480, 180), None)
    tiles = [int(image.getpixel((x + 80, y + 60))) for y in (0, 90) for x in (0, 160, 320)]  # type: ignore[arg-type]
    assert tiles == sorted(tiles)
    assert tiles[-1] - tiles[0] > 120
    # The time is written white on black into the corner of each tile.
    corners = [np.asarray(image)[y : y + 14, x : x + 30] for y in (0, 90) for x in (0, 160, 320)]
    assert all(corner.max() > 200 and corner.min() < 60 for corner in corners)


async def test_the_same_request_is_decoded_once(numbered: Path, opened: Open) -> None:
    async with opened(numbered) as clip:
        one, other = await asyncio.gather(clip.uniform_frames(4), clip.uniform_frames(4))
        third = await clip.uniform_frames(4)
        assert [id(f) for f in one] == [id(f) for f in other] == [id(f) for f in third]
    async with opened(numbered, cache_mb=1) as clip:
        pcm = await clip.pcm()
        assert pcm is await clip.pcm()
        await clip.pcm(Span(start_s=0.0, end_s=7.9))
        await clip.pcm(Span(start_s=0.0, end_s=7.8))
        assert pcm is not await clip.pcm()


async def test_sound_alone_has_no_frames(tone: Path, opened: Open) -> None:
    async with opened(tone) as clip:
        for attempt in (clip.frames([0.0]), clip.frames([]), clip.scene_cuts(), clip.contact_sheet(2, columns=2)):
            with pytest.raises(MediaError) as caught:
                await attempt
            assert caught.value.reason == "no_video"
