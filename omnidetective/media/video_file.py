"""A clip, or a span of it, as one MP4 file that is not larger than a model takes."""

from __future__ import annotations

import asyncio
import math
import tempfile
from pathlib import Path
from typing import Any

from omnidetective.errors import MediaError
from omnidetective.evidence import Span
from omnidetective.media.encode import NO_METADATA, EncodedMedia, cut_span
from omnidetective.media.ffmpeg import open_input, run_ffmpeg
from omnidetective.media.source import Source

_COPIED_FROM = frozenset({"mov", "matroska"})
"""Containers whose times can be taken over as they are."""
_SOUND_IN_MP4 = frozenset({"aac", "mp3"})
_SOUND_BPS = 32_000
_CONTAINER_BPS = 10_000
"""What the tables of an MP4 take, at some thirty frames a second."""
_LEAST_PICTURE_BPS = 48_000
"""Below this nothing can be made out that is worth asking about."""
_WORTH_TRYING_BPS = 250_000
"""From this much on, a film may well fit at full quality; below, the attempt is hardly ever worth its time."""
_FILLED = 0.9
"""Share of the room that is aimed at: an encoder that is told a rate meets it roughly."""
_BITS_A_PIXEL = 0.06
_LEAST_SIDE_PX = 160
_USUAL_FPS = 25.0


async def video_file(
    source: Source, span: Span, *, longest_side_px: int, sound: bool, max_bytes: int | None
) -> EncodedMedia:
    """The pictures of a span, with or without its sound, as MP4 (H.264, AAC or MP3), without metadata.

    A whole clip whose streams are of that kind already, and that is small enough, keeps them as they are. Everything
    else is encoded: at full quality where that fits, otherwise once more, at a rate and a size that fit.

    Args:
        longest_side_px: larger pictures are made smaller, where they have to be encoded at all.
        max_bytes: largest file; ``None``: any.

    Raises:
        MediaError: ``video_too_large``, naming how many seconds would fit; ``no_video``, or what ``run_ffmpeg`` raises.
    """
    copied = await _copied(source, span, sound=sound, max_bytes=max_bytes)
    if copied is not None:
        return copied
    heard = sound and source.probe.audio_index is not None
    room_bps = math.inf if max_bytes is None else 8 * max_bytes * _FILLED / span.duration_s
    picture_bps = room_bps - _CONTAINER_BPS - (_SOUND_BPS if heard else 0)
    if picture_bps < _LEAST_PICTURE_BPS:
        raise _too_large(span, max_bytes or 0, heard=heard)
    if room_bps >= _WORTH_TRYING_BPS:
        made = await cut_span(source, span, longest_side_px=longest_side_px, sound=sound)
        if max_bytes is None or len(made.data) <= max_bytes:
            return made
    side_px = min(longest_side_px, _side_px(source, picture_bps))
    made = await cut_span(source, span, longest_side_px=side_px, sound=sound, rates=(int(picture_bps), _SOUND_BPS))
    if max_bytes is not None and len(made.data) > max_bytes:
        raise _too_large(span, max_bytes, heard=heard)
    return made


async def _copied(source: Source, span: Span, *, sound: bool, max_bytes: int | None) -> EncodedMedia | None:
    """The whole clip with its streams as they are; ``None`` where they cannot stay so."""
    probe = source.probe
    heard = sound and probe.audio_index is not None
    whole = span.start_s <= 0 and span.end_s >= source.duration_s
    fits_mp4 = probe.video_codec == "h264" and probe.plain and (not heard or probe.audio_codec in _SOUND_IN_MP4)
    # The tracks of an MP4 cannot be moved against each other but by edit lists, which not every reader heeds.
    begins_at_zero = abs(probe.start_s) < 0.001
    if not whole or not fits_mp4 or not begins_at_zero or probe.demuxer not in _COPIED_FROM:
        return None
    size = (await asyncio.to_thread(source.path.stat)).st_size
    if size > min(max_bytes or math.inf, source.settings.max_output_mb << 20):
        return None
    import ffmpeg

    read = open_input(source, span)
    streams = [read[str(probe.video_index)], *([read[str(probe.audio_index)]] if heard else [])]
    options: dict[str, Any] = {"f": "mp4", "c": "copy", "movflags": "+faststart"} | NO_METADATA
    with tempfile.TemporaryDirectory(prefix="omnidetective-copy-") as folder:
        target = Path(folder) / "copy.mp4"
        output = ffmpeg.output(*streams, f"file:{target}", **options)
        try:
            await run_ffmpeg(output, source=source, span=span, what="copy the clip", target=target)
        except MediaError as error:
            if error.reason != "decode_failed":
                raise
            return None  # Streams that MP4 does not take as they are can be encoded still.
        data = await asyncio.to_thread(target.read_bytes)
    return EncodedMedia(data, "mp4", source.duration_s) if max_bytes is None or len(data) <= max_bytes else None


def _side_px(source: Source, picture_bps: float) -> int:
    """The longest side of pictures that still look like something at a rate."""
    width, height = source.probe.width or 16, source.probe.height or 9
    shape = min(width, height) / max(width, height)
    pixels = picture_bps / (_BITS_A_PIXEL * (source.probe.fps or _USUAL_FPS))
    return max(_LEAST_SIDE_PX, int(math.sqrt(pixels / shape)))


def _too_large(span: Span, max_bytes: int, *, heard: bool) -> MediaError:
    least_bps = _LEAST_PICTURE_BPS + _CONTAINER_BPS + (_SOUND_BPS if heard else 0)
    return MediaError(
        f"{span.duration_s:.0f} s of video do not fit into the {max_bytes:,} bytes that can be sent",
        reason="video_too_large",
        hint=f"ask about a span of at most {8 * max_bytes * _FILLED / least_bps:.0f} s",
    )
