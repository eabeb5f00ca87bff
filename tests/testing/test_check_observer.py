"""The kit passes a good observer, and each of its checks finds the observer that is bad in just this."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import Field

from omnidetective.errors import ConfigError, ObserverUnavailableError, OmnidetectiveError
from omnidetective.evidence import Cut, ShotEvidence, Span
from omnidetective.media.clip import Clip
from omnidetective.observers.base import (
    ObserverContext,
    ObserverSettings,
    ObserverSpec,
    failed_observation,
    observation,
)
from omnidetective.records import Observation
from omnidetective.testing import Report, assert_conforms, check_observer, check_observer_async, questions
from omnidetective.testing.stand_in import stand_in_context


class LampSettings(ObserverSettings):
    """Settings of the lamp."""

    words: tuple[str, ...] = ("bright",)
    """What it says."""


class Lamp:
    """A good one: it decodes pictures, and says which part of the clip it has looked at."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="lamp",
        kind="instrument",
        modalities=("video",),
        needs="video",
        description="Measures where the picture is bright. Ask about a span. It knows nothing of what is shown.",
        attributes=("scene",),
        settings=LampSettings,
        cost="0.01 s of one processor for a second of clip",
    )

    def __init__(self, settings: Any, context: ObserverContext) -> None:
        self._words = settings.words

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        await clip.gray_frames(2.0, span=span, longest_side_px=32)
        return self.told(clip, question, span)

    def told(self, clip: Clip, question: str, span: Span | None) -> Observation:
        whole = clip.whole
        assert whole is not None
        end_s = min(span.end_s, whole.end_s) if span else whole.end_s
        shot = Span(start_s=min(span.start_s, end_s - 0.05) if span else 0.0, end_s=end_s)
        data = ShotEvidence(cuts=(), shots=(shot,))
        return observation(self.spec, question, span, answer=", ".join(self._words), data=data)


def problems(observer: Any, check: str, **options: Any) -> str:
    """What a check has found, in words; every other check must have found nothing."""
    report = check_observer(observer, **options)
    assert {problem.check for problem in report.problems} <= {check}, str(report)
    return "\n".join(str(problem) for problem in report.problems)


def lamp(**members: Any) -> type[Lamp]:
    """A lamp that differs in some members."""
    return type("OtherLamp", (Lamp,), members)


def described(**fields: Any) -> type[Lamp]:
    """A lamp whose spec differs, and which cannot be asked: only its spec is looked at."""
    return lamp(spec=replace(Lamp.spec, **fields), __init__=dark)


def dark(self: Lamp, settings: Any, context: ObserverContext) -> None:
    raise ObserverUnavailableError("too dark", hint="light a candle")


def asked(answer: Callable[..., Any]) -> type[Lamp]:
    """A lamp that answers by a coroutine function of itself, clip, question and span."""

    async def observe(self: Lamp, clip: Clip, question: str, span: Span | None) -> Any:
        return await answer(self, clip, question, span)

    return lamp(observe=observe)


def test_a_good_observer_has_no_problems() -> None:
    report = check_observer(Lamp)
    assert (report.ok, report.observer, report.unavailable) == (True, "lamp", "")
    assert report.asked == ("film", "silent_film", "film_without_sound")
    assert report.not_asked == ("sound", "picture")
    assert_conforms(Lamp)


def test_settings_are_read_as_the_users_are_and_clips_may_be_ones_own(film_of_a_user: Path) -> None:
    report = check_observer(Lamp, settings={"words": ["dim"]}, clips=[film_of_a_user])
    assert report.ok
    assert report.asked[-1] == "mine.mp4"
    with pytest.raises(ConfigError, match=r"did you mean observers\.lamp\.words"):
        check_observer(Lamp, settings={"word": "dim"})


async def test_it_can_be_called_where_a_loop_runs_and_takes_an_instance() -> None:
    instance = Lamp(LampSettings(), stand_in_context())
    assert check_observer(instance).ok
    assert (await check_observer_async(instance)).ok


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (type("Nothing", (), {}), "there is none: the class needs an attribute `spec`"),
        (lamp(spec={"name": "lamp"}), "there is none"),
        (lamp(observe=lambda self, clip, question, span: None), "no `async def`"),
        (described(name="Bright-Lamp"), "not lower_snake_case"),
        (described(kind="oracle"), "neither witness nor instrument"),
        (described(cost=" "), "`cost` says nothing"),
        (described(description="Measures where the picture is bright, and that is all."), "has 1 sentences"),
        (described(description="It is bright. " * 3 + "x" * 900), "characters, not 40 to 900"),
        (described(modalities=()), "modalities are missing"),
        (described(modalities=("video", "smell")), "unknown modalities"),
        (described(needs="light"), "not audio, video or any"),
        (described(modalities=("video", "audio")), "claims audio, which has none"),
        (described(attributes=("scene", "mood")), "unknown attributes"),
        (described(role=""), "no name of a role"),
    ],
)
def test_what_is_wrong_with_a_spec(bad: Any, told: str) -> None:
    assert told in problems(bad, "spec")


class Mute(ObserverSettings):
    words: tuple[str, ...] = ("bright",)


class Demanding(ObserverSettings):
    words: tuple[str, ...]
    """What it says."""


class Unwritable(ObserverSettings):
    words: Any = object()
    """What it says."""


class Changing(ObserverSettings):
    words: Annotated[Any, Field()] = frozenset({"bright"})
    """What it says."""


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (dict, "no subclass of ObserverSettings"),
        (Mute, "words has no docstring"),
        (Demanding, "words has no default"),
        (Unwritable, "cannot be written as JSON"),
        (Changing, "defaults that JSON does not keep: words"),
    ],
)
def test_what_is_wrong_with_settings(settings: Any, told: str) -> None:
    assert told in problems(described(settings=settings), "settings")


def raising(error: Exception) -> type[Lamp]:
    def set_up(self: Lamp, settings: Any, context: ObserverContext) -> None:
        raise error

    return lamp(__init__=set_up)


@pytest.mark.integration
def test_what_is_wrong_with_the_set_up() -> None:
    def slow(self: Lamp, settings: Any, context: ObserverContext) -> None:
        time.sleep(2.1)
        self._words = ("slow",)

    def picky(self: Lamp, settings: Any, context: ObserverContext) -> None:
        self._words = (context.cast.chat("lamp").name,)
        if "stand-in" not in self._words[0]:
            raise KeyError("lamp")

    def heedless(self: Lamp, settings: Any, context: ObserverContext) -> None:
        try:
            self._words = (context.cast.chat("lamp").name,)
        except ObserverUnavailableError:
            raise KeyError("lamp") from None

    assert "load models at the first question" in problems(lamp(__init__=slow), "set-up")
    assert problems(lamp(__init__=picky), "set-up") == ""
    assert "KeyError('lamp') where nobody plays any role" in problems(lamp(__init__=heedless), "set-up")
    assert "raises ZeroDivisionError()" in problems(raising(ZeroDivisionError()), "set-up")
    assert "no hint says what mends it" in problems(raising(ObserverUnavailableError("no camera")), "set-up")


def test_one_that_cannot_work_here_is_no_problem_but_does_not_pass_unseen() -> None:
    bad = raising(ObserverUnavailableError("no camera", hint="plug one in"))
    report = check_observer(bad)
    assert (report.ok, report.unavailable, report.asked) == (True, "no camera (plug one in)", ())
    with pytest.raises(AssertionError, match=r"only its spec was checked: no camera \(plug one in\)"):
        assert_conforms(bad)


async def _string(self: Lamp, clip: Clip, question: str, span: Span | None) -> Any:
    return "bright"


async def _empty(self: Lamp, clip: Clip, question: str, span: Span | None) -> Any:
    return self.told(clip, question, span).model_copy(update={"answer": " "})


async def _long(self: Lamp, clip: Clip, question: str, span: Span | None) -> Any:
    return self.told(clip, question, span).model_copy(update={"answer": "x" * 100_001})


async def _surrogate(self: Lamp, clip: Clip, question: str, span: Span | None) -> Any:
    return self.told(clip, question, span).model_copy(update={"answer": "\ud800"})


async def _error(self: Lamp, clip: Clip, question: str, span: Span | None) -> Any:
    return failed_observation(self.spec, question, span, ObserverUnavailableError("too dark", reason="dark"))


async def _impostor(self: Lamp, clip: Clip, question: str, span: Span | None) -> Any:
    return self.told(clip, question, span).model_copy(update={"observer": "sun"})


async def _forgetful(self: Lamp, clip: Clip, question: str, span: Span | None) -> Any:
    return self.told(clip, "?", span)


async def _beyond(self: Lamp, clip: Clip, question: str, span: Span | None) -> Any:
    cut = ShotEvidence(cuts=(Cut(time_s=clip.duration_s + 1),), shots=())
    return observation(self.spec, question, span, answer="a cut", data=cut)


async def _raises(self: Lamp, clip: Clip, question: str, span: Span | None) -> Any:
    raise ValueError("lens cap on")


async def _refuses(self: Lamp, clip: Clip, question: str, span: Span | None) -> Any:
    raise ObserverUnavailableError("not today", reason="tired")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (_string, "returned a str, not an Observation"),
        (_empty, "the answer is empty"),
        (_long, "has 100,001 characters"),
        (_surrogate, "is not valid when written as JSON"),
        (_error, "found no answer (dark): too dark"),
        (_impostor, "speaks as instrument 'sun'"),
        (_forgetful, "answers another question: '?'"),
        (_beyond, "data.cuts[0].time_s is 4, outside the clip of 3 s"),
        (_raises, "raises ValueError('lens cap on')"),
        (_refuses, "raises ObserverUnavailableError (tired): not today"),
    ],
)
def test_what_is_wrong_with_answers(answer: Any, told: str) -> None:
    assert told in str(check_observer(asked(answer)))


def test_an_answer_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(self: Lamp, clip: Clip, question: str, span: Span | None) -> Any:
        await asyncio.sleep(3600)

    monkeypatch.setattr(questions, "ANSWER_S", 0.05)
    told = str(check_observer(asked(hangs)))
    assert "answer (film; silent_film; film_without_sound): no answer within 0.05 s" in told


def test_an_answer_about_more_than_the_span() -> None:
    async def everything(self: Lamp, clip: Clip, question: str, span: Span | None) -> Any:
        cuts = (Cut(time_s=0.2), Cut(time_s=2.9))
        return observation(self.spec, question, span, answer="cuts", data=ShotEvidence(cuts=cuts, shots=()))

    told = str(check_observer(asked(everything)))
    assert "span (film, 0.9–1.8 s; silent_film, 0.9–1.8 s; film_without_sound, 0.9–1.8 s): reports what lies" in told
    assert "answer (" not in told


def test_a_span_beyond_the_end_may_be_refused_with_a_reason_and_by_nothing_else() -> None:
    def late(error: Exception) -> type[Lamp]:
        async def observe(self: Lamp, clip: Clip, question: str, span: Span | None) -> Any:
            if span is not None and span.start_s > clip.duration_s:
                raise error
            return self.told(clip, question, span)

        return asked(observe)

    assert problems(late(ObserverUnavailableError("too late", reason="span_outside")), "span") == ""
    assert "raises IndexError('list index out of range')" in problems(
        late(IndexError("list index out of range")), "span"
    )
    told = problems(late(ObserverUnavailableError("too late", reason="Too late!")), "error")
    assert "'Too late!' is no code in lower_snake_case" in told


def test_another_kind_of_answer_to_the_same_question() -> None:
    seen: set[str] = set()

    async def fickle(self: Lamp, clip: Clip, question: str, span: Span | None) -> Any:
        answer = self.told(clip, question, span)
        if span is None and clip.facts.path in seen and len(seen) == 3:
            seen.add("again")
            return answer.model_copy(update={"data": None})
        seen.add(str(clip.facts.path))
        return answer

    assert "brought an answer without data, then shots evidence" in problems(asked(fickle), "repeat")


def test_state_of_one_question_in_the_answer_to_another() -> None:
    class Confused(Lamp):
        async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
            self._now = clip, question, span
            await clip.gray_frames(2.0, span=span, longest_side_px=32)
            return self.told(*self._now)

    told = problems(Confused, "together")
    assert "answers another question" in told


@pytest.mark.integration
def test_work_that_goes_on_when_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "END_S", 0.2)

    async def deaf(self: Lamp, clip: Clip, question: str, span: Span | None) -> Any:
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                end += 1.0
        return self.told(clip, question, span)

    async def polite(self: Lamp, clip: Clip, question: str, span: Span | None) -> Any:
        try:
            await asyncio.sleep(0.2)
        except asyncio.CancelledError:
            return self.told(clip, question, span)
        return self.told(clip, question, span)

    async def forks(self: Lamp, clip: Clip, question: str, span: Span | None) -> Any:
        self.task = asyncio.create_task(asyncio.sleep(60), name="behind")  # type: ignore[attr-defined]
        await asyncio.sleep(0.1)
        self.task.cancel()  # type: ignore[attr-defined]
        return self.told(clip, question, span)

    started: list[subprocess.Popen[bytes]] = []

    async def spawns(self: Lamp, clip: Clip, question: str, span: Span | None) -> Any:
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        started.append(process)
        await asyncio.sleep(0.2)
        process.kill()
        process.wait()
        return self.told(clip, question, span)

    try:
        assert "still works 0.2 s after it was cancelled" in problems(asked(deaf), "cancel")
        assert "answers when it is cancelled" in problems(asked(polite), "cancel")
        assert "leaves behind when it is cancelled: task sleep" in problems(asked(forks), "cancel")
        if Path("/proc").is_dir():
            assert "leaves behind when it is cancelled: process" in problems(asked(spawns), "cancel")
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_a_damaged_file_costs_its_question_and_no_other() -> None:
    class Brittle(Lamp):
        broken = False

        async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
            if self.broken:
                raise ObserverUnavailableError("it broke before", reason="broken")
            try:
                return await super().observe(clip, question, span)
            except OmnidetectiveError as error:
                type(self).broken = True
                raise RuntimeError("it broke") from error

    told = problems(Brittle, "error")
    assert "error (film, damaged): raises RuntimeError('it broke')" in told
    assert "error (film, after a damaged one): raises ObserverUnavailableError (broken)" in told


def test_a_witness_whose_model_fails_has_nothing_to_say() -> None:
    class Inventive(Lamp):
        spec = replace(Lamp.spec, kind="witness", role="frame_captioner")

        def __init__(self, settings: Any, context: ObserverContext) -> None:
            super().__init__(settings, context)
            self._model = context.chat(self.spec)

        async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
            from omnidetective.llm.messages import ChatRequest, Message

            try:
                await self._model.complete(ChatRequest(messages=(Message.of("user", question),)))
            except OmnidetectiveError:
                self._words = ("I see a lamp",)
            return await super().observe(clip, question, span)

    assert "answers although every call of its model failed" in problems(Inventive, "error")


def test_what_is_printed_and_written_besides(capfd: pytest.CaptureFixture[str]) -> None:
    async def prints(self: Lamp, clip: Clip, question: str, span: Span | None) -> Any:
        print("looking")
        return self.told(clip, question, span)

    async def prints_below(self: Lamp, clip: Clip, question: str, span: Span | None) -> Any:
        os.write(1, b"a library says hello")
        return self.told(clip, question, span)

    async def writes(self: Lamp, clip: Clip, question: str, span: Span | None) -> Any:
        Path("cache").mkdir(exist_ok=True)
        Path("cache/lamp.bin").touch()
        return self.told(clip, question, span)

    before = Path.cwd()
    assert "'looking" in problems(asked(prints), "surroundings")
    assert "'a library says hello" in problems(asked(prints_below), "surroundings")
    assert "writes to the working directory: cache, cache/lamp.bin" in problems(asked(writes), "surroundings")
    assert Path.cwd() == before
    assert capfd.readouterr().out == ""


def test_the_assertion_lists_what_is_wrong() -> None:
    with pytest.raises(AssertionError) as caught:
        assert_conforms(described(cost="", name="Lamp"))
    lines = str(caught.value).splitlines()
    assert lines[0] == "observer Lamp: 2 problems"
    assert lines[1] == "- spec: the name 'Lamp' is not lower_snake_case"


def test_a_report_is_readable_whatever_it_holds() -> None:
    assert str(Report("lamp", ())) == "observer lamp: no problems"


def test_the_kit_needs_no_pytest() -> None:
    code = "import sys; sys.modules['pytest'] = None; import omnidetective, omnidetective.testing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def film_of_a_user(tmp_path: Path) -> Path:
    from omnidetective.testing import make_samples

    return make_samples(tmp_path)["film"].rename(tmp_path / "mine.mp4")
