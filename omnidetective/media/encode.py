"""Sound and cuts of a clip, made by ffmpeg: mono PCM for instruments, compact files for sending."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from omnidetective.errors import MediaError
from omnidetective.evidence import Span
from omnidetective.media.ffmpeg import THREADS, on_the_clock, open_input, run_ffmpeg
from omnidetective.media.source import Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AudioFormat = Literal["ogg", "mp3", "wav"]
SAMPLE_RATE_HZ = 16_000

# A track that begins late or has gaps is filled with silence, and one that ends early is lengthened by it: sample n is
# always time n / rate of the span.
_FILLED = "aresample=async=1:first_pts=0,apad"
_CODECS: dict[AudioFormat, dict[str, Any]] = {
    "ogg": {"f": "ogg", "acodec": "libopus", "audio_bitrate": "32k", "ar": 48_000},
    "mp3": {"f": "mp3", "acodec": "libmp3lame", "audio_bitrate": "64k", "ar": 24_000},
    "wav": {"f": "wav", "acodec": "pcm_s16le", "ar": SAMPLE_RATE_HZ},
}
NO_METADATA = {"map_metadata": -1, "map_chapters": -1}
"""Tags may say where and by whom a clip was recorded: not what the user asked to send."""


@dataclass(frozen=True)
class EncodedMedia:
    """A file in memory, ready to be sent."""

    data: bytes = field(repr=False)
    format: Literal["ogg", "mp3", "wav", "mp4"]
    duration_s: float


def audio_index(source: Source) -> int:
    """The stream that is listened to.

    Raises:
        MediaError: ``no_audio``.
    """
    if source.probe.audio_index is None:
        raise MediaError("the clip has no sound track", reason="no_audio")
    return source.probe.audio_index


async def read_pcm(source: Source, span: Span) -> NDArray[np.float32]:
    """Mono samples at 16 kHz, -1…1, exactly as many as the span is long; read-only."""
    import ffmpeg
    import numpy as np

    stream = open_input(source, span)[str(audio_index(source))]
    output = ffmpeg.output(
        stream,
        "pipe:1",
        f="s16le",
        acodec="pcm_s16le",
        ac=1,
        ar=SAMPLE_RATE_HZ,
        af=f"{on_the_clock(source, span, 'audio')},{_FILLED}",
        t=f"{span.duration_s:.6f}",
    )
    data = await run_ffmpeg(output, source=source, span=span, what="read the sound")
    samples = np.frombuffer(data, dtype="<i2").astype(np.float32)
    samples /= 32768.0
    samples.flags.writeable = False
    return samples


async def encode_audio(source: Source, span: Span, *, audio_format: AudioFormat) -> EncodedMedia:
    """The sound of a span as a small mono file: Opus 32 kbit/s, MP3 64 kbit/s at 24 kHz, or WAV at 16 kHz."""
    import ffmpeg

    stream = open_input(source, span)[str(audio_index(source))]
    output = ffmpeg.output(
        stream,
        "pipe:1",
        ac=1,
        af=f"{on_the_clock(source, span, 'audio')},{_FILLED}",
        t=f"{span.duration_s:.6f}",
        **_CODECS[audio_format],
        **NO_METADATA,
    )
    data = await run_ffmpeg(output, source=source, span=span, what=f"encode the sound as {audio_format}")
    return EncodedMedia(data, audio_format, span.duration_s)


async def cut_span(
    source: Source, span: Span, *, longest_side_px: int, sound: bool = True, rates: tuple[int, int] | None = None
) -> EncodedMedia:
    """A span as MP4 (H.264, AAC), upright, in square pixels, cut at the exact frames; without metadata.

    Args:
        sound: with its sound, where it has any.
        rates: bits a second of picture and sound; by default as many as a good picture takes.

    Raises:
        MediaError: ``no_video``, or what ``run_ffmpeg`` raises.
    """
    import ffmpeg

    probe = source.probe
    if probe.video_index is None or probe.width is None or probe.height is None:
        raise MediaError("the clip has no moving picture to cut", reason="no_video")
    scale = min(1.0, longest_side_px / max(probe.width, probe.height))
    width, height = (max(2, round(side * scale / 2) * 2) for side in (probe.width, probe.height))
    read = open_input(source, span)
    streams = [read[str(probe.video_index)]]
    options: dict[str, Any] = {
        "f": "mp4",
        "vcodec": "libx264",
        "preset": "veryfast",
        **({"crf": 23} if rates is None else {"b:v": rates[0], "maxrate": rates[0], "bufsize": rates[0]}),
        "pix_fmt": "yuv420p",
        # Otherwise frames are moved to a grid of the mean frame rate, and those of a variable one get lost.
        "enc_time_base:v": "1/90000",
        "vf": f"{on_the_clock(source, span, 'video')},scale={width}:{height}:flags=area,setsar=1",
        "threads": THREADS,
        "t": f"{span.duration_s:.6f}",
        "movflags": "+faststart",
    } | NO_METADATA
    if sound and probe.audio_index is not None:
        streams.append(read[str(probe.audio_index)])
        options |= {"acodec": "aac", "audio_bitrate": "64k" if rates is None else rates[1], "ac": 1}
        options["af"] = f"{on_the_clock(source, span, 'audio')},aresample=async=1:first_pts=0"
    # MP4 cannot be written to a pipe without being cut into fragments, which not every reader takes.
    with tempfile.TemporaryDirectory(prefix="omnidetective-cut-") as folder:
        target = Path(folder) / "cut.mp4"
        output = ffmpeg.output(*streams, f"file:{target}", **options)
        await run_ffmpeg(output, source=source, span=span, what="cut the clip", target=target)
        data = await asyncio.to_thread(target.read_bytes)
    return EncodedMedia(data, "mp4", span.duration_s)
