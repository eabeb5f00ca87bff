"""As many digits of a measured value as its tolerance bears."""

from __future__ import annotations

import math


def rounded(value: float, tolerance: float) -> float:
    """A value rounded to a tenth of its tolerance's power of ten or coarser, so that no digit is made up."""
    if tolerance <= 0 or not math.isfinite(tolerance):
        return value
    places = -math.floor(math.log10(tolerance))
    return round(value, places) + 0.0
