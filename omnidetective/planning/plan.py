"""The plan of a run: clips, hours, calls, tokens, dollars and waiting, each from a lower to an upper end."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from pydantic import Field

from omnidetective.config import Config
from omnidetective.forecast.calls import Bounds, Expected, by_role, joined
from omnidetective.forecast.clip import forecast_clip
from omnidetective.forecast.gating import most_draws
from omnidetective.forecast.ground import Ground
from omnidetective.frozen import Sparse
from omnidetective.planning.checks import ModelCheck
from omnidetective.planning.probing import Probed
from omnidetective.planning.survey import FIRST_PROBLEMS, Survey
from omnidetective.records import MediaFacts

_ERRORS: Final = 2.0
"""Standard errors that a number extrapolated from a sample is widened by."""
_WIDEST: Final = 0.9


class Range(Sparse):
    """From ``low`` to ``high``; ``most``: with every repair and repetition that the settings allow."""

    low: float
    high: float
    most: float


class PlannedCalls(Sparse):
    """The calls of one stage to one role, over all clips to do.

    ``role`` is ``witnesses`` where it is not known yet whom of ``roles`` the detective or the auditor will ask.
    ``cost_usd`` is null where the price of one of ``models`` is unknown.
    """

    stage: str
    role: str
    roles: tuple[str, ...]
    models: tuple[str, ...]
    calls: Range
    prompt_tokens: Range
    completion_tokens: Range
    cost_usd: Range | None


class PlannedTotal(Sparse):
    """All calls together. ``cost_usd`` is that of the calls whose price is known."""

    calls: Range
    prompt_tokens: Range
    completion_tokens: Range
    cost_usd: Range


class Trouble(Sparse):
    """A row or a clip that cannot be used, and why."""

    where: str
    why: str


class Clips(Sparse):
    """The rows of the input. ``downloads`` of those to do have to be fetched first."""

    rows: int
    to_do: int
    done: int
    failed_before: int
    unusable: int
    downloads: int


class Media(Sparse):
    """What is known of the clips to do.

    Attributes:
        probed: how many were looked at; ``unreadable`` of them cannot be opened.
        hours: of all clips to do; extrapolated unless every one was looked at.
        images: how many of them are pictures, likewise.
    """

    probed: int
    unreadable: int
    hours: Range | None = None
    images: Range | None = None


class Plan(Sparse):
    """Everything.

    Attributes:
        problems: the first rows and clips that cannot be used.
        calls: by stage and role, in the order of the workflow; ``total`` is their sum. Both are absent where nothing
            of the clips is known.
        calls_by_role: role → calls; those that several roles share count for each of them.
        unpriced: models whose price is unknown; their calls are not in the total cost.
        wait_s: time until all is answered, with so many clips at once; measuring on this machine comes on top.
        models: what was found out about them for free.
        notes: what stands on weak feet.
    """

    workflow: str
    model_set: str
    num_workers: int
    concurrency: int
    clips: Clips
    problems: tuple[Trouble, ...]
    media: Media
    calls: tuple[PlannedCalls, ...] | None = None
    calls_by_role: dict[str, Range] = Field(default_factory=dict)
    total: PlannedTotal | None = None
    unpriced: tuple[str, ...] = ()
    wait_s: Range | None = None
    models: tuple[ModelCheck, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def would_start(self) -> bool:
        """Whether nothing that could be looked at stands in the way of the run."""
        return not any(model.ready is False for model in self.models)


def plan_of(config: Config, ground: Ground, found: Survey, probed: Probed) -> Plan:
    """Put together what was found out of the clips; of the models nothing is said yet."""
    settings = config.settings
    problems = (*found.problems, *probed.problems[:FIRST_PROBLEMS])
    facts = probed.facts
    per_clip = [forecast_clip(ground, one) for one in facts]
    scale, error = extrapolation(found, probed)
    known = bool(facts) or not found.to_do
    expected = tuple(one.times(scale * (1 - error), scale * (1 + error)) for one in _summed(per_clip))
    plan = Plan(
        workflow=config.workflow.name,
        model_set=config.model_set.name,
        num_workers=settings.num_workers,
        concurrency=settings.concurrency,
        clips=clips_of(found),
        problems=tuple(Trouble(where=problem.where, why=problem.why) for problem in problems),
        media=_media(facts, probed, scale, error, known=known),
        notes=tuple(_notes(found, probed, ground)),
    )
    if not known:
        return plan
    at_once = max(1, min(settings.num_workers * settings.concurrency, found.to_do))
    waits = sum((one.in_row_s for one in expected), Bounds())
    return plan.model_copy(
        update={
            "calls": tuple(_planned(one) for one in expected),
            "calls_by_role": {role: _range(calls) for role, calls in by_role(expected).items()},
            "total": _total(expected),
            "unpriced": tuple(dict.fromkeys(_unpriced(expected))),
            "wait_s": _range(waits.times(1 / at_once, 1 / at_once)) if expected else None,
        }
    )


def clips_of(found: Survey) -> Clips:
    """The counts of a survey."""
    return Clips(**{name: getattr(found, name) for name in Clips.model_fields})


def extrapolation(found: Survey, probed: Probed) -> tuple[float, float]:
    """By how much what was probed is to be multiplied, and how far off, in proportion, that may be."""
    if not probed.facts or not found.to_do:
        return 0.0, 0.0
    scale = found.to_do / probed.clips
    unseen = 1 - probed.clips / found.to_do
    if unseen <= 0:
        return scale, 0.0
    # Clips that cannot be opened count as clips of no length: how many there are is extrapolated too.
    lengths = [facts.duration_s or 1.0 for facts in probed.facts] + [0.0] * len(probed.problems)
    mean = sum(lengths) / len(lengths)
    if len(lengths) < 2:
        return scale, _WIDEST
    variance = sum((length - mean) ** 2 for length in lengths) / (len(lengths) - 1)
    error = _ERRORS * math.sqrt(variance * unseen / len(lengths)) / mean
    return scale, min(error, _WIDEST)


def _summed(per_clip: Iterable[Iterable[Expected]]) -> tuple[Expected, ...]:
    return joined(one for clip in per_clip for one in clip)


def _media(facts: Sequence[MediaFacts], probed: Probed, scale: float, error: float, *, known: bool) -> Media:
    media = Media(probed=probed.clips, unreadable=len(probed.problems))
    if not known:
        return media
    hours = sum(one.duration_s or 0.0 for one in facts) / 3600 * scale
    images = sum(one.modality == "image" for one in facts) * scale
    spread = (1 - error, 1 + error, 1 + error)
    return media.model_copy(
        update={
            "hours": _range(Bounds(*(hours * factor for factor in spread))),
            "images": _range(Bounds(*(images * factor for factor in spread))) if images else None,
        }
    )


def _notes(found: Survey, probed: Probed, ground: Ground) -> Iterable[str]:
    if found.to_do and not probed.facts:
        if found.downloads == found.to_do:
            yield "all clips have to be downloaded first, which a plan does not do: estimate --pilot N measures some"
        else:
            yield "none of the clips that were looked at can be opened, so nothing can be foreseen"
    elif probed.clips < found.to_do:
        fetched = f"; {found.downloads:,} have to be downloaded, and are taken to be like them" * bool(found.downloads)
        yield f"{probed.clips:,} of {found.to_do:,} clips were looked at, the rest is extrapolated{fetched}"
    if (draws := most_draws(ground)) > 1:
        yield f"the upper ends hold {draws} captions of each clip (gate.samples): drawing ends with the first accepted"
    for name, why in ground.toolbox.unavailable.items():
        if not why.expected:
            yield f"without {name}: {why.message}"


def _planned(one: Expected) -> PlannedCalls:
    return PlannedCalls(
        stage=one.stage,
        role=one.role,
        roles=one.roles,
        models=one.models,
        calls=_range(one.calls),
        prompt_tokens=_range(one.prompt),
        completion_tokens=_range(one.completion),
        cost_usd=None if one.cost_usd is None else _range(one.cost_usd),
    )


def _total(expected: Sequence[Expected]) -> PlannedTotal:
    return PlannedTotal(
        calls=_range(sum((one.calls for one in expected), Bounds())),
        prompt_tokens=_range(sum((one.prompt for one in expected), Bounds())),
        completion_tokens=_range(sum((one.completion for one in expected), Bounds())),
        cost_usd=_range(sum((one.cost_usd for one in expected if one.cost_usd is not None), Bounds())),
    )


def _unpriced(expected: Iterable[Expected]) -> Iterable[str]:
    for one in expected:
        yield from one.unpriced


def _range(bounds: Bounds) -> Range:
    return Range(low=_rounded(bounds.low), high=_rounded(bounds.high), most=_rounded(bounds.most))


def _rounded(value: float) -> float:
    """Four digits: nothing here is known better."""
    return 0.0 if not value else round(value, 3 - math.floor(math.log10(abs(value))))
