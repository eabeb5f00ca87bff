"""Where a long clip is cut into segments: at a cut of the picture, else in a silence, else at a fixed length.

All segments are spans of one timeline: nothing has to be mapped back, because every time is one of the whole clip.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from omnidetective.errors import MediaError
from omnidetective.evidence import Span
from omnidetective.media.clip import Clip
from omnidetective.settings import SegmentSettings

_SHORTEST = 0.5
"""Share of the longest segment under which no segment is made to end at a better place."""


async def plan_segments(clip: Clip, settings: SegmentSettings) -> tuple[Span, ...]:
    """The segments of a clip, in order and without gaps; none for a clip that is short enough to be worked on whole.

    Raises:
        MediaError: the file could not be measured.
    """
    if clip.whole is None or clip.duration_s <= settings.max_s:
        return ()
    cuts = tuple(cut.time_s for cut in await clip.scene_cuts()) if clip.facts.has_video else ()
    return segment_at(clip.duration_s, settings.max_s, best=cuts, good=await _silences(clip))


def segment_at(duration_s: float, max_s: float, *, best: Iterable[float], good: Iterable[float]) -> tuple[Span, ...]:
    """Spans that cover ``0…duration_s``, none longer than ``max_s``.

    Each ends at the latest of the ``best`` times in its second half, else at a ``good`` one, else what is left is cut
    in equal parts.
    """
    best, good = tuple(sorted(best)), tuple(sorted(good))
    spans: list[Span] = []
    start_s = 0.0
    while duration_s - start_s > max_s:
        earliest_s, latest_s = start_s + _SHORTEST * max_s, start_s + max_s
        in_reach = [[t for t in times if earliest_s <= t <= latest_s] for times in (best, good)]
        left_s = duration_s - start_s
        even_s = start_s + left_s / math.ceil(left_s / max_s)
        end_s = (in_reach[0] or in_reach[1] or [even_s])[-1]
        spans.append(Span(start_s=start_s, end_s=end_s))
        start_s = end_s
    if duration_s > start_s:
        spans.append(Span(start_s=start_s, end_s=duration_s))
    return tuple(spans)


async def _silences(clip: Clip) -> tuple[float, ...]:
    """The middles of the silences."""
    if not clip.facts.has_audio:
        return ()
    try:
        loudness = await clip.loudness()
    except MediaError as error:
        if error.reason != "no_audio":
            raise
        return ()
    return tuple((span.start_s + span.end_s) / 2 for span in loudness.silent)
