"""What observers report, as typed data: the part of an observation that a program can check.

Times are seconds from the start of the clip, ``[start_s, end_s)``; an image has no times. Scores are 0…1, and
``None`` where the instrument gives none. An empty tuple means *looked and found nothing*; a whole observation that
is missing means *nobody looked*.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from omnidetective.frozen import Frozen, Sparse
from omnidetective.page_evidence import ChartEvidence, CodeEvidence, TableEvidence


class Span(Frozen):
    """A time range ``[start_s, end_s)`` in seconds of the clip."""

    start_s: Annotated[float, Field(ge=0)]
    end_s: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end_s <= self.start_s:
            raise ValueError(f"a span must end after it starts, not {self.start_s}…{self.end_s} s")
        return self

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    def overlap_s(self, other: Span) -> float:
        """Seconds that both spans share; 0 when they are apart."""
        return max(0.0, min(self.end_s, other.end_s) - max(self.start_s, other.start_s))


class Word(Sparse):
    """One spoken word."""

    start_s: float
    end_s: float
    text: str
    score: float | None = None


class SpeechSegment(Sparse):
    """Words spoken without a long pause, by one speaker where speakers are told apart.

    ``score`` is the mean probability of the words as the recogniser sees it.
    """

    start_s: float
    end_s: float
    text: str
    language: str | None = None
    speaker: str | None = None
    """A label that is the same for the same voice within one observation (``S1``, ``S2``); never a name."""
    score: float | None = None
    words: tuple[Word, ...] | None = None
    """The single words with their times, where the recogniser gives them."""


class SpeechEvidence(Sparse):
    """From ASR: what was said, and where a voice was active at all."""

    type: Literal["speech"] = "speech"
    segments: tuple[SpeechSegment, ...]
    voiced: tuple[Span, ...] = ()
    language: str | None = None
    gated: bool = False
    """Whether a voice detector listened: without one, no voiced spans mean nothing."""
    dropped: int = 0
    """Segments thrown away because no voice was active there or the recogniser was guessing."""
    heard_to_s: float | None = None
    """Up to where words were listened to, where the time was up before the end of the span."""


class TextCard(Sparse):
    """One piece of text on screen, from the first frame it was seen on to the last.

    ``box`` is ``(left, top, right, bottom)`` as shares of the frame, 0…1; ``page`` counts from 1 and is absent for a
    picture of one page.
    """

    text: str
    start_s: float | None = None
    end_s: float | None = None
    box: tuple[float, float, float, float] | None = None
    score: float | None = None
    page: int | None = None


class TextEvidence(Sparse):
    """From OCR: the text on screen, in order of appearance, then of reading."""

    type: Literal["text"] = "text"
    cards: tuple[TextCard, ...]
    frames_read: int


class Cut(Sparse):
    """A change of shot: the first frame of the new shot is shown at ``time_s``."""

    time_s: float
    score: float | None = None


class Fade(Sparse):
    """A gradual change: ``in`` from a plain picture, ``out`` to one, or ``dissolve`` of one shot into the next."""

    start_s: float
    end_s: float
    kind: Literal["in", "out", "dissolve"]


class CameraMove(Sparse):
    """What the camera does in a span, from the global motion of the picture, told as the camera's own motion.

    ``static``: it stands still, whatever moves before it. ``unsteady``: it moves without a direction.
    """

    start_s: float
    end_s: float
    motion: Literal["static", "pan left", "pan right", "tilt up", "tilt down", "zoom in", "zoom out", "unsteady"]
    score: float | None = None


class ShotEvidence(Sparse):
    """From the shot detector: cuts in order, and the shots between them (at least one where there is video)."""

    type: Literal["shots"] = "shots"
    cuts: tuple[Cut, ...]
    shots: tuple[Span, ...]
    still: bool | None = None
    """Whether nothing moved at all, within every shot."""
    fades: tuple[Fade, ...] = ()
    camera: tuple[CameraMove, ...] = ()
    """What the camera does, in order; nothing is said of a stretch whose motion could not be told."""


class SoundEvent(Sparse):
    """A kind of sound that was heard in a span, by the name of its AudioSet class, lower case."""

    start_s: float
    end_s: float
    label: str
    score: float


class Level(Sparse):
    """How loud a stretch is: momentary loudness (EBU R 128), in LUFS; absent for digital silence."""

    start_s: float
    end_s: float
    lufs: float | None = None


class SoundEvidence(Sparse):
    """From the sound instrument: loudness, silence, and kinds of sound where a classifier is installed."""

    type: Literal["sound"] = "sound"
    loudness_lufs: float | None = None
    """Integrated loudness of what was listened to (EBU R 128); absent for digital silence."""
    silent: tuple[Span, ...]
    events: tuple[SoundEvent, ...] = ()
    classified: bool = False
    """Whether a classifier listened: without one, no events means nothing."""
    levels: tuple[Level, ...] = ()
    """Loudness over time, in equal steps."""
    onsets_s: tuple[float, ...] = ()
    """Moments at which the sound sets in or jumps up."""


class FaceCount(Sparse):
    """How many faces are seen at once in a span; who they are is nobody's business. Without times of an image."""

    start_s: float | None = None
    end_s: float | None = None
    faces: Annotated[int, Field(ge=0)]


class FaceEvidence(Sparse):
    """From the face detector: how many faces, when. An image has one count, without times."""

    type: Literal["faces"] = "faces"
    counts: tuple[FaceCount, ...]
    frames_read: int


class Colour(Sparse):
    """A dominant colour: its plain English name, ``#rrggbb``, and the share of the picture that it fills, 0…1."""

    name: str
    hex: str
    share: float


class Look(Sparse):
    """How a span looks. ``brightness`` is the mean luma, 0 (black) to 1 (white)."""

    start_s: float | None = None
    end_s: float | None = None
    brightness: float
    colours: tuple[Colour, ...]


class ColourEvidence(Sparse):
    """From the colour instrument: dominant colours and brightness, in order of time."""

    type: Literal["colour"] = "colour"
    looks: tuple[Look, ...]


class MetadataEvidence(Sparse):
    """From the container: facts of the streams, and tags, which are what somebody wrote and no measurement."""

    type: Literal["metadata"] = "metadata"
    facts: dict[str, str | int | float | bool]
    """By plain names: ``container``, ``video_codec``, ``fps``, ``audio_channels``, ``sample_rate_hz``, …"""
    tags: dict[str, str] = Field(default_factory=dict)


class OtherEvidence(Sparse):
    """From a plugin whose findings have no type of their own here."""

    type: Literal["other"] = "other"
    values: dict[str, JsonValue]


Evidence = Annotated[
    SpeechEvidence
    | TextEvidence
    | ShotEvidence
    | SoundEvidence
    | FaceEvidence
    | ColourEvidence
    | MetadataEvidence
    | TableEvidence
    | ChartEvidence
    | CodeEvidence
    | OtherEvidence,
    Field(discriminator="type"),
]
"""The typed findings of one observation, told apart by ``type``."""


def within(evidence: Evidence, span: Span) -> Evidence:
    """The findings that concern a span; those without a time concern every span."""
    match evidence:
        case SpeechEvidence():
            segments = tuple(s for s in evidence.segments if _overlaps(s.start_s, s.end_s, span))
            voiced = tuple(v for v in evidence.voiced if _overlaps(v.start_s, v.end_s, span))
            return evidence.model_copy(update={"segments": segments, "voiced": voiced})
        case TextEvidence():
            cards = tuple(c for c in evidence.cards if c.start_s is None or _overlaps(c.start_s, c.end_s, span))
            return evidence.model_copy(update={"cards": cards})
        case ShotEvidence():
            cuts = tuple(c for c in evidence.cuts if _overlaps(c.time_s, None, span))
            shots = tuple(s for s in evidence.shots if _overlaps(s.start_s, s.end_s, span))
            fades = tuple(f for f in evidence.fades if _overlaps(f.start_s, f.end_s, span))
            camera = tuple(m for m in evidence.camera if _overlaps(m.start_s, m.end_s, span))
            return evidence.model_copy(update={"cuts": cuts, "shots": shots, "fades": fades, "camera": camera})
        case SoundEvidence():
            silent = tuple(s for s in evidence.silent if _overlaps(s.start_s, s.end_s, span))
            events = tuple(e for e in evidence.events if _overlaps(e.start_s, e.end_s, span))
            levels = tuple(level for level in evidence.levels if _overlaps(level.start_s, level.end_s, span))
            onsets = tuple(t for t in evidence.onsets_s if _overlaps(t, None, span))
            return evidence.model_copy(
                update={"silent": silent, "events": events, "levels": levels, "onsets_s": onsets}
            )
        case FaceEvidence():
            counts = tuple(c for c in evidence.counts if c.start_s is None or _overlaps(c.start_s, c.end_s, span))
            return evidence.model_copy(update={"counts": counts})
        case ColourEvidence():
            looks = tuple(k for k in evidence.looks if k.start_s is None or _overlaps(k.start_s, k.end_s, span))
            return evidence.model_copy(update={"looks": looks})
        case MetadataEvidence() | TableEvidence() | ChartEvidence() | CodeEvidence() | OtherEvidence():
            return evidence


def _overlaps(start_s: float, end_s: float | None, span: Span) -> bool:
    return start_s < span.end_s and max(start_s, end_s if end_s is not None else start_s) >= span.start_s
