"""How fast a run goes, and when it will be done: from what this run has done itself, never from what it skipped."""

from __future__ import annotations

from collections import deque
from typing import Final

_CALLS_OVER_S: Final = 30.0
_CALLS_FROM_S: Final = 2.0
_CLIPS_OVER_S: Final = 60.0
_CLIPS_AT_LEAST: Final = 10
_SAMPLE_S: Final = 2.0
_SAMPLES: Final = 1800


class Pace:
    """Rates over a sliding window.

    Calls are counted over the last half minute. Clips are counted over the last minute, or as far back as it takes to
    see as many end as are in flight, an hour at most: clips that begin together end together, and a window that sees a
    part of such a wave would be wrong by its size.
    """

    def __init__(self) -> None:
        self._calls: deque[tuple[float, int]] = deque()
        self._clips: deque[tuple[float, int]] = deque(maxlen=_SAMPLES)
        self._now = 0.0
        self._done = 0
        self._in_flight = 0

    def note(self, now_s: float, *, done: int, in_flight: int, calls: int) -> None:
        """Take note of where the run is.

        Args:
            now_s: on the monotonic clock.
            done: clips that this run has finished, with a record or without.
            in_flight: clips that workers have.
            calls: calls to models that were answered.
        """
        self._now, self._done, self._in_flight = now_s, done, in_flight
        self._calls.append((now_s, calls))
        while len(self._calls) > 2 and self._calls[1][0] <= now_s - _CALLS_OVER_S:
            self._calls.popleft()
        if not self._clips and not in_flight:
            return  # Nothing has begun: the time that workers take to start says nothing about clips.
        if not self._clips or now_s - self._clips[-1][0] >= _SAMPLE_S:
            self._clips.append((now_s, done))

    @property
    def calls_per_s(self) -> float | None:
        """``None`` until there is something to go on."""
        if not self._calls:
            return None
        since_s, before = self._calls[0]
        now_s, calls = self._calls[-1]
        return (calls - before) / (now_s - since_s) if now_s - since_s >= _CALLS_FROM_S else None

    @property
    def clips_per_s(self) -> float | None:
        """``None`` until as many clips have ended as are in flight."""
        enough = max(self._in_flight, 1)
        since_s, before = self._window(max(enough, _CLIPS_AT_LEAST))
        if self._done - before < enough or self._now <= since_s:
            return None
        return (self._done - before) / (self._now - since_s)

    def left_s(self, clips: int) -> float | None:
        """How long so many more clips will take."""
        rate = self.clips_per_s
        return None if rate is None else clips / rate

    def _window(self, enough: int) -> tuple[float, int]:
        """Where the window begins: late, but long enough ago and with enough clips after it.

        It begins when a clip has just ended, so that the time in which the next one was under way is counted with it.
        """
        found: tuple[float, int] | None = None
        for since_s, before in reversed(self._clips):
            if found is not None and before < found[1]:
                return found
            if self._now - since_s >= _CLIPS_OVER_S and self._done - before >= enough:
                found = since_s, before
        return self._clips[0] if self._clips else (self._now, self._done)
