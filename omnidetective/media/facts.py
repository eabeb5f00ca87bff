"""What a clip is taken for, from what the decoder found in the file and what the row says of it."""

from __future__ import annotations

from dataclasses import replace

from omnidetective.errors import MediaError
from omnidetective.media.wire import Probe
from omnidetective.records import Modality


def choose(probe: Probe, declared: Modality | None) -> tuple[Modality, Probe]:
    """The modality, and the probe without the streams that it leaves out.

    Raises:
        MediaError: ``no_video``, ``no_audio``, ``wrong_modality``, ``no_streams``, ``decode_failed``.
    """
    if probe.kind == "image":
        if declared not in (None, "image"):
            raise _wrong(declared, "a still picture", "image")
        return "image", probe
    if declared == "image":
        raise _wrong(declared, "a video" if probe.video_index is not None else "a sound", "video or audio")
    if declared == "audio":
        return "audio", _sound_of(probe)
    if probe.video_index is not None:
        return "video", probe
    if probe.undecodable is not None:
        raise MediaError(
            f"its video (codec {probe.undecodable}) cannot be decoded",
            reason="decode_failed",
            hint="encode it again, as H.264 for example; or use the row key audio for its sound alone",
        )
    if declared == "video":
        raise MediaError("the row says video, and the file has no picture", reason="no_video", hint="use the key audio")
    if probe.audio_index is None:
        raise MediaError("nothing in it can be decoded", reason="no_streams")
    return "audio", _sound_of(probe)


def clip_duration_s(probe: Probe, modality: Modality, *, longest_s: float) -> float:
    """Length of the clip in seconds, to the microsecond: to the end of its last stream; 0 for an image.

    Raises:
        MediaError: ``too_long``; ``no_audio`` for a sound track without a single sample.
    """
    if modality == "image":
        return 0.0
    duration_s = round(max(probe.video_end_s, probe.audio_end_s), 6)
    if duration_s > longest_s:
        raise MediaError(
            f"it is {duration_s:.0f} s long, and at most {longest_s:g} s are taken",
            reason="too_long",
            hint="raise media.max_duration_s, or cut it",
        )
    if duration_s <= 0:
        raise MediaError("its sound track is empty", reason="no_audio")
    return duration_s


def _sound_of(probe: Probe) -> Probe:
    if probe.audio_index is None:
        raise MediaError("the row says audio, and the file has no sound", reason="no_audio", hint="use the key video")
    return replace(probe, video_index=None, video_end_s=0.0, width=None, height=None, fps=None)


def _wrong(declared: Modality | None, what: str, key: str) -> MediaError:
    return MediaError(
        f"the row says {declared}, and the file is {what}", reason="wrong_modality", hint=f"use the key {key}"
    )
