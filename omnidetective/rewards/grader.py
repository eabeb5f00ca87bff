"""Grades batches of captions, for a trainer or for a file: the judge is opened for each batch and closed after it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

from omnidetective.config import Config, load_config
from omnidetective.evals.at_once import Told, at_once
from omnidetective.evals.judging import judging
from omnidetective.llm.usage import usage_scope
from omnidetective.records import Usage
from omnidetective.rewards.graded import Grading, KnownReferences, References, Sample, Seat, graded, needs_judge
from omnidetective.rewards.parts import CaptionReward, Kind, Weights
from omnidetective.token_counts import WORDS, TokenCounter

T = TypeVar("T")


class Grader:
    """Grades captions. One for several reward functions saves calls: what was found out about a reference is kept.

    Args:
        config: who judges, and where answers are kept; by default that of the command line, without options. With
            ``cache.path``, a killed training pays for no answer twice; ``limits.max_cost_usd`` caps all batches
            together.
        weights: of the parts in their sum.
        tokens: who counts the length, where a trainer does not.
        concurrency: captions of a batch that are graded at once.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        weights: Weights | None = None,
        tokens: TokenCounter = WORDS,
        concurrency: int = 16,
    ) -> None:
        if concurrency < 1:
            raise ValueError(f"{concurrency} captions cannot be graded at once")
        self._config = config
        self._weights = weights or Weights()
        self._tokens = tokens
        self._concurrency = concurrency
        self._known = KnownReferences()
        self._spent_usd = Decimal(0)
        self.judge = ""
        """``provider:model``, once it was asked."""
        self.usage = Usage()
        """What the last batch took."""
        self.not_judged: Counter[str] = Counter()
        """Reason → how many parts have no number for it, of all batches."""

    @property
    def spent_usd(self) -> Decimal:
        """What all batches have cost, as far as it is known."""
        return self._spent_usd

    async def grade(
        self, kind: Kind, samples: Sequence[Sample], *, told: Told = lambda done, of: None
    ) -> list[CaptionReward]:
        """The reward of each caption, in their order.

        Raises:
            ConfigError: nobody can play the judge.
            ProviderError: no further call would succeed: the key, the quota, the model.
            BudgetReachedError: the cap on the cost is reached.
        """
        grading = Grading(kind, self._weights, self._tokens)
        with usage_scope() as meter:
            try:
                async with AsyncExitStack() as stack:
                    seat = None
                    if any(needs_judge(sample, kind) for sample in samples):
                        config = self._config or load_config()
                        judge = await stack.enter_async_context(judging(config, spent_usd=self._spent_usd))
                        seat = Seat(judge, References(judge, self._known))
                    pieces = [partial(graded, sample, grading, seat) for sample in samples]
                    rewards = await at_once(pieces, most=self._concurrency, told=told)
                    self.judge = seat.judge.name if seat is not None else self.judge
            finally:
                self.usage = meter.usage()
                self._spent_usd += self.usage.cost_usd or Decimal(0)
        self.not_judged.update(one.reason for reward in rewards for one in reward.not_judged)
        return rewards

    def grade_now(self, kind: Kind, samples: Sequence[Sample]) -> list[CaptionReward]:
        """:meth:`grade` for callers that are not asynchronous, whether or not an event loop runs in their thread."""
        return run_now(lambda: self.grade(kind, samples))


def run_now(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine on an event loop of its own, and leave the loop of this thread, running or not, as it is."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _on_own_loop(work)
    with ThreadPoolExecutor(1, thread_name_prefix="rewards") as thread:
        return thread.submit(_on_own_loop, work).result()


def _on_own_loop(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    # A factory of its own keeps the runner from replacing, and then removing, the loop that is set for the thread.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(work())
