"""Values of charts in figures: as many digits as are known, and no exponent."""

from __future__ import annotations


def figure(value: float) -> str:
    """A number with thousands in groups from 10,000 on: ``12,500``, ``1200``, ``0.35``."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}" if abs(value) >= 10_000 else str(int(value))
    return f"{value:,.10g}" if abs(value) >= 10_000 else f"{value:.10g}"
