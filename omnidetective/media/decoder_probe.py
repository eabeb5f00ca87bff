"""What a video or sound file holds, measured inside the decoder's process."""

from __future__ import annotations

from collections.abc import Sequence

import av
import av.container
import av.error
import av.stream

from omnidetective.media.decoder_file import FileError
from omnidetective.media.decoder_streams import (
    displayed_size,
    mean_fps,
    open_container,
    packets,
    raise_if_memory,
    rewind,
    turn,
)
from omnidetective.media.wire import Probe

_UNDECODABLE_PACKETS = 300
"""A stream none of whose first packets gives a frame is taken for one that cannot be decoded."""
_TAIL_TOLERANCE_S = 0.5


def probe(path: str) -> Probe:
    """What a video or sound file holds, measured rather than believed.

    Raises:
        FileError: ``no_streams``, or what ``open_container`` raises.
    """
    with open_container(path) as container:
        video, audio = _best_video(container), next(iter(container.streams.audio), None)
        if video is None and audio is None:
            raise FileError("no_streams", "it has neither picture nor sound")
        start_s = (container.start_time or 0) / av.time_base
        audio = audio if audio is not None and _first_frame(container, audio)[0] is not None else None
        first, read = _first_frame(container, video) if video is not None else (None, 0)
        undecodable = None
        if video is not None and first is None:
            undecodable = _codec_name(video) if read else None
            video = None
        ends = _ends(container, [s for s in (video, audio) if s is not None], start_s)
        width = height = fps = None
        plain = False
        if video is not None and isinstance(first, av.VideoFrame):
            width, height = displayed_size(first, video)
            fps = mean_fps(video)
            square = not video.sample_aspect_ratio or video.sample_aspect_ratio == 1
            plain = square and turn(first) is None and first.format.name in ("yuv420p", "yuvj420p")
            shortest = 1.0 / fps if fps else 0.04
        return Probe(
            "streams",
            demuxer=container.format.name.partition(",")[0],
            video_index=None if video is None else video.index,
            audio_index=None if audio is None else audio.index,
            start_s=start_s,
            video_end_s=0.0 if video is None else max(ends.get(video.index, 0.0), shortest),
            audio_end_s=0.0 if audio is None else ends.get(audio.index, 0.0),
            width=width,
            height=height,
            fps=fps,
            undecodable=undecodable,
            video_codec=None if video is None else _usual_name(video),
            audio_codec=None if audio is None else _usual_name(audio),
            plain=plain,
        )


def _best_video(container: av.container.InputContainer) -> av.VideoStream | None:
    """The largest real video stream: not the cover of an album, not a thumbnail track."""
    not_video = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    streams = [s for s in container.streams.video if not s.disposition & not_video]
    return max(streams, key=lambda s: (bool(s.disposition & av.stream.Disposition.default), _area(s)), default=None)


def _area(stream: av.VideoStream) -> int:
    return 0 if stream.codec_context is None else stream.codec_context.width * stream.codec_context.height


def _codec_name(stream: av.VideoStream) -> str:
    return "unknown" if stream.codec_context is None else stream.codec_context.name


def _usual_name(stream: av.VideoStream | av.AudioStream) -> str | None:
    return None if stream.codec_context is None else stream.codec_context.codec.canonical_name


def _first_frame(
    container: av.container.InputContainer, stream: av.VideoStream | av.AudioStream
) -> tuple[av.VideoFrame | av.AudioFrame | None, int]:
    """The first frame that can be decoded, and how many packets it took."""
    if stream.codec_context is None:
        return None, 1
    rewind(container)
    read = 0
    for packet in packets(container, [stream]):
        read += 1 if packet.size else 0
        try:
            for frame in packet.decode():
                if isinstance(frame, (av.VideoFrame, av.AudioFrame)):
                    return frame, read
        except av.error.FFmpegError as error:
            raise_if_memory(error)
        if read >= _UNDECODABLE_PACKETS:
            break
    return None, read


def _ends(
    container: av.container.InputContainer, streams: Sequence[av.stream.Stream], start_s: float
) -> dict[int, float]:
    """Where each stream ends, in seconds from the clip's start.

    Headers lie: streamed files say nothing, truncated ones too much, MP3 without a header is guessed from the bit rate.
    So the last packets are read, after a seek to the end; where that shows something else than the header says, or
    nothing, all packets are (without decoding).
    """
    declared_s = container.duration / av.time_base if container.duration else 0.0
    if declared_s > 0:
        try:
            container.seek(int((container.start_time or 0) + declared_s * av.time_base), backward=True)
        except av.error.FFmpegError:
            pass
        else:
            ends = _read_ends(container, streams, start_s)
            if len(ends) == len(streams) and abs(max(ends.values(), default=0.0) - declared_s) <= _TAIL_TOLERANCE_S:
                return ends
    rewind(container)
    return _read_ends(container, streams, start_s)


def _read_ends(
    container: av.container.InputContainer, streams: Sequence[av.stream.Stream], start_s: float
) -> dict[int, float]:
    ends: dict[int, float] = {}
    for packet in packets(container, streams):
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is None or not packet.size:
            continue
        end_s = float((stamp + (packet.duration or 0)) * packet.time_base) - start_s
        ends[packet.stream.index] = max(ends.get(packet.stream.index, 0.0), end_s)
    return ends
