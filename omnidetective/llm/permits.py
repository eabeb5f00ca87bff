"""Leave to make a call: what limits and budgets are asked for before each attempt, and told after it.

The models of a run are shared by all of its processes, so none of these can say alone whether one more call fits under
a rate limit, a provider's wish to be left alone for a while, or the user's cap on money. Whoever makes calls asks a
:class:`Permits` first. A single process keeps the books itself; a worker asks its parent.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

CallEnding = Literal["answered", "rate_limited", "failed"]
"""How an attempt ended: with an answer, with a 429, or with any other error (a cancelled one included)."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Calls that share one limit: of one model, at one endpoint, on one key.

    Attributes:
        model: ``provider:model``.
        host: of the endpoint.
        key_env: the variable that holds the key; never the key.
        requests_per_minute, tokens_per_minute, concurrency: the user's limits; ``None``: none is known.
    """

    model: str
    host: str
    key_env: str = ""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class CallPlan:
    """What one attempt is expected to take; on the safe side, for it is reserved.

    Attributes:
        tokens: of the prompt and the longest answer that is allowed, estimated.
        cost_usd: the most that it may cost; ``None`` where the price is unknown.
        refusals: how many attempts of the same call have ended with a 429 so far.
    """

    lane: Lane
    tokens: int
    cost_usd: Decimal | None
    refusals: int = 0


@dataclass(frozen=True, slots=True)
class CallResult:
    """What the attempt took.

    Attributes:
        retry_after_s: how long the provider asked to be left alone, in seconds.
        tokens: as reported; ``None`` where nothing was reported.
        cost_usd: ``None`` where it is not known: then what was reserved counts as spent, if the call was sent.
    """

    ending: CallEnding
    retry_after_s: float | None = None
    tokens: int | None = None
    cost_usd: Decimal | None = None


class Permit(Protocol):
    """Leave for one attempt; to be settled once, however the attempt ends."""

    def settle(self, result: CallResult) -> None: ...


class Permits(Protocol):
    """Who gives leave."""

    async def acquire(self, plan: CallPlan) -> Permit:
        """Wait until the call may be made. A caller that is cancelled meanwhile has taken nothing.

        Where nothing is limited, this returns without giving up control.

        Raises:
            BudgetReachedError: the run's money does not allow it.
        """
        ...
