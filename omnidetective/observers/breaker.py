"""When an observer that keeps failing is left alone for a while: pure, with the clock given.

Closed, it lets every question through and counts failures in a row. Open, it lets none through until the rest is over.
Then it lets one through, on trial, and that one decides. What the run's own breaker
(:mod:`omnidetective.engine.breaker`) looks at is another thing: causes that no clip can escape, and that stop the run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

How = Literal["worked", "failed", "neither"]
"""How a question ended: ``neither`` says nothing about the observer."""
Change = Literal["", "opened", "closed"]


class Breaker:
    """The state for one observer in one process.

    Attributes:
        failures: failures in a row, of those that counted.
    """

    def __init__(self, *, most_failures: int, rest_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            most_failures: so many in a row open it; 0: it never opens.
            rest_s: how long it stays open before the next trial.
            clock: seconds, never going back.
        """
        self.failures = 0
        self._most = most_failures
        self._rest_s = rest_s
        self._clock = clock
        self._open_until: float | None = None
        self._trying = False

    @property
    def wait_s(self) -> float | None:
        """Seconds until a question may be put; 0 while one is on trial; ``None``: one may be put now."""
        if self._open_until is None:
            return None
        if self._trying:
            return 0.0
        left_s = self._open_until - self._clock()
        return left_s if left_s > 0 else None

    def begin(self) -> bool:
        """A question is put, which :attr:`wait_s` allows; whether it is on trial. :meth:`end` must follow."""
        if self._open_until is not None:
            self._trying = True
            return True
        return False

    def end(self, how: How, *, trial: bool) -> Change:
        """A question has ended.

        An answer closes it, whenever the question was put. While it is open, only the failure of the trial counts: the
        others were begun before, and say nothing new.

        Args:
            trial: what :meth:`begin` said.
        """
        if trial:
            self._trying = False
        if how == "worked":
            was_open, self._open_until, self.failures = self._open_until is not None, None, 0
            return "closed" if was_open else ""
        if how == "neither" or (self._open_until is not None and not trial):
            return ""
        self.failures += 1
        if self._open_until is not None:
            self._open_until = self._clock() + self._rest_s
        elif self._most and self.failures >= self._most:
            self._open_until = self._clock() + self._rest_s
            return "opened"
        return ""
