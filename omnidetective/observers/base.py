"""The observer protocol: the plugin API (DESIGN §6).

A third-party package writes one class and registers it under the entry-point group ``omnidetective.observers``::

    class Thermometer:
        spec = ObserverSpec(name="thermometer", kind="instrument", modalities=("video",),
                            description="Reads the temperature display. Ask for the value at a time.")

        def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None: ...

        async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
            ...
            return observation(self.spec, question, span, answer="21.5 °C at 3 s")

An observer knows nothing of the case: only the clip, the question and the span. One instance serves many clips.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field

from omnidetective.errors import ObserverUnavailableError, OmnidetectiveError
from omnidetective.evidence import Evidence, Span
from omnidetective.llm.base import ChatModel
from omnidetective.llm.cast import Cast
from omnidetective.media.clip import Clip
from omnidetective.model_sets import ModelSet
from omnidetective.prompts import PromptLibrary
from omnidetective.records import Attribute, Kind, Modality, Observation, ObservationError
from omnidetective.settings import Settings

_LIMITS_ARE_FOR_S = 300.0


class ObserverSettings(BaseModel):
    """Base of an observer's settings: ``--set observers.NAME.key=value``. The docstring of a field is its help."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    enabled: bool = True
    """Offer this observer to the detective."""
    timeout_s: Annotated[float, Field(gt=0)] | None = None
    """Time for one question about up to five minutes of a clip, in place of `investigate.observer_timeout_s`."""
    per_clip: Annotated[int, Field(ge=1)] | None = None
    """Most questions about one clip; no limit of its own by default."""
    at_once: Annotated[int, Field(ge=1)] | None = None
    """Most questions that it works on at the same time on one machine, for all workers together."""
    memory_mb: Annotated[int, Field(ge=1)] | None = None
    """Of an observer from a package: replace its process when it holds more than this, programs that it started
    included (Linux only). It finishes the questions that it has; at one and a half times as much it is killed. By
    default three quarters of the machine's memory."""
    load_timeout_s: Annotated[float, Field(gt=0)] = 60.0
    """Of an observer from a package: time for its import and its set-up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserverSpec:
    """What an observer is.

    Attributes:
        name: how the detective and the settings call it; lower_snake_case.
        kind: ``witness`` (a model: may be wrong) or ``instrument`` (measures: narrow, trusted in its domain).
        modalities: the kinds of clip that it can say something about.
        needs: the stream it looks at: ``audio`` or ``video`` (pictures of any kind), or ``any``.
        description: for the detective: what it can tell, how to ask, what it cannot tell. Two to four sentences.
        attributes: the caption attributes that it can be evidence for.
        settings: its settings model.
        role: for a witness, the role whose model answers; the cast decides who that is.
        cost: what one question costs, in words: ``one model call``, ``0.3 s of one processor for a second of clip``.
    """

    name: str
    kind: Kind
    modalities: tuple[Modality, ...]
    description: str
    needs: str = "any"
    attributes: tuple[Attribute, ...] = ()
    settings: type[ObserverSettings] = ObserverSettings
    role: str | None = None
    cost: str = ""


@dataclass(frozen=True, slots=True)
class ObserverContext:
    """What an observer may use besides the clip.

    ``cast.chat(role)`` gives the chat model of a role, or raises ``ObserverUnavailableError`` where nobody plays it.
    """

    cast: Cast
    model_set: ModelSet
    prompts: PromptLibrary
    settings: Settings

    def chat(self, spec: ObserverSpec) -> ChatModel:
        """The model that plays a witness's role."""
        return self.cast.chat(spec.role or spec.name)

    def plugin(self, name: str) -> Observer:
        """An observer of an installed package, for a built-in that builds on it; also where it is not offered itself.

        Raises:
            ObserverUnavailableError: it is not installed, or cannot work here, with the reason and a hint.
        """
        from omnidetective.observers.registry import plugin  # The registry builds on this module.

        return plugin(name, self)


class Observer(Protocol):
    """Answers a question about a clip, or a span of it.

    ``__init__`` must be cheap (models are loaded at the first question). Where the observer cannot work it raises
    ``ObserverUnavailableError`` with the reason and, as its hint, the command that mends it.
    ``observe`` may raise anything and may hang: it costs the inquiry, never the clip.
    """

    spec: ClassVar[ObserverSpec]

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None: ...

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation: ...


def observation(
    spec: ObserverSpec,
    question: str,
    span: Span | None,
    *,
    answer: str,
    data: Evidence | None = None,
    model: str | None = None,
) -> Observation:
    """An answer. Time and usage are measured and the id is given by whoever asked."""
    return Observation(
        observer=spec.name, kind=spec.kind, question=question, span=span, answer=answer, data=data, model=model
    )


def failed_observation(spec: ObserverSpec, question: str, span: Span | None, error: Exception) -> Observation:
    """An inquiry that ended without an answer: the reason is told to the detective and kept in the record."""
    reason = error.reason if isinstance(error, OmnidetectiveError) else type(error).__name__
    message = str(error) or type(error).__name__
    return Observation(
        observer=spec.name,
        kind=spec.kind,
        question=question,
        span=span,
        error=ObservationError(type=type(error).__name__, reason=reason, message=message[:500]),
    )


def require_stream(spec: ObserverSpec, clip: Clip) -> None:
    """Refuse a clip that lacks the stream this observer looks at.

    Raises:
        ObserverUnavailableError: with the reason ``no_audio`` or ``no_video``.
    """
    if spec.needs == "audio" and not clip.facts.has_audio:
        raise ObserverUnavailableError("the clip has no sound track", reason="no_audio")
    if spec.needs == "video" and not clip.facts.has_video:
        raise ObserverUnavailableError("the clip has no picture", reason="no_video")


def in_proportion(limit_s: float, clip: Clip, span: Span | None = None) -> float:
    """A time limit for as much as is asked about: the limit is for five minutes of clip, longer spans get more."""
    seconds = clip.duration_s if span is None else span.duration_s
    return limit_s * max(1.0, seconds / _LIMITS_ARE_FOR_S)
