"""Sound by the clock: samples, files for sending, loudness and silence; cuts of shots and of spans."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from media.workbench import FPS, NUMBERED, Make, Open, ffmpeg, frame_number, reason
from numpy.typing import NDArray

from omnidetective.errors import MediaError
from omnidetective.evidence import Span
from omnidetective.media.clip import Clip
from omnidetective.media.encode import EncodedMedia
from omnidetective.media.levels import MOST_LEVELS, levels_of, step_of
from omnidetective.media.measure import Loudness


def _loud(pcm: NDArray[np.float32]) -> tuple[float, float]:
    """Where the samples are loud, in seconds."""
    loud = np.flatnonzero(np.abs(pcm) > 0.05)
    return float(loud[0]) / 16_000, float(loud[-1]) / 16_000


def _edges(loudness: Loudness) -> list[float]:
    return [edge for span in loudness.silent for edge in (span.start_s, span.end_s)]


def _decoded(made: EncodedMedia) -> tuple[str, int, float, float, float]:
    """Codec, channels, seconds, and where it is loud."""
    with av.open(io.BytesIO(made.data)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler("flt", "mono", 16_000)
        blocks = [part.to_ndarray()[0] for frame in container.decode(stream) for part in resampler.resample(frame)]
        codec, channels = stream.codec_context.name, stream.codec_context.channels
    pcm = np.concatenate(blocks)
    return codec, channels, len(pcm) / 16_000, *_loud(pcm)


async def test_samples_are_by_the_clock(tone: Path, opened: Open) -> None:
    async with opened(tone) as clip:
        assert (clip.modality, clip.duration_s, clip.facts.has_video) == ("audio", 6.0, False)
        whole = await clip.pcm()
        part = await clip.pcm(Span(start_s=1.5, end_s=3.0))
    assert (whole.dtype, whole.shape, part.shape) == (np.float32, (96_000,), (24_000,))
    assert _loud(whole) == pytest.approx((2.0, 4.0), abs=0.002)
    assert _loud(part)[0] == pytest.approx(0.5, abs=0.002)
    assert np.abs(whole).max() == pytest.approx(0.5, abs=0.01)
    with pytest.raises(ValueError, match="read-only"):
        whole[0] = 1.0


@pytest.mark.parametrize("name", ["late.mkv", "late.ts", "late.mp4"])
async def test_a_track_that_begins_late_and_ends_early_is_filled_with_silence(
    name: str, tone: Path, make: Make, opened: Open
) -> None:
    """Eight seconds of video; the sound, 2 s of tone inside 6 s, comes 1 s late."""
    path = make(
        name,
        *("-f", "lavfi", "-i", f"testsrc=s=64x48:r={FPS}:d=8", "-itsoffset", "1", "-i", str(tone)),
        *("-c:v", "libx264", "-bf", "0", "-c:a", "aac"),
    )
    async with opened(path) as clip:
        assert clip.duration_s == pytest.approx(8.0, abs=0.1)
        whole = await clip.pcm()
        part = await clip.pcm(Span(start_s=4.0, end_s=6.0))
        tail = await clip.pcm(Span(start_s=7.5, end_s=7.9))
        loudness = await clip.loudness(min_silence_s=0.3)
    assert len(whole) == round(clip.duration_s * 16_000)
    assert _loud(whole) == pytest.approx((3.0, 5.0), abs=0.06)
    assert (len(part), _loud(part)[1]) == (32_000, pytest.approx(1.0, abs=0.06))
    assert (len(tail), float(np.abs(tail).max())) == (6_400, 0.0)
    assert _edges(loudness) == pytest.approx([0.0, 3.0, 5.0, clip.duration_s], abs=0.1)


@pytest.mark.parametrize(
    ("form", "codec", "most_bytes"), [("ogg", "opus", 30_000), ("mp3", "mp3", 60_000), ("wav", "pcm", 200_000)]
)
async def test_sound_for_sending(form: str, codec: str, most_bytes: int, tone: Path, opened: Open) -> None:
    async with opened(tone) as clip:
        made = await clip.audio(Span(start_s=1.0, end_s=5.0), format=form)  # type: ignore[arg-type]
        again = await clip.audio(Span(start_s=1.0, end_s=5.0), format=form)  # type: ignore[arg-type]
    assert again is made
    assert (made.format, made.duration_s) == (form, 4.0)
    name, channels, seconds, start_s, end_s = _decoded(made)
    assert codec in name
    assert channels == 1
    assert seconds == pytest.approx(4.0, abs=0.15)
    assert (start_s, end_s) == pytest.approx((1.0, 3.0), abs=0.08)
    assert len(made.data) < most_bytes
    assert repr(made) == f"EncodedMedia(format='{form}', duration_s=4.0)"


async def test_loudness_and_silence(tone: Path, make: Make, opened: Open) -> None:
    nothing = make("nothing.wav", "-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono", "-t", "3")
    async with opened(tone) as clip:
        measured = await clip.loudness()
        within = await clip.loudness(Span(start_s=2.5, end_s=3.5))
        tail = await clip.loudness(Span(start_s=3.0, end_s=6.0))
    # A sine of half amplitude is at -9 dBFS RMS; K-weighting at 440 Hz, mono: about -9.7 LUFS.
    assert measured.integrated_lufs == pytest.approx(-9.7, abs=1.0)
    assert _edges(measured) == pytest.approx([0.0, 2.0, 4.0, 6.0], abs=0.02)
    assert _edges(within) == []
    assert _edges(tail) == pytest.approx([4.0, 6.0], abs=0.02)
    async with opened(nothing) as clip:
        silence = await clip.loudness()
    assert (silence.integrated_lufs, silence.silent) == (None, (Span(start_s=0.0, end_s=3.0),))
    assert [level.lufs for level in silence.levels] == [None] * 6
    levels = {level.start_s: level.lufs for level in measured.levels}
    assert list(levels) == [n / 2 for n in range(12)]
    assert [level.end_s for level in measured.levels] == [n / 2 for n in range(1, 13)]
    assert levels[2.5] == pytest.approx(-9.7, abs=1.0)
    assert levels[3.0] == pytest.approx(levels[2.5], abs=0.2)
    assert (levels[0.0], levels[1.0], levels[5.0]) == (None, None, None)
    # Momentary loudness is that of 0.4 s: for a moment it is louder than silence before the tone begins.
    assert [level.start_s for level in within.levels] == [2.5, 3.0]
    assert [level.lufs for level in within.levels] == pytest.approx([-9.7, -9.7], abs=1.0)


@pytest.mark.parametrize("duration_s", [0.05, 0.5, 7.3, 60.0, 61.0, 3600.0, 12 * 3600.0, 100 * 3600.0])
def test_levels_are_equal_steps_and_never_many(duration_s: float) -> None:
    span = Span(start_s=3.0, end_s=3.0 + duration_s)
    levels = levels_of(((n / 10, -20.0) for n in range(min(600_000, int(duration_s * 10)))), span)
    assert 1 <= len(levels) <= MOST_LEVELS
    assert (levels[0].start_s, levels[-1].end_s) == (3.0, pytest.approx(span.end_s))
    assert all(a.end_s == b.start_s for a, b in pairwise(levels))
    assert {round(level.end_s - level.start_s, 3) for level in levels[:-1]} <= {step_of(duration_s)}


async def test_a_silent_video_has_no_sound(make: Make, opened: Open) -> None:
    path = make("mute.mp4", "-f", "lavfi", "-i", "testsrc=s=64x48:r=5:d=1")
    async with opened(path) as clip:
        assert (clip.facts.has_video, clip.facts.has_audio) == (True, False)
        for attempt in (clip.pcm(), clip.audio(), clip.loudness()):
            with pytest.raises(MediaError) as caught:
                await attempt
            assert caught.value.reason == "no_audio"
        made = await clip.cut(Span(start_s=0.2, end_s=0.6))
    assert made.data[4:8] == b"ftyp"
    assert (await reason(opened(path, "audio"))).reason == "no_audio"


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
async def test_a_cut_is_made_at_the_exact_frames(
    suffix: str, numbered: Path, make: Make, opened: Open, tmp_path: Path
) -> None:
    async with opened(make(f"numbered.{suffix}", "-i", str(numbered), "-c", "copy")) as clip:
        expected = [frame_number(frame.jpeg) for frame in await clip.frames([3.03, 4.03, 4.95])]
        made = await clip.cut(Span(start_s=3.0, end_s=5.0))
        small = await clip.cut(Span(start_s=3.0, end_s=5.0), longest_side_px=104)
        beyond = await clip.cut(Span(start_s=7.0, end_s=100.0))
    assert (made.format, made.duration_s, beyond.duration_s) == ("mp4", 2.0, pytest.approx(1.0, abs=0.1))
    (tmp_path / "cut.mp4").write_bytes(made.data)
    async with opened(tmp_path / "cut.mp4") as cut:
        assert (cut.facts.has_audio, cut.facts.width, cut.facts.height) == (True, 208, 32)
        assert cut.duration_s == pytest.approx(2.0, abs=0.05)
        shown = [frame_number(frame.jpeg) for frame in await cut.frames([0.03, 1.03, 1.95])]
        pcm = await cut.pcm()
    assert shown == expected
    assert _loud(pcm) == pytest.approx((0.0, 2.0), abs=0.06)
    (tmp_path / "small.mp4").write_bytes(small.data)
    async with opened(tmp_path / "small.mp4") as cut:
        assert (cut.facts.width, cut.facts.height) == (104, 16)


async def test_a_cut_of_a_variable_frame_rate_keeps_its_frames(make: Make, opened: Open, tmp_path: Path) -> None:
    """25 frames in the first second, then one in every 0.4 s: on a grid of the mean rate most would be lost."""
    path = make(
        "vfr.mp4",
        *("-f", "lavfi", "-i", NUMBERED, "-t", "8", "-vf", "select='lt(n,25)+not(mod(n,10))'"),
        *("-fps_mode", "vfr", "-c:v", "libx264", "-crf", "12"),
    )
    times = [0.02 + i * 0.04 for i in range(24)] + [1.7, 2.1]
    async with opened(path) as clip:
        expected = [frame_number(frame.jpeg) for frame in await clip.frames(times)]
        (tmp_path / "cut.mp4").write_bytes((await clip.cut(Span(start_s=0.0, end_s=3.0))).data)
    async with opened(tmp_path / "cut.mp4") as cut:
        assert [frame_number(frame.jpeg) for frame in await cut.frames(times)] == expected
    assert expected[:3] == [0, 1, 2]


async def test_a_cut_says_nothing_of_its_author(make: Make, opened: Open) -> None:
    path = make(
        "tagged.mp4",
        *("-f", "lavfi", "-i", "testsrc=s=64x48:r=5:d=1", "-f", "lavfi", "-i", "sine=d=1"),
        *("-metadata", "location=+48.8577+002.295/", "-metadata", "artist=Jane Roe", "-movflags", "use_metadata_tags"),
    )
    assert b"Jane Roe" in path.read_bytes()
    async with opened(path) as clip:
        assert clip.whole is not None
        made = [await clip.cut(clip.whole), await clip.audio(format="mp3"), await clip.audio(format="ogg")]
    for media in made:
        assert b"Jane" not in media.data
        assert b"48.85" not in media.data


async def test_cuts_are_found_at_their_first_frame(make: Make, opened: Open) -> None:
    parts = ("testsrc=s=320x240:r=25:d=2.2", "mandelbrot=s=320x240:r=25", "color=navy:s=320x240:r=25:d=2")
    path = make(
        "cuts.mp4",
        *(argument for part in parts for argument in ("-f", "lavfi", "-t", "2.2", "-i", part)),
        *("-filter_complex", "[0:v][1:v][2:v]concat=n=3:v=1", "-c:v", "libx264", "-g", "250"),
    )

    async def found(clip: Clip, span: Span | None) -> list[float]:
        cuts = await clip.scene_cuts(span=span)
        assert all(cut.score is not None and 0.1 <= cut.score <= 1 for cut in cuts)
        return [cut.time_s for cut in cuts]

    async with opened(path) as clip:
        assert await found(clip, None) == pytest.approx([2.2, 4.4], abs=0.001)
        assert await found(clip, Span(start_s=1.0, end_s=3.0)) == pytest.approx([2.2], abs=0.001)
        before, after = await clip.frames([2.2 - 0.02, (await clip.scene_cuts())[0].time_s])
    assert before.jpeg != after.jpeg


async def test_cover_art_is_no_video(tone: Path, make: Make, opened: Open, tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=100x100", "-frames:v", "1", str(tmp_path / "cover.jpg"))
    path = make(
        "cover.mp3",
        *("-i", str(tone), "-i", str(tmp_path / "cover.jpg"), "-map", "0", "-map", "1", "-c:v", "copy"),
        *("-id3v2_version", "3", "-disposition:v", "attached_pic"),
    )
    async with opened(path) as clip:
        assert (clip.modality, clip.facts.has_video, clip.facts.width) == ("audio", False, None)
        assert clip.duration_s == pytest.approx(6.0, abs=0.1)
        assert len(await clip.pcm()) == round(clip.duration_s * 16_000)
    assert (await reason(opened(path, "video"))).reason == "no_video"


async def test_durations_are_measured_where_headers_say_nothing(tone: Path, make: Make, opened: Open) -> None:
    """Raw AAC has no header; MP3 of variable rate without one is guessed wrong by FFmpeg; a piped WAV says 4 GB."""
    adts = make("bare.aac", "-i", str(tone), "-c:a", "aac")
    mp3 = make(
        "bare.mp3", "-i", str(tone), "-c:a", "libmp3lame", "-q:a", "2", "-write_xing", "0", "-id3v2_version", "0"
    )
    webm = make("live.webm", "-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=5", "-c:v", "libvpx", "-live", "1")
    for path, seconds in ((adts, 6.0), (mp3, 6.0), (webm, 5.0)):
        async with opened(path) as clip:
            assert clip.duration_s == pytest.approx(seconds, abs=0.2), path.name
    wav = bytearray(tone.read_bytes())
    at = wav.index(b"data") + 4
    wav[at : at + 4] = b"\xff\xff\xff\xff"
    (piped := tone.with_name("piped.wav")).write_bytes(wav)
    async with opened(piped) as clip:
        assert clip.duration_s == pytest.approx(6.0, abs=0.01)


async def test_a_video_taken_for_its_sound(numbered: Path, opened: Open) -> None:
    async with opened(numbered, "audio") as clip:
        assert (clip.modality, clip.facts.has_video, clip.facts.has_audio, clip.facts.fps) == (
            "audio",
            False,
            True,
            None,
        )
        assert len(await clip.pcm()) == round(clip.duration_s * 16_000)
    error = await reason(opened(numbered, "image"))
    assert (error.reason, error.hint) == ("wrong_modality", "use the key video or audio")
