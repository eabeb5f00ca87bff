"""An observer is kept to its time, its quota a clip, its places on the machine, and rests when it keeps failing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from detective.cases import Teller, make_case
from observers.conftest import Film, context

from omnidetective.errors import (
    BudgetReachedError,
    ContentFilterError,
    MediaError,
    ObserverUnavailableError,
    RateLimitError,
)
from omnidetective.evidence import Span
from omnidetective.media.clip import Clip
from omnidetective.media.intake import open_clip
from omnidetective.observers.ask import ask
from omnidetective.observers.base import Observer, ObserverSettings, failed_observation
from omnidetective.observers.guard import Guard, Guarded, guarded, was_refused
from omnidetective.observers.registry import ToolBox
from omnidetective.observers.shots import Shots
from omnidetective.records import Observation
from omnidetective.rows import parse_row
from omnidetective.settings import GuardSettings, MediaSettings


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """An observer under guard, with a clock of its own, and as many clips as are wanted."""

    def __init__(self, observer: Any, *, failures: int = 3, rest_s: float = 60.0, **settings: Any) -> None:
        self.clock = Clock()
        limits = ObserverSettings(**settings)
        guard = Guard(observer.spec.name, limits, GuardSettings(failures=failures, rest_s=rest_s), clock=self.clock)
        self.observer = cast("Observer", Guarded(observer, guard, at_once=limits.at_once))
        self.clip = make_case().clip

    async def ask(self, clip: Clip | None = None, *, timeout_s: float = 30.0, **more: Any) -> Observation:
        return await ask(self.observer, clip or self.clip, "?", None, timeout_s=timeout_s, **more)

    async def reason(self, **more: Any) -> str:
        error = (await self.ask(**more)).error
        return "" if error is None else error.reason


def failing(error: Exception) -> Teller:
    return Teller("lamp", answer=lambda question, span: error)


async def test_its_own_time_takes_the_place_of_the_usual_one() -> None:
    slow = Teller("lamp", delay_s=30)
    error = (await Bench(slow, timeout_s=0.05).ask()).error
    assert error is not None
    assert error.message == "lamp did not answer within 0.05 s"
    assert (await Bench(Teller("lamp", delay_s=0.3), timeout_s=30).ask(timeout_s=0.1)).error is None


async def test_longer_spans_get_the_time_in_proportion_and_the_callers_own_end_is_heeded() -> None:
    long = make_case(duration_s=3000.0).clip
    bench = Bench(Teller("lamp", delay_s=30), timeout_s=0.05)
    of_all = await bench.ask(long)
    assert of_all.error is not None
    assert of_all.error.message.endswith("within 0.5 s")
    part = await ask(bench.observer, long, "?", Span(start_s=0, end_s=600), timeout_s=9)
    assert part.error is not None
    assert part.error.message.endswith("within 0.1 s")
    hurried = await Bench(Teller("lamp", delay_s=30)).ask(left_s=0.1)
    assert hurried.error is not None
    assert hurried.error.message.endswith("within 1 s")


async def test_the_quota_is_for_each_clip_and_what_is_over_it_is_refused_without_a_call() -> None:
    lamp = Teller("lamp")
    bench, other = Bench(lamp, per_clip=2), make_case(duration_s=5.0).clip
    answers = await asyncio.gather(*(bench.ask() for _ in range(4)))
    assert [was_refused(answer) for answer in answers] == [False, False, True, True]
    assert answers[3].error is not None
    assert answers[3].error.reason == "quota_used_up"
    assert "all 2 questions that lamp may be asked about this clip were asked" in answers[3].error.message
    assert (await bench.ask(other)).error is None
    assert len(lamp.asked) == 3


async def test_a_failed_question_was_a_question() -> None:
    bench = Bench(failing(RateLimitError("busy")), per_clip=1)
    assert [await bench.reason(), await bench.reason()] == ["rate_limit", "quota_used_up"]


async def test_waiting_for_a_place_uses_up_no_time_and_can_be_cancelled() -> None:
    inside, most = 0, 0

    class Busy:
        spec = Teller("lamp").spec

        async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.2)
            inside -= 1
            return await Teller("lamp").observe(clip, question, span)

    bench = Bench(Busy(), at_once=1)
    async with asyncio.timeout(60):
        asked = [asyncio.create_task(bench.ask(timeout_s=0.5)) for _ in range(6)]
        await asyncio.sleep(0.05)
        asked[3].cancel()
        answers = await asyncio.gather(*asked, return_exceptions=True)
    assert most == 1
    assert isinstance(answers.pop(3), asyncio.CancelledError)
    assert [cast("Observation", answer).error for answer in answers] == [None] * 5


@pytest.mark.parametrize(
    "fault",
    [
        lambda spec: ValueError("lens cap"),
        lambda spec: TimeoutError("the lamp's own"),
        lambda spec: ObserverUnavailableError("gone", reason="process_died"),
        lambda spec: None,
        lambda spec: failed_observation(spec, "?", None, ValueError("told, not raised")),
    ],
    ids=["raises", "its own time limit", "dies", "nonsense", "says so"],
)
async def test_after_faults_of_its_own_it_rests_and_one_question_decides(
    fault: Callable[[Any], Any], caplog: pytest.LogCaptureFixture
) -> None:
    asked = 0
    works = False

    class Lamp:
        spec = Teller("lamp").spec

        async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
            nonlocal asked
            asked += 1
            if works:
                return await Teller("lamp").observe(clip, question, span)
            came = fault(self.spec)
            if isinstance(came, Exception):
                raise came
            return cast("Observation", came)

    caplog.set_level(logging.INFO, "omnidetective")
    bench = Bench(Lamp())
    for _ in range(3):
        assert await bench.reason() not in ("", "resting")
    assert [await bench.reason() for _ in range(5)] == ["resting"] * 5
    assert asked == 3
    bench.clock.now = 61
    assert await bench.reason() not in ("", "resting")
    assert await bench.reason() == "resting"
    bench.clock.now = 130
    works = True
    assert [await bench.reason() for _ in range(3)] == ["", "", ""]
    assert asked == 7
    opened, closed = (record.getMessage() for record in caplog.records)
    assert opened.startswith("observer lamp rests after 3 failures in a row")
    assert opened.endswith("it is tried again in 60 s")
    assert closed == "observer lamp works again"


async def test_a_late_observer_rests_unless_it_was_the_caller_who_had_no_time() -> None:
    hurried = Bench(Teller("lamp", delay_s=30), failures=1)
    assert [await hurried.reason(left_s=0.01) for _ in range(2)] == ["observer_timeout"] * 2
    late = Bench(Teller("lamp", delay_s=30), failures=1)
    assert [await late.reason(timeout_s=0.01) for _ in range(2)] == ["observer_timeout", "resting"]


@pytest.mark.parametrize(
    "error",
    [
        ObserverUnavailableError("deaf", reason="no_audio"),
        ObserverUnavailableError("not here", reason="no_weights"),
        MediaError("at most 30 s", reason="span_too_long"),
        MediaError("torn", reason="decode_failed"),
        ContentFilterError("no"),
        RateLimitError("busy"),
    ],
    ids=["no sound", "no weights", "long span", "bad media", "content", "rate"],
)
@pytest.mark.parametrize("told", [False, True], ids=["raised", "told"])
async def test_faults_of_the_clip_and_of_providers_do_not_count(error: Exception, *, told: bool) -> None:
    class Lamp:
        spec = Teller("lamp").spec

        async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
            if told:
                return failed_observation(self.spec, question, span, error)
            raise error

    bench = Bench(Lamp(), failures=1)
    assert await bench.reason() == await bench.reason() != "resting"


async def test_a_trial_that_is_cancelled_or_has_no_money_leaves_the_next_one_free() -> None:
    what: list[Any] = [ValueError("broken"), BudgetReachedError("spent"), "sleep", "light"]

    async def observe(clip: Clip, question: str, span: Span | None) -> Observation:
        came = what.pop(0)
        if isinstance(came, Exception):
            raise came
        await asyncio.sleep(60 if came == "sleep" else 0)
        return await Teller("lamp").observe(clip, question, span)

    lamp = Teller("lamp")
    lamp.observe = observe  # type: ignore[method-assign]
    bench = Bench(lamp, failures=1)
    assert await bench.reason() == "ValueError"
    bench.clock.now = 100
    with pytest.raises(BudgetReachedError):
        await bench.ask()
    trial = asyncio.create_task(bench.ask())
    while len(what) > 1:
        await asyncio.sleep(0.01)
    refused = (await bench.ask()).error
    assert refused is not None
    assert refused.message.endswith("it is being tried again")
    trial.cancel()
    await asyncio.wait({trial})
    assert await bench.reason() == ""


async def test_the_tool_box_offers_what_may_be_asked_and_says_why_not_the_rest(film: Film) -> None:
    path = film("card.mp4", "-f", "lavfi", "-i", "color=red:size=64x36:rate=5:duration=1")
    box = ToolBox(context("observers.shots.per_clip=1", "observers.shots.timeout_s=50"))
    shots = box.observers["shots"]

    def names(clip: Clip) -> set[str]:
        return {observer.spec.name for observer in box.offered(clip)}

    async with clip_of(path) as first, clip_of(path) as second:
        assert "shots" in names(first)
        assert (await ask(shots, first, "?", None, timeout_s=50)).error is None
        assert "shots" not in names(first)
        why = box.out_of_order(first)["shots"]
        assert (why.reason, why.expected) == ("quota_used_up", True)
        assert why.message == "the one question that shots may be asked about this clip was asked"
        assert "shots" in names(second)
        assert "shots" not in box.out_of_order(second)


async def test_an_observer_that_rests_is_among_the_unavailable(film: Film) -> None:
    path = film("card.mp4", "-f", "lavfi", "-i", "color=red:size=64x36:rate=5:duration=1")
    box = ToolBox(context("guard.failures=1", "observers.shots.timeout_s=0.0001"))
    async with clip_of(path) as clip:
        assert (await ask(box.observers["shots"], clip, "?", None, timeout_s=50)).error is not None
        assert "shots" not in {observer.spec.name for observer in box.offered(clip)}
        why = box.out_of_order(clip)["shots"]
    assert (why.reason, why.expected) == ("resting", False)
    assert "did not answer within 0.0001 s; it is tried again in" in why.message


def test_zero_failures_means_never_to_rest() -> None:
    given = context()
    given = replace(given, settings=given.settings.model_copy(update={"guard": GuardSettings(failures=0)}))
    shots = guarded(Shots(Shots.spec.settings(), given), ObserverSettings(timeout_s=0.0001), given)
    clip = make_case().clip

    async def ask_often() -> set[str | None]:
        answers = [await ask(shots, clip, "?", None, timeout_s=1) for _ in range(20)]
        return {answer.error.reason if answer.error else None for answer in answers}

    assert "resting" not in asyncio.run(ask_often())


def clip_of(path: Path) -> Any:
    return open_clip(parse_row({"path": str(path)}), MediaSettings(), base_dir=path.parent)
