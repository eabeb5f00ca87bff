"""Keeps the books on an event loop: gives leave to the callers of its own process, and to those of others by ticket."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Self

from omnidetective.errors import BudgetReachedError
from omnidetective.llm.limits.books import Books, Complaint, Waiting
from omnidetective.llm.permits import CallPlan, CallResult, Lane, Permit
from omnidetective.settings import Settings

PAUSES_TOLD_S: Final = 5.0
"""A lane that is closed for longer is told in the log."""

_log = logging.getLogger(__name__)

Decide = Callable[[BudgetReachedError | None], None]
"""Told once whether a call may go (``None``) or is refused."""


class Bookkeeper:
    """A :class:`~omnidetective.llm.permits.Permits` that keeps the books itself. All of it runs on one event loop.

    Without limits, without a cap and before the first 429 nobody ever waits.
    """

    def __init__(
        self,
        *,
        cap_usd: Decimal | None = None,
        spent_usd: Decimal = Decimal(0),
        first_pause_s: float = 1.0,
        longest_pause_s: float = 60.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            cap_usd: most that may be spent; ``None``: no cap.
            spent_usd: what earlier runs have spent of it.
            first_pause_s: rest of a lane after a 429 that does not say for how long; doubled while no answer comes.
            longest_pause_s: most of that.
        """
        self._books = Books(
            cap_usd=cap_usd, spent_usd=spent_usd, first_pause_s=first_pause_s, longest_pause_s=longest_pause_s
        )
        self._now = now
        self._deciding: dict[int, Decide] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._told_until: dict[Lane, float] = {}
        self._when_refused: list[Callable[[BudgetReachedError], None]] = []
        self._when_held: list[Callable[[Lane], None]] = []
        self._held: set[Lane] = set()

    @classmethod
    def of(cls, settings: Settings, *, spent_usd: Decimal = Decimal(0)) -> Self:
        """Who keeps the limits and the cap of a configuration.

        Args:
            spent_usd: what earlier runs have spent of the cap.
        """
        return cls(
            cap_usd=settings.limits.max_cost_usd,
            spent_usd=spent_usd,
            first_pause_s=settings.retry.first_wait_s,
            longest_pause_s=settings.retry.max_wait_s,
        )

    @property
    def cap_usd(self) -> Decimal | None:
        return self._books.budget.cap_usd

    @property
    def spent_usd(self) -> Decimal:
        """By this run and those before it. A call of which nobody knows what it cost counts with what was reserved."""
        return self._books.budget.spent_usd

    @property
    def largest_usd(self) -> Decimal:
        """The largest sum that was reserved for one call: how exact the cap is."""
        return self._books.budget.largest_usd

    @property
    def reached(self) -> BudgetReachedError | None:
        """Why calls are refused; ``None`` for as long as none was."""
        return self._books.budget.reached

    @property
    def in_flight(self) -> int:
        """Calls that have leave and are not settled; on free lanes of other processes they are not known."""
        return self._books.in_flight

    def when_refused(self, tell: Callable[[BudgetReachedError], None]) -> None:
        """Have the first refusal told."""
        self._when_refused.append(tell)

    def when_held(self, tell: Callable[[Lane], None]) -> Callable[[], None]:
        """Have it told, once a lane, when its provider complains: from then on its calls have to ask.

        Returns:
            What ends the telling.
        """
        self._when_held.append(tell)
        return lambda: self._when_held.remove(tell)

    def is_held(self, lane: Lane) -> bool:
        """Whether its provider has complained."""
        return lane in self._held

    def waiting(self) -> tuple[Waiting, ...]:
        """Who waits now, lane by lane, and what for."""
        return self._books.waiting(self._now())

    async def acquire(self, plan: CallPlan) -> Permit:
        """See :class:`~omnidetective.llm.permits.Permits`."""
        refusals: list[BudgetReachedError | None] = []
        waiter: asyncio.Future[None] | None = None

        def decide(refusal: BudgetReachedError | None) -> None:
            refusals.append(refusal)
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

        ticket = self.ask(plan, decide)
        if not refusals:
            waiter = asyncio.get_running_loop().create_future()
            try:
                await waiter
            except asyncio.CancelledError:
                self.abandon(ticket)
                raise
        if refusals[0] is not None:
            raise refusals[0]
        return _OwnPermit(self, ticket)

    def ask(self, plan: CallPlan, decide: Decide) -> int:
        """Ask for leave without waiting for it.

        Args:
            decide: told the answer, perhaps before this returns.

        Returns:
            The ticket, to be settled or abandoned once.
        """
        ticket = self._books.ask(plan, self._now())
        self._deciding[ticket] = decide
        self._go_on()
        return ticket

    def settle(self, ticket: int, result: CallResult) -> None:
        """A call that had leave has ended."""
        complaint = self._books.settle(ticket, result, self._now())
        if complaint is not None:
            self._tell(complaint)
        self._go_on()

    def abandon(self, ticket: int) -> None:
        """Whoever asked has gone, and has sent nothing, whether there was leave or not."""
        self._deciding.pop(ticket, None)
        self._books.abandon(ticket, self._now())
        self._go_on()

    def join(self, lane: Lane, count: int) -> list[int]:
        """Calls that were begun without asking, on a lane that was free until now. Returns their tickets."""
        return list(self._books.join(lane, count, self._now()))

    def spend(self, cost_usd: Decimal) -> None:
        """Calls that did not have to ask have cost so much."""
        self._books.budget.add(cost_usd)

    def _go_on(self) -> None:
        now = self._now()
        before = self.reached
        for decision in self._books.decide(now):
            self._deciding.pop(decision.ticket)(decision.refusal)
        if before is None and self.reached is not None:
            for tell in self._when_refused:
                tell(self.reached)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wait_s = self._books.next_change_s(now)
        if wait_s is not None:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._go_on)

    def _tell(self, complaint: Complaint) -> None:
        """One line for a pause, however many calls run into it."""
        lane, for_s, now = complaint.lane, complaint.pause_s, self._now()
        if lane not in self._held:
            self._held.add(lane)
            for tell in tuple(self._when_held):
                tell(lane)
        if for_s <= PAUSES_TOLD_S or now < self._told_until.get(lane, now):
            return
        self._told_until[lane] = now + for_s
        until = time.strftime("%H:%M:%S", time.localtime(time.time() + for_s))
        _log.warning(
            "%s at %s: too many calls (HTTP 429): none are made for %.0f s, until %s; waiting: %d",
            lane.model,
            lane.host,
            for_s,
            until,
            complaint.waiting,
        )


@dataclass(slots=True)
class _OwnPermit:
    _keeper: Bookkeeper
    _ticket: int

    def settle(self, result: CallResult) -> None:
        self._keeper.settle(self._ticket, result)
