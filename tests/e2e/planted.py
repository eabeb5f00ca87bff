"""A market clip of known content, a cast that tells the truth about it, and ways to plant a fault in what one says.

The clip is a real file and goes through the real pipeline; what the instruments measure is given, so that a test says
in one place what is true. Every model call goes over HTTP to a scripted OpenAI-compatible server.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, cast

from servers.faulty_openai import Behaviour, Seen, says, tool_call
from stages.casting import ROLES, Box, Play, playing

from omnidetective.config import Config, load_config
from omnidetective.evidence import (
    Cut,
    Evidence,
    ShotEvidence,
    SoundEvent,
    SoundEvidence,
    Span,
    SpeechEvidence,
    SpeechSegment,
    TextCard,
    TextEvidence,
)
from omnidetective.llm.messages import ChatRequest, Message
from omnidetective.media.clip import Clip
from omnidetective.observers.base import Observer, ObserverSpec, observation
from omnidetective.pipeline import Pipeline
from omnidetective.records import ATTRIBUTES, CaptionRecord, Observation
from omnidetective.stages import STAGES
from omnidetective.stages.plan import StagePlan

DURATION_S = 20.0

MARKET = "At 0s, a fruit stall with red apples stands in an open market."
WELCOME = "At 2s, a woman says: “Welcome to the market.”"
SIGN = "At 5s, a sign reads “SALE 50%” while music plays."
DESK = "At 10s, the picture cuts to a cash desk with a brass bell."
TODAY = "At 12s, the woman says: “Everything must go today.”"
QUIET = "At 16s, the sound falls silent and the desk stands empty."
TRUTH = (MARKET, WELCOME, SIGN, DESK, TODAY, QUIET)
CAPTION = " ".join(TRUTH)

_MEASURED: Mapping[str, tuple[Evidence, str]] = {
    "asr": (
        SpeechEvidence(
            segments=(
                SpeechSegment(start_s=2.1, end_s=3.8, text="Welcome to the market.", language="en", score=0.97),
                SpeechSegment(start_s=12.2, end_s=13.9, text="Everything must go today.", language="en", score=0.96),
            ),
            voiced=(Span(start_s=2.0, end_s=3.9), Span(start_s=12.1, end_s=14.0)),
            language="en",
        ),
        "2.1–3.8 s: Welcome to the market. 12.2–13.9 s: Everything must go today.",
    ),
    "ocr": (
        TextEvidence(cards=(TextCard(text="SALE 50%", start_s=5.0, end_s=9.8, score=0.99),), frames_read=20),
        "“SALE 50%” is shown from 5.0 to 9.8 s.",
    ),
    "shots": (
        ShotEvidence(
            cuts=(Cut(time_s=10.0),),
            shots=(Span(start_s=0.0, end_s=10.0), Span(start_s=10.0, end_s=20.0)),
            still=False,
        ),
        "One cut, at 10.0 s: two shots.",
    ),
    "sound": (
        SoundEvidence(
            loudness_lufs=-21.0,
            silent=(Span(start_s=16.0, end_s=20.0),),
            events=(
                SoundEvent(start_s=2.0, end_s=4.0, label="speech", score=0.98),
                SoundEvent(start_s=4.8, end_s=9.9, label="music", score=0.92),
                SoundEvent(start_s=12.0, end_s=14.0, label="speech", score=0.98),
            ),
            classified=True,
        ),
        "Music from 4.8 to 9.9 s, speech at 2 and 12 s, silence from 16 s on.",
    ),
}
SEEN = "A fruit stall with red apples in an open market; from 10 s on a cash desk with a brass bell, empty at the end."
HEARD = "A woman speaks at 2 s and at 12 s, music plays from 5 to 10 s, then silence from 16 s."


class Measured:
    """An instrument whose measurement is known."""

    spec: ClassVar[ObserverSpec]

    def __init__(self, name: str) -> None:
        self.spec = ObserverSpec(  # type: ignore[misc]
            name=name, kind="instrument", modalities=("video", "audio", "image"), description=f"Measures: {name}."
        )

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        data, answer = _MEASURED[self.spec.name]
        return observation(self.spec, question, span, answer=answer, data=data)


class Witness:
    """A witness that the detective can ask; its model is the role of its name."""

    spec: ClassVar[ObserverSpec]

    def __init__(self, name: str, play: Play) -> None:
        self.spec = ObserverSpec(  # type: ignore[misc]
            name=name,
            kind="witness",
            modalities=("video",),
            description=f"{name} tells what it is asked.",
            attributes=ATTRIBUTES,
        )
        self._play = play

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        reply = await self._play.context.cast.chat(self.spec.name).complete(
            ChatRequest(messages=(Message.of("user", f"WITNESS {question}"),))
        )
        return observation(self.spec, question, span, answer=reply.text, model=self.spec.name)


Reply = Any
"""A text, a value that is sent as JSON, or a whole behaviour of the server."""
Script = Callable[[int, str], Reply]
"""What somebody says to their n-th call (from 1) with this prompt."""


@dataclass(frozen=True)
class Act:
    """What each job answers; a fault is planted by replacing one of them."""

    jobs: Mapping[str, Script | Reply] = field(default_factory=dict)

    def reply(self, job: str, call: int, prompt: str) -> Reply:
        part = self.jobs.get(job, HONEST[job])
        return part(call, prompt) if callable(part) and not _is_behaviour(part) else part


def _is_behaviour(part: object) -> bool:
    return getattr(part, "__module__", "") == "servers.faulty_openai"


def sentences(*texts: str) -> dict[str, Any]:
    """The integrator's answer."""
    return {"sentences": [{"text": text, "evidence": _evidence_of(text)} for text in texts]}


def with_sentence(old: str, new: str) -> dict[str, Any]:
    """The truth with one sentence planted in the place of another; it cites what the true one cited."""
    answer = sentences(*TRUTH)
    answer["sentences"] = [
        {"text": new, "evidence": s["evidence"]} if s["text"] == old else s for s in answer["sentences"]
    ]
    return answer


def replaced(old: str, new: str) -> str:
    """The true caption with one part of it replaced."""
    assert old in CAPTION
    return CAPTION.replace(old, new)


def nothing_found(**found: Any) -> dict[str, Any]:
    """The auditor's report: empty, or with findings in some attributes."""
    empty = {"errors": [], "missing": [], "expressiveness": []}
    return {attribute: {**empty, **found.get(attribute, {})} for attribute in ATTRIBUTES}


def verified(caption: str, *, speech: str = "", other: str = "") -> dict[str, str]:
    """The verifier's answer."""
    return {"non_speech_deficiency_specific": other, "speech_deficiency_specific": speech, "caption": caption}


def improved(caption: str, **summary: list[str]) -> dict[str, Any]:
    """The refiner's answer."""
    return {"improved_caption": caption, "enhance_summary": summary}


def _evidence_of(text: str) -> list[str]:
    ids = {MARKET: ["o5"], WELCOME: ["o1"], SIGN: ["o2", "o4"], DESK: ["o3", "o5"], TODAY: ["o1"], QUIET: ["o4", "o5"]}
    return ids.get(text, [])


def _detective(call: int, prompt: str) -> Behaviour:
    turns: list[list[str]] = [["asr", "ocr", "shots", "sound"], ["frame_captioner"]]
    if call > len(turns):
        return tool_call("conclude", {"caption": CAPTION, "events": []})
    asks = [{"observer": name, "question": f"{name}?", "attributes": list(ATTRIBUTES)} for name in turns[call - 1]]
    return says(None, tool_calls=[("inquire", json.dumps(ask)) for ask in asks], finish_reason="tool_calls")


def _echo(call: int, prompt: str) -> dict[str, str]:
    """A verifier who finds nothing: the draft comes back as it was told, a JSON string on a line of its own."""
    draft = next(json.loads(line) for line in prompt.splitlines() if line.startswith('"'))
    return verified(draft)


HONEST: Mapping[str, Script | Reply] = {
    "detective": _detective,
    "witness": SEEN,
    "whole": CAPTION,
    "frames": SEEN,
    "audio": HEARD,
    "ensemble": sentences(*TRUTH),
    "split": {
        "scene": MARKET,
        "characters": "A woman speaks.",
        "objects": "A sign reads “SALE 50%”.",
        "speech": f"{WELCOME} {TODAY}",
        "camera": "At 10s, the picture cuts to a cash desk.",
        "emotions": None,
    },
    "verify": _echo,
    "audit": nothing_found(),
    "contradictions": {"contradictions": []},
    "decide": {"decisions": []},
    "refine": improved(CAPTION),
    "judge": {"reasons": [], "score": 5},
}
"""Job → what an honest cast answers."""


def job_of(model: str, prompt: str) -> str:
    """Which job a request is about: most roles have one, the integrator and the auditor have several."""
    if model == "integrator":
        return "split" if prompt.startswith("You take captions apart") else "ensemble"
    if model == "auditor":
        if prompt.startswith("You read what several observers reported"):
            return "contradictions"
        return "decide" if prompt.startswith("Observers of one clip contradicted") else "audit"
    if model in ("omni_llm", "frame_captioner", "audio_llm"):
        if "WITNESS" in prompt:
            return "witness"
        return {"omni_llm": "whole", "frame_captioner": "frames", "audio_llm": "audio"}[model]
    return {"verifier": "verify", "refiner": "refine"}.get(model, model)


class Troupe:
    """Plays all roles of one clip by an act, and counts the calls of each job."""

    def __init__(self, act: Act) -> None:
        self._act = act
        self.calls: dict[str, int] = {}
        self.prompts: dict[str, list[str]] = {}

    def __call__(self, seen: Seen) -> Behaviour:
        prompt = _text(seen.body["messages"])
        job = job_of(str(seen.body["model"]), prompt)
        self.calls[job] = self.calls.get(job, 0) + 1
        self.prompts.setdefault(job, []).append(prompt)
        reply = self._act.reply(job, self.calls[job], prompt)
        if callable(reply):
            return cast("Behaviour", reply)
        return says(reply if isinstance(reply, str) else json.dumps(reply, ensure_ascii=False))


def _text(messages: Any) -> str:
    texts = []
    for message in messages:
        content = message["content"] or ""
        texts += [content] if isinstance(content, str) else [part.get("text", "") for part in content]
    return "\n".join(texts)


async def performed(
    act: Act,
    clip: Path,
    *,
    workflow: str = "omnidetective",
    settings: tuple[str, ...] = (),
    instruments: Iterable[str] = tuple(_MEASURED),
) -> tuple[CaptionRecord, Troupe]:
    """The record of a clip, made by the real pipeline with this act.

    Args:
        instruments: those that are there; what they measure is that of the market clip.
    """
    troupe = Troupe(act)
    config: Config = load_config(overrides=settings, options={"workflow": workflow}, environ={})
    values = config.settings.model_dump(mode="json", exclude={"retry"})
    async with playing(dict.fromkeys(ROLES, troupe), settings=values) as play:
        witnesses = [Witness(name, play) for name in ("frame_captioner", "audio_llm")]
        observers = [*(Measured(name) for name in instruments), *witnesses]
        plan = StagePlan.of(config.workflow, STAGES)
        box = Box(tuple(cast("Observer", observer) for observer in observers))
        context = replace(play.context, toolbox=cast("Any", box), stages=plan.names)
        pipeline = Pipeline(config, base_dir=clip.parent, context=context, plan=plan)
        record = await pipeline.caption({"id": "market", "video": str(clip)})
    return record, troupe
