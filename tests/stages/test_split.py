"""Single-attribute captions say what the whole caption says, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from detective.cases import make_case, seen_by
from hypothesis import given
from hypothesis import strategies as st
from servers.faulty_openai import Seen, says, unauthorized
from stages.casting import Play, playing, replies

from omnidetective.case import Case
from omnidetective.detective.writer import write
from omnidetective.draft import Draft, Section
from omnidetective.errors import AuthError
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
from omnidetective.grounding import cited
from omnidetective.llm.cast import Cast
from omnidetective.model_sets import ModelSet
from omnidetective.records import ATTRIBUTES
from omnidetective.stages.split import Split
from omnidetective.stages.split_check import unfounded

CAPTION = (
    "A bakery is lit by morning sun. "
    "At 2s, a woman in a green apron opens the oven. "
    "At 5s, she says: “The bread is ready now.” "
    "At 9s, the camera pans to 2 loaves on a wooden board."
)
SPLIT: dict[str, str | None] = {
    "scene": "A bakery is lit by morning sun.",
    "characters": "At 2s, a woman in a green apron opens the oven.",
    "objects": "At 9s, 2 loaves on a wooden board.",
    "actions": "At 2s, a woman opens the oven.",
    "narrative": None,
    "speech": "At 5s, a woman says: “The bread is ready now.”",
    "camera": "At 9s, the camera pans to 2 loaves.",
    "emotions": "",
}


def drafted(text: str = CAPTION, **kind: Any) -> Case:
    case = make_case(**kind)
    return case.drafted("ensemble", Draft.of(cited(text, case)))


async def split(case: Case, *said: Any, settings: Mapping[str, Any] | None = None) -> tuple[Case, Play]:
    async with playing({"integrator": replies(*said)}, settings=settings) as play:
        return await Split()(case, play.context), play


async def test_what_the_caption_tells_is_split_and_what_it_does_not_tell_is_absent() -> None:
    case, play = await split(drafted(), SPLIT)
    assert play.calls("integrator") == 1
    assert dict(case.attributes or {}) == {k: v for k, v in SPLIT.items() if v}
    assert case.remarks == ()


async def test_only_the_chosen_attributes_that_the_clip_can_have_are_asked_for() -> None:
    case, play = await split(
        drafted("A voice says: “Good morning.”", modality="audio"),
        {"scene": None, "speech": "A voice says: “Good morning.”", "camera": "It pans."},
        settings={"split": {"attributes": ["speech", "scene", "camera"]}},
    )
    assert dict(case.attributes or {}) == {"speech": "A voice says: “Good morning.”"}
    assert "`camera`" not in play.prompt("integrator")
    assert "`emotions`" not in play.prompt("integrator")


async def test_no_attribute_is_wanted() -> None:
    case, play = await split(drafted(), SPLIT, settings={"split": {"attributes": []}})
    assert case.attributes == {}
    assert play.calls("integrator") == 0


@pytest.mark.parametrize(
    ("attribute", "wrong"),
    [
        ("speech", "At 9s, she says: “Call the police at once.”"),
        ("objects", "At 9s, 17 loaves on a wooden board."),
        ("camera", "At 7s, the camera pans to a wooden board."),
        ("emotions", "The baker beams with pride and relief."),
    ],
)
async def test_a_sentence_that_the_caption_does_not_bear_out_is_asked_for_again_then_dropped(
    attribute: str, wrong: str
) -> None:
    faulty = {**SPLIT, attribute: f"{SPLIT[attribute] or ''} {wrong}".strip()}
    case, play = await split(drafted(), faulty, faulty)
    assert play.calls("integrator") == 2
    assert (case.attributes or {}).get(attribute) == (SPLIT[attribute] or None)  # type: ignore[call-overload]
    assert any(attribute in remark for remark in case.remarks)


async def test_a_sentence_told_right_the_second_time_is_kept() -> None:
    faulty = {**SPLIT, "objects": "At 9s, three golden baguettes lie in a basket."}
    case, play = await split(drafted(), faulty, {"objects": SPLIT["objects"]})
    assert dict(case.attributes or {}) == {k: v for k, v in SPLIT.items() if v}
    assert "golden baguettes" in play.prompt("integrator")
    assert "`speech`" not in play.prompt("integrator")
    assert case.remarks == ()


async def test_a_dropped_sentence_hands_its_anchor_on() -> None:
    faulty = {**SPLIT, "actions": "At 2s, fireworks explode everywhere. A woman opens the oven."}
    case, _ = await split(drafted(), faulty, faulty)
    assert (case.attributes or {})["actions"] == "At 2s, a woman opens the oven."


async def test_prose_is_a_shortfall_and_no_attributes() -> None:
    case, _ = await split(drafted(), "Certainly not.")
    assert case.attributes is None
    assert any(shortfall.startswith("split failed") for shortfall in case.shortfalls)


async def test_a_failed_call_is_raised() -> None:
    async with playing({"integrator": [unauthorized()]}) as play:
        with pytest.raises(AuthError):
            await Split()(drafted(), play.context)


async def test_a_long_clip_is_split_section_by_section() -> None:
    case = make_case()
    texts = ("At 1s, a red car stops.", "At 12s, a blue car drives off.")
    spans = (Span(start_s=0.0, end_s=10.0), Span(start_s=10.0, end_s=20.0))
    sections = tuple(Section(span, cited(text, case)) for span, text in zip(spans, texts, strict=True))
    case = case.drafted("ensemble", Draft(sections))

    def integrator(seen: Seen) -> Any:
        asked = str(seen.body["messages"])
        if "blue" in asked and "red" not in asked:
            return says(json.dumps({"objects": texts[1], "actions": "At 12s, a blue car drives off."}))
        return says(json.dumps({"objects": texts[0]}))

    async with playing({"integrator": integrator}) as play:
        done = await Split()(case, play.context)
        assert play.calls("integrator") == 2
    assert dict(done.attributes or {}) == {"objects": " ".join(texts), "actions": texts[1]}


@given(st.text(max_size=300))
def test_a_caption_bears_itself_out(caption: str) -> None:
    assert unfounded(caption, caption, 20.0) == {}


# The embedded integrator ---------------------------------------------------------------------------------------------


async def by_rules(case: Case, settings: Mapping[str, Any] | None = None) -> Case:
    async with playing({}, settings=settings) as play:
        model_set = ModelSet.model_validate(
            {
                "name": "local",
                "description": "",
                "models": {"rules": {"provider": "embedded", "model": "rules"}},
                "roles": {"integrator": "rules"},
            }
        )
        cast = Cast(model_set, play.context.settings.retry, environ={})
        return await Split()(case, replace(play.context, model_set=model_set, cast=cast))


def measured(case: Case) -> Case:
    return case.drafted("investigate", Draft.of(write(case).events))


def everything() -> Case:
    heard = SpeechSegment(start_s=8.2, end_s=9.0, text="Sit down.", language="en", score=0.9)
    shots = (Span(start_s=0.0, end_s=8.0), Span(start_s=8.0, end_s=20.0))
    return make_case(
        seen_by("shots", ShotEvidence(cuts=(Cut(time_s=8.0),), shots=shots, still=False)),
        seen_by("asr", SpeechEvidence(segments=(heard,))),
        seen_by("ocr", TextEvidence(cards=(TextCard(text="OPEN", start_s=8.0, end_s=10.0, score=0.9),), frames_read=9)),
        seen_by(
            "sound",
            SoundEvidence(
                loudness_lufs=-20.0,
                silent=(Span(start_s=15.0, end_s=19.0),),
                classified=True,
                events=(SoundEvent(start_s=11.0, end_s=14.0, label="music", score=0.9),),
            ),
        ),
    )


async def test_rules_give_each_sentence_to_what_its_evidence_measures() -> None:
    case = await by_rules(measured(everything()))
    assert dict(case.attributes or {}) == {
        "scene": "At 11s, music plays. At 15s, the sound falls silent.",
        "objects": "At 8s, the text “OPEN” is shown.",
        "speech": "At 8s, a voice says in English: “Sit down.”",
        "camera": "This 20-second landscape video is made of two shots. At 8s, the picture cuts to the second shot.",
    }


async def test_rules_keep_to_the_chosen_attributes() -> None:
    case = await by_rules(measured(everything()), {"split": {"attributes": ["speech", "emotions"]}})
    assert set(case.attributes or {}) == {"speech"}


async def test_rules_invent_nothing_for_what_nobody_measured() -> None:
    silent = SoundEvidence(loudness_lufs=None, silent=(Span(start_s=0.0, end_s=20.0),), classified=True)
    case = measured(make_case(seen_by("asr", SpeechEvidence(segments=())), seen_by("sound", silent)))
    done = await by_rules(case)
    assert "speech" not in (done.attributes or {})
    assert set(done.attributes or {}) <= set(ATTRIBUTES)
    for text in (done.attributes or {}).values():
        assert unfounded(text, done.caption or "", 20.0) == {}
