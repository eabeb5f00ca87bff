"""What a run has done so far, and what it did in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from omnidetective.engine.breaker import Stop
from omnidetective.engine.feed import Batch
from omnidetective.engine.wire import Finished, Spending
from omnidetective.errors import BudgetReachedError
from omnidetective.records import ModelUsage, Usage


@dataclass(slots=True)
class Tally:
    """Running counts.

    Attributes:
        outcomes: clips of this run by outcome, failures included.
        reasons: clips without a record by reason; rows that cannot be used are counted by every run that reads them.
        already_done: clips that had a record before.
        failed_before: clips that failed in an earlier run and were left alone.
        rows: rows read.
        faulty_rows: rows of them that cannot be used.
        ended: clips that workers were given and that are done, with a record or without.
        left_out: clips that were begun and left as not started, as the money was spent.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    already_done: int = 0
    failed_before: int = 0
    rows: int = 0
    faulty_rows: int = 0
    ended: int = 0
    left_out: int = 0
    _total: ModelUsage = field(default_factory=ModelUsage)
    _in_flight: dict[str, ModelUsage] = field(default_factory=dict)
    _by_model: dict[str, ModelUsage] = field(default_factory=dict)

    @property
    def recorded(self) -> int:
        """Clips that got a record in this run."""
        return sum(self.outcomes.values()) - self.failed

    @property
    def failed(self) -> int:
        """Clips and rows of this run without a record."""
        return sum(self.reasons.values())

    @property
    def skipped(self) -> int:
        """Clips that this run left as they were."""
        return self.already_done + self.failed_before

    @property
    def usage(self) -> Usage:
        """What this run spent, clips without a record included; by model, what clips that are done have spent."""
        spent = self.spent
        return Usage(**spent.model_dump(exclude={"cost_usd"}), cost_usd=spent.cost_usd, by_model=dict(self._by_model))

    @property
    def spent(self) -> ModelUsage:
        """The same without the models. Clips in flight are counted as far as they have told."""
        return ModelUsage.sum_of([self._total, *self._in_flight.values()])

    def read(self, batch: Batch) -> None:
        """Count a stretch of the input."""
        self.rows += len(batch.wanted) + len(batch.faults) + batch.done + batch.failed_before
        self.already_done += batch.done
        self.failed_before += batch.failed_before
        self.faulty_rows += len(batch.faults)
        for fault in batch.faults:
            self.outcomes[fault.outcome] += 1
            self.reasons[fault.error.reason] += 1

    def spending(self, spending: Spending) -> None:
        """Count what clips in flight have spent."""
        for clip_id, usage in spending.clips:
            self._begun_again(clip_id, usage)
            self._in_flight[clip_id] = usage

    def finished(self, clip: Finished) -> None:
        """Count a clip. What it has told in flight is part of what it says in the end, and is not counted twice."""
        self._begun_again(clip.id, clip.usage or ModelUsage())
        self._in_flight.pop(clip.id, None)
        self.ended += 1
        if clip.left_out:
            self.left_out += 1
        else:
            self.outcomes[clip.outcome] += 1
        if clip.failure is not None:
            self.reasons[clip.failure.reason] += 1
        if clip.usage is not None:
            self._total = self._total + clip.usage
            for model, usage in clip.usage.by_model.items():
                self._by_model[model] = self._by_model.get(model, ModelUsage()) + usage

    def _begun_again(self, clip_id: str, usage: ModelUsage) -> None:
        """A clip that has spent less than before lost its worker: what it spent with that one stays spent."""
        before = self._in_flight.get(clip_id)
        if before is not None and usage.calls < before.calls:
            self._total = self._total + before
            del self._in_flight[clip_id]


@dataclass(frozen=True, slots=True)
class BudgetSummary:
    """What became of the cap on the cost.

    Attributes:
        cap_usd: most that may be spent on the output, by all runs together.
        spent_usd: by this run and those before it; calls of which nobody knows what they cost count with what was
            reserved for them.
        largest_usd: the largest sum that was reserved for one call: how exact the cap is.
        reached: why the run was stopped; ``None`` where it was not.
    """

    cap_usd: Decimal
    spent_usd: Decimal
    largest_usd: Decimal
    reached: BudgetReachedError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """How a run ended.

    Attributes:
        output: the file of records.
        failures: the file of failures; it is there only where there are any.
        outcomes: clips of this run by outcome, failures included.
        failure_reasons: clips and rows of this run without a record, by reason.
        already_done: clips that had a record before.
        failed_before: clips that failed in an earlier run and were left alone.
        rows: rows of the input that were read.
        faulty_rows: rows of them that cannot be used; they count as failed.
        usage: what this run spent.
        seconds: wall time.
        crashes: worker processes that died.
        stopped: why it ended early, where every clip failed from a cause that people have to mend; otherwise ``None``.
        budget: the cap on the cost and what is left of it; ``None`` where there is no cap.
        not_started: clips that it did not begin or left out for these reasons; they are written nowhere, the same
            command does them.
        interrupted: whether it was stopped before the end of the input; the same command goes on.
    """

    output: Path
    failures: Path
    outcomes: Mapping[str, int]
    failure_reasons: Mapping[str, int]
    already_done: int
    failed_before: int
    rows: int
    faulty_rows: int
    usage: Usage
    seconds: float
    crashes: int
    stopped: Stop | None
    budget: BudgetSummary | None
    not_started: int
    interrupted: bool

    @property
    def failed(self) -> int:
        """Clips and rows of this run without a record."""
        return sum(self.failure_reasons.values())

    @property
    def recorded(self) -> int:
        """Clips that got a record in this run."""
        return sum(self.outcomes.values()) - self.failed

    @property
    def exit_status(self) -> int:
        """0: every clip has a record; 1: some have none, or were not started; 3: stopped by the budget;
        130: interrupted (DESIGN §4)."""
        if self.interrupted:
            return 130
        if self.budget is not None and self.budget.reached is not None:
            return 3
        return 1 if self.failed or self.failed_before else 0
