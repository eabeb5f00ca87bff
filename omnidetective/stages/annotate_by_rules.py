"""Candidates that need no chat model: what was measured, as one sense would tell it, and the transcript as prose."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from omnidetective.captions.anchors import anchor_text
from omnidetective.case import Case
from omnidetective.detective.writer import write
from omnidetective.evidence import (
    ColourEvidence,
    FaceEvidence,
    ShotEvidence,
    SoundEvidence,
    SpeechEvidence,
    TextEvidence,
)
from omnidetective.section import Shows
from omnidetective.stage_settings import AnnotatorSettings
from omnidetective.stages.base import StageContext
from omnidetective.stages.measuring import measured

_EVIDENCE: Mapping[str, tuple[type, ...]] = {
    "frames": (ShotEvidence, TextEvidence, FaceEvidence, ColourEvidence),
    "audio": (SoundEvidence, SpeechEvidence),
    "transcript": (SpeechEvidence,),
}
"""What can be measured in each part of a clip."""
_STOPS = ".!?…。！？"


async def proposed_by_rules(case: Case, context: StageContext, annotators: Mapping[str, AnnotatorSettings]) -> Case:
    """The case with a candidate of each annotator, written from what the instruments measure.

    Where a detective works on the same clip, nothing is done: its caption says all that was measured.
    """
    if "investigate" in context.stages:
        return case
    case = await measured(case, context)
    for name, annotator in annotators.items():
        if annotator.role == "asr":
            caption = transcript_caption(case)
        else:
            caption = write(_of_senses(case, annotator.shows)).caption
        if caption:
            case = case.proposed(name, caption)
    return case


def transcript_caption(case: Case) -> str:
    """The recognised speech as sentences with anchors: ``At 3s, a voice says: “…”``; empty when nothing was heard.

    Of a segment of a long clip: what begins in it. Names of speakers are told where the recogniser knows them.
    """
    last_second = max(0, math.ceil(case.clip.duration_s) - 1)
    told: list[str] = []
    before: int | None = None
    for segment, _ in case.speech() or ():
        words = _plain(segment.text)
        start_s = max(0.0, segment.start_s)
        if not words or (case.scope is not None and not case.scope.start_s <= start_s < case.scope.end_s):
            continue
        second = min(int(start_s), last_second)
        speaker = _plain(segment.speaker or "") or "a voice"
        says = f"{speaker} says: “{words}”{'' if words[-1] in _STOPS else '.'}"
        told.append(says[0].upper() + says[1:] if second == before else f"{anchor_text(second)} {says}")
        before = second
    return " ".join(told)


def _of_senses(case: Case, shows: Shows) -> Case:
    """The case as somebody knows it who is shown only this part of the clip."""
    kinds = tuple(_kinds(shows))
    return replace(case, observations=tuple(o for o in case.observations if isinstance(o.data, kinds)))


def _kinds(shows: Shows) -> Iterable[type]:
    for what in shows:
        yield from _EVIDENCE[what]


def _plain(text: str) -> str:
    """On one line, and without marks that would end the quotation it is put in."""
    return " ".join(text.split()).replace("“", "‘").replace("”", "’").replace('"', "’")
