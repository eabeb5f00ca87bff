"""The books of all lanes and of the money: who is in line, who may go, who is refused. Pure.

Nothing here waits or knows what time it is: whoever keeps the books tells them what happens and when, asks for
decisions after that, and comes back when :meth:`Books.next_change_s` says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from omnidetective.errors import BudgetReachedError
from omnidetective.llm.limits.budget import Budget
from omnidetective.llm.limits.lane import Call, LaneBooks, Obstacle, Why
from omnidetective.llm.permits import CallPlan, CallResult, Lane

_FREE: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a call that was waiting; ``refusal`` is ``None`` where it may go."""

    ticket: int
    refusal: BudgetReachedError | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Calls that wait on one lane.

    Attributes:
        why: what the first of them waits for.
        for_s: how long it will, in seconds; ``None`` where it depends on calls in flight.
    """

    lane: Lane
    calls: int
    why: Why
    for_s: float | None


@dataclass(frozen=True, slots=True)
class Complaint:
    """A provider said that there are too many calls.

    Attributes:
        pause_s: how long the lane is closed for this, in seconds; 0 where it was closed already.
        waiting: how many calls wait.
    """

    lane: Lane
    pause_s: float
    waiting: int


class Books:
    """Calls by ticket. Each call is asked for, decided on, and settled; or abandoned, at any time.

    Calls of a lane go in the order in which they came, except for those that its provider has refused for their rate
    (see :class:`~omnidetective.llm.limits.lane.LaneBooks`). Calls that wait for money go in the order in which they
    came, over all lanes.
    """

    def __init__(
        self,
        *,
        cap_usd: Decimal | None = None,
        spent_usd: Decimal = _FREE,
        first_pause_s: float = 1.0,
        longest_pause_s: float = 60.0,
    ) -> None:
        self.budget = Budget(cap_usd=cap_usd, spent_usd=spent_usd)
        self._first_pause_s = first_pause_s
        self._longest_pause_s = longest_pause_s
        self._lanes: dict[Lane, LaneBooks] = {}
        self._calls: dict[int, Call] = {}
        self._busy: dict[Lane, LaneBooks] = {}
        self._tickets = 0

    @property
    def in_flight(self) -> int:
        """Calls that may go and are not settled, over all lanes."""
        return sum(lane.in_flight for lane in self._lanes.values())

    def ask(self, plan: CallPlan, now: float) -> int:
        """A call wants to be made. Returns its ticket; :meth:`decide` says what becomes of it."""
        lane = self._lane(plan.lane, now)
        call = self._new(lane, plan.tokens, plan.cost_usd, plan.refusals)
        lane.wait(call)
        self._busy[plan.lane] = lane
        return call.ticket

    def decide(self, now: float) -> list[Decision]:
        """All decisions that can be made now."""
        if not self._busy:
            return []
        before = self.budget.reached
        decided = self._pass(now)
        if self.budget.reached is not before:
            decided += self._pass(now)  # Those that were left waiting for money before the first refusal.
        return decided

    def settle(self, ticket: int, result: CallResult, now: float) -> Complaint | None:
        """A call that could go has ended. Tickets that are not known are settled already.

        Returns:
            The provider's complaint, where it ended with one.
        """
        call = self._calls.get(ticket)
        if call is None or call.begun_at is None:
            return None
        del self._calls[ticket]
        self.budget.settle(call.cost_usd or _FREE, result.cost_usd)
        pause_s = call.lane.end(call, result, now)
        if result.ending != "rate_limited":
            return None
        return Complaint(call.lane.lane, pause_s, call.lane.waiting)

    def abandon(self, ticket: int, now: float) -> None:
        """Whoever asked has gone, and has sent nothing."""
        call = self._calls.pop(ticket, None)
        if call is None:
            return
        lane = call.lane
        if call.begun_at is not None:
            self.budget.settle(call.cost_usd or _FREE, _FREE)
            lane.undo(call, now)
            return
        lane.leave(call)
        if not lane.waiting:
            del self._busy[lane.lane]

    def join(self, lane: Lane, count: int, now: float) -> Sequence[int]:
        """Calls that were begun without asking, on a lane that was free until now. Returns their tickets."""
        books = self._lane(lane, now)
        calls = [self._new(books, 0, None) for _ in range(count)]
        books.join(calls, now)
        return [call.ticket for call in calls]

    def next_change_s(self, now: float) -> float | None:
        """When to decide again, in seconds from now, if nothing happens before; ``None``: then nothing changes."""
        soonest = min((o.for_s for lane in self._busy.values() if (o := self._obstacle(lane, now))), default=math.inf)
        return None if soonest == math.inf else soonest

    def waiting(self, now: float) -> tuple[Waiting, ...]:
        """Who waits, lane by lane, and what for."""
        told = []
        for lane in self._in_order():
            obstacle = self._obstacle(lane, now) or Obstacle("money", math.inf)
            for_s = None if obstacle.for_s == math.inf else obstacle.for_s
            told.append(Waiting(lane.lane, lane.waiting, obstacle.why, for_s))
        return tuple(told)

    def _pass(self, now: float) -> list[Decision]:
        decided: list[Decision] = []
        money_is_taken = False
        for lane in self._in_order():
            while lane.waiting:
                call = lane.first()
                verdict = self.budget.verdict(call.cost_usd)
                if verdict == "never":
                    del self._calls[call.ticket]
                    decided.append(Decision(call.ticket, self.budget.refusal()))
                elif lane.obstacle(call, now) is not None:
                    break
                elif verdict == "later" or (money_is_taken and call.cost_usd):
                    money_is_taken = True
                    break
                else:
                    self.budget.reserve(call.cost_usd or _FREE)
                    lane.begin(call, now)
                    decided.append(Decision(call.ticket, None))
                lane.leave(call)
            if not lane.waiting:
                del self._busy[lane.lane]
        return decided

    def _obstacle(self, lane: LaneBooks, now: float) -> Obstacle | None:
        return lane.obstacle(lane.first(), now)

    def _in_order(self) -> list[LaneBooks]:
        if len(self._busy) == 1:
            return list(self._busy.values())
        return sorted(self._busy.values(), key=lambda lane: lane.first().ticket)

    def _lane(self, lane: Lane, now: float) -> LaneBooks:
        books = self._lanes.get(lane)
        if books is None:
            books = self._lanes[lane] = LaneBooks(
                lane, now, first_pause_s=self._first_pause_s, longest_pause_s=self._longest_pause_s
            )
        return books

    def _new(self, lane: LaneBooks, tokens: int, cost_usd: Decimal | None, refusals: int = 0) -> Call:
        self._tickets += 1
        call = self._calls[self._tickets] = Call(self._tickets, lane, tokens, cost_usd, refusals)
        return call


_WHY: Final[dict[Why, str]] = {
    "requests": "requests a minute",
    "tokens": "tokens a minute",
    "concurrency": "calls in flight",
    "paused": "a rest that the provider asked for",
    "money": "money that calls in flight have reserved",
}


def in_words(waiting: Sequence[Waiting]) -> str:
    """Who waits, for people: ``12 calls of openai:gpt-4.1 wait for requests a minute``; empty where nobody does."""
    return "; ".join(
        f"{w.calls:,} {'calls' if w.calls > 1 else 'call'} of {w.lane.model} wait{'' if w.calls > 1 else 's'} for "
        f"{_WHY[w.why]}" + ("" if w.for_s is None or w.for_s < 1 else f", {w.for_s:.0f} s")
        for w in waiting
    )
