"""The case as a model is given it: as JSON, so that nothing said or written in a clip can speak as somebody else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from omnidetective.case import Case
from omnidetective.detective.conversation import shortened
from omnidetective.evidence import Evidence, Span, SpeechEvidence, within
from omnidetective.records import Observation


def facts(case: Case) -> str:
    """What is known of the clip, and of the part that is worked on."""
    known = case.clip.facts
    told: dict[str, Any] = {"kind": known.modality, "has_sound": known.has_audio, "has_picture": known.has_video}
    if known.duration_s is not None:
        told["duration_s"] = round(known.duration_s, 2)
    if case.scope is not None:
        told["part_s"] = _times(case.scope)
    return _json(told)


def observations(case: Case, *, span: Span | None = None, answer_chars: int) -> str:
    """What observers reported: id, who, whether it measures, span, answer. Of a long clip, of one span of it.

    Args:
        answer_chars: longer answers are shortened in their middle.
    """
    return _json([_observation(o, span, answer_chars) for o in case.answers if _concerns(o.span, span)])


def candidates(case: Case, *, span: Span | None = None, answer_chars: int) -> str:
    """The candidates, by letters: the sources are not to be named, so they are not told."""
    shown = [c for c in case.candidates if _concerns(c.span, span)]
    return _json(
        [
            {"candidate": chr(ord("A") + n % 26), "caption": shortened(c.caption, answer_chars)}
            for n, c in enumerate(shown)
        ]
    )


def transcript(case: Case, *, span: Span | None = None) -> str:
    """The recognised speech with its times and the id of its observation; ``null`` when nobody listened for speech."""
    speech = case.speech()
    if speech is None:
        return "null"
    lines = []
    for segment, observation_id in speech:
        end_s = max(segment.end_s, segment.start_s + 0.01)
        if _concerns(Span(start_s=max(0.0, segment.start_s), end_s=end_s), span):
            line: dict[str, Any] = {
                "start_s": round(segment.start_s, 2),
                "end_s": round(segment.end_s, 2),
                "text": segment.text.strip(),
                "evidence": observation_id,
            }
            if segment.speaker:
                line["speaker"] = segment.speaker
            if segment.language:
                line["language"] = segment.language
            lines.append(line)
    return _json(lines)


def said(value: Any) -> str:
    """Any value as JSON in the way of this module: for captions, reports and lists of reasons."""
    return _json(value)


def _observation(observation: Observation, part: Span | None, answer_chars: int) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": observation.id,
        "by": "instrument" if observation.kind == "instrument" else "witness",
        "of": observation.observer,
    }
    if observation.span is not None:
        shown["span_s"] = _times(observation.span)
    shown["asked"] = shortened(observation.question, 300)
    data = observation.data
    if part is not None and observation.span is None and data is not None:
        # What was measured over the whole of a long clip: only what concerns the part is told.
        shown["measured"] = _told(within(data, part)).model_dump(mode="json")
    else:
        shown["answer"] = shortened(observation.answer, answer_chars)
    return shown


def _told(data: Evidence) -> Evidence:
    """The findings without the times of single words, which are many times as long as what was said."""
    if not isinstance(data, SpeechEvidence):
        return data
    segments = tuple(segment.model_copy(update={"words": None}) for segment in data.segments)
    return data.model_copy(update={"segments": segments})


def _concerns(span: Span | None, part: Span | None) -> bool:
    return span is None or part is None or span.overlap_s(part) > 0


def _times(span: Span) -> list[float]:
    return [round(span.start_s, 2), round(span.end_s, 2)]


def _json(value: Iterable[Any] | dict[str, Any] | str | None) -> str:
    return json.dumps(value, ensure_ascii=False)
