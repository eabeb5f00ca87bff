"""Is one answer in order: its form, its times, and whether it is about what was asked?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from omnidetective.evidence import MetadataEvidence, OtherEvidence, Span, within
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverSpec
from omnidetective.records import Observation

_MOST_CHARS: Final = 100_000
_TOLERANCE_S: Final = 0.3
"""Times are measured in frames and windows, which may reach a little beyond what was asked about."""
_SHORTEST_S: Final = 0.04


def answer_problems(answer: Any, spec: ObserverSpec, clip: Clip, question: str, span: Span | None) -> Iterator[str]:
    """What is wrong with an answer, in words."""
    if not isinstance(answer, Observation):
        yield f"returned a {type(answer).__name__}, not an Observation: use omnidetective.observers.base.observation"
        return
    if answer.error is not None:
        yield f"found no answer ({answer.error.reason}): {answer.error.message}"
        return
    yield from _form(answer, spec)
    if (answer.question, answer.span) != (question, span):
        yield f"answers another question: {answer.question!r} about {_told(answer.span)}"
    yield from _times(answer, clip, span)


def _form(answer: Observation, spec: ObserverSpec) -> Iterator[str]:
    if (answer.observer, answer.kind) != (spec.name, spec.kind):
        yield f"speaks as {answer.kind} {answer.observer!r}, and is {spec.kind} {spec.name!r}"
    if not isinstance(answer.answer, str) or not answer.answer.strip():
        yield "the answer is empty: where there is nothing, say so"
    elif len(answer.answer) > _MOST_CHARS:
        yield f"the answer has {len(answer.answer):,} characters, more than {_MOST_CHARS:,}"
    try:
        again = Observation.model_validate_json(answer.model_dump_json())
    except ValueError as error:
        yield f"is not valid when written as JSON and read again: {error}"
    else:
        if again != answer:
            yield "is not the same when written as JSON and read again"


def _times(answer: Observation, clip: Clip, span: Span | None) -> Iterator[str]:
    data = answer.data
    # What the container says, and what a plugin calls its own, may be about anything.
    if data is None or isinstance(data, MetadataEvidence | OtherEvidence):
        return
    last_s = clip.duration_s + (_TOLERANCE_S if clip.whole is not None else 0.0)
    for path, time_s in times_of(data.model_dump()):
        if not math.isfinite(time_s) or not -_TOLERANCE_S <= time_s <= last_s:
            yield f"{path} is {time_s:g}, outside the clip of {clip.duration_s:g} s"
    for path, start_s, end_s in _stretches(data.model_dump()):
        if end_s < start_s:
            yield f"{path} ends at {end_s:g} s, before it starts at {start_s:g} s"
    if span is not None and clip.whole is not None:
        asked = _in_clip(span, clip.duration_s)
        near = Span(start_s=max(0.0, asked.start_s - _TOLERANCE_S), end_s=asked.end_s + _TOLERANCE_S)
        if within(data, near) != data:
            yield f"reports what lies outside {_told(asked)}, though only that was asked about"


def times_of(value: Any, path: str = "data") -> Iterator[tuple[str, float]]:
    """All times in typed evidence, as fields ending in ``_s``, with where they stand."""
    if isinstance(value, dict):
        for key, inner in value.items():
            here = f"{path}.{key}"
            if key.endswith("_s") and isinstance(inner, int | float):
                yield here, float(inner)
            elif key.endswith("_s") and isinstance(inner, list | tuple):
                yield from ((f"{here}[{n}]", float(time_s)) for n, time_s in enumerate(inner))
            else:
                yield from times_of(inner, here)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from times_of(inner, f"{path}[{number}]")


def _stretches(value: Any, path: str = "data") -> Iterator[tuple[str, float, float]]:
    if isinstance(value, dict):
        start_s, end_s = value.get("start_s"), value.get("end_s")
        if start_s is not None and end_s is not None:
            yield path, start_s, end_s
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, inner in inside:
        yield from _stretches(inner, f"{path}.{key}")


def _in_clip(span: Span, duration_s: float) -> Span:
    """The part of a span that lies in the clip; its last moment where none does."""
    end_s = min(span.end_s, duration_s)
    return Span(start_s=min(span.start_s, max(0.0, end_s - min(_SHORTEST_S, end_s))), end_s=end_s)


def _told(span: Span | None) -> str:
    return "the whole clip" if span is None else f"{span.start_s:g}–{span.end_s:g} s"
