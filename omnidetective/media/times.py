"""Which moments to look at: uniform, at a rate, or by shot. Pure functions; times are seconds of the clip."""

from __future__ import annotations

import math
from collections.abc import Sequence

from omnidetective.evidence import Span

_FEW = 32
_MANY = 1024
_DENSE_S = 60.0


def uniform_times(count: int, span: Span) -> tuple[float, ...]:
    """The centres of ``count`` equal parts of the span."""
    if count < 1:
        raise ValueError(f"count must be at least 1, not {count}")
    part_s = span.duration_s / count
    return tuple(span.start_s + (i + 0.5) * part_s for i in range(count))


def sampled_times(fps: float, span: Span) -> tuple[float, ...]:
    """``start, start + 1/fps, …`` before the end of the span; at least one."""
    if not 0 < fps < math.inf:
        raise ValueError(f"fps must be positive, not {fps}")
    # A hair less than the quotient: 30 samples in a second at 30 a second, whatever the floats make of it.
    count = max(1, math.ceil(span.duration_s * fps - 1e-6))
    return tuple(span.start_s + i / fps for i in range(count))


def shot_times(shots: Sequence[Span], *, limit: int, every_s: float = 10.0) -> tuple[float, ...]:
    """Moments that show every shot: its centre, away from transitions; several, evenly, in a long one.

    Args:
        shots: the shots in order.
        limit: most moments. When it does not suffice, long shots first lose their extra moments; when there are more
            shots than that, shots evenly spread over the clip are left out.
        every_s: a shot gets one moment for each such stretch that it lasts, at least one.

    Returns:
        Times in order.
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    if not shots:
        return ()
    if len(shots) > limit:
        chosen = [shots[int((i + 0.5) * len(shots) / limit)] for i in range(limit)]
        return tuple(time for shot in chosen for time in uniform_times(1, shot))
    counts = [max(1, round(shot.duration_s / every_s)) for shot in shots]
    while sum(counts) > limit:
        # Taken from where moments lie closest together.
        densest = min((i for i, count in enumerate(counts) if count > 1), key=lambda i: shots[i].duration_s / counts[i])
        counts[densest] -= 1
    return tuple(time for shot, count in zip(shots, counts, strict=True) for time in uniform_times(count, shot))


def spread_times(shots: Sequence[Span], count: int) -> tuple[float, ...]:
    """``count`` moments that show every shot: one in each at least, the others where they lie furthest apart.

    Args:
        shots: the shots in order, at least one. Where there are more of them than moments, some are left out, evenly.

    Returns:
        Times in order.
    """
    if not shots:
        raise ValueError("there is no shot")
    if len(shots) >= count:
        return shot_times(shots, limit=count)
    counts = [1] * len(shots)
    for _ in range(count - len(shots)):
        counts[max(range(len(shots)), key=lambda i: shots[i].duration_s / counts[i])] += 1
    return tuple(time for shot, each in zip(shots, counts, strict=True) for time in uniform_times(each, shot))


def in_requests(times_s: Sequence[float]) -> tuple[tuple[float, ...], ...]:
    """Ascending times in parts that one request to the decoder can answer in good time, each in one pass.

    Each request has its own time limit, and other clips get their turn between two; but each begins with a seek to a
    keyframe, so parts that are dense in time are long.
    """
    parts: list[list[float]] = []
    for time_s in times_s:
        full = parts and len(parts[-1]) >= _FEW and (len(parts[-1]) >= _MANY or time_s - parts[-1][0] > _DENSE_S)
        if not parts or full:
            parts.append([])
        parts[-1].append(time_s)
    return tuple(tuple(part) for part in parts)
