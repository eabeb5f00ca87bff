"""The frame of every benchmark: read → judge → parse → aggregate. A benchmark is one file and one class.

What all of them get wrong somewhere is done here, once: a failure is counted and told, never silently left out; a
caption that is missing is named; nothing is carried from one run of the judge to the next.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar

from omnidetective.evals.judge import Judge, WhyNot
from omnidetective.evals.predictions import Prediction
from omnidetective.evals.result import Table
from omnidetective.evals.statistics import Score
from omnidetective.token_counts import WORDS, TokenCounter

Q = TypeVar("Q")
"""One item of a benchmark: what is judged of one caption."""
V = TypeVar("V")
"""The verdict on one item: frozen, and JSON when it is dumped."""

Reason = Literal["missing_caption", "empty_caption"] | WhyNot
_NO_CAPTION: frozenset[Reason | None] = frozenset({"missing_caption", "empty_caption"})
_FAILED: frozenset[Reason | None] = frozenset({"unparsable", "refused", "too_long"})
"""``unfinished`` is in neither: nobody knows yet, and the same command asks again."""


@dataclass(frozen=True, slots=True)
class Judged(Generic[Q, V]):
    """One item and what became of it: a verdict, or the reason why there is none."""

    item: Q
    caption: str | None
    verdict: V | None
    reason: Reason | None = None
    why: str = ""
    inquiries: int | None = None

    @property
    def no_caption(self) -> bool:
        """There was nothing to judge."""
        return self.reason in _NO_CAPTION

    @property
    def failed(self) -> bool:
        """The judge gave no verdict, and would give none if it were asked again."""
        return self.reason in _FAILED


class Benchmark(ABC, Generic[Q, V]):
    """A benchmark of captions.

    Attributes:
        name: as the command line calls it.
        title: as papers call it.
        data: what ``--data`` names, and where it comes from.
        judging: how many calls of which judge it takes, and who judges in the papers.
        source: where the protocol is published.
        runs: how often the judge goes over everything by default.
        headline: the column by which one of several runs is the median; empty where there are never several.
        variants: name → what it means, of ways to count that give different numbers; the first is the default.
        judged: whether anybody is asked; where not, every verdict comes from :meth:`answered`.
        default_data: what is taken for ``--data`` where it is there and nothing is named; empty: it has to be named.
        reads_records: whether it looks at whole records of ours, not only at their captions.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    data: ClassVar[str]
    judging: ClassVar[str]
    source: ClassVar[str]
    runs: ClassVar[int] = 1
    headline: ClassVar[str] = ""
    variants: ClassVar[dict[str, str]] = {}
    judged: ClassVar[bool] = True
    default_data: ClassVar[str] = ""
    reads_records: ClassVar[bool] = False

    def __init__(self, variant: str = "", *, tokens: TokenCounter = WORDS) -> None:
        self.variant = variant or next(iter(self.variants), "")
        self.tokens = tokens

    @abstractmethod
    def read(self, data: Path) -> Sequence[Q]:
        """The items of the native files.

        Raises:
            ConfigError: a file is missing or has another form.
        """

    @abstractmethod
    def names(self, item: Q) -> tuple[str, ...]:
        """What the benchmark calls the clip of an item, the surest name first; the caption is found by them."""

    def prompt(self, item: Q) -> str | None:
        """What the caption was asked for by, where one clip has several."""
        return None

    def any_prompt(self, item: Q) -> bool:
        """Whether a caption without a prompt is taken for that of :meth:`prompt`."""
        return False

    def answered(self, item: Q, prediction: Prediction) -> V | None:
        """The verdict on a prediction that needs no judge; ``None`` where the judge is asked."""
        return None

    @abstractmethod
    async def judge(self, item: Q, caption: str, judge: Judge) -> V:
        """The verdict on a caption.

        Raises:
            UnjudgedError: there is none.
        """

    @abstractmethod
    def tables(self, judged: Sequence[Judged[Q, V]]) -> tuple[Table, ...]:
        """The published numbers. Where the reference leaves something out, both ways of counting are in the table."""

    def median_of(self, runs: Sequence[Sequence[Table]]) -> int:
        """Of the tables of each run, those with the median headline; of an even number the lower of the middle two."""
        firsts = [next(iter(tables[0].rows), None) for tables in runs]
        scores = [None if row is None else row.scores.get(self.headline, Score()).value for row in firsts]
        order = sorted(range(len(runs)), key=lambda n: (float("inf") if (s := scores[n]) is None else s, n))
        return order[(len(order) - 1) // 2]


@dataclass(frozen=True, slots=True)
class Rates:
    """What one caption adds to both rates; each is the sum of the first over the sum of the second.

    Attributes:
        detail, detail_of: how much of what there is to tell is told (blanks, events), and of how much.
        invention, invention_of: how much is told wrongly, and of how much.
    """

    detail: float
    detail_of: float
    invention: float
    invention_of: float


class Rated(ABC):
    """A benchmark that tells detail from invention, clip by clip: its co-growth can be shown (``--by``).

    Attributes:
        detail: what the rate of detail is, in words.
        invention: what the rate of hallucination is, in words.
    """

    detail: ClassVar[str]
    invention: ClassVar[str]

    @abstractmethod
    def rates(self, one: Judged[Any, Any]) -> Rates:
        """The rates of one caption that has a verdict."""
