"""A clip or a span as one MP4 file: what stays as it is, what is encoded, and what does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import pytest
from media.workbench import NUMBERED, Make, Open, frame_number

from omnidetective.errors import MediaError
from omnidetective.evidence import Span
from omnidetective.media import video_file
from omnidetective.media.encode import EncodedMedia

NOISE = ("-f", "lavfi", "-i", "testsrc2=s=640x360:r=25,noise=alls=90:allf=t", "-f", "lavfi", "-i", "sine")
TIMES = [0.02, 1.02, 2.5, 3.94]


@pytest.fixture
def encodes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The longest sides of what is encoded, in order."""
    sides: list[int] = []
    real = video_file.cut_span

    async def counted(*arguments: object, longest_side_px: int, **options: object) -> EncodedMedia:
        sides.append(longest_side_px)
        return await real(*arguments, longest_side_px=longest_side_px, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(video_file, "cut_span", counted)
    return sides


async def numbers_in(data: bytes, path: Path, opened: Open, times_s: Sequence[float]) -> list[int]:
    path.write_bytes(data)
    async with opened(path) as made:
        return [frame_number(frame.jpeg) for frame in await made.frames(times_s)]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
async def test_a_whole_clip_of_the_right_kind_keeps_its_frames_and_loses_its_tags(
    suffix: str, make: Make, opened: Open, tmp_path: Path, encodes: list[int]
) -> None:
    path = make(
        f"right.{suffix}",
        *("-f", "lavfi", "-i", NUMBERED, "-f", "lavfi", "-i", "sine", "-t", "4", "-c:v", "libx264", "-crf", "12"),
        *("-pix_fmt", "yuv420p", "-c:a", "aac", "-metadata", "artist=Jane Roe"),
    )
    async with opened(path) as clip:
        made = await clip.video()
        again = await clip.video(clip.whole)
        mute = await clip.video(sound=False)
        expected = [frame_number(frame.jpeg) for frame in await clip.frames(TIMES)]
    assert encodes == []
    assert again is made
    assert b"Jane" not in made.data
    assert packets(made.data, tmp_path / "made.mp4") == packets(path.read_bytes(), path)
    assert await numbers_in(made.data, tmp_path / "made.mp4", opened, TIMES) == expected
    async with opened(tmp_path / "made.mp4") as copy:
        assert copy.facts.has_audio
        assert copy.duration_s == pytest.approx(4.0, abs=0.1)
    (tmp_path / "mute.mp4").write_bytes(mute.data)
    async with opened(tmp_path / "mute.mp4") as copy:
        assert not copy.facts.has_audio


def packets(data: bytes, path: Path) -> list[int]:
    """The sizes of the encoded pictures."""
    path.write_bytes(data)
    with av.open(str(path)) as container:
        return [p.size for p in container.demux(container.streams.video[0]) if p.size]


async def test_other_codecs_turned_pictures_and_spans_are_encoded(
    make: Make, opened: Open, tmp_path: Path, encodes: list[int]
) -> None:
    source = ("-f", "lavfi", "-i", NUMBERED, "-t", "2")
    paths = [
        make("vp9.webm", *source, "-c:v", "libvpx-vp9", "-b:v", "1M", "-deadline", "realtime"),
        make("444.mp4", *source, "-c:v", "libx264", "-pix_fmt", "yuv444p"),
        make("wide.mp4", *source, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-vf", "setsar=2"),
    ]
    paths.append(make("turned.mp4", "-display_rotation", "90", "-i", str(paths[2]), "-c", "copy"))
    for path in paths:
        async with opened(path) as clip:
            (tmp_path / "made.mp4").write_bytes((await clip.video()).data)
            wanted = (clip.facts.width, clip.facts.height)
        async with opened(tmp_path / "made.mp4") as made:
            assert (made.facts.width, made.facts.height) == wanted
    assert len(encodes) == 4
    async with opened(make("plain.mp4", *source, "-c:v", "libx264", "-pix_fmt", "yuv420p")) as clip:
        expected = [frame_number(frame.jpeg) for frame in await clip.frames([0.54, 1.44])]
        made = await clip.video(Span(start_s=0.52, end_s=1.52))
    assert len(encodes) == 5
    assert await numbers_in(made.data, tmp_path / "span.mp4", opened, [0.02, 0.92]) == expected


@pytest.mark.integration
async def test_what_is_too_large_is_encoded_once_more_smaller(make: Make, opened: Open, encodes: list[int]) -> None:
    path = make("hard.mp4", *NOISE, "-t", "6", "-c:v", "libx264", "-crf", "20", "-pix_fmt", "yuv420p", "-c:a", "aac")
    async with opened(path) as clip:
        full = await clip.video(longest_side_px=640)
        assert encodes == []
        for max_bytes, most_px in ((600_000, 640), (300_000, 639)):
            encodes.clear()
            made = await clip.video(max_bytes=max_bytes, longest_side_px=640)
            assert max_bytes / 4 < len(made.data) <= max_bytes < len(full.data)
            first_px, second_px = encodes
            assert first_px == 640
            assert second_px <= most_px
        encodes.clear()
        small = await clip.video(max_bytes=100_000, longest_side_px=640)
        assert len(small.data) <= 100_000
        assert len(encodes) == 1, "an attempt at full quality is not even made"


async def test_what_cannot_fit_is_refused_with_how_much_would(make: Make, opened: Open, encodes: list[int]) -> None:
    path = make("hard.mp4", *NOISE, "-t", "6", "-c:v", "libx264", "-crf", "20", "-pix_fmt", "yuv420p", "-c:a", "aac")
    async with opened(path) as clip:
        with pytest.raises(MediaError) as caught:
            await clip.video(max_bytes=30_000)
    assert encodes == []
    assert caught.value.reason == "video_too_large"
    assert "30,000 bytes" in caught.value.message
    assert "at most 2 s" in caught.value.hint


async def test_sound_alone_is_no_video(make: Make, opened: Open) -> None:
    async with opened(make("tone.mp3", "-f", "lavfi", "-i", "sine", "-t", "1")) as clip:
        with pytest.raises(MediaError) as caught:
            await clip.video()
    assert caught.value.reason == "no_video"
