"""The length reward: full up to one length, none from another on, falling evenly in between. Pure.

Source: AVoCaDO, R_L.
"""

from __future__ import annotations

TAU_1 = 2048
TAU_2 = 4096


def length_reward(n_tokens: int, *, tau1: int = TAU_1, tau2: int = TAU_2) -> float:
    """1 below ``tau1`` tokens, 0 from ``tau2`` on, ``1 - (n - tau1) / (tau2 - tau1)`` between them.

    Raises:
        ValueError: a negative length, or thresholds that do not rise.
    """
    if n_tokens < 0:
        raise ValueError(f"a caption cannot have {n_tokens} tokens")
    if not 0 <= tau1 < tau2:
        raise ValueError(f"the thresholds must rise: {tau1}, {tau2}")
    if n_tokens < tau1:
        return 1.0
    return 0.0 if n_tokens >= tau2 else 1.0 - (n_tokens - tau1) / (tau2 - tau1)
