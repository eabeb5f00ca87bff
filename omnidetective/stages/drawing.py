"""Rejection sampling: captions are drawn until the gate accepts one, else the best is kept (MetaCaptioner's CapFlow).

A clip goes once through the stages before the one that writes the draft. From there on each draw begins with the same
case, so that draws know nothing of each other; what they share is what instruments measured on the way, which is the
same for all. What the record holds is one draw as a whole, with the list of all.

A rejected clip may be sent back besides (``gate.retry``): one more round of draws, which are told why the best one so
far was rejected. Numbers go on from round to round, and are part of what is asked: no draw is answered with another's
cached reply, and a run that is taken up again repeats none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from omnidetective.case import Case
from omnidetective.errors import ConfigError, OmnidetectiveError
from omnidetective.findings import Sample
from omnidetective.records import Observation
from omnidetective.rubric import SCORES
from omnidetective.settings import Settings
from omnidetective.stages.base import StageContext
from omnidetective.stages.plan import LOSES_ONLY_ITSELF, Clock, StagePlan

log = logging.getLogger(__name__)


def require_draws(plan: StagePlan, settings: Settings, *, workflow: str) -> None:
    """Refuse ``gate.samples`` where no draw could differ from the first.

    Raises:
        ConfigError: the workflow has no stage that writes the draft anew by chance. An investigation is not drawn: it
            would be paid in full each time.
    """
    if settings.gate.samples > 1 and not plan.draws:
        raise ConfigError(
            f"gate.samples={settings.gate.samples}: workflow {workflow!r} has nothing to draw from again, because no "
            "integrator writes its caption",
            hint="leave gate.samples at 1, or put the stage ensemble before the gate",
        )


def merit(sample: Sample) -> tuple[bool, float, float, int]:
    """What makes one draw better than another, weightiest first; the greater the better.

    Accepted; more points from the judge, of which a caption that was not worth asking about has none; fewer errors that
    instruments prove; drawn earlier.
    """
    points = sum(score for name, score in sample.scores.items() if name in SCORES)
    return not sample.reasons, points, -sample.scores.get("errors", 0.0), -sample.number


@dataclass(frozen=True, slots=True)
class _Draw:
    """One caption that was drawn."""

    case: Case
    sample: Sample


@dataclass(slots=True)
class _Urn:
    """The draws of one clip so far, and those that failed, in words; ``next`` is the number of the next."""

    draws: list[_Draw] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def next(self) -> int:
        return len(self.draws) + len(self.failures)

    @property
    def best(self) -> Case:
        return max(self.draws, key=lambda draw: merit(draw.sample)).case


async def drawn(
    case: Case, plan: StagePlan, context: StageContext, *, enter: Callable[[str], None], leave: Clock
) -> Case:
    """Take a case through a workflow, and from its draft on again while the gate rejects it.

    Args:
        enter, leave: as :meth:`StagePlan.run` takes them.

    Returns:
        The best draw, with all of them in ``samples``. Of the others there is nothing else in it.

    Raises:
        OmnidetectiveError: the first draw failed, or a later one in a way that the next would meet too. Else one that
            fails costs itself, and is a remark.
    """
    start = base = await plan.once().run(case, context, enter=enter, leave=leave)
    urn = _Urn()
    for _ in range(1 + context.settings.gate.retry):
        await _round(start, plan.again(), context, urn, enter=enter, leave=leave)
        if not urn.best.rejections:
            break
        start = _sent_back(base, urn.best)
    samples = tuple(draw.sample for draw in urn.draws)
    return replace(urn.best, samples=samples).noted(*urn.failures)


async def _round(
    start: Case, plan: StagePlan, context: StageContext, urn: _Urn, *, enter: Callable[[str], None], leave: Clock
) -> None:
    """Draw from one case until a caption is accepted, or as often as the settings allow."""
    draws = context.settings.gate.samples if plan.can_differ(start, context) else 1
    measured: Sequence[Observation] = ()
    for _ in range(draws):
        number = urn.next
        try:
            done = await _one(replace(start, draw=number), plan, context, measured, enter=enter, leave=leave)
        except LOSES_ONLY_ITSELF as error:
            if number == 0:
                raise
            urn.failures.append(_failed(start, number, error))
            continue
        measured = _measured(done.observations[len(start.observations) :])
        urn.draws.append(
            _Draw(
                done,
                Sample(number=number, caption=done.caption or "", scores=dict(done.scores), reasons=done.rejections),
            )
        )
        if not done.rejections:
            return
        log.info("clip %s: caption %d rejected (%s)", start.clip.id, number, "; ".join(done.rejections))


async def _one(
    case: Case,
    plan: StagePlan,
    context: StageContext,
    measured: Sequence[Observation],
    *,
    enter: Callable[[str], None],
    leave: Clock,
) -> Case:
    """One draw. What an earlier one measured joins after the draft, so that all drafts are written from the same."""
    first, rest = StagePlan(plan.steps[:1]), StagePlan(plan.steps[1:])
    written = await first.run(case, context, enter=enter, leave=leave)
    if len(written.observations) == len(case.observations):
        written = replace(written, observations=(*written.observations, *measured))
    return await rest.run(written, context, enter=enter, leave=leave)


def _measured(new: Iterable[Observation]) -> tuple[Observation, ...]:
    """What instruments found, as far as it was found first: the ids of the rest depend on the draw."""
    return tuple(takewhile(lambda observation: observation.kind == "instrument", new))


def _sent_back(base: Case, rejected: Case) -> Case:
    """What a retry begins with: everything that was observed and told, and the reasons; nothing of the caption."""
    return replace(
        base,
        observations=rejected.observations,
        candidates=rejected.candidates,
        contradictions=rejected.contradictions,
        trajectory=rejected.trajectory,
        hints=rejected.rejections,
    )


def _failed(case: Case, number: int, error: OmnidetectiveError) -> str:
    log.info("clip %s: caption %d failed: %s", case.clip.id, number, error)
    return f"caption {number} was not drawn: {error.message}"
