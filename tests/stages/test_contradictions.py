"""Contradictions: an instrument settles, or the witnesses are asked once more, or the point stays open and is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from detective.cases import Teller, make_case, seen_by
from servers.faulty_openai import Behaviour, Seen, says, unauthorized
from stages.casting import Part, Play, playing, replies

from omnidetective.case import Case
from omnidetective.config import load_model_set
from omnidetective.draft import Draft
from omnidetective.errors import AuthError
from omnidetective.evidence import Span
from omnidetective.findings import Contradiction
from omnidetective.grounding import cited
from omnidetective.llm.cast import Cast
from omnidetective.observers.base import Observer, ObserverSettings
from omnidetective.observers.guard import Guard, Guarded
from omnidetective.records import ATTRIBUTES, Observation
from omnidetective.settings import GuardSettings
from omnidetective.stages.audit import Audit
from omnidetective.stages.contradictions import MOST, examined

CAPTION = "A woman in a red coat waits at the door. At 7s, a dog barks."
WHAT = "The coat of the woman is red or blue."
QUESTION = "What colour is the coat of the woman at the door?"
READING: dict[str, Any] = {"audit": {"shows": []}}


def report(observer: str, answer: str, *, span: Span | None = None) -> Observation:
    return Observation(observer=observer, kind="witness", question="What is seen?", answer=answer, span=span)


def disputed(*more: Observation) -> Case:
    case = make_case(report("eyes", "Her coat is red."), report("omni", "She wears a blue coat."), *more)
    return case.drafted("ensemble", Draft.of(cited(CAPTION, case)))


def found(*ids: str, what: str = WHAT, question: str = QUESTION, **fields: Any) -> dict[str, Any]:
    return {"what": what, "observations": list(ids), "question": question, **fields}


def decided(number: int = 1, *, settled: bool, **fields: Any) -> dict[str, Any]:
    return {"number": number, "settled": settled, "finding": "", "snippet": "", "attribute": "characters", **fields}


def auditor(contradictions: Any = (), decisions: Any = ()) -> Callable[[Seen], Behaviour]:
    """Plays the auditor: it finds nothing wrong itself, and these contradictions; a text is said as it is."""

    def part(seen: Seen) -> Behaviour:
        content = seen.body["messages"][0]["content"]
        system = content if isinstance(content, str) else content[0]["text"]
        reply: Any
        if "where two of their reports cannot both be true" in system:
            reply = contradictions if isinstance(contradictions, str) else {"contradictions": list(contradictions)}
        elif "You decide, point by point" in system:
            reply = decisions if isinstance(decisions, str) else {"decisions": list(decisions)}
        else:
            reply = {a: {"errors": [], "missing": [], "expressiveness": []} for a in ATTRIBUTES}
        return replies(reply)[0]

    return part


def witnesses(eyes: str = "It is blue.", omni: str = "Blue.") -> tuple[Teller, Teller]:
    return Teller("eyes", lambda question, span: eyes), Teller("omni", lambda question, span: omni)


def stage(part: Part, *observers: Teller, settings: dict[str, Any] | None = None) -> Any:
    return playing({"auditor": part}, observers=[cast("Observer", o) for o in observers], settings=settings or READING)


def told(play: Play) -> str:
    return "\n".join(play.prompt("auditor", n) for n in range(play.calls("auditor")))


async def test_witnesses_are_asked_once_openly_and_settle_it() -> None:
    eyes, omni = witnesses()
    part = auditor(
        [found("o1", "o2", start_s=2.0, end_s=4.0)],
        [decided(settled=True, finding="The coat is blue.", snippet="red coat")],
    )
    async with stage(part, eyes, omni) as play:
        case = await Audit()(disputed(), play.context)
        assert play.calls("auditor") == 3
        assert "It is blue." in play.prompt("auditor")
    span = Span(start_s=2.0, end_s=4.0)
    assert eyes.asked == [(QUESTION, span)]
    assert omni.asked == [(QUESTION, span)]
    assert [(o.id, o.observer, o.answer) for o in case.observations[2:]] == [
        ("o3", "eyes", "It is blue."),
        ("o4", "omni", "Blue."),
    ]
    assert case.contradictions == (
        Contradiction(
            what=WHAT,
            observations=("o1", "o2", "o3", "o4"),
            settled_by="cross_examination",
            finding="The coat is blue.",
        ),
    )
    assert case.audit is not None
    (error,) = case.audit["characters"].errors
    assert error.snippet == "red coat"
    assert "The coat is blue." in error.why
    assert error.evidence == ("o1", "o2", "o3", "o4")


async def test_what_stays_open_is_recorded_and_an_error_where_the_caption_is_sure() -> None:
    eyes, omni = witnesses("Red, I say.", "Blue, I say.")
    part = auditor([found("o1", "o2")], [decided(settled=False, snippet="red coat")])
    async with stage(part, eyes, omni) as play:
        case = await Audit()(disputed(), play.context)
    (contradiction,) = case.contradictions
    assert contradiction.settled_by is None
    assert contradiction.finding is None
    assert contradiction.observations == ("o1", "o2", "o3", "o4")
    assert case.audit is not None
    assert [error.snippet for error in case.audit["characters"].errors] == ["red coat"]
    assert WHAT in case.audit["characters"].errors[0].why


async def test_a_snippet_of_a_decision_has_to_stand_in_the_caption() -> None:
    part = auditor([found("o1", "o2")], [decided(settled=False, snippet="a purple cape")])
    async with stage(part, *witnesses()) as play:
        case = await Audit()(disputed(), play.context)
    assert case.audit is not None
    assert not any(audit.errors for audit in case.audit.values())
    assert case.audit_summary is not None
    assert case.audit_summary.not_in_caption == 1


async def test_an_instrument_among_those_who_disagree_has_the_last_word() -> None:
    eyes, omni = witnesses()
    case = disputed(seen_by("shots", answer="One shot, no cut."))
    async with stage(auditor([found("o1", "o3", what="One shot or two.")]), eyes, omni) as play:
        after = await examined(case, play.context)
        assert play.calls("auditor") == 1
    assert eyes.asked == omni.asked == []
    (contradiction,) = after.case.contradictions
    assert contradiction.settled_by == "instrument"
    assert contradiction.finding == "shots: One shot, no cut."
    assert contradiction.observations == ("o1", "o3")
    assert not after.errors


async def test_two_instruments_that_disagree_settle_nothing() -> None:
    case = disputed(seen_by("asr", answer="Speech at 3 s."), seen_by("sound", answer="Silence throughout."))
    async with stage(auditor([found("o3", "o4", what="Speech or silence.")]), *witnesses()) as play:
        after = await examined(case, play.context)
    (contradiction,) = after.case.contradictions
    assert contradiction.settled_by is None
    assert len(after.case.observations) == 4


async def test_nothing_is_settled_about_which_nobody_answered() -> None:
    mute = Teller("eyes", lambda question, span: RuntimeError("gone blind"))
    part = auditor([found("o1", "o2")], [decided(settled=True, finding="It is blue, surely.")])
    async with stage(part, mute) as play:
        after = await examined(disputed(), play.context)
    assert len(mute.asked) == 1
    assert [o.error is not None for o in after.case.observations] == [False, False, True]
    assert [c.settled_by for c in after.case.contradictions] == [None]


async def test_who_is_not_in_the_tool_box_cannot_be_asked() -> None:
    eyes, _ = witnesses()
    part = auditor([found("o1", "o2")], [decided(settled=True, finding="The coat is blue.")])
    async with stage(part, eyes) as play:
        after = await examined(disputed(), play.context)
    assert len(eyes.asked) == 1
    assert [c.settled_by for c in after.case.contradictions] == ["cross_examination"]


async def test_one_witness_against_itself_is_asked_once() -> None:
    eyes, omni = witnesses()
    case = disputed(report("eyes", "Her coat is black."))
    part = auditor([found("o1", "o3"), found("o1", "o3", what="Said otherwise.")], [decided(settled=False)])
    async with stage(part, eyes, omni) as play:
        after = await examined(case, play.context)
    assert eyes.asked == [(QUESTION, None)]
    assert omni.asked == []
    assert [c.observations for c in after.case.contradictions] == [("o1", "o3", "o4")] * 2


async def test_without_cross_examination_contradictions_stay_open() -> None:
    eyes, omni = witnesses()
    settings = {"audit": {"shows": [], "cross_examine": False}}
    async with stage(auditor([found("o1", "o2")]), eyes, omni, settings=settings) as play:
        after = await examined(disputed(), play.context)
        assert play.calls("auditor") == 1
    assert eyes.asked == omni.asked == []
    assert after.case.contradictions == (Contradiction(what=WHAT, observations=("o1", "o2")),)


@pytest.mark.parametrize(
    ("ids", "recorded"),
    [
        pytest.param(("o1",), 0, id="one report contradicts nobody"),
        pytest.param(("o1", "o1"), 0, id="nor itself"),
        pytest.param(("o1", "o77"), 0, id="an id that does not exist"),
        pytest.param(("o77", "o2", "o1"), 1, id="an unknown one beside two known"),
    ],
)
async def test_a_contradiction_is_between_reports_that_exist(ids: tuple[str, ...], recorded: int) -> None:
    async with stage(auditor([found(*ids)]), *witnesses()) as play:
        after = await examined(disputed(), play.context)
    assert len(after.case.contradictions) == recorded


@pytest.mark.parametrize(
    ("times", "asked"),
    [
        pytest.param({}, Span(start_s=3, end_s=9), id="none: where the reports were about"),
        pytest.param({"start_s": 18.0, "end_s": 999.0}, Span(start_s=18, end_s=20), id="past the end"),
        pytest.param({"start_s": -5.0, "end_s": 2.0}, Span(start_s=0, end_s=2), id="before the start"),
        pytest.param({"start_s": 500.0, "end_s": 600.0}, None, id="outside"),
        pytest.param({"start_s": 9.0, "end_s": 3.0}, None, id="backwards"),
    ],
)
async def test_the_question_is_about_a_span_of_the_clip(times: dict[str, float], asked: Span | None) -> None:
    case = make_case(
        report("eyes", "A red coat.", span=Span(start_s=3, end_s=5)),
        report("omni", "A blue coat.", span=Span(start_s=4, end_s=9)),
    )
    case = case.drafted("ensemble", Draft.of(cited(CAPTION, case)))
    eyes, omni = witnesses()
    async with stage(auditor([found("o1", "o2", **times)]), eyes, omni) as play:
        await examined(case, play.context)
    assert eyes.asked == [(QUESTION, asked)]


async def test_at_most_five_contradictions_of_a_clip_are_examined() -> None:
    many = [found("o1", "o2", what=f"Point {n}.", question=f"What about {n}?") for n in range(9)]
    eyes, omni = witnesses()
    async with stage(auditor(many), eyes, omni) as play:
        after = await examined(disputed(), play.context)
        assert len(after.case.contradictions) == len(eyes.asked) == MOST
        calls = play.calls("auditor")
        again = await examined(after.case, play.context)
        assert play.calls("auditor") == calls
    assert again.case is after.case


async def test_what_was_examined_before_is_not_examined_again() -> None:
    eyes, omni = witnesses()
    async with stage(auditor([found("o1", "o2")], [decided(settled=False)]), eyes, omni) as play:
        once = await examined(disputed(), play.context)
        twice = await examined(once.case, play.context)
        assert WHAT in play.prompt("auditor")
    assert twice.case.contradictions == once.case.contradictions
    assert len(eyes.asked) == len(omni.asked) == 1


def left_open(case: Case) -> Case:
    return replace(case, shortfalls=("concluded because the time is up", "not settled: Red coat or blue coat."))


async def test_what_the_detective_left_open_is_taken_up() -> None:
    part = auditor(
        [found("o1", "o2", open_point=1)], [decided(settled=True, finding="The coat is blue.", snippet="red coat")]
    )
    eyes, omni = witnesses()
    async with stage(part, eyes, omni) as play:
        after = await examined(left_open(disputed()), play.context)
        assert "Red coat or blue coat." in told(play)
    (contradiction,) = after.case.contradictions
    assert contradiction.what == "Red coat or blue coat."
    assert contradiction.settled_by == "cross_examination"
    assert after.case.shortfalls == left_open(disputed()).shortfalls


async def test_what_the_detective_left_open_and_nobody_takes_up_stays_open() -> None:
    async with stage(auditor([found("o1", "o2")]), *witnesses()) as play:
        after = await examined(left_open(disputed()), play.context)
    assert [c.what for c in after.case.contradictions] == ["Red coat or blue coat.", WHAT]


async def test_the_embedded_cast_records_what_the_detective_left_open_and_calls_nobody() -> None:
    eyes, omni = witnesses()
    async with stage([], eyes, omni) as play:
        models = load_model_set("local")
        context = replace(play.context, cast=Cast(models, play.context.settings.retry, environ={}))
        after = await examined(left_open(disputed()), context)
        assert not play.server.seen
    assert after.case.contradictions == (Contradiction(what="Red coat or blue coat."),)
    assert eyes.asked == omni.asked == []


async def test_a_single_witness_report_is_not_looked_through() -> None:
    case = make_case(report("eyes", "A red coat."), seen_by("shots", answer="One shot."))
    case = case.drafted("ensemble", Draft.of(cited(CAPTION, case)))
    async with stage([], *witnesses()) as play:
        after = await examined(case, play.context)
        assert play.calls("auditor") == 0
    assert after.case is case or after.case.contradictions == ()


async def test_prose_instead_of_contradictions_is_noted_and_costs_nothing_else() -> None:
    async with stage(auditor("They seem to agree, mostly."), *witnesses()) as play:
        case = await Audit()(left_open(disputed()), play.context)
    assert [c.what for c in case.contradictions] == ["Red coat or blue coat."]
    assert any(remark.startswith("contradictions were not looked for: ") for remark in case.remarks)
    assert case.audit is not None


async def test_prose_instead_of_a_decision_leaves_the_point_open() -> None:
    async with stage(auditor([found("o1", "o2")], "Hard to say."), *witnesses()) as play:
        after = await examined(disputed(), play.context)
    (contradiction,) = after.case.contradictions
    assert contradiction.settled_by is None
    assert contradiction.observations == ("o1", "o2", "o3", "o4")
    assert any("was not weighed" in remark for remark in after.case.remarks)
    assert not after.errors


async def test_a_wrong_key_ends_the_clip() -> None:
    async with stage([unauthorized()], *witnesses()) as play:
        with pytest.raises(AuthError):
            await examined(disputed(), play.context)


async def test_a_decision_about_no_point_is_ignored() -> None:
    part = auditor([found("o1", "o2")], [decided(7, settled=True, finding="Green."), decided(settled=False)])
    async with stage(part, *witnesses()) as play:
        after = await examined(disputed(), play.context)
    assert [c.settled_by for c in after.case.contradictions] == [None]


async def test_a_refused_look_is_noted() -> None:
    async with stage([says("", finish_reason="content_filter")], *witnesses()) as play:
        after = await examined(disputed(), play.context)
    assert len(after.case.remarks) == 1


async def test_a_witness_is_not_asked_more_often_than_its_quota_allows() -> None:
    eyes, omni = witnesses()
    guard = Guard("eyes", ObserverSettings(per_clip=1), GuardSettings())
    points = [found("o1", "o2", what=f"Point {n}.", question=f"Question {n}?") for n in (1, 2)]
    part = auditor(points, [decided(n, settled=True, finding="Blue.") for n in (1, 2)])
    async with stage(part, Guarded(cast("Observer", eyes), guard, at_once=None), omni) as play:  # type: ignore[arg-type]
        case = await Audit()(disputed(), play.context)
    assert [question for question, _ in eyes.asked] == ["Question 1?"]
    assert [question for question, _ in omni.asked] == ["Question 1?", "Question 2?"]
    assert [o.observer for o in case.observations[2:]] == ["eyes", "omni", "omni"]
    assert all(o.error is None for o in case.observations)
    assert [c.observations for c in case.contradictions] == [("o1", "o2", "o3", "o4"), ("o1", "o2", "o5")]
