"""A span of a clip as a video file, given to a model in whichever way it takes and the user allows."""

from __future__ import annotations

from typing import Final, Literal

from omnidetective.errors import MediaError
from omnidetective.evidence import Span
from omnidetective.llm.base import Capabilities, ChatModel
from omnidetective.llm.messages import VideoPart, VideoUrlPart
from omnidetective.media.clip import Clip
from omnidetective.observers.instrument import span_of
from omnidetective.observers.witness import BASE64, Shown, audio_part

Way = Literal["inline", "upload", "url"]
WAYS: Final[tuple[Way, ...]] = ("inline", "upload")

_SENSIBLE_BYTES = 64 << 20
"""Largest file in the body of a call where no limit of the model is known."""
_DECENT_BPS = 250_000
"""A file that must be smaller than this for each second is not sent inline where there is another way."""


def film_lacks(can: Capabilities, ways: tuple[Way, ...]) -> str:
    """What a model with these capabilities lacks for being shown a video in one of these ways; empty for nothing."""
    if not can.video:
        return "takes no video files"
    if not set(ways) & set(can.video_by):
        return f"takes videos by {' or '.join(can.video_by)}, and {' or '.join(ways) or 'nothing'} is allowed"
    return ""


def hears_apart(can: Capabilities) -> bool:
    """Whether sound goes beside a video: the model hears, though not the sound of the file itself."""
    return can.audio and not can.video_sound and can.mixed_media and (can.max_media_parts or 2) > 1


async def film_shown(clip: Clip, span: Span | None, model: ChatModel, *, ways: tuple[Way, ...] = WAYS) -> Shown:
    """A span as a video, and what it is in words.

    Raises:
        MediaError: the span is longer or shorter than the model takes, or fits in none of these ways.
    """
    can = model.capabilities
    wanted = span_of(clip, span)
    _check_length(wanted, model)
    film = await _film(clip, wanted, can, ways)
    if wanted == clip.whole:
        told = "The film above is the whole clip."
    else:
        told = (
            f"The film above is the part from {wanted.start_s:.2f} to {wanted.end_s:.2f} s of the clip: "
            f"add {wanted.start_s:.2f} s to the times in it."
        )
    if not clip.facts.has_audio:
        return (film, f"{told} It has no sound.")
    if can.video_sound:
        return (film, f"{told} You hear its sound.")
    if hears_apart(can) and (can.max_audio_s is None or wanted.duration_s <= can.max_audio_s):
        return (film, await audio_part(clip, span, model), f"{told} Its sound comes after it, from the same moment on.")
    return (film, f"{told} You are not given its sound: say nothing about it.")


def _check_length(wanted: Span, model: ChatModel) -> None:
    shortest_s, longest_s = model.capabilities.min_video_s, model.capabilities.max_video_s
    if longest_s is not None and wanted.duration_s > longest_s:
        raise MediaError(
            f"{model.name} takes at most {longest_s:g} s of video, and {wanted.duration_s:.1f} s were asked for",
            reason="span_too_long",
            hint="ask about a shorter span",
        )
    if shortest_s is not None and wanted.duration_s < shortest_s:
        raise MediaError(
            f"{model.name} takes no less than {shortest_s:g} s of video, and {wanted.duration_s:.1f} s were asked for",
            reason="span_too_short",
            hint="ask about a longer span, or the witness that looks at frames",
        )


async def _film(clip: Clip, wanted: Span, can: Capabilities, ways: tuple[Way, ...]) -> VideoPart | VideoUrlPart:
    sound = clip.facts.has_audio and can.video_sound
    widest: tuple[int, MediaError] | None = None
    for way in _in_order(can, ways, wanted.duration_s):
        if way == "url":
            if wanted == clip.whole and clip.public_url is not None and _small_enough(clip, can):
                return VideoUrlPart(url=clip.public_url, sha256=clip.facts.sha256, duration_s=clip.duration_s)
            continue
        room_bytes = _room_bytes(can, way)
        try:
            return await _part(clip, wanted, sound=sound, max_bytes=room_bytes)
        except MediaError as error:
            if error.reason != "video_too_large":
                raise
            # How much would fit is told of the way that takes most.
            widest = (room_bytes, error) if widest is None or room_bytes > widest[0] else widest
    if widest is not None:
        raise widest[1]
    raise MediaError(
        "only a whole clip that came from a public address can be given by its URL",
        reason="no_public_url",
        hint="allow another way with --set 'observers.video_llm.ways=[url, inline, upload]'",
    )


def _in_order(can: Capabilities, ways: tuple[Way, ...], seconds: float) -> tuple[Way, ...]:
    """The ways that the model takes, as the user ranks them, but for a body in which little could be seen."""
    open_ = [way for way in ways if way in can.video_by]
    if "inline" in open_ and 8 * _room_bytes(can, "inline") < _DECENT_BPS * seconds:
        open_.sort(key=lambda way: way == "inline")
    return tuple(open_)


def _room_bytes(can: Capabilities, way: Way) -> int:
    """The largest file that can go this way. Base64 makes four characters of three bytes, begun ones included."""
    if way == "inline":
        return _SENSIBLE_BYTES if can.max_part_bytes is None else can.max_part_bytes // 4 * 3
    return _SENSIBLE_BYTES if can.max_video_bytes is None else can.max_video_bytes


def _small_enough(clip: Clip, can: Capabilities) -> bool:
    return can.max_video_bytes is None or clip.path.stat().st_size <= can.max_video_bytes


async def _part(clip: Clip, wanted: Span, *, sound: bool, max_bytes: int) -> VideoPart:
    async def make() -> VideoPart:
        made = await clip.video(wanted, sound=sound, max_bytes=max_bytes)
        return VideoPart(data=made.data, duration_s=made.duration_s)

    return await clip.once(
        ("video part", wanted, sound, max_bytes), make, size=lambda part: round(BASE64 * len(part.data))
    )
