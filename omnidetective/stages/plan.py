"""The stages of a workflow as they run: in order, side by side where the workflow says so, by segment in long clips."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from omnidetective.case import Case
from omnidetective.errors import (
    BudgetSpentError,
    ConfigError,
    ContentFilterError,
    ContextLengthError,
    FormatError,
    MediaError,
    NoCandidatesError,
    OmnidetectiveError,
    StageTimeoutError,
)
from omnidetective.evidence import Span
from omnidetective.llm.patience import time_limit
from omnidetective.llm.usage import paid_by
from omnidetective.observers.base import in_proportion
from omnidetective.settings import Settings
from omnidetective.stages.base import Stage, StageContext
from omnidetective.telemetry import Step
from omnidetective.workflows import Workflow

log = logging.getLogger(__name__)

LOSES_ONLY_ITSELF = (
    BudgetSpentError,
    ContentFilterError,
    ContextLengthError,
    FormatError,
    MediaError,
    NoCandidatesError,
    StageTimeoutError,
)
"""Errors of one of several branches that leave the others their worth. The rest would hit the others too."""

Clock = Callable[[str, float], None]
"""Told the name of a stage and its seconds when it ends."""


@dataclass(frozen=True, slots=True)
class StagePlan:
    """The steps of a workflow; the stages of one step work on the same case side by side."""

    steps: tuple[tuple[Stage, ...], ...]

    @classmethod
    def of(cls, workflow: Workflow, known: Mapping[str, type[Stage]]) -> StagePlan:
        """The plan of a workflow.

        Raises:
            ConfigError: an unknown stage, stages in an impossible order, or a workflow that writes no caption.
        """
        if not workflow.stages:
            raise ConfigError(f"workflow {workflow.name!r} has no stages")
        there: set[str] = set()
        steps = []
        for step in workflow.steps:
            stages = tuple(_stage(spec.stage, workflow, known) for spec in step)
            for stage in stages:
                if missing := sorted(stage.needs - there):
                    raise ConfigError(
                        f"workflow {workflow.name!r}: no stage before {stage.name} adds {', '.join(missing)}, "
                        "which it needs"
                    )
            there = there.union(*(stage.adds for stage in stages))
            steps.append(stages)
        if "draft" not in there:
            raise ConfigError(f"workflow {workflow.name!r} ends without a caption: no stage of it writes one")
        return cls(tuple(steps))

    @property
    def names(self) -> frozenset[str]:
        """The names of its stages."""
        return frozenset(stage.name for step in self.steps for stage in step)

    def roles(self, settings: Settings) -> tuple[str, ...]:
        """The roles without which the workflow cannot be done, each once."""
        return tuple(dict.fromkeys(role for step in self.steps for stage in step for role in stage.roles(settings)))

    def again(self) -> StagePlan:
        """What a clip that the gate rejects goes through once more."""
        return StagePlan(self.steps[self._last_beginning :])

    def once(self) -> StagePlan:
        """What comes before that."""
        return StagePlan(self.steps[: self._last_beginning])

    @property
    def _last_beginning(self) -> int:
        return max((n for n, step in enumerate(self.steps) if any(s.begins_again for s in step)), default=0)

    @property
    def draws(self) -> bool:
        """Whether the draft is written anew by chance, so that it may come out otherwise another time."""
        return any(stage.draws for stage in self.steps[self._last_beginning])

    def can_differ(self, case: Case, context: StageContext) -> bool:
        """Whether its first step, with this cast, may make something else of the same case another time."""
        return any(stage.draws and stage.can_differ(case, context) for stage in self.steps[0])

    async def run(self, case: Case, context: StageContext, *, enter: Callable[[str], None], leave: Clock) -> Case:
        """Take a case through every step.

        Args:
            enter: told the name of a step before it begins: its stages, joined by ``+``.
            leave: told what each stage took.
        """
        for step in self.steps:
            enter("+".join(stage.name for stage in step))
            if len(step) == 1:
                case = await _timed(step[0], case, context, leave)
                continue
            branches = [case.branched(stage.name[0] if n else "") for n, stage in enumerate(step)]
            work = [_timed(stage, branch, context, leave) for stage, branch in zip(step, branches, strict=True)]
            case = await _joined(case, [stage.name for stage in step], branches, work)
        return case


def _stage(name: str, workflow: Workflow, known: Mapping[str, type[Stage]]) -> Stage:
    if name not in known:
        raise ConfigError(f"workflow {workflow.name!r} names the stage {name!r}", hint=f"there are: {', '.join(known)}")
    return known[name]()


async def _timed(stage: Stage, case: Case, context: StageContext, leave: Clock) -> Case:
    since = time.monotonic()
    with paid_by(stage=stage.name), Step("stage", log, {"stage": stage.name}):
        try:
            if not case.segments or not stage.by_segment(context):
                return await _within_its_time(stage, case, context)
            return await _by_segment(stage, case, context)
        finally:
            leave(stage.name, time.monotonic() - since)


async def _within_its_time(stage: Stage, case: Case, context: StageContext) -> Case:
    """Have a stage work on a clip, or on a segment of it.

    Raises:
        StageTimeoutError: it was not done within ``limits.stage_timeout_s``.
    """
    settings = context.settings
    limit_s = in_proportion(settings.limits.stage_timeout_s + stage.own_limit_s(settings), case.clip, case.scope)
    try:
        async with time_limit(limit_s) as limit:
            return await stage(case, context)
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise StageTimeoutError(
            f"the stage {stage.name} was not done within {limit_s:g} s",
            stage=stage.name,
            hint="raise limits.stage_timeout_s, or look at what is slow",
        ) from error


async def _by_segment(stage: Stage, case: Case, context: StageContext) -> Case:
    """The segments of a long clip, each worked on as a case of its own."""
    gate = asyncio.Semaphore(context.settings.segment.parallel)
    branches = [case.branched(f"s{n}", span) for n, span in enumerate(case.segments, start=1)]

    async def work(branch: Case) -> Case:
        async with gate:
            return await _within_its_time(stage, branch, context)

    names = [f"{stage.name} ({seconds(span)})" for span in case.segments]
    return await _joined(case, names, branches, [work(branch) for branch in branches])


def seconds(span: Span) -> str:
    """A span in words: ``60–120 s``."""
    return f"{span.start_s:.0f}–{span.end_s:.0f} s"


async def _joined(
    case: Case, names: Iterable[str], branches: Iterable[Case], work: Iterable[Coroutine[Any, Any, Case]]
) -> Case:
    """What the branches have added. A branch that fails in a way of its own is told as a shortfall, unless all do."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done() and (error := task.exception()) and not isinstance(error, LOSES_ONLY_ITSELF):
                raise error
        results = await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        for task in tasks:
            task.cancel()
        # Not before all have let go: nothing works on a clip that is closed, or on the account of a stage that is over.
        await asyncio.gather(*tasks, return_exceptions=True)
    done: list[Case] = []
    lost: list[tuple[str, OmnidetectiveError]] = []
    for name, branch, result in zip(names, branches, results, strict=True):
        if isinstance(result, Case):
            done.append(replace(result, branch=case.branch, scope=case.scope))
        elif isinstance(result, LOSES_ONLY_ITSELF):
            log.info("clip %s: %s failed: %s", branch.clip.id, name, result)
            lost.append((name, result))
        else:
            raise result
    if not done:
        raise lost[0][1]
    joined = case.joined(done)
    return replace(joined, shortfalls=(*joined.shortfalls, *(f"{name} failed: {why.message}" for name, why in lost)))
