"""How many calls at once a provider bears, found out from its answers: additive increase, multiplicative decrease.

TCP's rule (RFC 5681), with two changes. The increase is by time and not by round trip, since a model answers in 50 ms
or in a minute and the limit is by the minute either way. And a window below one call is kept by spacing calls, for a
provider that answers fast and allows few. Pure: the caller says what time it is.
"""

from __future__ import annotations

from typing import Final

RECOVERY_S: Final = 60.0
"""How long it takes to come back to the size at which the provider complained."""

_SMALLEST: Final = 0.01
_SLOWEST_GROWTH: Final = 0.5 / RECOVERY_S
_SMOOTHING: Final = 0.2


class Window:
    """Open without limit until the first 429.

    Attributes:
        size: calls at once; below 1: one at a time, with a rest in between. ``None``: no limit is known.
    """

    def __init__(self) -> None:
        self.size: float | None = None
        self._growth_per_s = 0.0
        self._grown_at = 0.0
        self._cut_at_serial = 0
        self._trouble_at_serial = 0
        self._call_s: float | None = None

    def has_room(self, in_flight: int) -> bool:
        """Whether one more call fits beside those in flight."""
        return self.size is None or in_flight < max(1.0, self.size)

    @property
    def spacing_s(self) -> float:
        """Least time from the begin of one call to that of the next."""
        if self.size is None or self.size >= 1 or self._call_s is None:
            return 0.0
        return self._call_s / self.size

    def rate_limited(self, serial: int, *, newest: int, in_flight: int, now: float) -> bool:
        """A 429. Halves the window, once for all calls that were in flight together.

        Args:
            serial: number of the call, in the order in which calls were begun.
            newest: number of the call that was begun last.
            in_flight: calls in flight, this one included.

        Returns:
            Whether it is the first of its round.
        """
        if serial <= self._cut_at_serial:
            return False
        before = float(in_flight) if self.size is None else min(self.size, max(1.0, in_flight))
        self.size = max(_SMALLEST, before / 2)
        self._growth_per_s = max(before / 2 / RECOVERY_S, _SLOWEST_GROWTH)
        self._cut_at_serial = newest
        self._grown_at = now
        return True

    def joined(self, calls: int) -> None:
        """Calls turn out to be in flight that nobody knew of when the window was first cut: it was cut too far."""
        if self.size is not None:
            self.size += calls / 2

    def answered(self, serial: int, *, in_flight: int, seconds: float, now: float) -> None:
        """An answer came. Grows the window where it is used, and where nothing has gone wrong since the call began.

        Args:
            in_flight: calls in flight, this one included.
            seconds: how long it took.
        """
        self._call_s = seconds if self._call_s is None else self._call_s + (seconds - self._call_s) * _SMOOTHING
        if self.size is None:
            return
        used = in_flight > self.size - 1
        if used and serial > max(self._cut_at_serial, self._trouble_at_serial):
            self.size += min(now - self._grown_at, max(1.0, seconds, self.spacing_s)) * self._growth_per_s
        self._grown_at = now

    def failed(self, *, newest: int) -> None:
        """A server error or a time-out: no growth until a call that was begun later is answered."""
        self._trouble_at_serial = newest
