"""What the instruments share: the span that is looked at, frames as arrays, how times are told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from omnidetective.evidence import Cut, Span
from omnidetective.media.clip import Clip
from omnidetective.media.frames import GrayFrame
from omnidetective.observers.base import in_proportion

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SHORTEST_S = 0.04
_SHARE_OF_TIME = 0.85


def span_of(clip: Clip, span: Span | None) -> Span:
    """The part of the clip that is asked about; its last moment when the span lies beyond the end. Not for images."""
    whole = clip.whole
    assert whole is not None, "an image has no time"
    if span is None:
        return whole
    end_s = min(span.end_s, whole.end_s)
    start_s = min(span.start_s, max(0.0, end_s - min(_SHORTEST_S, end_s)))
    return Span(start_s=start_s, end_s=end_s)


def time_to_answer_s(limit_s: float, clip: Clip, span: Span | None) -> float:
    """After how long an instrument answers with what it has, so that its work is not lost to the time limit.

    Args:
        limit_s: ``investigate.observer_timeout_s``.
    """
    return in_proportion(limit_s, clip, span) * _SHARE_OF_TIME


def one_page_note(clip: Clip) -> str:
    """That an instrument which measures one picture measured one page of several; empty for all other clips."""
    return f"Measured of page {clip.first_page} of {clip.pages}." if clip.pages > 1 else ""


def luma(frame: GrayFrame) -> NDArray[np.uint8]:
    """The brightness of a frame, shape ``(height, width)``."""
    import numpy as np

    return np.frombuffer(frame.luma, np.uint8).reshape(frame.height, frame.width)


def times(spans: Iterable[Span]) -> str:
    """Spans in words: ``0.00–1.50, 3.00–4.20 s``."""
    return ", ".join(f"{span.start_s:.2f}–{span.end_s:.2f}" for span in spans) + " s"


def changed_at_s(before_s: float, after_s: float, cuts: Sequence[Cut]) -> float:
    """When something changed that two frames show differently: at a cut between them, else halfway."""
    return next((cut.time_s for cut in cuts if before_s < cut.time_s <= after_s), (before_s + after_s) / 2)
