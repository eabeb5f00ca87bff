"""The gate rejects with reasons that begin with a code, and asks the judge only when nothing else speaks against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from detective.cases import make_case, seen_by
from servers.faulty_openai import unauthorized
from stages.casting import Play, playing, replies

from omnidetective.case import Case
from omnidetective.detective.writer import write
from omnidetective.draft import Draft
from omnidetective.errors import AuthError
from omnidetective.evidence import (
    Evidence,
    ShotEvidence,
    SoundEvidence,
    Span,
    SpeechEvidence,
    SpeechSegment,
    TextEvidence,
)
from omnidetective.llm.cast import Cast
from omnidetective.model_sets import ModelSet
from omnidetective.records import Event, Modality
from omnidetective.stages.gate import Gate

SPEECH = SpeechEvidence(
    segments=(SpeechSegment(start_s=5.0, end_s=7.0, text="The bread is ready now.", language="en", score=0.95),)
)
GOOD = "A woman in a green apron opens the oven. At 5s, a voice says: “The bread is ready now.”"


def drafted(*sentences: str, evidence: tuple[str, ...] = ("o1",), candidates: int = 2, **kind: Any) -> Case:
    case = make_case(seen_by("asr", SPEECH, answer="The bread is ready now."), **kind)
    events = tuple(Event(text=text, modality="visual", evidence=evidence) for text in sentences)
    case = case.drafted("ensemble", Draft.of(events))
    for n in range(candidates):
        case = case.proposed(f"annotator {n}", f"Candidate number {n} has a cat in it.")
    return case


async def gated(case: Case, *said: Any, settings: Mapping[str, Any] | None = None) -> tuple[Case, Play]:
    async with playing({"judge": replies(*said)}, settings=settings) as play:
        return await Gate()(case, play.context), play


def score(n: int, *reasons: str) -> dict[str, Any]:
    return {"reasons": list(reasons), "score": n}


async def test_a_good_caption_is_accepted_with_its_scores() -> None:
    case, play = await gated(drafted(GOOD), score(5))
    assert case.rejections == ()
    assert case.scores["completeness"] == 5
    assert case.scores["grounding"] == 1
    assert case.scores["errors"] == 0
    assert case.scores["tokens"] > 15
    assert "has a cat in it" in play.prompt("judge")
    assert "annotator" not in play.prompt("judge")


REJECTED: dict[str, tuple[str, Callable[[], Case], dict[str, Any]]] = {
    "too short": ("too_short", lambda: drafted("A dog barks.", candidates=0), {}),
    "too long": ("too_long", lambda: drafted(GOOD), {"max_tokens": 10}),
    "too long for its clip": (
        "too_long",
        lambda: drafted(*(f"Thing {n} of another kind lies here." for n in range(60)), duration_s=2.0),
        {},
    ),
    "collapsed": ("repetition", lambda: drafted("A dog barks" + " and barks" * 80 + "."), {}),
    "an anchor outside the clip": ("timestamps", lambda: drafted(f"{GOOD} At 95s, the credits roll over black."), {}),
    "an anchor twice": ("timestamps", lambda: drafted("At 5s, a dog barks. At 7s, it runs. At 5s, it sits."), {}),
    "a quotation that nobody spoke": (
        "errors",
        lambda: drafted(f"{GOOD} At 9s, a man says: “They have taken all of the money.”"),
        {},
    ),
    "sentences that cite nothing": ("ungrounded", lambda: drafted(GOOD, evidence=()), {}),
}  # fmt: skip


@pytest.mark.parametrize("case", REJECTED.values(), ids=REJECTED)
async def test_each_reason_has_its_code_and_spares_the_judge(
    case: tuple[str, Callable[[], Case], dict[str, Any]],
) -> None:
    code, make, settings = case
    done, play = await gated(make(), score(5), settings={"gate": settings})
    assert [reason.partition(":")[0] for reason in done.rejections] == [code]
    assert play.calls("judge") == 0
    assert "completeness" not in done.scores


@pytest.mark.parametrize(
    "settings",
    [{"max_errors": 1}],
)
async def test_errors_up_to_the_limit_are_let_pass(settings: dict[str, Any]) -> None:
    wrong = drafted(f"{GOOD} At 9s, a man says: “They have taken all of the money.”")
    done, _ = await gated(wrong, score(4), settings={"gate": settings})
    assert done.rejections == ()
    assert done.scores["errors"] == 1


async def test_four_hundred_tokens_are_never_too_long_for_a_short_clip() -> None:
    case = drafted(*(f"Thing {n} of another kind lies here." for n in range(40)), duration_s=1.0)
    done, _ = await gated(case, score(4))
    assert done.rejections == ()


@pytest.mark.parametrize(("given", "kept"), [(1, False), (3, False), (4, True), (5, True)])
async def test_an_incomplete_merge_is_rejected(given: int, kept: bool) -> None:
    case, _ = await gated(drafted(GOOD), score(given, "the cat is lost"))
    assert (case.rejections == ()) is kept
    assert case.scores["completeness"] == given
    if not kept:
        assert case.rejections[0].startswith(f"incomplete: completeness {given} of 5")
        assert "the cat is lost" in case.rejections[0]


async def test_nothing_was_merged() -> None:
    case, play = await gated(drafted(GOOD, candidates=1), score(1))
    assert case.rejections == ()
    assert play.calls("judge") == 0


async def test_the_judge_can_be_left_out() -> None:
    case, play = await gated(drafted(GOOD), score(1), settings={"gate": {"judge": False}})
    assert case.rejections == ()
    assert play.calls("judge") == 0


@pytest.mark.parametrize("said", ["It is splendid.", {"score": 9, "reasons": []}])
async def test_a_judge_that_gives_no_score_rejects_nothing(said: Any) -> None:
    case, _ = await gated(drafted(GOOD), said)
    assert case.rejections == ()
    assert "completeness" not in case.scores
    assert any("no completeness score" in remark for remark in case.remarks)


async def test_a_failed_call_is_raised() -> None:
    async with playing({"judge": [unauthorized()]}) as play:
        with pytest.raises(AuthError):
            await Gate()(drafted(GOOD), play.context)


async def test_a_second_verdict_takes_the_place_of_the_first() -> None:
    rejected, _ = await gated(drafted("A dog barks."))
    assert rejected.rejections
    better = drafted(GOOD)
    done, _ = await gated(replace(rejected, draft=better.draft), score(5))
    assert done.rejections == ()


# The embedded cast ---------------------------------------------------------------------------------------------------

SILENT = SoundEvidence(loudness_lufs=None, silent=(Span(start_s=0.0, end_s=20.0),), classified=True)
STILL = ShotEvidence(cuts=(), shots=(Span(start_s=0.0, end_s=20.0),), still=True)
NO_TEXT = TextEvidence(cards=(), frames_read=5)
NOTHING_TO_SAY: dict[str, tuple[Modality, bool, tuple[tuple[str, Evidence], ...]]] = {
    "a picture without letters": ("image", False, (("ocr", NO_TEXT),)),
    "a silent recording": ("audio", True, (("sound", SILENT),)),
    "a still video without sound": ("video", False, (("shots", STILL), ("ocr", NO_TEXT))),
    "a still silent video": ("video", True, (("shots", STILL), ("ocr", NO_TEXT), ("sound", SILENT))),
}


@pytest.mark.parametrize("kind", NOTHING_TO_SAY.values(), ids=NOTHING_TO_SAY)
async def test_a_clip_of_which_there_is_nothing_to_say_is_accepted(
    kind: tuple[Modality, bool, tuple[tuple[str, Evidence], ...]],
) -> None:
    modality, has_audio, evidence = kind
    case = make_case(*(seen_by(*item) for item in evidence), modality=modality, has_audio=has_audio)
    case = case.drafted("investigate", Draft.of(write(case).events)).proposed("detective", "…").proposed("other", "…")
    async with playing({}) as play:
        model_set = ModelSet.model_validate(
            {
                "name": "local",
                "description": "",
                "models": {"rules": {"provider": "embedded", "model": "rules"}},
                "roles": {"judge": "rules"},
            }
        )
        cast = Cast(model_set, play.context.settings.retry, environ={})
        done = await Gate()(case, replace(play.context, model_set=model_set, cast=cast))
    assert done.rejections == ()
    assert "completeness" not in done.scores


async def test_shortness_is_no_virtue_where_more_was_measured() -> None:
    case = make_case(seen_by("asr", SPEECH))
    event = Event(text="A voice speaks.", modality="speech", evidence=("o1",))
    done, _ = await gated(case.drafted("investigate", Draft.of([event])))
    assert [reason.partition(":")[0] for reason in done.rejections] == ["too_short"]
