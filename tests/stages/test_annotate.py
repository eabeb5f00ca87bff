"""Annotators: what each is shown and told, what becomes of its caption, and of its failure. Models answer over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from detective.cases import make_case, seen_by
from e2e.media_files import ffmpeg, tone, video
from servers import faulty_openai as play_it
from stages.casting import Box, Part, Play, playing, replies

from omnidetective.case import Case
from omnidetective.config import load_config
from omnidetective.evidence import (
    Cut,
    ShotEvidence,
    SoundEvent,
    SoundEvidence,
    Span,
    SpeechEvidence,
    SpeechSegment,
    TextCard,
    TextEvidence,
)
from omnidetective.llm.cast import Cast
from omnidetective.media.clip import Clip
from omnidetective.media.intake import open_clip
from omnidetective.model_sets import ModelSet
from omnidetective.observers.base import Observer, ObserverSpec, observation
from omnidetective.observers.registry import ToolBox, Unavailable
from omnidetective.records import Observation
from omnidetective.rows import parse_row
from omnidetective.settings import MediaSettings
from omnidetective.stages.annotate import Annotate
from omnidetective.stages.base import StageContext
from omnidetective.stages.ensemble import Ensemble
from omnidetective.stages.plan import StagePlan
from omnidetective.workflows import Workflow

EYES = {"role": "frame_captioner", "shows": ["frames"]}
EARS = {"role": "audio_llm", "shows": ["audio"]}
WHOLE = {"role": "omni_llm", "shows": ["frames", "audio"]}
WORDS = {"role": "asr", "shows": ["transcript"]}
HELLO = SpeechSegment(start_s=3.4, end_s=5.0, text=" Hello there. ")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="module")
def film(folder: Path) -> Path:
    return video(folder / "film.mp4", seconds=4)


@asynccontextmanager
async def case_of(path: Path, **fields: Any) -> AsyncIterator[Case]:
    row = parse_row({"path": str(path)})
    async with open_clip(row, MediaSettings(), base_dir=path.parent) as clip:
        yield Case(row=row, clip=clip, **fields)


def annotators(**named: Mapping[str, Any]) -> dict[str, Any]:
    return {"annotate": {"annotators": named, "max_frames": 4}}


def recast(play: Play, role: str, **changes: Any) -> StageContext:
    """The context with another entry in the model set for one role."""
    data = play.context.model_set.model_dump(mode="json", exclude_unset=True)
    data["models"][role] = {**data["models"][role], **changes}
    changed = ModelSet.model_validate(data)
    return replace(play.context, model_set=changed, cast=Cast(changed, play.context.settings.retry, environ={}))


def embedded(play: Play, observers: Sequence[Observer] = ()) -> StageContext:
    """The context with the embedded cast."""
    local = load_config(environ={}).model_set
    players = Cast(local, play.context.settings.retry, environ={})
    return replace(play.context, model_set=local, cast=players, toolbox=cast("ToolBox", Box(tuple(observers))))


def parts_of(play: Play, role: str) -> list[str]:
    """The kinds of the parts of the user's message."""
    return [part["type"] for part in play.seen(role)[-1].body["messages"][-1]["content"]]


@dataclass
class Recogniser:
    """An instrument that hears what it is given."""

    segments: tuple[SpeechSegment, ...] = (HELLO,)
    asked: list[Span | None] = field(default_factory=list)
    spec = ObserverSpec(name="asr", kind="instrument", modalities=("video", "audio"), description="Hears.")

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        self.asked.append(span)
        here = tuple(s for s in self.segments if span is None or span.start_s <= s.start_s < span.end_s)
        return observation(self.spec, question, span, answer="Words.", data=SpeechEvidence(segments=here))


def hears(*segments: SpeechSegment) -> tuple[Recogniser, Observer]:
    recogniser = Recogniser(segments)
    return recogniser, cast("Observer", recogniser)


# What each is shown and told ------------------------------------------------------------------------------------------


async def test_each_is_shown_what_its_settings_say_and_told_what_that_means(film: Path) -> None:
    parts = {role: replies(f"A caption by {role}.") for role in ("omni_llm", "frame_captioner", "audio_llm")}
    named = annotators(whole=WHOLE, eyes=EYES, ears=EARS)
    async with case_of(film) as case, playing(parts, settings=named) as play:
        after = await Annotate()(case, play.context)
        assert [parts_of(play, r).count("image_url") for r in parts] == [4, 4, 0]
        assert [parts_of(play, r).count("input_audio") for r in parts] == [1, 0, 1]
        assert "You hear nothing" in play.prompt("frame_captioner")
        assert "You see nothing" in play.prompt("audio_llm")
        assert "Bring both together" in play.prompt("omni_llm")
        assert "objects" not in play.prompt("audio_llm")
        assert "speech:" not in play.prompt("frame_captioner")
        assert play.seen("omni_llm")[0].body["max_tokens"] == 2048
    assert [(c.source, c.caption) for c in after.candidates] == [
        ("whole", "A caption by omni_llm."),
        ("eyes", "A caption by frame_captioner."),
        ("ears", "A caption by audio_llm."),
    ]
    assert [(o.id, o.observer, o.kind, o.answer) for o in after.observations] == [
        ("o1", "whole", "witness", "A caption by omni_llm."),
        ("o2", "eyes", "witness", "A caption by frame_captioner."),
        ("o3", "ears", "witness", "A caption by audio_llm."),
    ]
    for said, role in zip(after.observations, parts, strict=True):
        assert said.model == f"openai:{role}"
        assert said.seconds > 0
        assert said.usage is not None
        assert (said.usage.calls, said.usage.prompt_tokens) == (1, 11)
        assert said.question


async def test_an_image_is_spoken_of_as_a_picture_and_asks_no_listener(folder: Path) -> None:
    path = folder / "still.png"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=1", "-frames:v", "1", str(path))
    named = annotators(eyes=EYES, ears=EARS)
    parts = {"frame_captioner": replies("Bars."), "audio_llm": replies("never")}
    async with case_of(path) as case, playing(parts, settings=named) as play:
        after = await Annotate()(case, play.context)
        prompt = play.prompt("frame_captioner")
        assert play.calls("audio_llm") == 0
    assert [c.source for c in after.candidates] == ["eyes"]
    assert [o.observer for o in after.observations] == ["eyes"]
    assert "one picture" in prompt
    for word in ("hear", "sound", "frames", "anchor", "speech"):
        assert word not in prompt.lower()


async def test_a_sound_recording_is_not_spoken_of_as_a_picture(folder: Path) -> None:
    path = tone(folder / "tone.wav")
    async with case_of(path) as case, playing({"omni_llm": replies("A tone.")}, settings=annotators(w=WHOLE)) as play:
        after = await Annotate()(case, play.context)
        assert parts_of(play, "omni_llm").count("image_url") == 0
        assert "You see nothing" in play.prompt("omni_llm")
    assert after.remarks == ()
    assert len(after.candidates) == 1


async def test_they_work_at_the_same_time(film: Path) -> None:
    here, all_here = 0, asyncio.Event()

    def waits_for_the_others(seen: play_it.Seen) -> play_it.Behaviour:
        nonlocal here
        here += 1
        if here == 3:
            all_here.set()

        async def answer(request: Any, seen: Any) -> Any:
            await asyncio.wait_for(all_here.wait(), timeout=10)
            return await play_it.says("Together.")(request, seen)

        return answer

    parts: dict[str, Part] = dict.fromkeys(("omni_llm", "frame_captioner", "audio_llm"), waits_for_the_others)
    named = annotators(whole=WHOLE, eyes=EYES, ears=EARS)
    async with case_of(film) as case, playing(parts, settings=named) as play:
        after = await Annotate()(case, play.context)
    assert [c.caption for c in after.candidates] == ["Together."] * 3


# Failures -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "kind", "reason"),
    [
        (play_it.unauthorized(), "AuthError", "invalid_key"),
        (play_it.server_error(), "TransientError", None),
        (play_it.says(""), "FormatError", "empty"),
        (play_it.says("", finish_reason="content_filter"), "ContentFilterError", "content_filter"),
        (play_it.fails(400, {"message": "too long"}), "BadRequestError", None),
        (play_it.hangs(), "ObserverTimeoutError", "observer_timeout"),
    ],
    ids=["401", "500", "empty", "blocked", "400", "timeout"],
)
async def test_a_failure_is_recorded_and_costs_nobody_else(
    film: Path, behaviour: play_it.Behaviour, kind: str, reason: str | None
) -> None:
    parts = {"omni_llm": [behaviour], "frame_captioner": replies("Bars.")}
    settings = {**annotators(whole=WHOLE, eyes=EYES), "investigate": {"observer_timeout_s": 2.0}}
    async with case_of(film) as case, playing(parts, settings=settings) as play:
        after = await Annotate()(case, play.context)
    assert [c.source for c in after.candidates] == ["eyes"]
    failed, fine = after.observations
    assert (failed.observer, failed.answer, fine.error) == ("whole", "", None)
    assert failed.error is not None
    assert failed.error.type == kind
    assert failed.error.message
    if reason is not None:
        assert failed.error.reason == reason


async def test_a_model_without_the_sense_fails_before_it_is_paid(film: Path) -> None:
    async with case_of(film) as case, playing({"audio_llm": replies("never")}, settings=annotators(ears=EARS)) as play:
        after = await Annotate()(case, recast(play, "audio_llm", capabilities={"images": True}))
        assert play.calls("audio_llm") == 0
    assert after.candidates == ()
    (failed,) = after.observations
    assert failed.error is not None
    assert failed.error.reason == "unsupported_media"
    assert "takes no sound" in failed.error.message


async def test_a_missing_key_is_a_recorded_failure_and_a_role_without_a_player_none(film: Path) -> None:
    named = annotators(whole=WHOLE, eyes=EYES)
    async with case_of(film) as case, playing({"frame_captioner": replies("never")}, settings=named) as play:
        context = recast(play, "frame_captioner", api_key_env="NOBODY_SETS_THIS", base_url=None)
        after = await Annotate()(case, context)
        assert play.calls("frame_captioner") == 0
    assert [(o.observer, o.error.reason if o.error else "") for o in after.observations] == [("eyes", "no_key")]


async def test_what_a_model_cannot_take_is_withheld_and_said(film: Path) -> None:
    async with case_of(film) as case, playing({"omni_llm": replies("Bars.")}, settings=annotators(w=WHOLE)) as play:
        after = await Annotate()(case, recast(play, "omni_llm", capabilities={"images": True, "audio": False}))
        assert "input_audio" not in parts_of(play, "omni_llm")
        assert "You hear nothing" in play.prompt("omni_llm")
    assert [c.source for c in after.candidates] == ["w"]
    assert after.remarks == ("w was not shown everything: openai:omni_llm takes no sound",)


async def test_a_model_that_takes_no_text_gets_the_sound_alone(film: Path) -> None:
    can = {"audio": True, "text_prompt": False}
    async with case_of(film) as case, playing({"audio_llm": replies("A tone.")}, settings=annotators(e=EARS)) as play:
        after = await Annotate()(case, recast(play, "audio_llm", capabilities=can))
        assert parts_of(play, "audio_llm") == ["input_audio"]
        assert len(play.seen("audio_llm")[0].body["messages"]) == 1
    assert [c.caption for c in after.candidates] == ["A tone."]


async def test_a_caption_that_was_cut_off_loses_its_last_sentence(film: Path) -> None:
    cut = [play_it.says("A tone is heard. It goes on and", finish_reason="length")]
    async with case_of(film) as case, playing({"audio_llm": cut}, settings=annotators(ears=EARS)) as play:
        after = await Annotate()(case, play.context)
    assert [c.caption for c in after.candidates] == ["A tone is heard."]
    assert "cut off" in after.observations[0].answer
    assert after.remarks == ("the caption of ears was cut off by its length limit",)


async def test_one_that_is_switched_off_is_not_asked(film: Path) -> None:
    named = annotators(eyes=EYES, ears={**EARS, "enabled": False})
    parts = {"frame_captioner": replies("Bars."), "audio_llm": replies("never")}
    async with case_of(film) as case, playing(parts, settings=named) as play:
        after = await Annotate()(case, play.context)
        assert play.calls("audio_llm") == 0
    assert [c.source for c in after.candidates] == ["eyes"]


# The transcript -------------------------------------------------------------------------------------------------------


def heard(*segments: SpeechSegment, span: Span | None = None) -> Observation:
    return seen_by("asr", SpeechEvidence(segments=segments), span=span)


def said(start_s: float, text: str, **more: Any) -> SpeechSegment:
    return SpeechSegment(start_s=start_s, end_s=start_s + 0.5, text=text, **more)


@pytest.mark.parametrize(
    ("segments", "caption"),
    [
        ([said(3.4, " Hello there. ")], "At 3s, a voice says: “Hello there.”"),
        ([said(3.4, "Hello"), said(3.9, "you")], "At 3s, a voice says: “Hello”. A voice says: “you”."),
        ([said(1, "Ça va ?", speaker="Léa"), said(2, "Oui")], "At 1s, Léa says: “Ça va ?” At 2s, a voice says: “Oui”."),
        ([said(1, "he said “go”\nand went")], "At 1s, a voice says: “he said ‘go’ and went”."),
        ([said(19.9, "late"), said(25, "too late")], "At 19s, a voice says: “late”. A voice says: “too late”."),
        ([said(2, "  ")], None),
        ([], None),
    ],
)  # fmt: skip
async def test_the_transcript_is_a_candidate_without_a_model(
    segments: list[SpeechSegment], caption: str | None
) -> None:
    async with playing({}, settings=annotators(words=WORDS)) as play:
        after = await Annotate()(make_case(heard(*segments)), play.context)
    assert [(c.source, c.caption) for c in after.candidates] == ([("words", caption)] if caption else [])
    assert len(after.observations) == 1, "the words are an observation already, and silence is no failure"


async def test_whoever_needs_the_words_has_them_listened_for_once(film: Path) -> None:
    subtitled = {"role": "frame_captioner", "shows": ["frames", "transcript"]}
    recogniser, observer = hears(HELLO)
    parts = {"frame_captioner": replies("Somebody greets.")}
    settings = annotators(subtitled=subtitled, words=WORDS)
    async with case_of(film) as case, playing(parts, observers=[observer], settings=settings) as play:
        after = await Annotate()(case, play.context)
        prompt = play.prompt("frame_captioner")
    assert recogniser.asked == [None]
    assert "Hello there." in prompt
    assert json.dumps({"start_s": 3.4, "end_s": 5.0})[1:-1] in prompt
    assert [(c.source, c.caption) for c in after.candidates] == [
        ("subtitled", "Somebody greets."),
        ("words", "At 3s, a voice says: “Hello there.”"),
    ]
    assert [o.observer for o in after.observations] == ["asr", "subtitled"]


async def test_the_words_alone_are_not_shown_where_there_are_none() -> None:
    reader = {"role": "omni_llm", "shows": ["transcript"]}
    async with playing({"omni_llm": replies("never")}, settings=annotators(reader=reader)) as play:
        after = await Annotate()(make_case(heard()), play.context)
        assert play.calls("omni_llm") == 0
    assert after.candidates == ()
    assert len(after.observations) == 1


async def test_words_that_nobody_could_listen_for_are_withheld_and_said(film: Path) -> None:
    subtitled = {"role": "frame_captioner", "shows": ["frames", "transcript"]}
    settings = annotators(subtitled=subtitled)
    async with case_of(film) as case, playing({"frame_captioner": replies("Bars.")}, settings=settings) as play:
        after = await Annotate()(case, play.context)
        assert "spoken words" not in play.prompt("frame_captioner")
    assert after.remarks == ("subtitled was not shown everything: nobody listened for the words",)


@dataclass(frozen=True)
class Broken:
    """A tool box whose recogniser does not work."""

    why: Unavailable

    def offered(self, clip: Clip) -> tuple[Observer, ...]:
        return ()

    def out_of_order(self, clip: Clip) -> dict[str, Unavailable]:
        return {"asr": self.why}


@pytest.mark.parametrize(("reason", "failures"), [("no_weights", ["words"]), ("disabled", [])])
async def test_a_recogniser_that_is_missing_is_a_failure_unless_nobody_wants_it(
    reason: str, failures: list[str]
) -> None:
    async with playing({}, settings=annotators(words=WORDS)) as play:
        box = cast("ToolBox", Broken(Unavailable(reason, "no weights", "pull them")))
        after = await Annotate()(make_case(), replace(play.context, toolbox=box))
    assert [o.observer for o in after.observations] == failures
    assert all(o.error is not None and o.error.reason == reason for o in after.observations)


# Long clips -----------------------------------------------------------------------------------------------------------


async def test_the_segments_of_a_long_clip_are_captioned_one_by_one(film: Path) -> None:
    segments = (Span(start_s=0.0, end_s=2.0), Span(start_s=2.0, end_s=4.0))
    recogniser, observer = hears(SpeechSegment(start_s=0.5, end_s=1.0, text="One"), HELLO)
    flow = Workflow.model_validate(
        {"name": "w", "description": "d", "stages": [{"stage": "annotate"}, {"stage": "ensemble"}]}
    )
    plan = StagePlan.of(flow, {"annotate": Annotate, "ensemble": Ensemble})
    parts = {
        "omni_llm": lambda seen: play_it.says("Early." if "seconds 0.0 to 2.0" in str(seen.body) else "Late."),
        "integrator": replies({"sentences": [{"text": "Early."}]}, {"sentences": [{"text": "Late."}]}),
    }
    subtitled = {"role": "omni_llm", "shows": ["frames", "audio", "transcript"]}
    settings = annotators(subtitled=subtitled, words=WORDS)
    async with (
        case_of(film, segments=segments) as case,
        playing(parts, observers=[observer], settings=settings) as play,
    ):
        assert Annotate().by_segment(play.context)
        after = await plan.run(case, play.context, enter=lambda _: None, leave=lambda *_: None)
        first = next(s for s in range(2) if "seconds 0.0 to 2.0" in play.prompt("omni_llm", s))
        assert "One" in play.prompt("omni_llm", first)
        assert "Hello there." not in play.prompt("omni_llm", first)
        assert "frames" in play.prompt("omni_llm", first).lower()
    assert sorted(recogniser.asked, key=lambda s: s.start_s if s else 0) == list(segments), "each once"
    assert [(c.source, c.caption, c.span) for c in after.candidates] == [
        ("subtitled", "Early.", segments[0]),
        ("words", "At 0s, a voice says: “One”.", segments[0]),
        ("subtitled", "Late.", segments[1]),
        ("words", "At 3s, a voice says: “Hello there.”", segments[1]),
    ]
    assert [(o.id, o.observer, o.span) for o in after.observations] == [
        ("s1o1", "asr", segments[0]),
        ("s1o2", "subtitled", segments[0]),
        ("s2o1", "asr", segments[1]),
        ("s2o2", "subtitled", segments[1]),
    ]


# The embedded cast ----------------------------------------------------------------------------------------------------

SHOTS = (Span(start_s=0, end_s=3.2), Span(start_s=3.2, end_s=20))
BELL = SoundEvent(start_s=7, end_s=9, label="bell", score=0.9)
MEASURED = (
    seen_by("shots", ShotEvidence(cuts=(Cut(time_s=3.2),), shots=SHOTS)),
    seen_by("ocr", TextEvidence(cards=(TextCard(text="OPEN", start_s=3.2, end_s=9.0, score=0.9),), frames_read=20)),
    heard(said(3.5, "Come in.")),
    seen_by("sound", SoundEvidence(loudness_lufs=-20.0, silent=(), events=(BELL,))),
)


async def test_without_models_each_sense_tells_what_was_measured_of_it() -> None:
    named = annotators(whole=WHOLE, eyes=EYES, ears=EARS, words=WORDS)
    async with playing({"omni_llm": replies("never")}, settings=named) as play:
        context = embedded(play)
        assert not Annotate().by_segment(context)
        after = await Annotate()(make_case(*MEASURED), context)
        assert play.server.calls == 0
    captions = {c.source: c.caption for c in after.candidates}
    assert list(captions) == ["whole", "eyes", "ears", "words"]
    assert "OPEN" in captions["eyes"]
    assert "At 3s, the picture cuts" in captions["eyes"]
    assert "Come in" not in captions["eyes"]
    assert "bell" not in captions["eyes"]
    assert captions["ears"] == "At 3s, a voice says: “Come in.” At 7s, bell is heard."
    assert captions["words"] == "At 3s, a voice says: “Come in.”"
    assert all(word in captions["whole"] for word in ("OPEN", "Come in.", "bell"))
    assert after.observations == make_case(*MEASURED).observations


async def test_without_models_the_instruments_are_asked_where_nobody_has() -> None:
    recogniser, observer = hears(HELLO)
    async with playing({}, settings=annotators(words=WORDS, eyes=EYES)) as play:
        after = await Annotate()(make_case(modality="audio"), embedded(play, [observer]))
    assert recogniser.asked == [None]
    assert [c.source for c in after.candidates] == ["words"], "a recording has nothing for the eyes"


async def test_without_models_nothing_is_said_beside_a_detective_who_says_all_of_it() -> None:
    recogniser, observer = hears(HELLO)
    async with playing({}, settings=annotators(eyes=EYES)) as play:
        case = make_case(*MEASURED[:1])
        context = replace(embedded(play, [observer]), stages=frozenset({"investigate", "annotate"}))
        after = await Annotate()(case, context)
    assert after == case
    assert recogniser.asked == []
