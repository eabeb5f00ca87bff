"""One clip: the calls of all its stages, whole or in segments, and again where the gate may have it drawn anew."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from omnidetective.forecast.calls import Bounds, Expected, joined
from omnidetective.forecast.gating import most_draws
from omnidetective.forecast.ground import Ground
from omnidetective.forecast.piece import Piece
from omnidetective.forecast.stages import FORECASTS
from omnidetective.records import MediaFacts
from omnidetective.stages.plan import StagePlan

_SHORTEST_SEGMENT = 0.5
"""See ``segments.segment_at``: in proportion to the longest."""


def forecast_clip(ground: Ground, facts: MediaFacts) -> tuple[Expected, ...]:
    """What a clip will ask, by stage and role, in the order of the workflow."""
    fewest, most = segment_counts(facts.duration_s or 0.0, ground.settings.segment.max_s)
    low = {(one.stage, one.role): one for one in _in_parts(ground, facts, fewest)}
    high = _in_parts(ground, facts, most)
    return tuple(low.get((one.stage, one.role), one.times(0.0, 1.0)).from_low_to(one) for one in high)


def segment_counts(duration_s: float, max_s: float) -> tuple[int, int]:
    """The fewest and the most parts that a clip is worked on in; where its cuts are is not known yet."""
    if duration_s <= max_s:
        return 1, 1
    return ceil(duration_s / max_s), 1 + ceil((duration_s / max_s - 1) / _SHORTEST_SEGMENT)


def _in_parts(ground: Ground, facts: MediaFacts, parts: int) -> tuple[Expected, ...]:
    part_s = (facts.duration_s or 0.0) / parts
    expected = list(_steps(ground.plan, Piece(ground, facts, parts, part_s)))
    draws = most_draws(ground)
    for sent_back, more in ((False, draws - 1), (True, draws * ground.settings.gate.retry)):
        if more:
            again = _steps(ground.plan.again(), Piece(ground, facts, parts, part_s, again=sent_back))
            expected += [one.times(0.0, more) for one in again]
    return joined(one for one in expected if one.calls != Bounds())


def _steps(plan: StagePlan, piece: Piece) -> Iterator[Expected]:
    for step in plan.steps:
        for stage in step:
            yield from FORECASTS[stage.name](piece)
