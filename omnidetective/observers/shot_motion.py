"""What the shot detector sees in frames of small size: fades, dissolves, and what the camera does.

Frames are taken in pieces, so that a long clip does not fill the memory. Of a very long span only samples are looked
at: what it costs has a bound.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from omnidetective.embedded.inference import infer, require_packages
from omnidetective.embedded.motion import BASELINE_S, PACKAGES, Flow, camera_moves, flow
from omnidetective.embedded.transitions import fades
from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import CameraMove, Cut, Fade, Span
from omnidetective.media.clip import Clip
from omnidetective.observers.instrument import luma

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FPS = 10.0
_SIDE_PX = 192
_STEP = 2
"""Frames from one measurement of motion to the next."""
_BASELINE = round(BASELINE_S * _FPS)
_PIECE_S = 60.0
_MORE_S = 6.0
"""By how much a piece reaches into the next one, so that no fade is cut in two."""
_LONGEST_S = 600.0
"""Of a longer span, samples of this length altogether are looked at."""
_SAMPLE_S = 20.0
_EDGE_S = 0.15


@dataclass(frozen=True, slots=True)
class _Piece:
    """Frames to look at; ``own_s`` is where the next piece takes over; open ends are edges that the clip has not."""

    span: Span
    own_s: float
    open_start: bool
    open_end: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen.

    Attributes:
        looked: the stretches that were looked at, in order.
        no_camera: why the camera was not followed; empty where it was.
    """

    fades: tuple[Fade, ...] = ()
    camera: tuple[CameraMove, ...] = ()
    looked: tuple[Span, ...] = ()
    no_camera: str = ""


async def look(clip: Clip, span: Span, cuts: Sequence[Cut], *, deadline: float) -> Seen:
    """Look for fades and camera moves.

    Args:
        cuts: the hard cuts within the span.
        deadline: moment of ``time.monotonic()`` after which no further piece is begun.
    """
    no_camera = ""
    try:
        require_packages(*PACKAGES)
    except ObserverUnavailableError as error:
        no_camera = str(error)
    found: list[Fade] = []
    flows: list[Flow | None] = []
    times: list[float] = []
    looked: list[Span] = []
    for number, piece in enumerate(_pieces(span)):
        if number and time.monotonic() > deadline:
            break
        frames = await clip.gray_frames(_FPS, span=piece.span, longest_side_px=_SIDE_PX)
        pictures = [luma(frame) for frame in frames]
        if len({picture.shape for picture in pictures}) > 1:
            continue  # the film changes its format on the way: pictures of two shapes cannot be compared
        start_s = piece.span.start_s
        new = await infer(lambda p=pictures, s=start_s: fades(p, start_s=s, step_s=1 / _FPS))  # type: ignore[misc]
        found += _whole_ones(new, piece, [*found], cuts)
        looked.append(Span(start_s=start_s, end_s=piece.own_s))
        if not no_camera:
            own = [n for n in range(0, len(pictures) - _BASELINE, _STEP) if start_s + n / _FPS < piece.own_s - 1e-6]
            flows += await infer(lambda p=pictures, s=start_s, o=own: _flows(p, s, o, cuts))  # type: ignore[misc]
            times += [start_s + n / _FPS + BASELINE_S / 2 for n in own]
    moves = [
        move
        for stretch in _without(_joined(looked), found, cuts)
        for move in camera_moves(
            [item for item, at in zip(flows, times, strict=True) if stretch.start_s <= at < stretch.end_s],
            step_s=_STEP / _FPS,
            start_s=stretch.start_s,
            end_s=stretch.end_s,
        )
    ]
    return Seen(tuple(sorted(found, key=lambda fade: fade.start_s)), tuple(moves), tuple(_joined(looked)), no_camera)


def _pieces(span: Span) -> list[_Piece]:
    if span.duration_s <= _LONGEST_S:
        count = max(1, round(span.duration_s / _PIECE_S))
        # Whole steps, so that measurements go on evenly from one piece to the next.
        edges = [span.start_s + round(n * span.duration_s / count * _FPS / _STEP) * _STEP / _FPS for n in range(count)]
        return [
            _Piece(Span(start_s=a, end_s=min(b + _MORE_S, span.end_s)), b, n > 0, b + _MORE_S < span.end_s)
            for n, (a, b) in enumerate(pairwise([*edges, span.end_s]))
        ]
    count = round(_LONGEST_S / _SAMPLE_S)
    starts = [span.start_s + n * (span.duration_s - _SAMPLE_S) / (count - 1) for n in range(count)]
    ends = [min(start_s + _SAMPLE_S, span.end_s) for start_s in starts]
    return [
        _Piece(Span(start_s=a, end_s=b), b, n > 0, n + 1 < count)
        for n, (a, b) in enumerate(zip(starts, ends, strict=True))
    ]


def _whole_ones(new: Sequence[Fade], piece: _Piece, known: Sequence[Fade], cuts: Sequence[Cut]) -> list[Fade]:
    """Without those that the edge of a piece cuts, that another piece has, or that a cut goes through."""
    return [
        fade.model_copy(update={"end_s": min(fade.end_s, piece.span.end_s)})
        for fade in new
        if not (piece.open_start and fade.start_s < piece.span.start_s + _EDGE_S)
        and not (piece.open_end and fade.end_s > piece.span.end_s - _EDGE_S)
        and not any(fade.start_s < old.end_s and old.start_s < fade.end_s for old in known)
        and not any(fade.start_s + _EDGE_S < cut.time_s < fade.end_s - _EDGE_S for cut in cuts)
    ]


def _flows(
    pictures: Sequence[NDArray[np.uint8]], start_s: float, firsts: Sequence[int], cuts: Sequence[Cut]
) -> list[Flow | None]:
    flows: list[Flow | None] = []
    for n in firsts:
        from_s, to_s = start_s + n / _FPS, start_s + (n + _BASELINE) / _FPS
        if any(from_s < cut.time_s <= to_s + 1e-6 for cut in cuts):
            flows.append(None)
        else:
            middle_s = (from_s + to_s) / 2
            flows.append(flow(pictures[n], pictures[n + _BASELINE], time_s=middle_s, seconds=BASELINE_S))
    return flows


def _joined(spans: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in spans:
        if joined and span.start_s <= joined[-1].end_s + 1e-6:
            joined.append(Span(start_s=joined.pop().start_s, end_s=span.end_s))
        else:
            joined.append(span)
    return joined


def _without(looked: Sequence[Span], found: Sequence[Fade], cuts: Sequence[Cut]) -> list[Span]:
    """The stretches that neither a cut nor a fade interrupts."""
    taken = sorted([(cut.time_s, cut.time_s) for cut in cuts] + [(fade.start_s, fade.end_s) for fade in found])
    stretches: list[Span] = []
    for span in looked:
        at = span.start_s
        for start_s, end_s in taken:
            if end_s < span.start_s or start_s > span.end_s:
                continue
            if start_s > at:
                stretches.append(Span(start_s=at, end_s=start_s))
            at = max(at, end_s)
        if at < span.end_s:
            stretches.append(Span(start_s=at, end_s=span.end_s))
    return stretches
