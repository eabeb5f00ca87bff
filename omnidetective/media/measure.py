"""What ffmpeg's own filters measure: changes of shot, loudness, silence."""

from __future__ import annotations

import asyncio
import math
import re
from typing import NamedTuple

from omnidetective.errors import MediaError
from omnidetective.evidence import Cut, Level, Span
from omnidetective.media.encode import audio_index
from omnidetective.media.ffmpeg import on_the_clock, open_input, run_ffmpeg
from omnidetective.media.levels import levels_of
from omnidetective.media.source import Source

_SILENCE_LUFS = -70.0
"""The absolute gate of EBU R 128: what ebur128 reports when nothing was above it."""
_FRAME = re.compile(r"frame:\S+\s+pts:(-?\d+)")
_BLOCK_S = 0.1


class Loudness(NamedTuple):
    """How loud a span is.

    Attributes:
        integrated_lufs: integrated loudness by EBU R 128; ``None`` for silence, or too short a span (under 0.4 s).
        silent: where it is silent, in seconds of the clip.
        levels: momentary loudness over the span, in equal steps: see :func:`~omnidetective.media.levels.levels_of`.
    """

    integrated_lufs: float | None
    silent: tuple[Span, ...]
    levels: tuple[Level, ...] = ()


async def find_cuts(source: Source, span: Span, *, threshold: float) -> tuple[Cut, ...]:
    """Hard changes of the whole picture (filter ``scdet``), at the time of the first new frame.

    Args:
        source: the clip.
        span: where to look.
        threshold: 0…100; a score above it is a cut. 10 finds cuts between scenes.

    Raises:
        MediaError: ``no_video``, or what ``run_ffmpeg`` raises.
    """
    import ffmpeg

    if source.probe.video_index is None:
        raise MediaError("the clip has no moving picture", reason="no_video")
    stream = open_input(source, span)[str(source.probe.video_index)]
    # settb: the printed pts are then microseconds, and exact, where pts_time is rounded to six digits.
    filters = (
        f"{on_the_clock(source, span, 'video')},scale=320:-2:flags=fast_bilinear,settb=AVTB,"
        f"scdet=threshold={threshold:g},"
        "metadata=mode=select:key=lavfi.scd.time,metadata=mode=print:file=-"
    )
    output = ffmpeg.output(stream, "-", f="null", vf=filters)
    printed = (await run_ffmpeg(output, source=source, span=span, what="find the cuts")).decode(errors="replace")
    cuts: list[Cut] = []
    time_s = 0.0
    for line in printed.splitlines():
        if match := _FRAME.match(line):
            time_s = span.start_s + int(match[1]) / 1e6
        elif line.startswith("lavfi.scd.score="):
            cuts.append(Cut(time_s=round(time_s, 6), score=round(float(line.partition("=")[2]) / 100, 4)))
    return tuple(cuts)


async def measure_loudness(source: Source, span: Span, *, below_db: float, min_silence_s: float) -> Loudness:
    """Loudness, whole and over time (filter ``ebur128``), and silence (``silencedetect``) of a span.

    Args:
        source: the clip.
        span: where to listen.
        below_db: what counts as silent, in dB of full scale.
        min_silence_s: shorter silences are left out.

    Raises:
        MediaError: ``no_audio``, or what ``run_ffmpeg`` raises.
    """
    import ffmpeg

    stream = open_input(source, span)[str(audio_index(source))]
    filters = (
        # ebur128 cuts the sound into blocks of 0.1 s, so it comes first: the other filter writes on whole blocks then.
        f"{on_the_clock(source, span, 'audio')},aresample=async=1:first_pts=0,asettb=AVTB,ebur128=metadata=1,"
        + "".join(f"ametadata=mode=delete:key=lavfi.r128.{key}," for key in ("S", "LRA", "LRA.low", "LRA.high"))
        + f"silencedetect=noise={below_db:g}dB:duration={min_silence_s:g},ametadata=mode=print:file=-"
    )
    output = ffmpeg.output(stream, "-", f="null", af=filters)
    printed = await run_ffmpeg(output, source=source, span=span, what="measure the sound")
    # Ten blocks a second: megabytes of text for a long clip, too much for the event loop.
    return await asyncio.to_thread(_read_loudness, printed.decode(errors="replace"), span, min_silence_s)


def _read_loudness(printed: str, span: Span, min_silence_s: float) -> Loudness:
    lufs: float | None = None
    heard_to_s = 0.0
    starts: list[float] = []
    ends: list[float] = []
    momentary: list[tuple[float, float]] = []
    block_s = 0.0
    for line in printed.splitlines():
        name, _, value = line.partition("=")
        if match := _FRAME.match(line):
            block_s = int(match[1]) / 1e6
            heard_to_s = block_s + _BLOCK_S
        elif name == "lavfi.r128.M":
            momentary.append((block_s, float(value)))
        elif name == "lavfi.r128.I":
            lufs = float(value)
        elif name == "lavfi.silence_start":
            starts.append(max(0.0, float(value)))
        elif name == "lavfi.silence_end":
            ends.append(float(value))
    if lufs is not None and (not math.isfinite(lufs) or lufs <= _SILENCE_LUFS):
        lufs = None
    return Loudness(lufs, _silent(starts, ends, heard_to_s, span, min_silence_s), levels_of(momentary, span))


def _silent(
    starts: list[float], ends: list[float], heard_to_s: float, span: Span, min_silence_s: float
) -> tuple[Span, ...]:
    """Pair starts with ends; what is silent when the track ends, or is after its end, is so to the end of the span."""
    if len(starts) > len(ends):
        ends = [*ends, span.duration_s]
    elif span.duration_s - heard_to_s >= max(min_silence_s, _BLOCK_S):
        starts, ends = [*starts, heard_to_s], [*ends, span.duration_s]
    return tuple(
        Span(start_s=round(span.start_s + start_s, 3), end_s=round(min(span.end_s, span.start_s + end_s), 3))
        for start_s, end_s in zip(starts, ends, strict=False)
        if min(span.duration_s, end_s) - start_s >= 0.001
    )
