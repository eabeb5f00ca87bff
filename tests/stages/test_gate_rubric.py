"""The professional rubric: three of three in every dimension, judged against the clip and its measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from detective.cases import make_case, seen_by
from servers.faulty_openai import Behaviour, Seen, says, unauthorized
from stages.casting import Play, playing, replies
from stages.test_audit import Pictures

from omnidetective.case import Case
from omnidetective.draft import Draft
from omnidetective.errors import AuthError
from omnidetective.evidence import SpeechEvidence, SpeechSegment
from omnidetective.findings import Routing
from omnidetective.llm.cast import Cast
from omnidetective.llm.json_schema import is_strict, schema_of
from omnidetective.model_sets import ModelSet
from omnidetective.records import Event, Modality, Observation
from omnidetective.rubric import DIMENSIONS, FULL
from omnidetective.stages.gate import Gate
from omnidetective.stages.gate_rubric import form_of

CAPTION = "A woman in a green apron opens the oven, and a voice announces the bread."
SPEECH = SpeechEvidence(segments=(SpeechSegment(start_s=5.0, end_s=7.0, text="The bread is ready.", language="en"),))
NAMES = {
    "image": ["factual_accuracy", "information_completeness", "reasoning_rigour", "core_intent", "professionalism"],
    "video": ["temporal_and_factual_accuracy", "event_and_detail_coverage", "temporal_causal_logic"],
    "audio": ["factual_accuracy", "information_completeness", "temporal_causal_logic"],
}
SEES = {"rubric": "professional", "shows": ["frames"], "max_frames": 3}


def drafted(text: str = CAPTION, *, modality: Modality = "video", broken: bool = False, measured: bool = True) -> Case:
    """A clip with frames of which one witness and one candidate have told."""
    witness = Observation(observer="eyes", kind="witness", question="?", answer="I see a submarine.")
    seen = (seen_by("asr", SPEECH, answer="5–7 s: The bread is ready."), witness)
    case = make_case(*(seen if measured else seen[1:]), modality=modality)
    case = replace(case, clip=cast("Any", Pictures(case.clip.facts, broken=broken)))
    event = Event(text=text, modality="visual", evidence=("o1",))
    return case.drafted("ensemble", Draft.of([event])).proposed("guideline", "Candidate one has a cat in it.")


def scores(modality: str = "video", **given: tuple[int, str]) -> dict[str, Any]:
    """The judge's answer: all threes, but for those given, with the reason."""
    full: dict[str, Any] = {name: {"reasons": [], "score": FULL} for name in NAMES[modality]}
    return full | {name: {"reasons": [why] if why else [], "score": score} for name, (score, why) in given.items()}


async def gated(case: Case, said: Sequence[Behaviour], settings: Mapping[str, Any] | None = None) -> tuple[Case, Play]:
    async with playing({"judge": said}, settings={"gate": SEES | dict(settings or {})}) as play:
        return await Gate()(case, play.context), play


@pytest.mark.parametrize("modality", ["image", "video", "audio"])
async def test_all_threes_are_accepted_also_of_one_candidate(modality: Modality) -> None:
    done, play = await gated(drafted(modality=modality), replies(scores(modality)))
    assert done.rejections == ()
    assert {name: done.scores[name] for name in NAMES[modality]} == dict.fromkeys(NAMES[modality], 3.0)
    assert "completeness" not in done.scores
    assert done.scores["tokens"] > 8
    assert all(f"## {name}: " in play.prompt("judge") for name in NAMES[modality])
    assert [d.name for d in DIMENSIONS[modality]] == NAMES[modality]


@pytest.mark.parametrize(("name", "score"), [(name, score) for name in NAMES["image"] for score in (1, 2)])
async def test_each_lower_score_rejects_with_its_reason(name: str, score: int) -> None:
    answer = scores("image", **{name: (score, "The oven is a fridge.")})
    done, _ = await gated(drafted(modality="image"), replies(answer))
    assert done.rejections == (f"not_professional: {name} {score} of 3: The oven is a fridge.",)
    assert done.scores[name] == score
    assert sum(done.scores[other] for other in NAMES["image"]) == 12 + score


async def test_a_low_score_without_a_reason_rejects_all_the_same() -> None:
    answer = scores(temporal_causal_logic=(2, ""), event_and_detail_coverage=(1, "The voice is left out."))
    done, _ = await gated(drafted(), replies(answer))
    assert done.rejections == (
        "not_professional: event_and_detail_coverage 1 of 3: The voice is left out.",
        "not_professional: temporal_causal_logic 2 of 3",
    )


async def test_what_costs_nothing_is_checked_first() -> None:
    done, play = await gated(drafted("At 50s, a woman in a green apron opens the oven door."), replies(scores()))
    assert [reason.partition(":")[0] for reason in done.rejections] == ["timestamps"]
    assert play.calls("judge") == 0


async def test_the_judge_gets_the_clip_and_what_was_measured_and_never_who_wrote_what() -> None:
    done, play = await gated(drafted(), replies(scores()), {"shows": ["frames", "transcript"]})
    prompt = play.prompt("judge")
    images = [p for p in play.seen("judge")[0].body["messages"][1]["content"] if p["type"] == "image_url"]
    assert len(images) == 3
    assert CAPTION in prompt
    assert '"of": "asr"' in prompt
    assert '"text": "The bread is ready."' in prompt
    for hidden in ("submarine", 'eyes"', "has a cat in it", "guideline"):
        assert hidden not in prompt, hidden
    assert {o.observer for o in done.observations} == {"asr", "eyes"}, "the case keeps them"


async def test_the_judge_learns_what_a_caption_of_this_domain_has_to_tell() -> None:
    routing = Routing(domain="document", confidence="high", by="row")
    _, play = await gated(replace(drafted(modality="image"), routing=routing), replies(scores("image")))
    assert "every number with its label and its unit" in play.prompt("judge")
    _, play = await gated(drafted(modality="image"), replies(scores("image")))
    assert "of this kind has to tell" not in play.prompt("judge")


NO_FORM: dict[str, Behaviour] = {
    "prose": says("It is splendid."),
    "a dimension left out": replies({k: v for k, v in scores().items() if k != "temporal_causal_logic"})[0],
    "a score beyond the scale": replies(scores(temporal_causal_logic=(4, "even better")))[0],
    "a score alone": replies(scores() | {"temporal_causal_logic": 3})[0],
    "a refusal": says("", finish_reason="content_filter"),
}


@pytest.mark.parametrize("said", NO_FORM.values(), ids=NO_FORM)
async def test_a_judge_without_a_usable_answer_rejects_nothing(said: Behaviour) -> None:
    done, _ = await gated(drafted(), [said])
    assert done.rejections == ()
    assert not done.scores.keys() & set(NAMES["video"])
    assert any("the judge gave no professional scores" in remark for remark in done.remarks)


async def test_frames_that_cannot_be_read_are_not_the_captions_fault() -> None:
    done, play = await gated(drafted(broken=True), replies(scores()))
    assert done.rejections == ()
    assert play.calls("judge") == 0
    assert any("frame 17 is damaged" in remark for remark in done.remarks)


async def test_a_failed_call_is_raised() -> None:
    with pytest.raises(AuthError):
        await gated(drafted(), [unauthorized()])


async def test_a_judge_that_could_hold_the_caption_against_nothing_is_not_asked() -> None:
    done, play = await gated(drafted(measured=False), replies(scores()), {"shows": []})
    assert play.calls("judge") == 0
    assert done.rejections == ()
    assert any("nothing to hold it against" in remark for remark in done.remarks)


async def test_a_judge_that_cannot_see_judges_by_the_measurements_and_the_reader_is_told() -> None:
    async with playing({"judge": replies(scores())}, settings={"gate": SEES}) as play:
        models = play.context.model_set.model_dump()
        models["models"]["judge"]["capabilities"] = {"images": False}
        blind = Cast(ModelSet.model_validate(models), play.context.settings.retry, environ={})
        done = await Gate()(drafted(), replace(play.context, cast=blind))
        await blind.aclose()
        assert play.calls("judge") == 1
        assert "You are shown nothing of the clip itself" in play.prompt("judge")
    assert any(remark.startswith("judge was not shown everything: ") for remark in done.remarks)


async def test_the_first_answer_without_form_is_sent_back_once_more() -> None:
    def judge(seen: Seen) -> Behaviour:
        return replies(scores())[0] if "cannot be used" in str(seen.body["messages"]) else says("Splendid.")

    async with playing({"judge": judge}, settings={"gate": SEES, "retry": {"repairs": 1}}) as play:
        done = await Gate()(drafted(), play.context)
        assert play.calls("judge") == 2
    assert done.scores["temporal_causal_logic"] == 3


@pytest.mark.parametrize("modality", ["image", "video", "audio"])
def test_the_form_is_strict_and_reasons_stand_before_scores(modality: Modality) -> None:
    schema = schema_of(form_of(modality))
    assert is_strict(schema)
    assert list(schema["properties"]) == NAMES[modality]
    assert all(list(one["properties"]) == ["reasons", "score"] for one in schema["properties"].values())
