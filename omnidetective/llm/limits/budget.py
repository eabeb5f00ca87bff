"""The run's money: what is spent, what is reserved for calls in flight, and whether one more fits. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from omnidetective.errors import BudgetReachedError

Verdict = Literal["fits", "later", "never"]


class Budget:
    """Money in US dollars.

    A call fits where what is spent, what is reserved and what it may cost stay within the cap; so the cap can only be
    exceeded by calls that cost more than was reserved for them. What fits beside what is spent alone waits for calls in
    flight to cost less than they might. Once a call is refused, all later ones are: the run ends.

    Attributes:
        cap_usd: ``None``: no cap.
        spent_usd: by this run and those before it; what a call may have cost counts, where nobody said what it did.
        largest_usd: the largest sum that was reserved for one call.
        reached: why calls are refused; ``None`` for as long as none was.
    """

    def __init__(self, *, cap_usd: Decimal | None, spent_usd: Decimal) -> None:
        self.cap_usd = cap_usd
        self.spent_usd = spent_usd
        self.largest_usd = Decimal(0)
        self.reached: BudgetReachedError | None = None
        self._reserved_usd = Decimal(0)

    @property
    def reserved_usd(self) -> Decimal:
        """For calls in flight."""
        return self._reserved_usd

    def verdict(self, cost_usd: Decimal | None) -> Verdict:
        """Whether a call fits. ``never`` is final, for all calls.

        Args:
            cost_usd: the most that it may cost; ``None`` where that is not known, which no cap can hold.
        """
        if self.cap_usd is None:
            return "fits"
        if self.reached is not None:
            return "never"
        if cost_usd is None:
            self.reached = BudgetReachedError(
                "the price of a call is not known, so no cap on the cost can hold",
                reason="unpriced_call",
                hint="give it a price in the file of `prices` (one may be there that holds for shorter prompts only), "
                "or run without a cap",
            )
            return "never"
        if self.spent_usd + cost_usd > self.cap_usd:
            self.reached = BudgetReachedError(
                f"the next call may cost ${cost_usd:.4f}; ${self.spent_usd:.4f} of ${self.cap_usd} are spent",
                hint="raise --max-cost",
            )
            return "never"
        return "fits" if self.spent_usd + self._reserved_usd + cost_usd <= self.cap_usd else "later"

    def refusal(self) -> BudgetReachedError | None:
        """What to raise for a call that is refused: an error of its own for each."""
        reached = self.reached
        return reached and BudgetReachedError(reached.message, reason=reached.reason, hint=reached.hint)

    def reserve(self, cost_usd: Decimal) -> None:
        """A call is begun."""
        self._reserved_usd += cost_usd
        self.largest_usd = max(self.largest_usd, cost_usd)

    def settle(self, reserved_usd: Decimal, cost_usd: Decimal | None) -> None:
        """It has ended; where its cost is not known, it cost what was reserved."""
        self._reserved_usd -= reserved_usd
        self.spent_usd += reserved_usd if cost_usd is None else cost_usd

    def add(self, cost_usd: Decimal) -> None:
        """Something was spent that nobody had to ask for."""
        self.spent_usd += cost_usd
