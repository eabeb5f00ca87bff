"""The worker's side of limits and money: asks the parent, except where there is nothing to ask about.

A lane without limits is free until its provider complains, as long as there is no cap on the cost: then a call is made
without asking, and the parent hears of it only when it ends with a 429, and now and then what such calls have cost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Final

from omnidetective.engine.permit_talk import (
    Abandon,
    Ask,
    Grant,
    Hold,
    Join,
    NewLane,
    PermitTalk,
    Refuse,
    Saying,
    Settle,
    Spent,
)
from omnidetective.errors import BudgetReachedError
from omnidetective.llm.permits import CallPlan, CallResult, Lane, Permit

_SPENT_EVERY_S: Final = 0.25


@dataclass(slots=True)
class _KnownLane:
    """A lane by its number; ``unasked`` are the tickets of calls in flight for which nobody had to ask."""

    number: int
    free: bool
    unasked: set[int] = field(default_factory=set)


class WorkerPermits:
    """A :class:`~omnidetective.llm.permits.Permits` whose books are kept by the parent."""

    def __init__(self, send: Callable[[PermitTalk], None], *, money_is_limited: bool) -> None:
        """
        Args:
            send: takes a message to the parent. Called on the event loop.
            money_is_limited: whether there is a cap on the cost: then every call has to ask.
        """
        self._send = send
        self._money_is_limited = money_is_limited
        self._tickets = count(1)
        self._lanes: dict[Lane, _KnownLane] = {}
        self._by_number: list[_KnownLane] = []
        self._asking: dict[int, asyncio.Future[None]] = {}
        self._unsaid: list[Saying] = []
        self._unsaid_cost_usd = Decimal(0)

    async def acquire(self, plan: CallPlan) -> Permit:
        """See :class:`~omnidetective.llm.permits.Permits`."""
        lane = self._lanes.get(plan.lane) or self._introduce(plan.lane)
        ticket = next(self._tickets)
        if lane.free:
            lane.unasked.add(ticket)
            return _Unasked(self, lane, ticket, plan.cost_usd)
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asking[ticket] = answer
        self._say(Ask(ticket, lane.number, plan.tokens, plan.cost_usd, plan.refusals))
        try:
            await answer
        except asyncio.CancelledError:
            # Perhaps leave was given at this moment, or is on its way.
            self._asking.pop(ticket, None)
            self._say(Abandon(ticket))
            raise
        return _Asked(self, ticket)

    def heard(self, talk: PermitTalk) -> None:
        """The parent has said something."""
        for saying in talk.sayings:
            if isinstance(saying, Hold):
                self._hold(self._by_number[saying.lane])
                continue
            assert isinstance(saying, (Grant, Refuse)), "the parent says nothing else"
            answer = self._asking.pop(saying.ticket, None)
            if answer is None or answer.done():
                continue
            if isinstance(saying, Grant):
                answer.set_result(None)
            else:
                answer.set_exception(BudgetReachedError(saying.message, reason=saying.reason, hint=saying.hint))

    def settle_asked(self, ticket: int, result: CallResult) -> None:
        """A call for which there was leave has ended."""
        self._say(Settle(ticket, result.ending, result.retry_after_s, result.tokens, result.cost_usd))

    def settle_unasked(self, lane: _KnownLane, ticket: int, cost_usd: Decimal | None, result: CallResult) -> None:
        """A call for which nobody had to ask has ended."""
        if result.ending == "rate_limited":
            self._hold(lane)
        took_usd = cost_usd if result.cost_usd is None else result.cost_usd
        if ticket not in lane.unasked:  # The parent was told of it meanwhile.
            self.settle_asked(ticket, result)
            return
        lane.unasked.remove(ticket)
        if took_usd:
            if not self._unsaid_cost_usd:
                asyncio.get_running_loop().call_later(_SPENT_EVERY_S, self.tell_spent)
            self._unsaid_cost_usd += took_usd

    def tell_spent(self) -> None:
        """Say what was spent without asking, as far as that was not said."""
        if self._unsaid_cost_usd:
            self._say(Spent(self._unsaid_cost_usd))
            self._unsaid_cost_usd = Decimal(0)

    def flush(self) -> None:
        """Send what is to be said."""
        if self._unsaid:
            talk = PermitTalk(tuple(self._unsaid))
            self._unsaid.clear()
            self._send(talk)

    def _introduce(self, lane: Lane) -> _KnownLane:
        limited = lane.requests_per_minute or lane.tokens_per_minute or lane.concurrency
        known = _KnownLane(len(self._by_number), free=not (limited or self._money_is_limited))
        self._lanes[lane] = known
        self._by_number.append(known)
        self._say(NewLane(known.number, lane))
        return known

    def _hold(self, lane: _KnownLane) -> None:
        if lane.free:
            lane.free = False
            self._say(Join(lane.number, tuple(lane.unasked)))
            lane.unasked.clear()

    def _say(self, saying: Saying) -> None:
        if not self._unsaid:
            asyncio.get_running_loop().call_soon(self.flush)
        self._unsaid.append(saying)


@dataclass(slots=True)
class _Asked:
    _permits: WorkerPermits
    _ticket: int

    def settle(self, result: CallResult) -> None:
        self._permits.settle_asked(self._ticket, result)


@dataclass(slots=True)
class _Unasked:
    _permits: WorkerPermits
    _lane: _KnownLane
    _ticket: int
    _cost_usd: Decimal | None

    def settle(self, result: CallResult) -> None:
        self._permits.settle_unasked(self._lane, self._ticket, self._cost_usd, result)
