"""Loudness over time: the momentary loudness of EBU R 128, ten times a second, in steps that a reader can use. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

from omnidetective.evidence import Level, Span

MOST_LEVELS = 120
"""However long the sound."""
_STEPS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
_WINDOW_S = 0.4
_BLOCK_S = 0.1
_SILENCE_LUFS = -70.0
"""The absolute gate of EBU R 128."""


def step_of(duration_s: float) -> float:
    """The step for a sound: the shortest of half a second, a second, two, five … that gives at most 120 of them."""
    return next((step_s for step_s in _STEPS_S if duration_s <= step_s * MOST_LEVELS), duration_s / MOST_LEVELS)


def levels_of(momentary: Iterable[tuple[float, float]], span: Span) -> tuple[Level, ...]:
    """The mean loudness of each step of a span.

    Args:
        momentary: start of each block of 0.1 s, in seconds of the span, and the momentary loudness in LUFS at its end,
            which is that of the 0.4 s before.

    Returns:
        All steps of the span in order, the last one as short as it comes. ``lufs`` is absent where a step is silent.
    """
    step_s = step_of(span.duration_s)
    count = max(1, math.ceil(span.duration_s / step_s - 1e-6))
    power: list[list[float]] = [[] for _ in range(count)]
    begun: list[float] = []
    for start_s, lufs in momentary:
        energy = 10 ** (lufs / 10) if math.isfinite(lufs) else 0.0
        end_s = start_s + _BLOCK_S
        if end_s < _WINDOW_S - 0.01:
            begun.append(energy)  # Its window began before the sound did: it says too little.
            continue
        centre_s = end_s - _WINDOW_S / 2
        power[min(count - 1, int(centre_s / step_s))].append(energy)
    if not power[0]:
        power[0] = begun[-1:]
    return tuple(
        Level(
            start_s=round(span.start_s + n * step_s, 3),
            end_s=round(min(span.end_s, span.start_s + (n + 1) * step_s), 3),
            lufs=_lufs(energies),
        )
        for n, energies in enumerate(power)
    )


def _lufs(energies: list[float]) -> float | None:
    mean = sum(energies) / len(energies) if energies else 0.0
    lufs = 10 * math.log10(mean) if mean > 0 else -math.inf
    return round(lufs, 1) if lufs > _SILENCE_LUFS else None
