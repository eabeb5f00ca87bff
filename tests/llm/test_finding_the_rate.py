"""How fast calls go when a provider says 429: simulated providers, a virtual clock, the real books."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from omnidetective.llm.limits.books import Books
from omnidetective.llm.permits import CallPlan, CallResult, Lane

LANE = Lane("openai:any", "host")
Provider = Callable[[float, int], bool]
"""Whether a call is answered that comes at a time, with so many others in flight."""


@dataclass
class Night:
    """What came of a simulated run.

    Attributes:
        answered, refused: when.
        most_refusals: of one call, in a row.
        waits: when a caller got an answer, and how long after its last one, in seconds.
    """

    answered: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    most_refusals: int = 0
    waits: list[tuple[float, float]] = field(default_factory=list)

    def per_s(self, start_s: float, end_s: float) -> float:
        return sum(start_s <= at < end_s for at in self.answered) / (end_s - start_s)

    def share_refused(self, start_s: float, end_s: float) -> float:
        refused = sum(start_s <= at < end_s for at in self.refused)
        return refused / max(1, refused + sum(start_s <= at < end_s for at in self.answered))

    def longest_s(self, start_s: float) -> float:
        return max(waited for at, waited in self.waits if at >= start_s)


def simulated(bears: Provider, *, callers: int, call_s: float, seconds: float, seed: int = 1) -> Night:
    """So many callers, each of which makes one call after the other, and again when it was refused."""
    books, night, chance = Books(first_pause_s=1.0, longest_pause_s=60.0), Night(), random.Random(seed)
    caller_of: dict[int, int] = {}
    refusals = [0] * callers
    flying: list[tuple[float, int, bool]] = []
    since = [0.0] * callers

    def ask(caller: int, now: float) -> None:
        caller_of[books.ask(CallPlan(LANE, 100, None, refusals[caller]), now)] = caller

    now = 0.0
    for caller in range(callers):
        ask(caller, now)
    while now < seconds:
        for decision in books.decide(now):
            good = bears(now, len(flying))
            took_s = call_s * chance.uniform(0.7, 1.3) if good else 0.02
            heapq.heappush(flying, (now + took_s, decision.ticket, good))
        change_s = books.next_change_s(now)
        if flying and (change_s is None or flying[0][0] <= now + change_s):
            now, ticket, good = heapq.heappop(flying)
            caller = caller_of.pop(ticket)
            books.settle(ticket, CallResult("answered" if good else "rate_limited"), now)
            (night.answered if good else night.refused).append(now)
            refusals[caller] = 0 if good else refusals[caller] + 1
            night.most_refusals = max(night.most_refusals, refusals[caller])
            if good:
                night.waits.append((now, now - since[caller]))
                since[caller] = now
            ask(caller, now)
        else:
            assert change_s is not None, "callers wait, and nothing is under way"
            now += change_s + 1e-9
    return night


def now_and_then(share: float) -> Provider:
    """Refuses a share of the calls, however many there are: others use the same machines."""
    chance = random.Random(2)
    return lambda now, in_flight: chance.random() >= share


def at_a_rate(per_window: int, window_s: float) -> Provider:
    """Takes so many calls in any stretch of so many seconds."""
    taken: deque[float] = deque()

    def bears(now: float, in_flight: int) -> bool:
        while taken and taken[0] <= now - window_s:
            taken.popleft()
        if len(taken) >= per_window:
            return False
        taken.append(now)
        return True

    return bears


def at_once(most: int) -> Provider:
    """Takes so many calls at the same time."""
    return lambda now, in_flight: in_flight < most


@pytest.mark.parametrize(("share", "kept"), [(0.001, 0.85), (0.01, 0.4), (0.05, 0.07)])
@pytest.mark.parametrize(("callers", "call_s"), [(32, 0.1), (32, 2.0), (256, 2.0)])
def test_refusals_that_have_nothing_to_do_with_the_load_cost_little(
    share: float, kept: float, callers: int, call_s: float
) -> None:
    night = simulated(now_and_then(share), callers=callers, call_s=call_s, seconds=400)
    possible, reached = callers / call_s, night.per_s(200, 400)
    assert reached > kept * possible, f"{reached:.1f} of {possible:.0f} calls a second"


@pytest.mark.parametrize(("callers", "call_s", "kept"), [(8, 0.1, 0.5), (8, 2.0, 0.8), (16, 0.1, 0.5)])
def test_few_callers_are_not_caught_in_a_small_window(callers: int, call_s: float, kept: float) -> None:
    night = simulated(now_and_then(0.05), callers=callers, call_s=call_s, seconds=300)
    assert night.per_s(150, 300) > kept * callers / call_s


@pytest.mark.parametrize(("most", "callers", "call_s"), [(8, 64, 1.0), (40, 256, 2.0), (1, 16, 0.5)])
def test_a_cap_on_calls_at_once_is_found(most: int, callers: int, call_s: float) -> None:
    night = simulated(at_once(most), callers=callers, call_s=call_s, seconds=900)
    assert night.per_s(300, 900) > 0.6 * most / call_s
    assert night.share_refused(300, 900) < 0.1
    assert night.most_refusals < 5


@pytest.mark.parametrize(
    ("per_window", "window_s", "callers", "call_s", "most_refused"),
    [
        (8, 0.25, 16, 0.02, 0.05),
        (5000, 60.0, 256, 2.0, 0.03),
        (500, 60.0, 64, 1.0, 0.2),
        (60, 60.0, 32, 2.0, 0.1),
        (10, 1.0, 64, 1.0, 0.15),
        (3, 60.0, 16, 1.0, 0.35),
    ],
)
def test_a_rate_is_found(per_window: int, window_s: float, callers: int, call_s: float, most_refused: float) -> None:
    night = simulated(at_a_rate(per_window, window_s), callers=callers, call_s=call_s, seconds=3600)
    assert night.per_s(600, 3600) > 0.6 * per_window / window_s
    assert night.share_refused(600, 3600) < most_refused
    assert night.most_refusals < 6
    assert night.longest_s(1200) < 50 + 4 * callers * window_s / per_window, "somebody was passed over"


@pytest.mark.parametrize(("per_minute", "call_s"), [(3, 1.0), (60, 0.5), (500, 0.05)])
@pytest.mark.parametrize("callers", [1, 2, 4])
def test_few_callers_outlast_a_minute_that_is_used_up(callers: int, per_minute: int, call_s: float) -> None:
    night = simulated(at_a_rate(per_minute, 60.0), callers=callers, call_s=call_s, seconds=1800)
    assert night.most_refusals < 5, "a clip fails"


@pytest.mark.parametrize(("callers", "call_s"), [(32, 0.1), (256, 2.0)])
def test_after_a_storm_the_speed_comes_back(callers: int, call_s: float) -> None:
    night = simulated(lambda now, in_flight: not 60 <= now < 240, callers=callers, call_s=call_s, seconds=720)
    assert night.share_refused(60, 240) > 0
    assert night.per_s(540, 720) > 0.7 * callers / call_s
