"""Which frames of a span a witness is shown: some of every shot, always the same, and some that the question wants."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pydantic import Field

from omnidetective.errors import MediaError
from omnidetective.evidence import Cut, Span
from omnidetective.llm.base import Capabilities
from omnidetective.llm.messages import FramesPart, ImagePart
from omnidetective.media.clip import Clip
from omnidetective.media.frames import Frame
from omnidetective.media.times import spread_times, uniform_times
from omnidetective.observers.instrument import span_of
from omnidetective.observers.question_times import named_times
from omnidetective.observers.witness import BASE64, LookingSettings, Shown, frames_shown, frames_wanted, told_times

_USUAL_FPS = 25.0
_WHOLE_UP_TO_S = 300.0
"""Up to this length all cuts of a clip are looked for, once for all its spans; of a longer one, those of the span."""
_MOMENT_S = 1.0
_LIST_FPS = (0.1, 10.0)
"""What may be said of how densely a list of frames lies: https://help.aliyun.com/en/model-studio/vision."""

log = logging.getLogger(__name__)


class FrameSettings(LookingSettings):
    """Settings of a witness whose frames are chosen by shot and by the question."""

    min_frames: int = Field(default=6, ge=1)
    """Fewest frames of one look, as far as the span has so many: the shorter a span, the denser the look."""
    question_frames: int = Field(default=4, ge=0)
    """Most frames that are added where the question names times, such as "at 12.5 s" or "in the first seconds"."""
    tiles: int = Field(default=0, ge=0)
    """Most tiles of each page of an image that are shown beside the whole, so that small print can be read: see
    docs/guides/images.md. None by default, since it is asked many times about one picture and `ocr` reads it anyway;
    `annotate.tiles` is for those who caption it."""


@dataclass(frozen=True, slots=True)
class _Looked:
    """Different pictures, and the times at which each was seen."""

    pictures: tuple[ImagePart, ...]
    times_s: tuple[tuple[float, ...], ...]

    @property
    def size_bytes(self) -> int:
        return round(BASE64 * sum(len(picture.data) for picture in self.pictures))


async def frames_chosen(
    clip: Clip, question: str, span: Span | None, look: FrameSettings, *, can: Capabilities, beside: int = 0
) -> Shown:
    """Frames of a span, then their times.

    First come ``fps`` a second, at least ``min_frames``, at most ``max_frames``, so spread that every shot is seen:
    these are the same for every question about the span. Then come up to ``question_frames`` of the times that the
    question names. Frames that are the same picture are shown once. An image is shown without a time: its pages, and
    ``tiles`` of each.

    A model that takes one medium in a message, and a list of frames as one, gets them all as a list, in order of time.

    Args:
        beside: how many other media the message holds.
    """
    if clip.modality == "image":
        return await frames_shown(clip, span, look, most=can.max_media_parts, tiles=look.tiles)
    most = most_pictures(can, beside=beside)
    wanted = span_of(clip, span)
    count = base_frames(wanted.duration_s, look, clip_fps=clip.facts.fps, most=most)
    times_s = spread_times(await _shots(clip, wanted), count)

    room = look.question_frames if most is None else min(look.question_frames, most - count)
    extra_s = _extra_times(question, wanted, times_s, room, clip_fps=clip.facts.fps)
    if _takes_a_list(can):
        return await _as_list(clip, sorted((*times_s, *extra_s)), least=can.min_frames)

    async def make() -> _Looked:
        return _different(await clip.frames(times_s), times_s)

    base = await clip.once(("frames chosen", times_s), make, size=lambda looked: looked.size_bytes)
    if not extra_s:
        return (*base.pictures, told_times(base.times_s))
    extra = _different(await clip.frames(extra_s), extra_s)
    known = {picture.data for picture in base.pictures}
    added = [n for n, picture in enumerate(extra.pictures) if picture.data not in known]
    again = {picture.data: at for picture, at in zip(extra.pictures, extra.times_s, strict=True)}
    seen = [
        tuple(sorted({*at, *again.get(picture.data, ())}))
        for picture, at in zip(base.pictures, base.times_s, strict=True)
    ]
    told = told_times([*seen, *(extra.times_s[n] for n in added)], added=len(added))
    return (*base.pictures, *(extra.pictures[n] for n in added), told)


def most_pictures(can: Capabilities, *, beside: int = 0) -> int | None:
    """How many pictures a model takes in one message, beside other media; ``None`` for any number."""
    if _takes_a_list(can):
        return can.max_frames
    return None if can.max_media_parts is None else can.max_media_parts - beside


def _takes_a_list(can: Capabilities) -> bool:
    return can.frames and can.max_media_parts == 1


async def _as_list(clip: Clip, times_s: list[float], *, least: int) -> Shown:
    """Frames as one part; a list that is too short for the model ends with its last frame several times."""
    shown_s = [*times_s, *times_s[-1:] * (least - len(times_s))]
    frames = tuple(
        ImagePart(data=frame.jpeg, time_s=at) for frame, at in zip(await clip.frames(shown_s), shown_s, strict=True)
    )
    seconds = times_s[-1] - times_s[0]
    fps = (len(times_s) - 1) / seconds if seconds else _LIST_FPS[1]
    return (
        FramesPart(frames=frames, fps=round(min(max(fps, _LIST_FPS[0]), _LIST_FPS[1]), 3)),
        told_times([(time_s,) for time_s in shown_s]),
    )


def base_frames(seconds: float, look: FrameSettings, *, clip_fps: float | None, most: int | None) -> int:
    """How many frames of a span are shown whatever is asked.

    Args:
        clip_fps: frames a second of the clip: a short span is not filled up beyond what it has.
        most: most pictures that the model takes; some of them, up to a quarter, are left for the question.
    """
    there = max(1, int(seconds * (clip_fps or _USUAL_FPS)))
    if most is not None:
        most = max(1, most - min(look.question_frames, most // 4))
    least = min(look.min_frames, there)
    return frames_wanted(seconds, fps=look.fps, max_frames=look.max_frames, most=most, least=least)


async def _shots(clip: Clip, span: Span) -> tuple[Span, ...]:
    """The shots of a span, by its hard cuts; the span itself where they cannot be found."""
    cuts: Sequence[Cut] = ()
    try:
        cuts = await clip.scene_cuts(span=None if clip.duration_s <= _WHOLE_UP_TO_S else span)
    except MediaError as error:
        # Single frames may still be had, and then evenly spread ones are better than none.
        log.info("%s: its cuts cannot be found (%s), so frames are spread evenly", clip.id, error.reason)
    edges = [span.start_s, *(cut.time_s for cut in cuts if span.start_s < cut.time_s < span.end_s), span.end_s]
    return tuple(Span(start_s=a, end_s=b) for a, b in pairwise(edges) if b > a)


def _extra_times(
    question: str, span: Span, base_s: Sequence[float], room: int, *, clip_fps: float | None
) -> tuple[float, ...]:
    """Up to ``room`` times that the question names, shared out evenly, without frames that are shown anyway."""
    named = named_times(question, span)[: max(0, room)]
    near_s = 0.5 / (clip_fps or _USUAL_FPS)
    times_s: set[float] = set()
    for number, window in enumerate(named):
        each = room // len(named) + (number < room % len(named))
        if window.duration_s <= _MOMENT_S and each > 1:
            each -= (each + 1) % 2  # An odd number shows the moment itself.
        times_s |= set(uniform_times(each, window))
    return tuple(sorted(t for t in times_s if all(abs(t - shown_s) > near_s for shown_s in base_s)))


def _different(frames: Sequence[Frame], times_s: Sequence[float]) -> _Looked:
    at: dict[bytes, list[float]] = {}
    for frame, time_s in zip(frames, times_s, strict=True):
        at.setdefault(frame.jpeg, []).append(time_s)
    pictures = tuple(ImagePart(data=jpeg, time_s=seen[0]) for jpeg, seen in at.items())
    return _Looked(pictures, tuple(tuple(seen) for seen in at.values()))
