"""Drawing captions: which is kept, that it is kept whole, and what draws share."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import pytest
from detective.cases import make_case, seen_by
from hypothesis import given, settings
from hypothesis import strategies as st
from stages.casting import playing

from omnidetective.case import Case
from omnidetective.config import load_config, load_model_set
from omnidetective.draft import Draft
from omnidetective.errors import AuthError, ConfigError, NoCandidatesError, OmnidetectiveError
from omnidetective.findings import Sample, Verification
from omnidetective.llm.cast import Cast
from omnidetective.pipeline import Pipeline
from omnidetective.records import Event, Observation
from omnidetective.stages.base import Stage, StageContext
from omnidetective.stages.drawing import drawn, merit
from omnidetective.stages.ensemble import Ensemble
from omnidetective.stages.plan import StagePlan

REJECTED = ("not_professional: core_intent 2 of 3",)


def sample(number: int, *reasons: str, **scores: float) -> Sample:
    return Sample(number=number, caption=f"caption {number}", scores={"tokens": 20.0, **scores}, reasons=reasons)


ORDER: Mapping[str, tuple[Sample, Sample]] = {
    "accepted comes first, whatever the scores": (
        sample(3, factual_accuracy=3),
        sample(0, "errors: 1", factual_accuracy=3, core_intent=3, errors=0),
    ),
    "accepted without a score, from a judge without form": (sample(1), sample(0, *REJECTED, core_intent=2)),
    "then the sum of the dimensions": (
        sample(2, *REJECTED, factual_accuracy=3, core_intent=2, errors=4),
        sample(0, *REJECTED, factual_accuracy=2, core_intent=2, errors=0),
    ),
    "a caption that was worth judging is better than one that was not": (
        sample(1, *REJECTED, factual_accuracy=1),
        sample(0, "too_short: 3 tokens", errors=0),
    ),
    "the score of the other rubric counts alike": (
        sample(1, "incomplete: 3 of 5", completeness=3),
        sample(0, "incomplete: 2 of 5", completeness=2),
    ),
    "then the fewest errors": (
        sample(1, *REJECTED, core_intent=2, errors=0),
        sample(0, *REJECTED, core_intent=2, errors=1),
    ),
    "then the earlier": (sample(0, *REJECTED, core_intent=2), sample(1, *REJECTED, core_intent=2)),
    "length and grounding do not count": (
        sample(0, *REJECTED, core_intent=2, grounding=0.6),
        sample(1, *REJECTED, core_intent=2, grounding=1.0),
    ),
}


@pytest.mark.parametrize("pair", ORDER.values(), ids=ORDER)
def test_the_order_of_preference(pair: tuple[Sample, Sample]) -> None:
    better, worse = pair
    assert merit(better) > merit(worse)


# Through a workflow --------------------------------------------------------------------------------------------------


class Look(Stage):
    name: ClassVar[str] = "look"
    needs: ClassVar[frozenset[str]] = frozenset()
    adds: ClassVar[frozenset[str]] = frozenset({"candidates"})

    async def __call__(self, case: Case, context: StageContext) -> Case:
        return case.observed([seen_by("eyes")]).proposed("look", "seen").noted("looked")


class Write(Stage):
    name: ClassVar[str] = "write"
    needs: ClassVar[frozenset[str]] = frozenset({"candidates"})
    adds: ClassVar[frozenset[str]] = frozenset({"draft"})
    begins_again: ClassVar[bool] = True
    draws: ClassVar[bool] = True

    def __init__(self, *, fails: Mapping[int, OmnidetectiveError] | None = None, differs: bool = True) -> None:
        self.cases: list[Case] = []
        self._fails, self._differs = fails or {}, differs

    def can_differ(self, case: Case, context: StageContext) -> bool:
        return self._differs

    async def __call__(self, case: Case, context: StageContext) -> Case:
        self.cases.append(case)
        if case.draw in self._fails:
            raise self._fails[case.draw]
        event = Event(text=f"Caption {case.draw}.", modality="visual", evidence=("o1",))
        case = replace(case, shortfalls=(*case.shortfalls, f"shortfall {case.draw}"))
        return case.noted(f"wrote {case.draw}").drafted("write", Draft.of([event]))


class Examine(Stage):
    """Measures once, asks a witness each time, and verifies only what is even."""

    name: ClassVar[str] = "examine"
    needs: ClassVar[frozenset[str]] = frozenset({"draft"})
    adds: ClassVar[frozenset[str]] = frozenset({"verification"})

    def __init__(self) -> None:
        self.measured = 0

    async def __call__(self, case: Case, context: StageContext) -> Case:
        if not any(o.observer == "ruler" for o in case.observations):
            self.measured += 1
            case = case.observed([seen_by("ruler")])
        case = case.observed([Observation(observer="ears", kind="witness", question="?", answer=f"draw {case.draw}")])
        if case.draw % 2:
            return case
        told = Verification(
            non_speech_deficiency_specific="", speech_deficiency_specific="", caption=f"Caption {case.draw}."
        )
        return replace(case, verification=told)


class Judge(Stage):
    """The gate, whose verdicts are given by the number of the draw; the last one again and again."""

    name: ClassVar[str] = "gate"
    needs: ClassVar[frozenset[str]] = frozenset({"draft"})
    adds: ClassVar[frozenset[str]] = frozenset({"rejections"})

    def __init__(self, verdicts: Sequence[Sample]) -> None:
        self._verdicts = verdicts

    async def __call__(self, case: Case, context: StageContext) -> Case:
        verdict = self._verdicts[min(case.draw, len(self._verdicts) - 1)]
        return replace(case, scores=verdict.scores, rejections=verdict.reasons)


async def draw(
    verdicts: Sequence[Sample], *, write: Write | None = None, examine: Examine | None = None, **gate: int
) -> tuple[Case, Write]:
    write = write or Write()
    plan = StagePlan(((Look(),), (write,), (examine or Examine(),), (Judge(verdicts),)))
    async with playing({}, settings={"gate": gate}) as play:
        done = await drawn(make_case(), plan, play.context, enter=lambda _: None, leave=lambda *_: None)
    return done, write


def whole(case: Case, number: int) -> None:
    """The case is that of one draw, and nothing of another is in it."""
    assert case.draw == number
    assert case.caption == f"Caption {number}."
    assert case.shortfalls == (f"shortfall {number}",)
    assert case.remarks[:2] == ("looked", f"wrote {number}")
    assert [d.caption for d in case.drafts] == [f"Caption {number}."]
    assert [o.answer for o in case.observations if o.observer == "ears"][-1] == f"draw {number}"
    assert len({o.id for o in case.observations}) == len(case.observations)
    assert (case.verification is None) == bool(number % 2)
    if case.verification is not None:
        assert case.verification.caption == case.caption


async def test_the_first_that_is_accepted_ends_the_drawing() -> None:
    verdicts = [sample(0, *REJECTED, core_intent=2), sample(1, core_intent=3), sample(2, core_intent=3)]
    done, write = await draw(verdicts, samples=5)
    whole(done, 1)
    assert done.rejections == ()
    assert [s.number for s in done.samples] == [0, 1]
    assert len(write.cases) == 2


async def test_draws_know_nothing_of_each_other_and_measure_once() -> None:
    examine = Examine()
    done, write = await draw([sample(0, *REJECTED, core_intent=2)], examine=examine, samples=3)
    assert [replace(case, draw=0) for case in write.cases] == [write.cases[0]] * 3
    assert [case.draw for case in write.cases] == [0, 1, 2]
    assert all(not case.hints for case in write.cases)
    assert examine.measured == 1
    assert [o.id for o in done.observations] == ["o1", "o2", "o3"]
    whole(done, 0)


async def test_of_the_rejected_the_best_is_kept_whole_and_all_are_listed() -> None:
    verdicts = [sample(n, *REJECTED, core_intent=s) for n, s in enumerate((1, 2, 1))]
    done, _ = await draw(verdicts, samples=3)
    whole(done, 1)
    assert done.rejections == REJECTED
    assert [(s.number, s.caption, s.scores["core_intent"], s.reasons) for s in done.samples] == [
        (0, "Caption 0.", 1, REJECTED), (1, "Caption 1.", 2, REJECTED), (2, "Caption 2.", 1, REJECTED),
    ]  # fmt: skip


async def test_a_retry_is_one_more_round_of_draws_with_hints_and_numbers_go_on() -> None:
    verdicts = [sample(0, "errors: 2", errors=2), sample(1, "errors: 1", errors=1), sample(2, "errors: 3", errors=3)]
    done, write = await draw(verdicts, samples=2, retry=1)
    assert [case.draw for case in write.cases] == [0, 1, 2, 3]
    assert [case.hints for case in write.cases] == [(), (), ("errors: 1",), ("errors: 1",)]
    assert [o.observer for o in write.cases[2].observations] == ["eyes", "ruler", "ears"], "what is known is kept"
    assert write.cases[2].drafts == ()
    assert [s.number for s in done.samples] == [0, 1, 2, 3]
    whole(done, 1)


async def test_a_retry_that_is_accepted_holds_nothing_of_the_caption_that_was_sent_back() -> None:
    done, _ = await draw([sample(0, "errors: 2", errors=2), sample(1)], retry=1)
    whole(done, 1)
    assert done.hints == ("errors: 2",)
    assert len(done.samples) == 2


async def test_where_a_draw_cannot_differ_none_is_made_and_a_retry_still_is() -> None:
    done, write = await draw([sample(0, *REJECTED)], write=Write(differs=False), samples=4)
    assert len(write.cases) == len(done.samples) == 1
    _, write = await draw([sample(0, *REJECTED)], write=Write(differs=False), samples=4, retry=1)
    assert [case.draw for case in write.cases] == [0, 1]


async def test_a_later_draw_that_fails_costs_itself() -> None:
    write = Write(fails={1: NoCandidatesError("the candidates say nothing")})
    done, _ = await draw([sample(0, *REJECTED, core_intent=1), sample(1), sample(2)], write=write, samples=3)
    whole(done, 2)
    assert [s.number for s in done.samples] == [0, 2]
    assert done.remarks[-1] == "caption 1 was not drawn: the candidates say nothing"


@pytest.mark.parametrize(
    ("number", "error"), [(0, NoCandidatesError("the candidates say nothing")), (1, AuthError("the key is gone"))]
)
async def test_the_first_that_fails_and_a_failure_that_meets_all_fail_the_clip(
    number: int, error: OmnidetectiveError
) -> None:
    with pytest.raises(type(error)):
        await draw([sample(0, *REJECTED)], write=Write(fails={number: error}), samples=3)


verdict = st.builds(
    lambda accepted, scores: sample(0, *(() if accepted else REJECTED), **scores),
    st.integers(0, 4).map(lambda n: n == 0),
    st.dictionaries(st.sampled_from(["factual_accuracy", "core_intent", "errors"]), st.integers(0, 3).map(float)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(verdict, min_size=1, max_size=6), st.integers(0, 2))
def test_what_is_kept_is_never_worse_than_any_other(verdicts: list[Sample], retry: int) -> None:
    most = max(1, len(verdicts) // (retry + 1))
    done, write = asyncio.run(draw(verdicts, samples=most, retry=retry))
    kept = next(s for s in done.samples if s.number == done.draw)

    def points(one: Sample) -> float:
        return one.scores.get("factual_accuracy", 0.0) + one.scores.get("core_intent", 0.0)

    for other in done.samples:
        if other is kept:
            continue
        assert kept.reasons == () or other.reasons != (), "an accepted one was there"
        if bool(kept.reasons) == bool(other.reasons):
            assert points(kept) >= points(other)
            if points(kept) == points(other):
                assert kept.scores.get("errors", 0.0) <= other.scores.get("errors", 0.0)
                if kept.scores.get("errors", 0.0) == other.scores.get("errors", 0.0):
                    assert kept.number < other.number
    whole(done, kept.number)
    assert (done.scores, done.rejections) == (kept.scores, kept.reasons)
    assert [s.number for s in done.samples] == list(range(len(write.cases)))
    assert all(s.reasons for s in done.samples[:-1]), "it was drawn on after one was accepted"
    assert len(write.cases) <= most * (retry + 1)


# Where nothing can be drawn ------------------------------------------------------------------------------------------


async def test_an_integrator_of_rules_is_not_drawn_from_again() -> None:
    async with playing({"integrator": []}) as play:
        case = make_case(seen_by("asr")).proposed("one", "A cat.").proposed("two", "A dog.")
        assert Ensemble().can_differ(case, play.context)
        embedded = Cast(load_model_set("local"), play.context.settings.retry, environ={})
        assert not Ensemble().can_differ(case, replace(play.context, cast=embedded))


async def test_a_detectives_caption_that_nobody_merges_is_not_drawn_again_unless_it_is_sent_back() -> None:
    alone = make_case(seen_by("asr")).proposed("detective", "A cat.").drafted("investigate", Draft(()))
    async with playing({"integrator": [], "detective": []}) as play:
        assert not Ensemble().can_differ(alone, play.context)
        assert Ensemble().can_differ(replace(alone, hints=REJECTED), play.context)


def test_a_workflow_without_an_integrator_is_refused_before_the_first_clip() -> None:
    def made(workflow: str) -> Pipeline:
        chosen = {"workflow": workflow, "models": "local"}
        return Pipeline.from_config(load_config(overrides=("gate.samples=3",), options=chosen, environ={}))

    with pytest.raises(ConfigError, match=r"gate\.samples=3: workflow 'omni-detective' has nothing to draw"):
        made("omni-detective")
    for workflow in ("omnidetective", "avocado", "asid-verify"):
        asyncio.run(made(workflow).aclose())
