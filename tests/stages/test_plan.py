"""The order of stages, what runs side by side, and what a failing branch costs."""

from __future__ import annotations

import asyncio
import pickle
from contextlib import suppress
from dataclasses import replace as changed
from pathlib import Path
from typing import Any, ClassVar

import pytest
from detective.cases import make_case, seen_by
from e2e.media_files import video
from stages.casting import playing

from omnidetective.case import Case
from omnidetective.config import load_config, load_workflow, names
from omnidetective.draft import Draft
from omnidetective.errors import AuthError, ConfigError, NoCandidatesError, StageTimeoutError
from omnidetective.evidence import Span
from omnidetective.pipeline import Pipeline
from omnidetective.records import Event, FailureRecord
from omnidetective.rows import parse_row
from omnidetective.settings import LimitSettings, Settings
from omnidetective.stages import STAGES
from omnidetective.stages.base import Stage, StageContext
from omnidetective.stages.plan import StagePlan
from omnidetective.workflows import Workflow

AT_WORK: list[str] = []
"""What the stages below did, in order."""


class Look(Stage):
    name: ClassVar[str] = "look"
    needs: ClassVar[frozenset[str]] = frozenset()
    adds: ClassVar[frozenset[str]] = frozenset({"observations"})

    async def __call__(self, case: Case, context: StageContext) -> Case:
        AT_WORK.append("look")
        await asyncio.sleep(0.1)
        AT_WORK.append("looked")
        return case.observed([seen_by("eyes")]).proposed("look", f"seen {case.scope}")


class Write(Stage):
    name: ClassVar[str] = "write"
    needs: ClassVar[frozenset[str]] = frozenset()
    adds: ClassVar[frozenset[str]] = frozenset({"draft"})
    begins_again: ClassVar[bool] = True
    error: ClassVar[Exception | None] = None
    fails_at_s: ClassVar[float | None] = None

    def by_segment(self, context: StageContext) -> bool:
        return True

    async def __call__(self, case: Case, context: StageContext) -> Case:
        AT_WORK.append("write")
        await asyncio.sleep(0.1)
        if self.error is not None and (
            self.fails_at_s is None or (case.scope and case.scope.start_s == self.fails_at_s)
        ):
            raise self.error
        case = case.observed([seen_by("ears")])
        text = f"From {case.span.start_s if case.span else 0:g} s."
        event = Event(text=text, modality="audio", evidence=(case.observations[-1].id,))
        return case.drafted("write", Draft.of([event], case.scope))


class Polish(Stage):
    name: ClassVar[str] = "polish"
    needs: ClassVar[frozenset[str]] = frozenset({"draft"})
    adds: ClassVar[frozenset[str]] = frozenset()

    async def __call__(self, case: Case, context: StageContext) -> Case:
        return case.noted("polished")


def plan(*stages: Any, **known: type[Stage]) -> StagePlan:
    workflow = Workflow.model_validate({"name": "w", "description": "d", "stages": list(stages)})
    return StagePlan.of(workflow, {"look": Look, "write": Write, "polish": Polish, **known})


async def run(made: StagePlan, case: Case) -> tuple[Case, list[str], dict[str, float]]:
    entered: list[str] = []
    seconds: dict[str, float] = {}
    async with playing({}) as play:
        done = await made.run(case, play.context, enter=entered.append, leave=seconds.__setitem__)
    return done, entered, seconds


TOGETHER = {"together": [{"stage": "look"}, {"stage": "write"}]}


async def test_stages_of_one_step_run_side_by_side_on_the_same_case() -> None:
    AT_WORK.clear()
    case, entered, seconds = await run(plan(TOGETHER, {"stage": "polish"}), make_case())
    assert AT_WORK.index("write") < AT_WORK.index("looked")
    assert entered == ["look+write", "polish"]
    assert set(seconds) == {"look", "write", "polish"}
    assert [o.id for o in case.observations] == ["o1", "wo1"]
    assert case.caption == "From 0 s."
    assert case.remarks == ("polished",)


async def test_a_long_clip_is_worked_on_by_segment_and_every_sentence_cites_its_own_observation() -> None:
    from dataclasses import replace

    spans = tuple(Span(start_s=a, end_s=a + 60) for a in (0.0, 60.0, 120.0))
    case, _, _ = await run(plan({"stage": "write"}), replace(make_case(duration_s=180.0), segments=spans))
    assert case.caption == "From 0 s. From 60 s. From 120 s."
    assert case.draft is not None
    assert [e.evidence for e in case.draft.events] == [("s1o1",), ("s2o1",), ("s3o1",)]
    assert [o.id for o in case.observations] == ["s1o1", "s2o1", "s3o1"]
    assert case.scope is None


async def test_a_branch_that_fails_in_its_own_way_is_a_shortfall() -> None:
    class Mute(Write):
        error = NoCandidatesError("nobody answered")

    case, _, _ = await run(plan(TOGETHER, write=Mute), make_case())
    assert case.shortfalls == ("write failed: nobody answered",)
    assert len(case.candidates) == 1


async def test_one_lost_segment_does_not_lose_the_clip_and_all_lost_ones_do() -> None:
    from dataclasses import replace

    spans = tuple(Span(start_s=a, end_s=a + 60) for a in (0.0, 60.0))
    long = replace(make_case(duration_s=120.0), segments=spans)

    class Gap(Write):
        error = NoCandidatesError("nobody answered")
        fails_at_s = 60.0

    case, _, _ = await run(plan({"stage": "write"}, write=Gap), long)
    assert case.caption == "From 0 s."
    assert case.shortfalls == ("write (60–120 s) failed: nobody answered",)

    class Mute(Write):
        error = NoCandidatesError("nobody answered")

    with pytest.raises(NoCandidatesError):
        await run(plan({"stage": "write"}, write=Mute), long)


async def test_an_error_that_would_hit_every_clip_ends_the_clip() -> None:
    class NoKey(Write):
        error = AuthError("wrong key")

    with pytest.raises(AuthError):
        await run(plan(TOGETHER, write=NoKey), make_case())


class Stuck(Write):
    """Never done, in tasks of its own that take a moment to let go."""

    own_s: ClassVar[float] = 0.0
    at_work: ClassVar[set[str]] = set()

    def own_limit_s(self, settings: Settings) -> float:
        return self.own_s

    async def __call__(self, case: Case, context: StageContext) -> Case:
        self.at_work.add(str(case.scope))
        try:
            await asyncio.Event().wait()
        finally:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.05)
            self.at_work.discard(str(case.scope))
        raise AssertionError


async def timed(made: StagePlan, case: Case, *, limit_s: float) -> Case:
    async with playing({}) as play:
        limits = LimitSettings(stage_timeout_s=limit_s)
        context = changed(play.context, settings=play.context.settings.model_copy(update={"limits": limits}))
        return await made.run(case, context, enter=lambda _: None, leave=lambda *_: None)


async def test_a_stage_that_is_over_its_time_ends_the_clip_and_is_named() -> None:
    with pytest.raises(StageTimeoutError, match=r"the stage write was not done within 0.2 s") as ended:
        await timed(plan({"stage": "write"}, write=Stuck), make_case(duration_s=30.0), limit_s=0.2)
    kept = pickle.loads(pickle.dumps(ended.value))
    assert (kept.stage, kept.reason, kept.outcome, kept.retryable) == ("write", "stage_timeout", "timed_out", True)
    assert "limits.stage_timeout_s" in kept.hint
    assert not Stuck.at_work


async def test_the_time_of_a_stage_grows_with_the_clip_and_begins_after_its_own() -> None:
    class Slow(Stuck):
        own_s = 0.1

    with pytest.raises(StageTimeoutError, match=r"within 0.6 s"):
        await timed(plan({"stage": "write"}, write=Slow), make_case(duration_s=600.0), limit_s=0.2)
    assert STAGES["investigate"]().own_limit_s(Settings()) == Settings().investigate.seconds


async def test_a_branch_that_is_over_its_time_costs_the_clip_only_that_branch_and_leaves_nothing_running() -> None:
    class Dawdle(Look):
        async def __call__(self, case: Case, context: StageContext) -> Case:
            return await Stuck()(case, context)

    case = await timed(plan(TOGETHER, look=Dawdle), make_case(duration_s=30.0), limit_s=0.5)
    assert case.caption == "From 0 s."
    assert case.shortfalls == ("look failed: the stage look was not done within 0.5 s",)
    assert not Stuck.at_work


async def test_the_failure_of_a_clip_names_the_stage_that_was_over_its_time(tmp_path: Path) -> None:
    class Idle(Look):
        async def __call__(self, case: Case, context: StageContext) -> Case:
            return await Stuck()(case, context)

    video(tmp_path / "film.mp4", seconds=1)
    config = load_config(overrides=["limits.stage_timeout_s=0.2"], environ={})
    async with playing({}) as play:
        context = changed(play.context, settings=config.settings)
        made = plan(TOGETHER, look=Idle, write=Stuck)
        pipeline = Pipeline(config, base_dir=tmp_path, context=context, plan=made)
        result = await pipeline.process(parse_row({"id": "film", "video": "film.mp4"}))
    assert isinstance(result, FailureRecord)
    assert (result.outcome, result.error.reason, result.error.stage) == ("timed_out", "stage_timeout", "look")
    assert "the stage look was not done within 0.2 s" in result.error.message
    assert not Stuck.at_work


async def test_segments_that_are_cancelled_are_gone_when_the_stage_is() -> None:
    spans = tuple(Span(start_s=a, end_s=a + 60) for a in (0.0, 60.0, 120.0))
    case = changed(make_case(duration_s=180.0), segments=spans)
    work = asyncio.create_task(timed(plan({"stage": "write"}, write=Stuck), case, limit_s=60.0))
    while len(Stuck.at_work) < 3:
        await asyncio.sleep(0.01)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not Stuck.at_work


def test_a_clip_that_is_sent_back_goes_on_from_the_last_stage_that_begins_again() -> None:
    made = plan({"stage": "write"}, {"stage": "look"}, {"stage": "write"}, {"stage": "polish"})
    assert [[stage.name for stage in step] for step in made.again().steps] == [["write"], ["polish"]]


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        ((), "no stages"),
        (({"stage": "wirte"},), "wirte"),
        (({"stage": "polish"}, {"stage": "write"}), "no stage before polish adds draft"),
        (({"together": [{"stage": "write"}, {"stage": "polish"}]},), "no stage before polish adds draft"),
        (({"stage": "look"},), "without a caption"),
    ],
)
def test_an_impossible_workflow_is_refused_before_the_first_clip(stages: tuple[Any, ...], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        plan(*stages)


@pytest.mark.parametrize("name", names("workflows"))
def test_every_built_in_workflow_is_possible(name: str) -> None:
    assert StagePlan.of(load_workflow(name), STAGES).steps
