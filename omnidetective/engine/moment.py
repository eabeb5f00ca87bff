"""Where a run is at one moment, and how that is said in as many columns as there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from omnidetective.records import ModelUsage

_DOT: Final = " · "


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a display of progress shows.

    Attributes:
        total: rows of the input; ``None`` where that is not known yet.
        recorded: clips that got a record in this run.
        failed: clips and rows of this run without a record.
        skipped: clips that this run leaves as they were.
        in_flight: clips that workers have.
        spent: what this run has spent, clips in flight included.
        cap_usd: the most that it may spend.
        waiting: what waits for limits, in words; empty where nothing does.
        stopping: where no more clips are begun, what becomes of those in flight, in words.
        clips_per_s, calls_per_s: ``None`` until there is something to go on.
        left_s: time until the end of the input, in seconds, as far as can be told.
    """

    total: int | None = None
    recorded: int = 0
    failed: int = 0
    skipped: int = 0
    in_flight: int = 0
    spent: ModelUsage = field(default_factory=ModelUsage)
    cap_usd: Decimal | None = None
    waiting: str = ""
    stopping: str = ""
    clips_per_s: float | None = None
    calls_per_s: float | None = None
    left_s: float | None = None

    @property
    def done(self) -> int:
        """Rows of the input that need nothing more."""
        return self.recorded + self.failed + self.skipped


def headline(moment: Moment, columns: int) -> str:
    """How far the run is and when it ends, in at most so many columns."""
    of = "" if moment.total is None else f"/{moment.total:,}"
    parts = [(0, f"{moment.done:,}{of} clips"), (1, f"{moment.failed:,} failed")]
    if moment.clips_per_s is not None:
        parts.append((3, f"{_rate(moment.clips_per_s * 60)} clips/min"))
    if not moment.stopping:
        parts.append((2, "ETA unknown" if moment.left_s is None else f"ETA {duration(moment.left_s)}"))
    return _fitting(parts, columns)


def details(moment: Moment, columns: int) -> str:
    """What is in flight, what it costs, and what it waits for, in at most so many columns."""
    spent = moment.spent
    more = "+" if spent.unreported else ""
    parts = [(0, moment.stopping or f"{moment.in_flight:,} in flight")]
    if moment.calls_per_s is not None:
        parts.append((3, f"{_rate(moment.calls_per_s)} calls/s"))
    parts.append((5, f"{spent.calls:,} calls"))
    parts.append((4, f"{tokens(spent.prompt_tokens + spent.completion_tokens)}{more} tokens"))
    of = "" if moment.cap_usd is None else f" of {money(moment.cap_usd)}"
    parts.append((1, f"{'cost ' if spent.cost_usd is None else ''}{money(spent.cost_usd)}{of}"))
    if moment.waiting:
        parts.append((2, moment.waiting))
    if moment.skipped:
        parts.append((6, f"{moment.skipped:,} skipped"))
    return _fitting(parts, columns)


def money(cost_usd: Decimal | None) -> str:
    """US dollars for people; an unknown cost is unknown."""
    if cost_usd is None:
        return "unknown"
    return f"${cost_usd:.2f}" if cost_usd >= 1 or cost_usd == 0 else f"${cost_usd:.4f}"


def tokens(count: int) -> str:
    """A number of tokens: exact while it is short."""
    if count < 100_000:
        return f"{count:,}"
    return f"{count / 1e3:,.0f}k" if count < 1_000_000 else f"{count / 1e6:,.2f}M"


def duration(seconds: float) -> str:
    """A time in its two largest units: ``2 h 10 min``."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24} h"


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _fitting(parts: Sequence[tuple[int, str]], columns: int) -> str:
    """The parts in their order; while they are too long, the one with the highest number is left out."""
    kept = list(parts)
    while len(kept) > 1 and len(_DOT.join(text for _, text in kept)) > columns:
        kept.remove(max(kept, key=lambda part: part[0]))
    return _DOT.join(text for _, text in kept)
