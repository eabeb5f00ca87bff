"""The frame shown at a time: exact pictures of a video inside the decoder's process."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import av.container
import av.error
from av.video.reformatter import VideoReformatter
from PIL import Image

from omnidetective.media import decoder_image
from omnidetective.media.decoder_colour import to_srgb
from omnidetective.media.decoder_file import FileError
from omnidetective.media.decoder_streams import (
    mean_fps,
    open_container,
    packets,
    pixel_shape,
    prepare_decoder,
    raise_if_memory,
    turn,
)
from omnidetective.media.wire import FramesRequest, Picture

_SAME_FRAME_S = 0.0005
"""Containers round times, to 1 ms in Matroska: a frame counts as shown this much before its time stamp."""
_WORTH_A_SEEK_S = 3.0
"""How far ahead a time must be, in files without an index, for a seek to be quicker than to go on decoding."""
_FEW_FRAMES = 10
"""A seek that saves fewer frames costs more than it saves: the decoder's threads start afresh."""
_BACK_OFFS_S = (0.0, 2.0, 10.0, 60.0)
_BEFORE_START_S = -10.0


def pictures(request: FramesRequest) -> Iterator[tuple[Picture, bytes]]:
    """The frames shown at the times asked for, encoded."""
    for image in images(request):
        yield decoder_image.encode(image, request)


def images(request: FramesRequest) -> Iterator[Image.Image]:
    """The frames shown at the times asked for (ascending), upright, in square pixels, not larger than asked for.

    Raises:
        FileError: ``decode_failed`` when there is no frame at all.
    """
    with open_container(request.path) as container:
        stream = container.streams[request.video_index or 0]
        if not isinstance(stream, av.VideoStream):
            raise FileError("decode_failed", "its streams are not those that were probed")
        reader = FrameReader(container, stream, request.start_s)
        # One for all frames: it keeps its tables as long as sizes and formats stay the same.
        scaler = VideoReformatter()
        shown: av.VideoFrame | None = None
        image: Image.Image | None = None
        for time_s in request.times_s:
            frame = reader.at(time_s)
            if frame is None:
                raise FileError("decode_failed", f"no frame could be decoded for {time_s:.3f} s")
            if frame is not shown or image is None:
                shown, image = frame, _to_image(frame, stream, scaler, request.longest_side_px)
            yield image.copy()


class FrameReader:
    """Finds the frame shown at a time, for ascending times: goes on decoding, or seeks where that is less work."""

    def __init__(self, container: av.container.InputContainer, stream: av.VideoStream, start_s: float) -> None:
        self._container = container
        self._stream = stream
        self._start_s = start_s
        self._frames: Iterator[av.VideoFrame] | None = None
        self._shown: av.VideoFrame | None = None
        self._next: av.VideoFrame | None = None
        self._frame_s = 1.0 / (mean_fps(stream) or 25.0)
        self._clock_s = 0.0
        # An index goes by decoding times, which B frames put before the times that frames are shown at.
        entries = stream.index_entries
        first = entries[0].timestamp if len(entries) else None
        starts = stream.start_time
        self._reorder_ticks = max(0, starts - first) if starts is not None and first is not None else 0
        prepare_decoder(container, stream)

    def at(self, time_s: float) -> av.VideoFrame | None:
        """The last frame that begins at ``time_s`` or before; the first one before it begins; ``None`` without any."""
        if self._frames is None or self._should_seek(time_s):
            self._seek(time_s)
        self._advance(time_s)
        return self._shown

    def _should_seek(self, time_s: float) -> bool:
        if self._next is None:
            return False
        ahead_s = time_s - self._time_s(self._next)
        if ahead_s <= 0:
            return False
        keyframe_s = self._keyframe_before(time_s)
        if keyframe_s is None:
            return ahead_s > _WORTH_A_SEEK_S
        return keyframe_s > self._time_s(self._next) + _FEW_FRAMES * self._frame_s

    def _keyframe_before(self, time_s: float) -> float | None:
        entries = self._stream.index_entries
        if self._stream.time_base is None or len(entries) == 0:
            return None
        found = entries.search_timestamp(self._ticks(time_s) - self._reorder_ticks, backward=True, any_frame=False)
        if found < 0:
            return None
        timestamp = entries[found].timestamp
        # An index that is filled while reading (MPEG-TS) knows nothing of what lies ahead.
        known_to = entries[len(entries) - 1].timestamp
        return None if known_to < self._ticks(time_s - _WORTH_A_SEEK_S) else self._seconds(timestamp)

    def _seek(self, time_s: float) -> None:
        moved = False
        # A seek may land late: in MPEG-TS it does not know of keyframes. Then it is tried from ever further back.
        for target_s in dict.fromkeys((*(max(0.0, time_s - back_s) for back_s in _BACK_OFFS_S), _BEFORE_START_S)):
            try:
                self._container.seek(self._ticks(target_s) - self._reorder_ticks, stream=self._stream, backward=True)
            except av.error.FFmpegError as error:
                raise_if_memory(error)
                if moved:
                    continue
                if self._frames is None:
                    # A file that cannot be searched is read from its beginning.
                    self._frames = self._decode(0.0)
                    self._next = next(self._frames, None)
                return
            moved = True
            self._frames, self._shown = self._decode(target_s), None
            self._next = next(self._frames, None)
            if self._next is not None and self._time_s(self._next) <= time_s + _SAME_FRAME_S:
                return

    def _advance(self, time_s: float) -> None:
        while self._next is not None and self._time_s(self._next) <= time_s + _SAME_FRAME_S:
            self._shown = self._next
            self._next = next(self._frames, None) if self._frames is not None else None
        if self._shown is None:
            # The first frame begins after the time asked for: it stands in, and stays the next one.
            self._shown = self._next

    def _decode(self, from_s: float) -> Iterator[av.VideoFrame]:
        self._clock_s = from_s
        for packet in packets(self._container, [self._stream]):
            try:
                yield from (frame for frame in packet.decode() if isinstance(frame, av.VideoFrame))
            except av.error.FFmpegError as error:
                raise_if_memory(error)
                # A damaged packet costs its own frames only.
                continue

    def _time_s(self, frame: av.VideoFrame) -> float:
        if frame.pts is None:
            self._clock_s += self._frame_s
            frame.pts = self._ticks(self._clock_s)
        return self._seconds(frame.pts)

    def _ticks(self, time_s: float) -> int:
        base = self._stream.time_base or Fraction(1, 90000)
        return round((time_s + self._start_s) / base)

    def _seconds(self, ticks: int) -> float:
        return float(ticks * (self._stream.time_base or Fraction(1, 90000))) - self._start_s


def _to_image(
    frame: av.VideoFrame, stream: av.VideoStream, scaler: VideoReformatter, longest_side_px: int
) -> Image.Image:
    width, height = frame.width * pixel_shape(stream), float(frame.height)
    scale = min(1.0, longest_side_px / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    see_through = frame.format.has_palette or any(c.is_alpha for c in frame.format.components)
    resized = scaler.reformat(
        frame,
        width=size[0],
        height=size[1],
        format="rgba" if see_through else "rgb24",
        interpolation="AREA" if scale < 1 else "BICUBIC",
    )
    plane = resized.planes[0]
    mode = "RGBA" if see_through else "RGB"
    image = Image.frombytes(mode, size, bytes(plane), "raw", mode, plane.line_size)
    upright = turn(frame)
    image = image if upright is None else image.transpose(upright)
    return to_srgb(image) if see_through else image
