"""The co-growth curve: how detail and hallucination grow together with the length of captions, or with the inquiries.

Clips are put into groups by the length of their captions, or by how many questions the detective put for them; each
group has both rates, and a line through the clips says how many points of each come with every 100 tokens, or with
every inquiry. The claim that detail is bought with invention is that of Omni-Captioner (arXiv 2510.12720, figure 2),
which does not publish how it was measured; the protocol is ours.

It compares clips with each other: a caption may be long because much happens in its clip. What a setting does is seen
by captioning the same clips with several settings, and holding the curves against each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from omnidetective.evals.base import Judged, Rated, Rates
from omnidetective.evals.result import Row, Table
from omnidetective.evals.statistics import Score, ratio, score
from omnidetective.token_counts import TokenCounter

By = Literal["length", "inquiries"]

DETAIL, INVENTION = "detail", "hallucination"
_GROUPS = 5
_MOST_NUMBERS = 10
"""Up to so many different numbers of inquiries each is a group of its own."""
_FEWEST_CLIPS = 3
"""A line through fewer says nothing."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Group:
    """Clips whose captions are about as long, or took about as many inquiries.

    Attributes:
        low, high: the least and the most among them, in tokens or inquiries.
        mean: their mean.
        clips: how many they are.
        detail, invention: both rates, in percent.
    """

    low: int
    high: int
    mean: float
    clips: int
    detail: Score
    invention: Score


@dataclass(frozen=True, slots=True)
class Growth:
    """Both rates by group, and how they grow.

    Attributes:
        by: what the groups are of.
        groups: in the order of ``low``.
        clips: how many clips are in the groups together.
        left_out: clips that were judged and are in no group: nobody knows how many inquiries they took.
        step: what the slopes are for: so many tokens, or inquiries, more.
        detail, invention: the slopes, in percentage points; without a value where all clips are alike.
    """

    by: By
    groups: tuple[Group, ...]
    clips: int
    left_out: int
    step: int
    detail: Score
    invention: Score

    @property
    def unit(self) -> str:
        """What is counted."""
        return "tokens" if self.by == "length" else "inquiries"


_Placed = tuple[int, Rates]
"""The tokens or inquiries of one clip, and its rates."""


def growth(benchmark: Rated, judged: Sequence[Judged[Any, Any]], by: By, *, tokens: TokenCounter) -> Growth:
    """Both rates by length or by inquiries, over the clips that have a verdict."""
    known = [one for one in judged if one.verdict is not None]
    placed: list[_Placed] = []
    for one in known:
        at = one.inquiries if by == "inquiries" else tokens.count(one.caption or "")
        if at is not None:
            placed.append((at, benchmark.rates(one)))
    step = 100 if by == "length" else 1
    return Growth(
        by=by,
        groups=tuple(_group(members) for members in _grouped(placed, by)),
        clips=len(placed),
        left_out=len(known) - len(placed),
        step=step,
        detail=_slope([(at / step, rates.detail, rates.detail_of) for at, rates in placed]),
        invention=_slope([(at / step, rates.invention, rates.invention_of) for at, rates in placed]),
    )


def tables(found: Growth, benchmark: Rated) -> tuple[Table, Table]:
    """The groups, and the slopes, as tables of a result."""
    more = "100 tokens more" if found.by == "length" else "inquiry more"
    groups = Table(
        title=f"co-growth by {'length of the caption' if found.by == 'length' else 'number of inquiries'}",
        columns=(DETAIL, INVENTION),
        rows=tuple(
            _row(_named(group, found.unit), group.clips, group.detail, group.invention) for group in found.groups
        ),
        note=f"Percent. {DETAIL}: {benchmark.detail}; {INVENTION}: {benchmark.invention}. n: captions with a verdict."
        + (f" {found.left_out} more do not tell how many inquiries they took." if found.left_out else ""),
    )
    slopes = Table(
        title=f"for every {more}",
        columns=(DETAIL, INVENTION),
        rows=(_row("points more", found.clips, found.detail, found.invention),),
        digits=2,
        note="Percentage points, by least squares over the captions.",
    )
    return groups, slopes


def _named(group: Group, unit: str) -> str:
    if group.low == group.high == 1:
        return {"tokens": "1 token", "inquiries": "1 inquiry"}[unit]
    span = f"{group.low:,}" if group.low == group.high else f"{group.low:,}–{group.high:,}"
    return f"{span} {unit}"


def _row(name: str, clips: int, detail: Score, invention: Score) -> Row:
    return Row(name=name, n=clips, scores={DETAIL: detail, INVENTION: invention})


def _grouped(placed: Sequence[_Placed], by: By) -> Iterator[list[_Placed]]:
    """Groups in order; the same number is never in two of them, so the order of the clips plays no part."""
    numbers = Counter(at for at, _ in placed)
    if by == "inquiries" and len(numbers) <= _MOST_NUMBERS:
        bounds = sorted(numbers)
    else:
        ordered = sorted(at for at, _ in placed)
        bounds = sorted(
            {ordered[-(-len(ordered) * n // _GROUPS) - 1] for n in range(1, _GROUPS + 1)} if ordered else ()
        )
    low = -1
    for high in bounds:
        yield [one for one in placed if low < one[0] <= high]
        low = high


def _group(members: Sequence[_Placed]) -> Group:
    at = [number for number, _ in members]
    sums = [(r.detail, r.detail_of, r.invention, r.invention_of) for _, r in members]
    return Group(
        low=min(at),
        high=max(at),
        mean=sum(at) / len(at),
        clips=len(members),
        detail=score(sums, ratio(0, 1, times=100)),
        invention=score(sums, ratio(2, 3, times=100)),
    )


def _slope(points: Sequence[tuple[float, float, float]]) -> Score:
    """The slope of a line through the rates (in percent) of clips, each weighing as much as its rate is of.

    Args:
        points: of each clip its place on the axis, how much was found, and of how much.
    """
    weighed = [(x, part, whole) for x, part, whole in points if whole > 0]
    if len(weighed) < _FEWEST_CLIPS:
        return Score()
    middle = sum(x for x, _, _ in weighed) / len(weighed)  # sums of small numbers lose nothing to rounding
    items = [
        (whole, whole * (x - middle), whole * (x - middle) ** 2, 100 * part, 100 * part * (x - middle))
        for x, part, whole in weighed
    ]
    return score(items, _least_squares)


def _least_squares(sums: Any) -> Any:
    """From the sums of w, wx, wx², wy and wxy."""
    import numpy as np

    w, wx, wxx, wy, wxy = sums.T
    spread = w * wxx - wx * wx
    known = spread > _ROUNDING * np.maximum(w * wxx, _ROUNDING)
    return np.where(known, (w * wxy - wx * wy) / np.where(known, spread, 1.0), np.nan)
