"""The audit: instruments and auditor, each in its field, and only findings that can be seen in the caption."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from detective.cases import BareClip, Teller, make_case, seen_by
from servers.faulty_openai import Behaviour, Seen, rate_limited, says, unauthorized
from stages.casting import playing, replies

from omnidetective.case import Case
from omnidetective.config import load_model_set
from omnidetective.draft import Draft, Section
from omnidetective.errors import AuthError, MediaError, RateLimitError
from omnidetective.evidence import Evidence, SoundEvidence, Span, SpeechEvidence, SpeechSegment
from omnidetective.grounding import cited
from omnidetective.llm.cast import Cast
from omnidetective.llm.json_schema import is_strict, schema_of
from omnidetective.media.clip import Clip
from omnidetective.media.frames import Frame, Pages
from omnidetective.model_sets import ModelSet
from omnidetective.observers.base import ObserverSpec, observation
from omnidetective.prompts import PromptLibrary
from omnidetective.records import ATTRIBUTES, Attribute, Modality, Observation
from omnidetective.settings import MediaSettings
from omnidetective.stages import auditor
from omnidetective.stages.audit import Audit, audited
from omnidetective.stages.base import StageContext

CAPTION = "A woman in a red coat opens the green door. At 5s, she says “Come in, all of you.” A dog barks."


def reading(**audit: Any) -> dict[str, Any]:
    """Settings for clips without media: the auditor reads."""
    return {"audit": {"shows": ["transcript"], **audit}}


def spoken(*segments: tuple[float, float, str]) -> SpeechEvidence:
    return SpeechEvidence(segments=tuple(SpeechSegment(start_s=a, end_s=b, text=text) for a, b, text in segments))


def drafted(caption: str = CAPTION, *observations: Observation, modality: Modality = "video") -> Case:
    heard = () if modality == "image" else (seen_by("asr", spoken((5.0, 6.5, "Come in, all of you."))),)
    case = make_case(*heard, *observations, modality=modality)
    return case.drafted("ensemble", Draft.of(cited(caption, case)))


def findings(**fields: Any) -> dict[str, Any]:
    return {"errors": [], "missing": [], "expressiveness": [], **fields}


def wrong(snippet: str, why: str = "It is otherwise.", *evidence: str) -> dict[str, Any]:
    return {"snippet": snippet, "why": why, "evidence": list(evidence)}


def one_answer(**by_attribute: Mapping[str, Any]) -> dict[str, Any]:
    return {attribute: by_attribute.get(attribute, findings()) for attribute in ATTRIBUTES}


def system_of(seen: Seen) -> str:
    content = seen.body["messages"][0]["content"]
    return content if isinstance(content, str) else content[0]["text"]


def task_of(seen: Seen) -> str:
    content = seen.body["messages"][1]["content"]
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def asked_about(seen: Seen) -> list[str]:
    return [attribute for attribute in ATTRIBUTES if f"\n## {attribute}\n" in system_of(seen)]


@dataclass
class Meter:
    """An instrument that measures always the same, and counts how often."""

    name: str
    data: Evidence
    answer: str = "measured"
    looks: int = 0

    @property
    def spec(self) -> ObserverSpec:
        return ObserverSpec(name=self.name, kind="instrument", modalities=("video", "audio"), description="Measures.")

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        self.looks += 1
        return observation(self.spec, question, span, answer=self.answer, data=self.data)


async def test_one_call_judges_all_attributes_by_their_lists() -> None:
    reply = one_answer(
        characters=findings(errors=[wrong("red coat", "The coat is blue.", "o1", "o99")]),
        objects=findings(missing=[{"what": "A brass knocker on the door.", "why": "She uses it.", "evidence": ["o1"]}]),
        narrative=findings(expressiveness=["“A dog barks” hangs in the air.", " "]),
    )
    async with playing({"auditor": replies(reply)}, settings=reading()) as play:
        case = await Audit()(drafted(), play.context)
        assert play.calls("auditor") == 1
        assert asked_about(play.seen("auditor")[0]) == list(ATTRIBUTES)
        assert "Come in, all of you." in play.prompt("auditor")
    assert case.audit is not None
    assert [(e.snippet, e.why, e.evidence, e.check) for e in case.audit["characters"].errors] == [
        ("red coat", "The coat is blue.", ("o1",), None)
    ]
    assert [(m.what, m.evidence) for m in case.audit["objects"].missing] == [("A brass knocker on the door.", ("o1",))]
    assert case.audit["narrative"].expressiveness == ("“A dog barks” hangs in the air.",)
    assert case.audit_summary is not None
    assert case.audit_summary.unaudited == {}
    assert case.audit_summary.not_in_caption == 0


async def test_each_attribute_in_a_call_of_its_own_sees_only_its_list() -> None:
    def part(seen: Seen) -> Behaviour:
        (attribute,) = asked_about(seen)
        found = findings(errors=[wrong("green door", "It is white.")]) if attribute == "objects" else findings()
        return replies(found)[0]

    async with playing({"auditor": part}, settings=reading(calls="each")) as play:
        case = await Audit()(drafted(), play.context)
        assert sorted(asked_about(seen)[0] for seen in play.seen("auditor")) == sorted(ATTRIBUTES)
    assert case.audit is not None
    assert [error.snippet for error in case.audit["objects"].errors] == ["green door"]
    assert not any(audit.errors for attribute, audit in case.audit.items() if attribute != "objects")


async def test_an_auditor_that_sees_a_fault_everywhere_is_heard_in_each_attribute_by_itself() -> None:
    blind = findings(errors=[wrong("A dog barks", "No dog is heard.")])
    async with playing({"auditor": replies(blind)}, settings=reading(calls="each")) as play:
        report, _ = await audited(drafted(), play.context, auditor=True)
    assert all(any(e.snippet == "A dog barks" for e in report[attribute].errors) for attribute in ATTRIBUTES)


@pytest.mark.parametrize(
    ("modality", "chosen", "judged"),
    [
        ("video", ["speech", "scene"], ["scene", "speech"]),
        ("image", list(ATTRIBUTES), ["scene", "characters", "objects", "actions", "camera", "emotions"]),
        ("audio", ["camera", "speech"], ["speech"]),
    ],
)
async def test_judged_is_what_is_chosen_and_possible(
    modality: Modality, chosen: list[Attribute], judged: list[Attribute]
) -> None:
    reply = findings() if len(judged) == 1 else one_answer()
    async with playing({"auditor": replies(reply)}, settings=reading(attributes=chosen)) as play:
        await Audit()(drafted("A red boat.", modality=modality), play.context)
        assert asked_about(play.seen("auditor")[0]) == judged


async def test_nothing_to_judge_makes_no_call() -> None:
    async with playing({"auditor": []}, settings=reading(attributes=["camera"])) as play:
        case = await Audit()(drafted("A voice.", modality="audio"), play.context)
        assert play.calls("auditor") == 0
    assert case.audit is not None


async def test_a_snippet_that_is_not_in_the_caption_is_dropped_and_counted() -> None:
    reply = one_answer(
        scene=findings(errors=[wrong("a stormy beach at night")]),
        characters=findings(errors=[wrong("red coat"), wrong("two tall men in uniform")]),
    )
    async with playing({"auditor": replies(reply)}, settings=reading()) as play:
        case = await Audit()(drafted(), play.context)
    assert case.audit is not None
    assert not case.audit["scene"].errors
    assert [error.snippet for error in case.audit["characters"].errors] == ["red coat"]
    assert case.audit_summary is not None
    assert case.audit_summary.not_in_caption == 2


async def test_what_an_instrument_bears_out_the_auditor_cannot_deny() -> None:
    reply = one_answer(speech=findings(errors=[wrong("“Come in, all of you.”", "She says nothing of the kind.")]))
    async with playing({"auditor": replies(reply)}, settings=reading()) as play:
        case = await Audit()(drafted(), play.context)
    assert case.audit is not None
    assert not case.audit["speech"].errors
    assert case.audit_summary is not None
    assert case.audit_summary.overruled == 1


async def test_prose_instead_of_a_report_leaves_all_unaudited_and_the_instruments_at_work() -> None:
    caption = CAPTION.replace("Come in, all of you.", "Leave this house and never return.")
    async with playing({"auditor": [says("All in all a lovely caption!")]}, settings=reading()) as play:
        case = await Audit()(drafted(caption), play.context)
    assert case.audit_summary is not None
    assert set(case.audit_summary.unaudited) == set(ATTRIBUTES)
    assert "lovely caption" in case.audit_summary.unaudited["scene"]
    assert case.audit is not None
    assert [error.check is not None for error in case.audit["speech"].errors] == [True]
    assert not case.shortfalls


async def test_a_refusal_about_one_attribute_costs_that_attribute() -> None:
    def part(seen: Seen) -> Behaviour:
        if asked_about(seen) == ["emotions"]:
            return says("", finish_reason="content_filter")
        return replies(findings(errors=[wrong("red coat")]) if asked_about(seen) == ["characters"] else findings())[0]

    async with playing({"auditor": part}, settings=reading(calls="each")) as play:
        case = await Audit()(drafted(), play.context)
    assert case.audit_summary is not None
    assert list(case.audit_summary.unaudited) == ["emotions"]
    assert case.audit is not None
    assert case.audit["characters"].errors


async def test_an_attribute_that_the_answer_leaves_out_was_not_judged() -> None:
    reply = one_answer()
    del reply["camera"]
    async with playing({"auditor": replies(reply)}, settings=reading()) as play:
        case = await Audit()(drafted(), play.context)
        assert play.calls("auditor") == 1
    assert case.audit_summary is not None
    assert list(case.audit_summary.unaudited) == ["camera"]


@pytest.mark.parametrize("calls", ["one", "each"])
@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        pytest.param(unauthorized(), AuthError, id="wrong key"),
        pytest.param(rate_limited(), RateLimitError, id="rate limit exhausted"),
    ],
)
async def test_what_the_next_call_would_meet_too_ends_the_clip(
    behaviour: Behaviour, error: type[Exception], calls: str
) -> None:
    async with playing({"auditor": [behaviour]}, settings=reading(calls=calls)) as play:
        with pytest.raises(error):
            await Audit()(drafted(), play.context)


def embedded(context: StageContext) -> StageContext:
    models = load_model_set("local")
    return replace(context, model_set=models, cast=Cast(models, context.settings.retry, environ={}))


async def test_the_embedded_cast_audits_without_a_model() -> None:
    caption = "At 2s, a voice says “Leave this house and never return.”"
    async with playing({}, settings=reading()) as play:
        case = await Audit()(drafted(caption), embedded(play.context))
        assert not play.server.seen
    assert case.audit is not None
    assert any("Leave this house" in error.snippet for error in case.audit["speech"].errors)
    assert case.audit_summary is not None
    assert case.audit_summary.unaudited == {}


async def test_words_quoted_from_a_clip_without_sound_are_an_error_in_speech() -> None:
    case = make_case(has_audio=False)
    case = case.drafted("ensemble", Draft.of(cited("A man says “Leave this house and never return.”", case)))
    async with playing({"auditor": replies(one_answer())}, settings=reading()) as play:
        case = await Audit()(case, play.context)
        assert "speech" not in asked_about(play.seen("auditor")[0])
    assert case.audit is not None
    assert ["Leave this house" in error.snippet for error in case.audit["speech"].errors] == [True]


async def test_without_the_auditor_instruments_alone_look() -> None:
    async with playing({"auditor": []}, settings=reading(auditor=False)) as play:
        case = await Audit()(drafted(), play.context)
        assert play.calls("auditor") == 0
    assert case.audit is not None


async def test_every_instrument_has_looked_once_before_the_audit() -> None:
    sound = Meter("sound", SoundEvidence(silent=(Span(start_s=0, end_s=20),)))
    asr = Meter("asr", spoken((5.0, 6.5, "Come in, all of you.")))
    async with playing({}, settings=reading(), observers=(cast("Any", sound), cast("Any", asr))) as play:
        context = embedded(play.context)
        case = await Audit()(drafted("At 3s, loud music plays."), context)
        case = await Audit()(case, context)
    assert (sound.looks, asr.looks) == (1, 0)
    assert case.audit is not None
    said = [error for audit in case.audit.values() for error in audit.errors]
    assert any("music" in error.snippet and error.evidence == ("o2",) for error in said)


async def test_an_instrument_that_has_looked_at_every_part_is_not_asked_about_the_whole() -> None:
    asr = Meter("asr", spoken((70.0, 71.0, "Come in.")))
    first, second = (
        Observation(observer="asr", kind="instrument", question="?", answer="heard", data=spoken(), span=span)
        for span in (Span(start_s=0, end_s=60), Span(start_s=60, end_s=120))
    )
    async with playing({}, settings=reading(), observers=(cast("Any", asr),)) as play:
        halves = make_case(first, second, duration_s=120.0).drafted(
            "ensemble", Draft.of(cited("A tram.", in_sections()))
        )
        await Audit()(halves, embedded(play.context))
        assert asr.looks == 0
        await Audit()(replace(halves, observations=halves.observations[:1]), embedded(play.context))
        assert asr.looks == 1


async def test_a_witness_is_not_asked_by_an_audit_without_contradictions() -> None:
    witness = Teller("frame_captioner")
    async with playing({"auditor": replies(one_answer())}, settings=reading(), observers=(cast("Any", witness),)) as p:
        await Audit()(drafted(), p.context)
    assert witness.asked == []


def in_sections() -> Case:
    first, second = Span(start_s=0, end_s=60), Span(start_s=60, end_s=120)
    case = make_case(
        Observation(observer="a", kind="witness", question="?", answer="A blue tram.", span=first), duration_s=120.0
    )
    sections = (Section(first, cited("A red tram passes.", case)), Section(second, cited("At 60s, a bus stops.", case)))
    return replace(case, segments=(first, second)).drafted("ensemble", Draft(sections))


async def test_sections_are_audited_side_by_side_each_with_what_concerns_it() -> None:
    def part(seen: Seen) -> Behaviour:
        task = task_of(seen)
        assert ("A red tram passes." in task) != ("At 60s, a bus stops." in task)
        if "a bus stops" in task:
            assert "blue tram" not in task
            return says("I have no opinion.")
        # A snippet of the other section does not stand in this one.
        found = findings(errors=[wrong("red tram", "It is blue.", "o1"), wrong("a bus stops")])
        return replies(one_answer(objects=found))[0]

    async with playing({"auditor": part}, settings=reading()) as play:
        report, summary = await audited(in_sections(), play.context, auditor=True)
    assert [error.snippet for error in report["objects"].errors] == ["red tram"]
    assert summary.not_in_caption == 1
    assert set(summary.unaudited) == set(ATTRIBUTES)
    assert all(why.startswith("60–120 s: ") for why in summary.unaudited.values())


async def test_looking_again_without_the_auditor_is_free() -> None:
    async with playing({"auditor": []}, settings=reading()) as play:
        caption = "At 2s, a voice says “Leave this house and never return.”"
        report, summary = await audited(drafted(caption), play.context, auditor=False)
        assert play.calls("auditor") == 0
    assert report["speech"].errors
    assert summary.unaudited == {}


@dataclass(frozen=True)
class Pictures(BareClip):
    """A clip that can be looked at, or that breaks when it is."""

    broken: bool = False
    first_page: int = 1
    pages: int = 1
    source: Any = field(default_factory=lambda: SimpleNamespace(settings=MediaSettings()))

    async def page_frames(self, pages: Iterable[int]) -> Pages:
        if self.broken:
            raise MediaError("the picture is damaged")
        return Pages(tuple(Frame(time_s=None, jpeg=b"jpeg", width=8, height=8) for _ in pages))

    async def once(self, key: object, compute: Callable[[], Awaitable[Any]], *, size: object) -> Any:
        return await compute()

    async def uniform_frames(self, count: int, *, span: Span | None = None) -> tuple[Frame, ...]:
        if self.broken:
            raise MediaError("frame 17 is damaged")
        return tuple(Frame(time_s=float(n), jpeg=b"jpeg %d" % n, width=8, height=8) for n in range(count))


def with_pictures(*, broken: bool = False) -> Case:
    case = drafted()
    return replace(case, clip=cast("Clip", Pictures(case.clip.facts, broken=broken)))


async def test_the_auditor_is_shown_the_frames_that_its_settings_name() -> None:
    settings = {"audit": {"shows": ["frames"], "max_frames": 3}}
    async with playing({"auditor": replies(one_answer())}, settings=settings) as play:
        await Audit()(with_pictures(), play.context)
        task = task_of(play.seen("auditor")[0])
    assert "The frames above, in order: 1 at 0.00 s; 2 at 1.00 s; 3 at 2.00 s." in task
    assert "The transcript (" not in task


async def test_an_auditor_that_cannot_see_is_told_so_and_so_is_the_reader() -> None:
    async with playing({"auditor": replies(one_answer())}, settings={"audit": {"shows": ["frames"]}}) as play:
        models = play.context.model_set.model_dump()
        models["models"]["auditor"]["capabilities"] = {"images": False}
        blind = Cast(ModelSet.model_validate(models), play.context.settings.retry, environ={})
        case = await Audit()(with_pictures(), replace(play.context, cast=blind))
        assert "You are shown nothing of the clip itself" in play.prompt("auditor")
        assert "takes no images" in play.prompt("auditor")
    assert any(remark.startswith("auditor was not shown everything: ") for remark in case.remarks)


async def test_unreadable_frames_leave_the_attributes_unaudited() -> None:
    async with playing({"auditor": []}, settings={"audit": {"shows": ["frames"]}}) as play:
        case = await Audit()(with_pictures(broken=True), play.context)
    assert case.audit_summary is not None
    assert case.audit_summary.unaudited == dict.fromkeys(ATTRIBUTES, "frame 17 is damaged")


async def test_hostile_findings_neither_crash_nor_get_through() -> None:
    junk = "\x00\ud83d".encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    errors = [wrong(""), wrong(" \n"), wrong(junk), wrong("red coat" * 50_000), wrong("red coat", "…" * 100_000)]
    missing = [{"what": " ", "why": "x"}, {"what": "A bell.", "why": "It rings."}]
    reply = one_answer(objects=findings(errors=errors, missing=missing))
    async with playing({"auditor": replies(reply)}, settings=reading()) as play:
        case = await Audit()(drafted(), play.context)
    assert case.audit is not None
    assert [error.snippet for error in case.audit["objects"].errors] == ["red coat"]
    assert [item.what for item in case.audit["objects"].missing] == ["A bell."]


@pytest.mark.parametrize("asked", [("scene",), ATTRIBUTES])
def test_the_form_can_be_enforced_by_a_provider(asked: tuple[Attribute, ...]) -> None:
    assert is_strict(schema_of(auditor.answer_form(asked)))


@pytest.mark.parametrize("modality", ["video", "audio", "image"])
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_every_list_names_its_attribute_and_its_three_kinds_of_finding(attribute: str, modality: str) -> None:
    text = PromptLibrary().get(f"audit/{attribute}").render(modality=modality)
    assert text.startswith(f"## {attribute}\nVERIFY ")
    for kind in ("\nError when the caption", "\nMissing when ", "\nExpressiveness: ", "\nInstruments settle: "):
        assert text.count(kind) == 1
    assert "\n\n" not in text
