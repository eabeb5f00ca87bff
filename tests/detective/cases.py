"""A case without media, and observers that answer from a list: the loop and the writer need no more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from omnidetective.case import Case
from omnidetective.evidence import Evidence, Span
from omnidetective.media.clip import Clip
from omnidetective.observers.base import Observer, ObserverSpec, observation
from omnidetective.records import Attribute, InputRow, MediaFacts, Modality, Observation


@dataclass(frozen=True)
class BareClip:
    """The facts of a clip, with no media behind them."""

    facts: MediaFacts
    id: str = "clip"

    @property
    def duration_s(self) -> float:
        return self.facts.duration_s or 0.0

    @property
    def whole(self) -> Span | None:
        return None if self.facts.duration_s is None else Span(start_s=0.0, end_s=self.facts.duration_s)


def make_case(
    *observations: Observation,
    modality: Modality = "video",
    duration_s: float | None = 20.0,
    has_audio: bool = True,
    width: int | None = 640,
    height: int | None = 360,
) -> Case:
    """A case of a clip of this kind, with these observations."""
    seen = modality != "audio"
    facts = MediaFacts(
        path="clip",
        sha256="0" * 64,
        modality=modality,
        duration_s=None if modality == "image" else duration_s,
        width=width if seen else None,
        height=height if seen else None,
        has_audio=has_audio and modality != "image",
        has_video=seen,
    )
    row = InputRow(id="clip", media="clip", raw={"path": "clip"})
    return Case(row=row, clip=cast("Clip", BareClip(facts))).observed(observations)


def seen_by(name: str, data: Evidence | None = None, *, answer: str = "…", span: Span | None = None) -> Observation:
    """An instrument's observation with this evidence."""
    return Observation(observer=name, kind="instrument", question="?", answer=answer, data=data, span=span)


@dataclass
class Teller:
    """An observer that answers by a function of the question, and keeps what it was asked."""

    name: str
    answer: Callable[[str, Span | None], str | Exception] = lambda question, span: f"about {question}"
    attributes: tuple[Attribute, ...] = (
        "scene",
        "characters",
        "objects",
        "actions",
        "narrative",
        "speech",
        "camera",
        "emotions",
    )
    needs: str = "any"
    delay_s: float = 0.0
    asked: list[tuple[str, Span | None]] = field(default_factory=list)

    @property
    def spec(self) -> ObserverSpec:
        return ObserverSpec(
            name=self.name,
            kind="witness",
            modalities=("video", "audio", "image"),
            description=f"{self.name} tells what it is asked.",
            attributes=self.attributes,
            needs=self.needs,
        )

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        self.asked.append((question, span))
        await asyncio.sleep(self.delay_s)
        told = self.answer(question, span)
        if isinstance(told, Exception):
            raise told
        return observation(self.spec, question, span, answer=told)


def tellers(*observers: Teller) -> Mapping[str, Observer]:
    """Observers by name."""
    return {o.name: cast("Observer", o) for o in observers}
