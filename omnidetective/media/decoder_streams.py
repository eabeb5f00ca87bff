"""Media files opened by PyAV inside the decoder's process: the container, its packets, and the shape of its pictures.

The file is handed to FFmpeg as an open descriptor (its ``fd`` protocol), which is also the only protocol allowed:
whatever a demuxer reads in the file, it can open nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import cast

import av
import av.container
import av.error
import av.stream
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideDataType
from PIL.Image import Transpose

from omnidetective.media.decoder_file import DEMUXERS, FileError, is_cut_off_mp4, open_regular

_THREADS = max(1, min(4, os.cpu_count() or 1))
_MAX_PIXELS = 134_217_728
_PLAUSIBLE_FPS = 1000
_SWAPPING = frozenset({Transpose.ROTATE_90, Transpose.ROTATE_270, Transpose.TRANSPOSE, Transpose.TRANSVERSE})


@contextmanager
def open_container(path: str) -> Iterator[av.container.InputContainer]:
    """Open a media file with the demuxers and the one protocol that are allowed.

    Raises:
        FileError: ``not_media``, ``truncated``, or what ``open_regular`` raises.
    """
    with open_regular(path) as descriptor:
        options = {
            "fd": str(descriptor),
            "protocol_whitelist": "fd",
            "format_whitelist": ",".join(DEMUXERS),
            "max_pixels": str(_MAX_PIXELS),
        }
        try:
            container = av.open("fd:", options=options)
        except av.error.FFmpegError as error:
            raise_if_memory(error)
            if is_cut_off_mp4(descriptor):
                raise FileError(
                    "truncated", "the file breaks off before its index (moov)", "download or copy it again"
                ) from error
            raise FileError(
                "not_media",
                "it is no video, sound or picture that is read here; playlists and other files that only name files "
                "are refused",
            ) from error
        with container:
            yield container


def raise_if_memory(error: av.error.FFmpegError) -> None:
    """Let a failed allocation through, where other errors of FFmpeg are taken for damage in the file."""
    if isinstance(error, MemoryError):
        raise error


def packets(
    container: av.container.InputContainer, streams: Sequence[av.stream.Stream]
) -> Iterator[av.Packet[av.stream.Stream]]:
    """Packets up to the end of the file, or to where it is damaged beyond reading; the last ones flush the decoders."""
    incoming = container.demux(list(streams))
    while True:
        try:
            packet = next(incoming)
        except StopIteration:
            return
        except av.error.FFmpegError as error:
            raise_if_memory(error)
            # PyAV's generator is over after an error: give the decoders their end of stream by hand.
            for stream in streams:
                flush: av.Packet[av.stream.Stream] = av.Packet()
                flush.stream = stream
                yield flush
            return
        yield packet


def rewind(container: av.container.InputContainer) -> None:
    """Go back to the first packet."""
    try:
        container.seek(container.start_time or 0, backward=True)
    except av.error.FFmpegError as error:
        raise_if_memory(error)
        # Not every file can be searched; those are read on from the first packets, which is where they stand.
        return


def mean_fps(stream: av.VideoStream) -> float | None:
    """Frames a second on average; ``None`` where the file says nothing credible."""
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0 < rate <= _PLAUSIBLE_FPS:
            return float(rate)
    return None


def prepare_decoder(container: av.container.InputContainer, stream: av.VideoStream) -> None:
    """Use several threads, refuse monstrous frames, and do not read the other streams. Before the first packet."""
    stream.codec_context.thread_type = "AUTO"
    stream.codec_context.thread_count = _THREADS
    stream.codec_context.options = {"max_pixels": str(_MAX_PIXELS)}
    for other in container.streams:
        if other.index != stream.index:
            other.discard = av.stream.Discard.all


def pixel_shape(stream: av.VideoStream) -> float:
    """Width of a pixel by its height."""
    shape = stream.sample_aspect_ratio
    # Nonsense such as 1:1000 is in the wild; anamorphic video stays well within this.
    return float(shape) if shape and Fraction(1, 8) <= shape <= 8 else 1.0


def displayed_size(frame: av.VideoFrame, stream: av.VideoStream) -> tuple[int, int]:
    """Width and height as a player shows the frame."""
    width, height = max(1, round(frame.width * pixel_shape(stream))), frame.height
    return (height, width) if turn(frame) in _SWAPPING else (width, height)


def turn(frame: av.VideoFrame) -> Transpose | None:
    """What brings the frame upright, from its display matrix (libavutil/display.h); ``None`` when it is so already.

    The matrix maps ``(p, q)`` of the frame to ``(a p + c q, b p + d q)`` on screen, y downwards.
    """
    side_data = cast(SideDataContainer, frame.side_data)
    try:
        matrix = side_data[SideDataType.DISPLAYMATRIX]
    except KeyError:
        return None
    a, b, _, c, d = (v - (1 << 32) if v >> 31 else v for v in memoryview(bytes(matrix)).cast("I")[:5])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return {
            (False, False): None,
            (True, True): Transpose.ROTATE_180,
            (True, False): Transpose.FLIP_LEFT_RIGHT,
            (False, True): Transpose.FLIP_TOP_BOTTOM,
        }[a < 0, d < 0]
    return {
        (False, False): Transpose.TRANSPOSE,
        (True, True): Transpose.TRANSVERSE,
        (True, False): Transpose.ROTATE_90,
        (False, True): Transpose.ROTATE_270,
    }[b < 0, c < 0]
