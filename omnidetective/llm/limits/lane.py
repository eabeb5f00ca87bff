"""What is known of one lane: its limits, who waits, what is in flight, and until when it is closed. Pure."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from omnidetective.llm.limits.bucket import Bucket
from omnidetective.llm.limits.window import Window
from omnidetective.llm.permits import CallResult, Lane

Why = Literal["requests", "tokens", "concurrency", "paused", "money"]
"""What a call waits for: requests a minute, tokens a minute, another call to end, a pause that the provider asked for,
or money that calls in flight have reserved."""

LONGEST_PAUSE_S: Final = 3600.0
"""A provider that asks for a longer rest is asked again after this."""

_ANSWERS_TO_BE_SURE: Final = 2
"""Calls that were begun after a 429 and answered, until the lane counts as open."""
_LONGER_EACH_TIME: Final = 4.0
"""Rests of a call that is refused again and again: 1, 4, 16, 60 s, where the first is 1 s and the longest 60 s."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why the first in line cannot go.

    Attributes:
        for_s: how long, in seconds; infinite where it depends on calls in flight.
    """

    why: Why
    for_s: float


@dataclass(slots=True, eq=False)
class Call:
    """A call that waits, or is in flight.

    Attributes:
        tokens, cost_usd: as planned; taken when the call is begun.
        refusals: 429s that the same call has met so far.
        serial: its number among the calls of the lane, in the order in which they are begun.
        begun_at: ``None`` while it waits.
    """

    ticket: int
    lane: LaneBooks
    tokens: int
    cost_usd: Decimal | None
    refusals: int = 0
    serial: int = 0
    begun_at: float | None = None


class LaneBooks:
    """The books of one lane.

    Calls go in the order in which they came, but a call has only so many attempts, and must not lose them to others.
    So after a 429 the lane is in doubt until two calls begun later are answered. While it is, calls go first that
    were refused least: they have attempts to lose. After that, calls go first that were refused most. Where all that
    wait were refused twice or more, the rest is longer than the lane's own, so that five attempts outlast a minute.

    Attributes:
        paused_until: nobody goes before.
    """

    def __init__(self, lane: Lane, now: float, *, first_pause_s: float, longest_pause_s: float) -> None:
        """
        Args:
            first_pause_s: after a 429 that does not say for how long, where all calls are refused; in proportion where
                some are. Doubled while no answer comes.
            longest_pause_s: most of that.
        """
        self.lane = lane
        self._line: dict[int, deque[Call]] = {}
        self.in_flight = 0
        self.paused_until = -math.inf
        self.window = Window()
        self._requests = Bucket.of_requests(lane.requests_per_minute, now) if lane.requests_per_minute else None
        self._tokens = Bucket.of_tokens(lane.tokens_per_minute, now) if lane.tokens_per_minute else None
        self._first_pause_s = first_pause_s
        self._longest_pause_s = longest_pause_s
        self._next_pause_s = first_pause_s
        self._round_pause_s = first_pause_s
        self._round_at = -math.inf
        self._newest = 0
        self._unexplained_at = -math.inf
        self._in_doubt = 0
        self._newest_in_doubt = 0
        self._begun_at = -math.inf

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return sum(map(len, self._line.values()))

    def wait(self, call: Call) -> None:
        """It gets in line."""
        self._line.setdefault(call.refusals, deque()).append(call)

    def first(self) -> Call:
        """Who goes next. Only where somebody waits."""
        return self._line[(min if self._in_doubt else max)(self._line)][0]

    def leave(self, call: Call) -> None:
        """It waits no longer."""
        line = self._line[call.refusals]
        line.remove(call)  # The first one, as a rule.
        if not line:
            del self._line[call.refusals]

    def obstacle(self, call: Call, now: float) -> Obstacle | None:
        """Why a call cannot be begun now, its cost aside."""
        closed_until = max(self.paused_until, self._rest_until(call))
        if now < closed_until:
            return Obstacle("paused", closed_until - now)
        most = self.lane.concurrency
        if (most is not None and self.in_flight >= most) or not self.window.has_room(self.in_flight):
            return Obstacle("concurrency", math.inf)
        if (rest_s := self._begun_at + self.window.spacing_s - now) > 0:
            return Obstacle("requests", rest_s)
        if self._requests is not None and (for_s := self._requests.wait_s(1, now)):
            return Obstacle("requests", for_s)
        if self._tokens is not None and (for_s := self._tokens.wait_s(call.tokens, now)):
            return Obstacle("tokens", for_s)
        return None

    def begin(self, call: Call, now: float) -> None:
        """It is sent now."""
        if self._requests is not None:
            self._requests.take(1, now)
        if self._tokens is not None:
            self._tokens.take(call.tokens, now)
        self._enter(call, now)
        self._begun_at = now

    def join(self, calls: list[Call], now: float) -> None:
        """Calls that were begun without asking, while the lane was free."""
        for call in calls:
            self._enter(call, now)
        self.window.joined(len(calls))

    def undo(self, call: Call, now: float) -> None:
        """It was never sent."""
        self.in_flight -= 1
        if self._requests is not None:
            self._requests.give_back(1, now)
        if self._tokens is not None:
            self._tokens.give_back(call.tokens, now)

    def end(self, call: Call, result: CallResult, now: float) -> float:
        """It has ended.

        Returns:
            How long the lane is closed for this, in seconds; 0 where it is not, or was for as long already.
        """
        assert call.begun_at is not None
        in_flight = self.in_flight
        self.in_flight -= 1
        if self._tokens is not None:
            # A 429 takes no tokens; of another failure nobody says what it took.
            took = 0 if result.ending == "rate_limited" else result.tokens
            self._tokens.give_back(0 if took is None else call.tokens - took, now)
        if result.ending == "answered":
            if self._in_doubt and call.serial > self._newest_in_doubt:
                self._in_doubt -= 1
            self._next_pause_s = self._first_pause_s
            self.window.answered(call.serial, in_flight=in_flight, seconds=now - call.begun_at, now=now)
        elif result.ending == "failed":
            self.window.failed(newest=self._newest)
        else:
            return self._pause(call, result.retry_after_s, in_flight, now)
        return 0.0

    def _pause(self, call: Call, retry_after_s: float | None, in_flight: int, now: float) -> float:
        self._in_doubt, self._newest_in_doubt = _ANSWERS_TO_BE_SURE, self._newest
        first = self.window.rate_limited(call.serial, newest=self._newest, in_flight=in_flight, now=now)
        if first:
            self._round_at, self._round_pause_s = now, self._next_pause_s
            self._next_pause_s = min(2 * self._next_pause_s, self._longest_pause_s)
        if retry_after_s is not None:
            self._unexplained_at = -math.inf
            for_s = min(retry_after_s, LONGEST_PAUSE_S)
        else:
            self._unexplained_at = now
            # All rest for a while where all are refused. Where few are, it is not for the others to wait.
            for_s = self._round_at + self._round_pause_s * self.window.refused - now
        if now + for_s <= self.paused_until:
            return 0.0
        self.paused_until = now + for_s
        return for_s

    def _rest_until(self, call: Call) -> float:
        """When a call may be tried that was refused several times, each time without a word of when to come back."""
        if not self._in_doubt or call.refusals < 2:
            return -math.inf
        rest_s: float = self._first_pause_s * _LONGER_EACH_TIME ** (call.refusals - 1)
        return self._unexplained_at + min(rest_s, self._longest_pause_s)

    def _enter(self, call: Call, now: float) -> None:
        self._newest += 1
        call.serial, call.begun_at = self._newest, now
        self.in_flight += 1
