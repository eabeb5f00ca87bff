"""The embedded writer: timed evidence as fluent prose in order of time. It says nothing that was not measured.

Every sentence is an event that cites its observations. A moment opens with an "At Xs," anchor: whole seconds, each
once, increasing, inside the clip.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from omnidetective.case import Case
from omnidetective.detective.code_statements import code
from omnidetective.detective.page_statements import charts, told_in_charts
from omnidetective.detective.picture_statements import camera, faces, fades, looks, stands_still
from omnidetective.detective.statements import Statement, cuts, joined, number_name, silences, sounds, speech, texts
from omnidetective.detective.table_statements import tables
from omnidetective.evidence import ShotEvidence, SoundEvidence, SpeechEvidence
from omnidetective.records import Event


@dataclass(frozen=True, slots=True)
class Account:
    """A caption and its events, sentence by sentence."""

    caption: str
    events: tuple[Event, ...]


def write(case: Case) -> Account:
    """The caption of what was measured."""
    pictures = [*fades(case), *camera(case), *faces(case), *looks(case)]
    whole = [*_whole(case), *(statement for statement in pictures if statement.start_s is None)]
    sentences: list[tuple[str, Statement]] = [(_sentence(s.text), s) for s in joined(whole)]
    timed = joined(
        [
            *cuts(case),
            *(statement for statement in pictures if statement.start_s is not None),
            *texts(case, told=told_in_charts(case)),
            *tables(case),
            *charts(case),
            *code(case),
            *speech(case),
            *sounds(case),
            *silences(case),
        ]
    )
    for second, moment in groupby(timed, key=lambda s: _second(s, case)):
        for n, statement in enumerate(moment):
            anchored = n == 0 and second is not None
            text = f"At {second}s, {statement.text}" if anchored else statement.text
            sentences.append((_sentence(text), statement))
    return Account(
        caption=" ".join(text for text, _ in sentences),
        events=tuple(_event(text, statement, case) for text, statement in sentences),
    )


def _whole(case: Case) -> Iterator[Statement]:
    """What holds for the whole clip."""
    facts = case.clip.facts
    shots = next(iter(case.evidence(ShotEvidence)), None)
    if facts.modality == "image":
        ids = tuple(o.id for o in case.answers[:1])
        pages = f" of {number_name(facts.pages)} pages" if facts.pages else ""
        form = f"{_format(facts.width, facts.height)}still image{pages}"
        yield Statement(None, None, f"this is a {form}", "visual", ids)
        return
    length = _seconds(facts.duration_s or 0.0)
    if facts.has_video and shots is not None:
        observation, evidence = shots
        count = len(evidence.shots)
        form = "a single shot" if count == 1 else f"{number_name(count)} shots"
        still = ", in which nothing moves" if evidence.still else ""
        if not still and stands_still(case, evidence):
            still = ", and the camera stands still"
        kind = f"{_format(facts.width, facts.height)}video"
        yield Statement(None, None, f"this {length} {kind} is made of {form}{still}", "visual", (observation.id,))
    elif not facts.has_video:
        ids = tuple(o.id for o in case.answers[:1])
        yield Statement(None, None, f"this is a sound recording of {length.replace('-', ' ')}s", "audio", ids)
    yield from _whole_sound(case)


def _whole_sound(case: Case) -> Iterator[Statement]:
    length_s = case.clip.duration_s
    speech_ids = tuple(o.id for o, _ in case.evidence(SpeechEvidence))
    for observation, evidence in case.evidence(SoundEvidence):
        if observation.span is not None:
            continue
        quiet_s = sum(span.duration_s for span in evidence.silent)
        if evidence.loudness_lufs is None or quiet_s >= length_s - 0.1:
            yield Statement(None, None, "its sound track is silent throughout", "audio", (observation.id,))
        elif speech_ids and not case.speech():
            yield Statement(None, None, "no speech is heard", "audio", speech_ids)
        return


def _format(width: int | None, height: int | None) -> str:
    if not width or not height:
        return ""
    ratio = width / height
    return "landscape " if ratio > 1.05 else "portrait " if ratio < 0.95 else "square "


def _seconds(duration_s: float) -> str:
    if duration_s < 1:
        return f"{duration_s:.2g}-second"
    return f"{round(duration_s)}-second"


def _second(statement: Statement, case: Case) -> int | None:
    if statement.start_s is None or case.clip.whole is None:
        return None
    last = max(0, math.ceil(case.clip.duration_s) - 1)
    return min(int(statement.start_s), last)


def _sentence(text: str) -> str:
    text = text[0].upper() + text[1:]
    if text.endswith("”"):
        return text if text[-2:-1] in ".!?…。！？" else text + "."
    return text if text.endswith((".", "!", "?", "…")) else text + "."


def _event(text: str, statement: Statement, case: Case) -> Event:
    length_s = case.clip.duration_s
    start_s, end_s = statement.start_s, statement.end_s
    if start_s is None or case.clip.whole is None:
        return Event(text=text, modality=statement.modality, evidence=statement.evidence)
    start_s = min(max(0.0, start_s), length_s)
    return Event(
        start_s=round(start_s, 3),
        end_s=None if end_s is None else round(min(max(start_s, end_s), length_s), 3),
        text=text,
        modality=statement.modality,
        evidence=statement.evidence,
    )
