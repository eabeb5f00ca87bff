"""What the detective can do in a turn: ask observers, or conclude. The same for a model and for the rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from omnidetective.case import Case
from omnidetective.evidence import Span
from omnidetective.records import ATTRIBUTES, Attribute, Event, MediaFacts, Observation, TrajectoryMessage

_AUDIO_ATTRIBUTES: frozenset[Attribute] = frozenset(
    {"scene", "characters", "actions", "narrative", "speech", "emotions"}
)
_IMAGE_ATTRIBUTES: frozenset[Attribute] = frozenset({"scene", "characters", "objects", "actions", "emotions", "camera"})


class InquiryArguments(BaseModel):
    """One question to one observer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    observer: str = Field(description="Name of the observer, exactly as listed.")
    question: str = Field(min_length=1, description="One concrete question that this observer can answer.")
    start_s: float | None = Field(
        default=None, description="Start of the span to look at, in seconds. Leave out for the whole clip."
    )
    end_s: float | None = Field(default=None, description="End of that span, in seconds.")
    attributes: list[str] = Field(default_factory=list, description="The attributes that the answer should settle.")


class EventArguments(BaseModel):
    """One thing that happens in the clip."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    start_s: float | None = None
    end_s: float | None = None
    text: str = Field(min_length=1)
    modality: Literal["visual", "audio", "speech", "audiovisual"]
    evidence: list[str] = Field(default_factory=list, description="Ids of the observations that show it (o1, o2, …).")


class ConclusionArguments(BaseModel):
    """The end of the investigation."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    caption: str = Field(min_length=1, description="The whole caption.")
    events: list[EventArguments] = Field(default_factory=list, description="What the caption says, event by event.")
    absent: list[str] = Field(
        default_factory=list, description="Attributes that were looked for and are not in this clip."
    )
    contradictions: list[str] = Field(
        default_factory=list, description="Points on which observers disagree and no instrument settles it."
    )


class TurnArguments(BaseModel):
    """A turn of the JSON protocol: either inquiries or a conclusion."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    inquiries: list[InquiryArguments] = Field(default_factory=list)
    conclusion: ConclusionArguments | None = None


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A question that will be put to an observer."""

    observer: str
    question: str
    span: Span | None = None
    attributes: tuple[Attribute, ...] = ()

    @property
    def key(self) -> tuple[str, str, tuple[float, float] | None]:
        """Equal for questions that differ only in case, spaces, punctuation or a tenth of a second."""
        words = " ".join(re.findall(r"\w+", self.question.casefold()))
        span = None if self.span is None else (round(self.span.start_s, 1), round(self.span.end_s, 1))
        return self.observer, words, span


@dataclass(frozen=True, slots=True)
class Ask:
    """A turn that puts questions.

    ``refusals`` are calls that cannot be put, with what to tell the detective; both are in the order of the turn:
    ``order`` holds for each call its inquiry, or the text of its refusal.
    """

    order: tuple[Inquiry | str, ...]

    @property
    def inquiries(self) -> tuple[Inquiry, ...]:
        return tuple(item for item in self.order if isinstance(item, Inquiry))


@dataclass(frozen=True, slots=True)
class Conclude:
    """A turn that ends the investigation. ``final``: there is nothing left that this detective could ask."""

    caption: str
    events: tuple[Event, ...] = ()
    absent: tuple[Attribute, ...] = ()
    contradictions: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    final: bool = False


Turn = Ask | Conclude


@dataclass(frozen=True, slots=True)
class Told:
    """What a detective hears back for one call of its turn: an observation, or why there is none."""

    observation: Observation | None = None
    refusal: str = ""


Ending = Literal[
    "",
    "the inquiries are spent",
    "the token budget is spent",
    "the time is up",
    "no observer is left",
    "no new question was put for several turns",
]
"""Why no question may be put any more, as the detective is told; empty while it may go on asking."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the investigation stands, as the detective is told.

    ``open_points`` is what speaks against concluding now; ``must_conclude`` says why no question may be put any more.
    ``closed`` maps the observers that may not be asked now, since they were asked as often as they may be or rest after
    failures, to the reason.
    """

    inquiries_left: int
    open_points: tuple[str, ...] = ()
    must_conclude: Ending = ""
    uncovered: tuple[Attribute, ...] = field(default=())
    closed: Mapping[str, str] = field(default_factory=dict)


class Detective(Protocol):
    """Plays one investigation: one object a clip."""

    async def decide(self, case: Case, standing: Standing) -> Turn:
        """The next turn. With ``standing.must_conclude`` set it is a :class:`Conclude`."""
        ...

    def hear(self, told: tuple[Told, ...], standing: Standing) -> None:
        """The answers to the last turn's calls, in their order."""
        ...

    @property
    def conversation(self) -> tuple[TrajectoryMessage, ...]:
        """All that was said so far, as chat messages."""
        ...


def possible_attributes(case: Case) -> tuple[Attribute, ...]:
    """The attributes that the clip of a case can have."""
    return attributes_of(case.clip.facts)


def attributes_of(facts: MediaFacts) -> tuple[Attribute, ...]:
    """The attributes that a clip of this kind can have: an image has no speech, a sound track no camera."""
    if facts.modality == "image":
        return tuple(a for a in ATTRIBUTES if a in _IMAGE_ATTRIBUTES)
    if not facts.has_video:
        return tuple(a for a in ATTRIBUTES if a in _AUDIO_ATTRIBUTES)
    if not facts.has_audio:
        return tuple(a for a in ATTRIBUTES if a != "speech")
    return ATTRIBUTES
