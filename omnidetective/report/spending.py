"""Counting what was spent: calls, tokens and money. Pure.

An unknown cost makes every sum that it is part of unknown; what is known of such a sum is kept beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from omnidetective.report.counting import bounded
from omnidetective.report.numbers import Spending, Usage
from omnidetective.report.reading import ModelUsageView, UsageView

_COUNTED: Final = ("calls", "cached_calls", "failed_attempts", "unreported", "prompt_tokens", "completion_tokens")


class UsageCount:
    """The usage of all clips."""

    def __init__(self) -> None:
        self._clips = 0
        self._total, self._on_failures = _Account(), _Account()
        self._by_stage, self._by_role, self._by_model = _Accounts(), _Accounts(), _Accounts()

    def add(self, usage: UsageView | None, *, failed: bool = False) -> None:
        """Count the usage of a clip; ``None`` says nothing. ``failed``: the clip has no record for it."""
        if usage is None:
            return
        self._clips += 1
        known_usd = sum((part.cost_usd or Decimal(0) for part in usage.by_model.values()), Decimal(0))
        self._total.add(usage, known_usd)
        if failed:
            self._on_failures.add(usage, known_usd)
        self._by_stage.add(usage.by_stage)
        self._by_role.add(usage.by_role)
        self._by_model.add(usage.by_model)

    def result(self) -> Usage | None:
        """The numbers; ``None`` when no clip says what it used."""
        if not self._clips:
            return None
        on_failures = self._on_failures.result()
        return Usage(
            **dict(self._total.result()),
            on_failures=on_failures if on_failures.calls or on_failures.failed_attempts else None,
            by_stage=self._by_stage.result(),
            by_role=self._by_role.result(),
            by_model=self._by_model.result(),
        )


@dataclass(slots=True)
class _Account:
    """What was spent."""

    _sums: Counter[str] = field(default_factory=Counter)
    _known_usd: Decimal = Decimal(0)
    _unknown: bool = False

    def add(self, usage: ModelUsageView, known_usd: Decimal | None = None) -> None:
        """Count usage; ``known_usd`` is what is known of a cost that is unknown as a whole."""
        for name in _COUNTED:
            self._sums[name] += getattr(usage, name)
        self._unknown |= usage.cost_usd is None
        self._known_usd += (known_usd or Decimal(0)) if usage.cost_usd is None else usage.cost_usd

    def result(self) -> Spending:
        """The sums."""
        return Spending(
            **{name: self._sums[name] for name in _COUNTED},
            cost_usd=None if self._unknown else self._known_usd,
            known_cost_usd=self._known_usd,
        )


class _Accounts:
    """An account for each name."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}

    def add(self, parts: Mapping[str, ModelUsageView]) -> None:
        """Count the parts of a clip's usage."""
        for name, usage in parts.items():
            self._accounts.setdefault(bounded(name, self._accounts), _Account()).add(usage)

    def result(self) -> dict[str, Spending]:
        """Name → what was spent, the most tokens first; equal ones by name."""
        spent = {name: account.result() for name, account in self._accounts.items()}
        return dict(sorted(spent.items(), key=lambda item: (-_tokens(item[1]), -item[1].calls, item[0])))


def _tokens(spent: Spending) -> int:
    return spent.prompt_tokens + spent.completion_tokens
