"""Requests or tokens per minute, as a bucket that fills steadily. Pure: the caller says what time it is."""

from __future__ import annotations

from typing import Self

_MINUTE_S = 60.0
_DUST = 1e-6


class Bucket:
    """Something of which so much may be taken a minute.

    What is larger than the bucket may be taken when it is full, and what was taken in error is given back. The level
    falls below zero where more was used than was taken: then nobody takes anything until it is made up for.
    """

    def __init__(self, *, capacity: float, per_s: float, now: float) -> None:
        """
        Args:
            capacity: how much can be taken at once after a rest.
            per_s: how fast it fills.
        """
        self._capacity = capacity
        self._per_s = per_s
        self._level = capacity
        self._at = now

    @classmethod
    def of_requests(cls, per_minute: int, now: float) -> Self:
        """Never more than so many requests in any 60 seconds, at most two seconds' worth of them at once.

        ``capacity + 60 s * rate`` stays below ``per_minute + 1``. Evenly spread requests are what providers want:
        limits a minute are often enforced by the second.
        """
        capacity = max(1, per_minute // 30)
        return cls(capacity=capacity, per_s=(per_minute + 1 - capacity - _DUST) / _MINUTE_S, now=now)

    @classmethod
    def of_tokens(cls, per_minute: int, now: float) -> Self:
        """So many tokens a minute on average, a quarter of them at once.

        The quarter is what calls in flight may have reserved beyond what they will take. So in the first minute after a
        rest it can be a quarter more, and one call more where that is larger than the bucket.
        """
        return cls(capacity=per_minute / 4, per_s=per_minute / _MINUTE_S, now=now)

    def wait_s(self, amount: float, now: float) -> float:
        """How long until so much can be taken; 0: now."""
        self._fill(now)
        missing = min(amount, self._capacity) - self._level
        return missing / self._per_s if missing > _DUST / 10 else 0.0

    def take(self, amount: float, now: float) -> None:
        """Take it, whether it is there or not."""
        self._fill(now)
        self._level -= amount

    def give_back(self, amount: float, now: float) -> None:
        """It was not used. A negative amount takes what was used beyond what was taken."""
        self._fill(now)
        self._level = min(self._capacity, self._level + amount)

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._level = min(self._capacity, self._level + (now - self._at) * self._per_s)
            self._at = now
