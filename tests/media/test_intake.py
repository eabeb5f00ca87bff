"""Rows that name local files and data: URIs: what is opened, what is refused, and what stays behind."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import shutil
import tempfile
import urllib.parse
from pathlib import Path

import pytest
from media.workbench import Make, Open, ffmpeg, reason

from omnidetective.evidence import Span


@pytest.fixture
def house(tmp_path: Path, numbered: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``input/`` (the input file's folder), ``work/`` (the working directory) and ``else/``, each with a clip."""
    for name in ("input", "work", "else"):
        (tmp_path / name).mkdir()
        shutil.copy(numbered, tmp_path / name / f"{name}.mp4")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


async def test_facts_of_a_local_file(numbered: Path, opened: Open) -> None:
    async with opened(Path("numbered.mp4"), base_dir=numbered.parent) as clip:
        facts = clip.facts
        assert clip.path == numbered.resolve()
        assert repr(clip) == "Clip('clip', video, 8 s)"
    assert (facts.path, facts.url) == ("numbered.mp4", None)
    assert facts.sha256 == hashlib.sha256(numbered.read_bytes()).hexdigest()
    assert (facts.modality, facts.width, facts.height, facts.fps) == ("video", 208, 32, 25.0)
    assert (facts.has_audio, facts.has_video, facts.duration_s) == (True, True, pytest.approx(8.0, abs=0.05))


async def test_folders_that_may_be_read(house: Path, opened: Open) -> None:
    base = house / "input"
    for allowed in ("input.mp4", str(base / "input.mp4"), str(house / "work" / "work.mp4"), "../work/work.mp4"):
        async with opened(allowed, base_dir=base) as clip:
            assert clip.facts.path == allowed
    for media in ("../else/else.mp4", str(house / "else" / "else.mp4"), "../else/no-such-file.mp4", "/etc/passwd"):
        error = await reason(opened(media, base_dir=base))
        assert (error.reason, error.retryable) == ("not_allowed", False), media
        assert "media.roots" in error.hint
    async with opened("../else/else.mp4", base_dir=base, roots=(house / "else",)) as clip:
        assert clip.modality == "video"


async def test_links_count_where_they_lead(house: Path, opened: Open) -> None:
    base = house / "input"
    (base / "out.mp4").symlink_to(house / "else" / "else.mp4")
    (base / "folder").symlink_to(house / "else")
    (base / "within.mp4").symlink_to(base / "input.mp4")
    (base / "loop.mp4").symlink_to(base / "loop.mp4")
    for media in ("out.mp4", "folder/else.mp4"):
        assert (await reason(opened(media, base_dir=base))).reason == "not_allowed"
    assert (await reason(opened("loop.mp4", base_dir=base))).reason == "unreadable"
    async with opened("within.mp4", base_dir=base) as clip:
        assert clip.path == (base / "input.mp4").resolve()


@pytest.mark.parametrize(
    ("media", "wanted"),
    [
        ("no-such-file.mp4", "missing"),
        ("input.mp4/inside", "missing"),
        ("folder", "not_allowed"),
        ("fifo.mp4", "not_allowed"),
        ("empty.mp4", "empty"),
        ("text.mp4", "not_media"),
        ("nul\0byte.mp4", "unreadable"),
        ("x" * 5000, "unreadable"),
        ("file:///etc/passwd", "scheme_refused"),
        ("ftp://example.org/a.mp4", "scheme_refused"),
        ("rtsp://example.org/a", "scheme_refused"),
        ("concat:input.mp4|input.mp4", "missing"),
        ("subfile,,start,0,end,100,,:input.mp4", "missing"),
        ("-i", "missing"),
    ],
)
async def test_what_is_no_readable_file(media: str, wanted: str, house: Path, opened: Open) -> None:
    base = house / "input"
    (base / "folder").mkdir()
    os.mkfifo(base / "fifo.mp4")
    (base / "empty.mp4").touch()
    (base / "text.mp4").write_text("It was a dark and stormy night.\n" * 500)
    error = await asyncio.wait_for(reason(opened(media, base_dir=base)), 5)
    assert (error.reason, error.retryable, error.outcome) == (wanted, False, "invalid_media")


async def test_names_that_ffmpeg_would_take_for_something_else(house: Path, numbered: Path, opened: Open) -> None:
    for name in ("50% off %03d.mp4", "a:b,c;[d]'e.mp4", "-y.mp4", "pipe:0", "ünï cödé.mp4", "new\nline.mp4"):
        shutil.copy(numbered, house / "input" / name)
        async with opened(name, base_dir=house / "input") as clip:
            assert len(await clip.frames([1.0])) == 1
            assert (await clip.audio(Span(start_s=0.0, end_s=1.0))).data


async def test_devices_are_not_read(house: Path, opened: Open) -> None:
    for device in ("/dev/zero", "/dev/stdin", "/proc/self/environ"):
        error = await asyncio.wait_for(reason(opened(device, base_dir=house, roots=(Path("/dev"), Path("/proc")))), 5)
        assert error.reason in ("not_allowed", "empty", "unreadable"), device


async def test_a_file_cut_off(numbered: Path, opened: Open, tmp_path: Path) -> None:
    """Without its index nothing can be read; with the index in front, what is there is read, and no more is claimed."""
    data = numbered.read_bytes()
    (tmp_path / "no_index.mp4").write_bytes(data[: len(data) // 2])
    error = await reason(opened(tmp_path / "no_index.mp4"))
    assert (error.reason, error.retryable) == ("truncated", False)
    ffmpeg("-i", str(numbered), "-c", "copy", "-movflags", "+faststart", str(tmp_path / "fast.mp4"))
    fast = (tmp_path / "fast.mp4").read_bytes()
    (tmp_path / "half.mp4").write_bytes(fast[: fast.index(b"mdat") + (len(fast) - fast.index(b"mdat")) // 2])
    ffmpeg("-i", str(numbered), "-c", "copy", str(tmp_path / "whole.mkv"))
    whole = (tmp_path / "whole.mkv").read_bytes()
    (tmp_path / "half.mkv").write_bytes(whole[: len(whole) // 2])
    for name in ("half.mp4", "half.mkv"):
        async with opened(tmp_path / name) as clip:
            assert 2.5 < clip.duration_s < 5.5, name
            frames = await clip.uniform_frames(4)
            assert len({frame.jpeg for frame in frames}) == 4
            pcm = await clip.pcm()
            assert abs(pcm).max() > 0.05


async def test_damage_in_the_middle_costs_only_its_own_frames(numbered: Path, opened: Open, tmp_path: Path) -> None:
    ffmpeg("-i", str(numbered), "-c", "copy", str(tmp_path / "whole.mkv"))
    data = bytearray((tmp_path / "whole.mkv").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = os.urandom(400)
    (tmp_path / "damaged.mkv").write_bytes(data)
    async with opened(tmp_path / "damaged.mkv") as clip:
        assert clip.duration_s == pytest.approx(8.0, abs=0.1)
        first, last = await clip.frames([0.5, 7.5])
    assert first.jpeg != last.jpeg


async def test_too_long(numbered: Path, opened: Open) -> None:
    error = await reason(opened(numbered, max_duration_s=5))
    assert (error.reason, error.retryable) == ("too_long", False)
    assert "media.max_duration_s" in error.hint


async def test_neither_picture_nor_sound(make: Make, opened: Open, tmp_path: Path) -> None:
    (tmp_path / "words.srt").write_text("1\n00:00:00,000 --> 00:00:02,000\nHello\n")
    ffmpeg("-i", str(tmp_path / "words.srt"), "-c:s", "mov_text", str(tmp_path / "words.mp4"))
    assert (await reason(opened(tmp_path / "words.mp4"))).reason == "no_streams"


async def test_data_uris(tone: Path, opened: Open) -> None:
    data = tone.read_bytes()[:64_044]
    text = base64.b64encode(data).decode()
    for uri in (
        f"data:audio/wav;base64,{text}",
        f"data:;base64,{text}",
        f"DATA:audio/wav;base64,{urllib.parse.quote(text)}",
        f"data:audio/wav,{urllib.parse.quote_from_bytes(data)}",
    ):
        async with opened(uri) as clip:
            assert (clip.modality, clip.duration_s) == ("audio", pytest.approx(2.0, abs=0.01))
            assert clip.facts.sha256 == hashlib.sha256(data).hexdigest()
            assert clip.facts.url in ("data:audio/wav", "data:")
            assert clip.facts.path is None
            kept = clip.path
        assert not kept.exists()


@pytest.mark.parametrize(
    ("uri", "wanted"),
    [
        ("data:video/mp4;base64", "bad_data_uri"),
        ("data:video/mp4;base64,@@@@", "bad_data_uri"),
        ("data:video/mp4;base64,", "empty"),
        ("data:video/mp4;base64,aGVsbG8=", "not_media"),
        ("data:;base64," + "A" * 1_600_000, "too_large"),
        ("data:," + "a" * 1_500_000, "too_large"),
        ("data:application/x-mpegurl,%23EXTM3U%0A%23EXTINF:1,%0A/etc/passwd%0A", "not_media"),
    ],
)
async def test_data_uris_that_cannot_be_used(uri: str, wanted: str, opened: Open) -> None:
    error = await reason(opened(uri, max_download_mb=1))
    assert error.reason == wanted
    assert len(str(error)) < 300


async def test_nothing_is_left_behind(
    tone: Path, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    uri = f"data:;base64,{base64.b64encode(tone.read_bytes()).decode()}"
    async with opened(uri) as clip:
        assert clip.path.is_relative_to(tmp_path / "temp")
    await reason(opened("data:;base64,aGVsbG8="))
    with pytest.raises(RuntimeError, match="of the caller"):
        async with opened(uri):
            raise RuntimeError("of the caller")
    task = asyncio.create_task(_hold(opened, uri))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list((tmp_path / "temp").iterdir()) == []


async def _hold(opened: Open, media: str) -> None:
    async with opened(media):
        await asyncio.sleep(30)
