"""The parent's side of limits and money, one desk for each worker: hands its questions to the books."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

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
from omnidetective.llm.limits.bookkeeper import Bookkeeper
from omnidetective.llm.permits import CallPlan, CallResult, Lane


class PermitDesk:
    """Answers one worker. What a worker that dies still has in hand is given back when the desk is closed."""

    def __init__(self, keeper: Bookkeeper, send: Callable[[PermitTalk], None]) -> None:
        """
        Args:
            send: takes a message to the worker. Called on the event loop.
        """
        self._keeper = keeper
        self._send = send
        self._lanes: dict[int, Lane] = {}
        self._numbers: dict[Lane, int] = {}
        self._asked: dict[int, int] = {}  # the worker's tickets → the keeper's
        self._granted: dict[int, int] = {}
        self._unsaid: list[Saying] = []
        self._deaf = keeper.when_held(self._held)
        self._closed = False

    def heard(self, talk: PermitTalk) -> None:
        """The worker has said something."""
        for saying in talk.sayings:
            if isinstance(saying, Ask):
                self._ask(saying)
            elif isinstance(saying, Settle):
                if (ours := self._granted.pop(saying.ticket, None)) is not None:
                    result = CallResult(saying.ending, saying.retry_after_s, saying.tokens, saying.cost_usd)
                    self._keeper.settle(ours, result)
            elif isinstance(saying, Abandon):
                ours = self._asked.pop(saying.ticket, None) or self._granted.pop(saying.ticket, None)
                if ours is not None:
                    self._keeper.abandon(ours)
            elif isinstance(saying, Join):
                tickets = self._keeper.join(self._lanes[saying.lane], len(saying.tickets))
                self._granted |= zip(saying.tickets, tickets, strict=True)
            elif isinstance(saying, Spent):
                self._keeper.spend(saying.cost_usd)
            elif isinstance(saying, NewLane):
                self._lanes[saying.lane] = saying.what
                self._numbers[saying.what] = saying.lane
                if self._keeper.is_held(saying.what):
                    self._say(Hold(saying.lane))

    def close(self) -> None:
        """The worker is gone: whatever it was about to ask it does not, and nobody knows what its calls have cost."""
        if self._closed:
            return
        self._closed = True
        self._deaf()
        held, self._granted = self._granted, {}
        # Giving up one place in the line can bring another question of the same worker to its turn.
        for questions in (self._asked, self._granted):
            while questions:
                self._keeper.abandon(questions.popitem()[1])
        for ours in held.values():
            self._keeper.settle(ours, CallResult("failed"))

    def _ask(self, ask: Ask) -> None:
        known: list[int] = []

        def decide(refusal: BudgetReachedError | None) -> None:
            if refusal is not None:
                self._say(Refuse(ask.ticket, refusal.message, refusal.reason, refusal.hint))
            else:
                self._say(Grant(ask.ticket))
            if known:
                del self._asked[ask.ticket]
                if refusal is None:
                    self._granted[ask.ticket] = known[0]
            decided.append(refusal is None)

        decided: list[bool] = []
        ours = self._keeper.ask(CallPlan(self._lanes[ask.lane], ask.tokens, ask.cost_usd, ask.refusals), decide)
        if not decided:
            known.append(ours)
            self._asked[ask.ticket] = ours
        elif decided[0]:
            self._granted[ask.ticket] = ours

    def _held(self, lane: Lane) -> None:
        if lane in self._numbers:
            self._say(Hold(self._numbers[lane]))

    def _say(self, saying: Saying) -> None:
        if self._closed:
            return
        if not self._unsaid:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsaid.append(saying)

    def _flush(self) -> None:
        talk = PermitTalk(tuple(self._unsaid))
        self._unsaid.clear()
        if not self._closed:
            self._send(talk)
