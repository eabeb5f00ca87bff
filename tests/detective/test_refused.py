"""Observers that may not be asked any more: the detective is told so, asks others, and comes to an end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

import pytest
from detective.cases import Teller, make_case

from omnidetective.case import Case
from omnidetective.detective.loop import investigate
from omnidetective.detective.model import Habits, ModelDetective
from omnidetective.detective.rules import RuleDetective
from omnidetective.errors import NoCandidatesError
from omnidetective.evidence import Span, SpeechEvidence
from omnidetective.llm.messages import ChatRequest
from omnidetective.llm.scripted import ScriptedChat, reply
from omnidetective.observers.base import Observer, ObserverSettings, observation
from omnidetective.observers.guard import Guard, Guarded
from omnidetective.observers.registry import Unavailable
from omnidetective.prompts import PromptLibrary
from omnidetective.records import ATTRIBUTES, Observation
from omnidetective.settings import GuardSettings
from omnidetective.stage_settings import InvestigateSettings


def kept(*observers: Any, failures: int = 5, **quotas: int) -> Mapping[str, Observer]:
    """Observers under guard; ``quotas`` are questions a clip by the observer's name."""
    usual = GuardSettings(failures=failures)
    guards = {
        o.spec.name: Guard(o.spec.name, ObserverSettings(per_clip=quotas.get(o.spec.name)), usual) for o in observers
    }
    return {o.spec.name: cast("Observer", Guarded(o, guards[o.spec.name], at_once=None)) for o in observers}


async def play(script: list[Any], observers: Mapping[str, Observer], **settings: Any) -> tuple[Case, list[ChatRequest]]:
    case, limits = make_case(), InvestigateSettings(**settings)
    model = ScriptedChat(script)
    detective = ModelDetective(
        model,
        PromptLibrary(),
        case=case,
        observers=[o.spec for o in observers.values()],
        unavailable={},
        settings=limits,
        repairs=2,
        habits=Habits(),
    )
    done = await investigate(case, detective, observers=observers, unavailable={}, settings=limits)
    return done, model.requests


def inquire(observer: str, question: str) -> tuple[str, dict[str, Any]]:
    return "inquire", {"observer": observer, "question": question, "attributes": list(ATTRIBUTES)}


CONCLUDE = ("conclude", {"caption": "A dog barks."})


def told(request: ChatRequest, *numbers: int) -> list[dict[str, Any]]:
    results = [json.loads(message.text) for message in request.messages if message.role == "tool"]
    return [results[n] for n in numbers]


def offered(request: ChatRequest) -> list[str]:
    (tool,) = (tool for tool in request.tools if tool.name == "inquire")
    names: list[str] = tool.parameters["properties"]["observer"]["enum"]  # type: ignore[index, call-overload, assignment]
    return names


async def test_a_quota_that_is_used_up_is_told_and_the_observer_is_not_offered_further() -> None:
    ears, eyes = Teller("ears"), Teller("eyes")
    case, requests = await play(
        [
            reply("", inquire("ears", "A?"), inquire("ears", "B?"), inquire("ears", "C?")),
            reply("", inquire("ears", "C?"), inquire("eyes", "D?")),
            reply("", CONCLUDE),
        ],
        kept(ears, eyes, ears=2),
    )
    assert [question for question, _ in ears.asked] == ["A?", "B?"]
    assert [o.question for o in case.observations] == ["A?", "B?", "D?"]
    third, again = told(requests[2], 2, 3)
    why = "all 2 questions that ears may be asked about this clip were asked"
    assert third["refused"] == again["refused"] == f"ears cannot be asked: {why}"
    assert third["not_to_be_asked_now"] == {"ears": why}
    assert third["inquiries_left"] == 8
    assert [offered(request) for request in requests] == [["ears", "eyes"], ["eyes"], ["eyes"]]
    assert case.shortfalls == ()


async def test_it_ends_when_every_quota_is_used_up() -> None:
    case, requests = await play([reply("", inquire("ears", "A?")), reply("", CONCLUDE)], kept(Teller("ears"), ears=1))
    assert case.caption == "A dog barks."
    assert case.shortfalls == ("concluded because no observer is left",)
    assert [tool.name for tool in requests[1].tools] == ["conclude"]


async def test_an_observer_that_rests_is_refused_at_once_and_it_ends_with_the_reason() -> None:
    broken = Teller("broken", answer=lambda question, span: ValueError("lens cap on"))
    observers = kept(broken, failures=1)
    with pytest.raises(NoCandidatesError, match="lens cap on"):
        await play([reply("", inquire("broken", "A?")), reply("", inquire("broken", "B?"))], observers)
    with pytest.raises(NoCandidatesError, match="broken rests after a failure: lens cap on; it is tried again in"):
        await play([], observers)
    assert len(broken.asked) == 1


async def test_when_all_rest_from_the_start_the_clip_may_be_tried_again() -> None:
    case, settings = make_case(), InvestigateSettings()
    rules = RuleDetective(PromptLibrary(), case=case, observers=[], settings=settings)
    for reason, retryable in (("resting", True), ("no_weights", False)):
        with pytest.raises(NoCandidatesError) as caught:
            await investigate(
                case, rules, observers={}, unavailable={"asr": Unavailable(reason, "…")}, settings=settings
            )
        assert caught.value.retryable is retryable


async def test_the_rules_come_to_an_end_too() -> None:
    class Asr:
        """Hears voices that it asks to be listened to again."""

        spec = Teller("asr").spec

        async def observe(self, clip: Any, question: str, span: Span | None) -> Observation:
            voices = tuple(Span(start_s=n, end_s=n + 1.5) for n in (2.0, 8.0, 14.0))
            return observation(self.spec, question, span, answer="…", data=SpeechEvidence(segments=(), voiced=voices))

    observers, settings = kept(Asr(), Teller("shots"), asr=2, shots=3), InvestigateSettings()
    case = make_case()
    rules = RuleDetective(PromptLibrary(), case=case, observers=[o.spec for o in observers.values()], settings=settings)
    done = await investigate(case, rules, observers=observers, unavailable={}, settings=settings)
    assert [o.observer for o in done.observations] == ["asr", "shots", "asr"]
    assert all(o.error is None for o in done.observations)
