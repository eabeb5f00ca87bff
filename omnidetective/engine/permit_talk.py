"""What a worker and the parent say to each other about leave to make calls.

These are said for every model call, so they are small: lanes go by number, calls by ticket, and all that is said in one
turn of the event loop travels as one message. Numbers and tickets are the worker's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple

from omnidetective.llm.permits import CallEnding, Lane


class NewLane(NamedTuple):
    """From the worker: what a number stands for."""

    lane: int
    what: Lane


class Ask(NamedTuple):
    """From the worker: may this call be made? See :class:`~omnidetective.llm.permits.CallPlan`."""

    ticket: int
    lane: int
    tokens: int
    cost_usd: Decimal | None
    refusals: int


class Settle(NamedTuple):
    """From the worker: a call has ended. See :class:`~omnidetective.llm.permits.CallResult`."""

    ticket: int
    ending: CallEnding
    retry_after_s: float | None
    tokens: int | None
    cost_usd: Decimal | None


class Abandon(NamedTuple):
    """From the worker: whoever asked has gone, and has sent nothing."""

    ticket: int


class Join(NamedTuple):
    """From the worker: calls in flight for which nobody had to ask, on a lane that is no longer free."""

    lane: int
    tickets: tuple[int, ...]


class Spent(NamedTuple):
    """From the worker: what calls have cost for which nobody had to ask."""

    cost_usd: Decimal


class Grant(NamedTuple):
    """To the worker: the call may be made."""

    ticket: int


class Refuse(NamedTuple):
    """To the worker: the run's money does not allow it. See :class:`~omnidetective.errors.BudgetReachedError`."""

    ticket: int
    message: str
    reason: str
    hint: str


class Hold(NamedTuple):
    """To the worker: a lane is free no longer, as its provider has complained; its calls have to ask from now on."""

    lane: int


Saying = NewLane | Ask | Settle | Abandon | Join | Spent | Grant | Refuse | Hold


@dataclass(frozen=True, slots=True)
class PermitTalk:
    """All that one end says at once, in order."""

    sayings: tuple[Saying, ...]

    def __reduce__(self) -> tuple[object, ...]:
        # Classes cost pickle several times what plain tuples do.
        return _talk, tuple((_KINDS.index(type(saying)), saying[:]) for saying in self.sayings)


_KINDS: Final[tuple[type[Saying], ...]] = (Settle, Ask, Grant, Refuse, Abandon, NewLane, Hold, Join, Spent)


def _talk(*plain: tuple[int, tuple[Any, ...]]) -> PermitTalk:
    return PermitTalk(tuple(_KINDS[kind](*fields) for kind, fields in plain))
