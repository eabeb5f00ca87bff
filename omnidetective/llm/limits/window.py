"""How many calls at once a provider bears, found out from its answers.

Additive increase and multiplicative decrease, as TCP does it, and as DCTCP does (RFC 8257) by the *share* of calls that
are refused: a provider that refuses everything is pressed too hard, one that refuses a call in a hundred has trouble of
its own, and to halve for that each time would leave a hundredth of the speed. Five things differ from the RFC:

- The window grows by answers, slowly where it is small, and by time at least so fast that it is back in a minute: a
  model answers in 50 ms or in a minute, and the limit is by the minute either way.
- A level below one call at once is a rate of few calls a minute: there, growth by time is in proportion to the window.
- It does not grow more slowly near the size at which calls were refused: where calls are refused whatever the load, a
  small window would never come up again. So a provider that holds to a rate refuses one call in seven to ten. What
  that must not cost, a clip, the order of calls sees to (:class:`~omnidetective.llm.limits.lane.LaneBooks`).
- A cut is deepened by the other refusals of its round, since a whole burst is refused at once.
- A window below one call is kept by spacing calls, for a provider that answers fast and allows few.

What that comes to is measured in ``tests/llm/test_finding_the_rate.py`` and told in ``docs/design/engine.md``.

Pure: the caller says what time it is.
"""

from __future__ import annotations

from typing import Final

RECOVERY_S: Final = 60.0
"""After a cut, how long it takes at most to come back to the size before it."""

_SMALLEST: Final = 0.01
_SLOWEST_GROWTH: Final = 0.5 / RECOVERY_S
_SMOOTHING: Final = 0.2
_ANSWERS_TO_DOUBLE: Final = 64
"""Of a small window; a large one grows by ``_STEP`` calls for each window of answers."""
_STEP: Final = 4
_LEVEL_SMOOTHING: Final = 0.25
_FEWEST: Final = 4
"""Calls over which the share of refusals is measured: as many as go at once, and at least so many."""


class Window:
    """Open without limit until the first 429.

    Attributes:
        size: calls at once; below 1: one at a time, with a rest in between. ``None``: no limit is known.
        refused: the share of calls that were refused lately, 0…1.
    """

    def __init__(self) -> None:
        self.size: float | None = None
        self.refused = 0.0
        self._ended = 0
        self._before = 0.0
        self._level: float | None = None
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
        """A 429. Cuts the window by half the share of refused calls, once for all that were in flight together.

        Args:
            serial: number of the call, in the order in which calls were begun.
            newest: number of the call that was begun last.
            in_flight: calls in flight, this one included.

        Returns:
            Whether it is the first of its round.
        """
        self._count(refused=True, at_once=in_flight)
        first = serial > self._cut_at_serial
        if first:
            self._before = float(in_flight) if self.size is None else min(self.size, max(1.0, in_flight))
            self._level = self._smoothed_level()
            self._cut_at_serial = newest
            self._grown_at = now
        # With one call at a time each refusal is the whole of its round.
        share = 1.0 if self._before <= 1 else self.refused
        cut = max(_SMALLEST, self._before * (1 - share / 2))
        self.size = cut if first or self.size is None else min(self.size, cut)
        self._growth_per_s = (self._before - self.size) / RECOVERY_S
        return first

    def joined(self, calls: int) -> None:
        """Calls turn out to be in flight that nobody knew of when the window was first cut: it was cut too far."""
        if self.size is not None:
            self._before += calls
            self.size += calls * (1 - self.refused / 2)

    def answered(self, serial: int, *, in_flight: int, seconds: float, now: float) -> None:
        """An answer came. Grows the window where it is used, and where nothing has gone wrong since the call began.

        Args:
            in_flight: calls in flight, this one included.
            seconds: how long it took.
        """
        self._count(refused=False, at_once=in_flight)
        self._call_s = seconds if self._call_s is None else self._call_s + (seconds - self._call_s) * _SMOOTHING
        if self.size is None:
            return
        used = in_flight > self.size - 1
        if used and serial > max(self._cut_at_serial, self._trouble_at_serial):
            self.size += self._growth(min(now - self._grown_at, max(1.0, seconds, self.spacing_s)))
        self._grown_at = now

    def failed(self, *, newest: int) -> None:
        """A server error or a time-out: no growth until a call that was begun later is answered."""
        self._trouble_at_serial = newest

    def _growth(self, since_s: float) -> float:
        """By an answer, so many seconds after the one before it."""
        assert self.size is not None
        assert self._level is not None
        by_answer = min(_STEP / self.size, self.size / _ANSWERS_TO_DOUBLE)
        # A level below one call at once is a rate of few calls a minute: half a call more would be several times that.
        slowest = _SLOWEST_GROWTH * min(1.0, max(self.size, self._level))
        return max(by_answer, since_s * max(self._growth_per_s, slowest))

    def _smoothed_level(self) -> float:
        """The size at which calls are refused: slow to change, so that a storm does not make it forgotten."""
        return self._before if self._level is None else self._level + (self._before - self._level) * _LEVEL_SMOOTHING

    def _count(self, *, refused: bool, at_once: int) -> None:
        """The first calls count alike, later ones more than those before them."""
        self._ended += 1
        over = min(self._ended, max(_FEWEST, at_once))
        self.refused += (refused - self.refused) / over
