"""The detective's calls, and those of whom it asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import ceil

from omnidetective.detective.inquiry import ConclusionArguments, attributes_of
from omnidetective.detective.turns import inquiry_schema
from omnidetective.forecast.calls import Expected, Question, Size, exactly, one_of
from omnidetective.forecast.ground import Ground, Shown, size_of
from omnidetective.forecast.lengths import EVENT_FACTOR, OBSERVATION_FRAME, QUESTION, WITNESS_ANSWER, Lengths
from omnidetective.observers.base import ObserverSettings, ObserverSpec
from omnidetective.observers.looking import FrameSettings
from omnidetective.observers.omni_llm import OmniLlm, takes_both
from omnidetective.observers.registry import read_settings
from omnidetective.observers.video_llm import VideoLlm
from omnidetective.observers.witness import LookingSettings, WitnessSettings
from omnidetective.records import MediaFacts
from omnidetective.section import Shows

STAGE = "investigate"
ROLE = "detective"
WITNESSES = "witnesses"
_FRUITLESS_TURNS = 4
"""After so many the loop ends an investigation that would rather be over."""
_SHORT_LOOK_S = 3.0


def inquiries(ground: Ground, facts: MediaFacts) -> Size:
    """Questions to witnesses about one part: one, or all that the budget allows."""
    if not ground.asks(ROLE) or not _witnesses(ground, facts):
        return exactly(0.0)
    return Size(1.0, float(ground.settings.investigate.inquiries))


def investigation(ground: Ground, facts: MediaFacts, part_s: float, lengths: Lengths) -> Iterator[Expected]:
    """The calls about one part, where a model plays the detective."""
    if not ground.asks(ROLE):
        return
    questions = inquiries(ground, facts)
    turns = _turns(ground)
    yield _detective(ground, facts, lengths, turns, questions)
    asked = witnesses(ground, facts, part_s, stage=STAGE, low=questions.low, high=questions.high, in_row=turns)
    if asked is not None:
        yield asked


def witnesses(
    ground: Ground,
    facts: MediaFacts,
    part_s: float,
    *,
    stage: str,
    low: float,
    high: float,
    in_row: Size,
    most: float | None = None,
) -> Expected | None:
    """Questions to witnesses, whoever of them is chosen; ``None`` where there are none."""
    each = (
        ground.expected(
            stage,
            spec.role or spec.name,
            _look(ground, spec, facts, part_s),
            low=low,
            high=high,
            most=most,
            in_row=Size(min(in_row.low, low), min(in_row.high, high)),
        )
        for spec in _witnesses(ground, facts)
    )
    return one_of(each, WITNESSES) if high or most else None


def witness_count(ground: Ground, facts: MediaFacts) -> int:
    """How many witnesses can be asked about a clip."""
    return len(_witnesses(ground, facts))


def _witnesses(ground: Ground, facts: MediaFacts) -> tuple[ObserverSpec, ...]:
    return tuple(spec for spec in ground.observers(facts, "witness") if ground.asks(spec.role or spec.name))


def _turns(ground: Ground) -> Size:
    """The detective's turns: some questions and the conclusion, or one question a turn and one conclusion sent back."""
    settings = ground.settings.investigate
    high = settings.inquiries + 2.0
    if settings.early_stop:
        return Size(2.0, high)
    return Size(min(ceil(settings.inquiries / settings.per_turn) + 1.0, _FRUITLESS_TURNS + 2.0), high)


def _detective(ground: Ground, facts: MediaFacts, lengths: Lengths, turns: Size, questions: Size) -> Expected:
    settings = ground.settings.investigate
    calling = ground.can(ROLE).tools
    observers = (*ground.observers(facts, "witness"), *ground.observers(facts, "instrument"))
    system = ground.text(
        "detective/system",
        modality=facts.modality,
        attributes=list(attributes_of(facts)),
        inquiries=settings.inquiries,
        per_turn=settings.per_turn,
        early_stop=settings.early_stop,
        calling=calling,
    )
    opening = ground.text(
        "detective/opening",
        modality=facts.modality,
        duration_s=facts.duration_s,
        width=facts.width,
        height=facts.height,
        fps=facts.fps,
        has_audio=facts.has_audio,
        observers=[{"name": s.name, "kind": s.kind, "description": s.description} for s in observers],
        unavailable={},
        part_s=None,
        known=[],
        hints=[],
    )
    schemas = json.dumps([ConclusionArguments.model_json_schema(), inquiry_schema(s.name for s in observers)])
    start = system.plus(opening, size_of(schemas))
    # What was asked and answered before stands in every later turn: half of it in the turn in the middle.
    exchange = QUESTION.plus(OBSERVATION_FRAME, WITNESS_ANSWER)
    before = exchange.times(max(1.0, questions.low), settings.inquiries).times(0.5)
    conclusion = lengths.caption.plus(lengths.caption.times(EVENT_FACTOR.low, EVENT_FACTOR.high))
    said = QUESTION.times(max(1.0, questions.low), settings.inquiries).plus(conclusion)
    question = Question(prompt=start.plus(before), completion=Size(said.low / turns.low, said.high / turns.high))
    # A model that calls no functions is asked once more; one that writes JSON is shown what is wrong with it.
    again = 1 if calling else ground.settings.retry.repairs
    return ground.expected(STAGE, ROLE, question, low=turns.low, high=turns.high, repairs=again)


def _look(ground: Ground, spec: ObserverSpec, facts: MediaFacts, part_s: float) -> Question:
    """One question to one witness: about a moment, or about all of the part."""
    settings = read_settings(spec, ground.settings.observers.get(spec.name, {}))
    looks = [
        _shown(ground, spec, settings, facts, part_s=seconds, named=named)
        for seconds, named in ((min(part_s, _SHORT_LOOK_S), False), (part_s, True))
    ]
    brief = exactly(0.0)
    if spec.name in _BRIEFED:
        brief = ground.text(
            f"witness/{spec.name}",
            modality=facts.modality,
            start_s=0.0 if part_s else None,
            end_s=round(part_s, 2),
            duration_s=round(facts.duration_s or 0.0, 2),
        )
    longest = settings.max_tokens if isinstance(settings, WitnessSettings) else None
    return Question(
        prompt=brief.plus(QUESTION, Size(looks[0].media, looks[1].media)),
        completion=WITNESS_ANSWER.at_most(longest),
        sound=Size(looks[0].sound, looks[1].sound),
    )


def _shown(
    ground: Ground, spec: ObserverSpec, settings: ObserverSettings, facts: MediaFacts, *, part_s: float, named: bool
) -> Shown:
    """What one witness shows its model of so many seconds."""
    role = spec.role or spec.name
    if spec is VideoLlm.spec or (spec is OmniLlm.spec and not takes_both(ground.can(role))):
        return ground.filmed(facts, role, part_s=part_s)
    shows: Shows = (*(("frames",) if isinstance(settings, LookingSettings) else ()),)
    shows = (*shows, "audio") if spec.needs == "audio" else shows
    return ground.shown(
        facts,
        role,
        shows,
        fps=settings.fps if isinstance(settings, LookingSettings) else 1.0,
        max_frames=settings.max_frames if isinstance(settings, LookingSettings) else 1,
        part_s=part_s,
        look=settings if isinstance(settings, FrameSettings) else None,
        named=named,
    )


_BRIEFED = frozenset({"audio_llm", "frame_captioner", "omni_llm", "video_llm"})
"""Witnesses that are told by a prompt of ours who they are."""
