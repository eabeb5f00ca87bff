"""Evidence in a few words, for tests that hold captions against it."""

from __future__ import annotations

import itertools

from detective.cases import make_case, seen_by

from omnidetective.case import Case
from omnidetective.draft import Draft
from omnidetective.evidence import (
    CameraMove,
    Cut,
    Fade,
    ShotEvidence,
    SoundEvent,
    SoundEvidence,
    Span,
    SpeechEvidence,
    SpeechSegment,
    TextCard,
    TextEvidence,
)
from omnidetective.page_evidence import Chart, ChartEvidence, ChartPoint
from omnidetective.records import Event, Observation


def asr(
    *segments: tuple[float, float, str],
    voiced: tuple[tuple[float, float], ...] = (),
    score: float | None = 0.9,
    span: Span | None = None,
    gated: bool = True,
) -> Observation:
    """What speech recognition heard, in all of the clip or in a span; ``gated`` by a voice detector."""
    said = tuple(SpeechSegment(start_s=a, end_s=b, text=text, language="en", score=score) for a, b, text in segments)
    active = tuple(Span(start_s=a, end_s=b) for a, b in voiced)
    return seen_by("asr", SpeechEvidence(segments=said, voiced=active, language="en", gated=gated), span=span)


def ocr(
    *cards: tuple[float | None, float | None, str], score: float | None = 0.95, span: Span | None = None
) -> Observation:
    """The text on screen."""
    shown = tuple(TextCard(text=text, start_s=a, end_s=b, score=score) for a, b, text in cards)
    return seen_by("ocr", TextEvidence(cards=shown, frames_read=20), span=span)


def chart(*values: tuple[str, float]) -> Observation:
    """A bar chart with printed values."""
    points = tuple(ChartPoint(label=label, value=value, printed=True) for label, value in values)
    return seen_by("charts", ChartEvidence(charts=(Chart(kind="bars", points=points, box=(0.0, 0.0, 1.0, 1.0)),)))


def shots(*cuts: float, length_s: float = 20.0, still: bool | None = False, span: Span | None = None) -> Observation:
    """The cuts and the shots between them."""
    spans = tuple(Span(start_s=a, end_s=b) for a, b in itertools.pairwise([0.0, *cuts, length_s]))
    return seen_by("shots", ShotEvidence(cuts=tuple(Cut(time_s=t) for t in cuts), shots=spans, still=still), span=span)


def filmed(
    *moves: tuple[float, float, str],
    fades: tuple[tuple[float, float, str], ...] = (),
    cuts: tuple[float, ...] = (),
    length_s: float = 20.0,
    span: Span | None = None,
) -> Observation:
    """What the camera does, and where the picture fades."""
    spans = tuple(Span(start_s=a, end_s=b) for a, b in itertools.pairwise([0.0, *cuts, length_s]))
    data = ShotEvidence(
        cuts=tuple(Cut(time_s=t) for t in cuts),
        shots=spans,
        still=False,
        fades=tuple(Fade.model_validate({"start_s": a, "end_s": b, "kind": kind}) for a, b, kind in fades),
        camera=tuple(CameraMove.model_validate({"start_s": a, "end_s": b, "motion": m}) for a, b, m in moves),
    )
    return seen_by("shots", data, span=span)


def sound(
    *events: tuple[float, float, str],
    silent: tuple[tuple[float, float], ...] = (),
    loudness_lufs: float | None = -20.0,
    classified: bool = True,
    span: Span | None = None,
) -> Observation:
    """Loudness, silence, and kinds of sound."""
    heard = tuple(SoundEvent(start_s=a, end_s=b, label=label, score=0.8) for a, b, label in events)
    quiet = tuple(Span(start_s=a, end_s=b) for a, b in silent)
    data = SoundEvidence(loudness_lufs=loudness_lufs, silent=quiet, events=heard, classified=classified)
    return seen_by("sound", data, span=span)


def captioned(case: Case, caption: str) -> Case:
    """The case with a draft."""
    return case.drafted("ensemble", Draft.of([Event(text=caption, modality="visual", evidence=())]))


def clip(
    *observations: Observation,
    duration_s: float | None = 20.0,
    has_audio: bool = True,
    image: bool = False,
    recording: bool = False,
) -> Case:
    """A clip with these observations; a film unless it is an image or a recording of sound."""
    if recording:
        return make_case(*observations, modality="audio", duration_s=duration_s)
    if image:
        return make_case(*observations, modality="image", duration_s=None)
    return make_case(*observations, duration_s=duration_s, has_audio=has_audio)
