"""The list of observers, built-in and from installed packages, and the tool box made of those that work here.

A plugin that cannot be imported, or that is no observer, is a row with its reason: it never stops anything else.
"""

from __future__ import annotations

import difflib
import importlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ValidationError

from omnidetective.errors import ConfigError, ObserverUnavailableError
from omnidetective.media.clip import Clip
from omnidetective.observers.base import Observer, ObserverContext, ObserverSettings, ObserverSpec
from omnidetective.records import MediaFacts

GROUP = "omnidetective.observers"

BUILT_IN: Mapping[str, str] = {
    "asr": "omnidetective.observers.asr:Asr",
    "audio_llm": "omnidetective.observers.audio_llm:AudioLlm",
    "colour": "omnidetective.observers.colour:ColourObserver",
    "faces": "omnidetective.observers.faces:Faces",
    "frame_captioner": "omnidetective.observers.frame_captioner:FrameCaptioner",
    "metadata": "omnidetective.observers.metadata:Metadata",
    "ocr": "omnidetective.observers.ocr:Ocr",
    "omni_llm": "omnidetective.observers.omni_llm:OmniLlm",
    "shots": "omnidetective.observers.shots:Shots",
    "sound": "omnidetective.observers.sound:Sound",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listing:
    """One row of the registry: an observer class, or why it could not be loaded."""

    name: str
    origin: str
    observer: type[Observer] | None
    problem: str = ""

    @property
    def spec(self) -> ObserverSpec | None:
        return None if self.observer is None else self.observer.spec


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why an observer cannot work here, and what mends it."""

    reason: str
    message: str
    hint: str = ""

    @property
    def expected(self) -> bool:
        """Whether it is so by choice: switched off, or nobody was cast for it."""
        return self.reason in ("disabled", "no_model")


def listings() -> tuple[Listing, ...]:
    """All observers that are known, by name: the built-in ones first, then those of installed packages."""
    rows = [_load_built_in(name, target) for name, target in BUILT_IN.items()]
    taken = set(BUILT_IN)
    for point in sorted(entry_points(group=GROUP), key=lambda p: (p.name, _origin(p))):
        if point.name in taken:
            rows.append(Listing(point.name, _origin(point), None, "the name is taken: rename the entry point"))
            continue
        taken.add(point.name)
        rows.append(_load_plugin(point))
    return tuple(rows)


def _load_built_in(name: str, target: str) -> Listing:
    module, _, attribute = target.partition(":")
    return Listing(name, "built-in", getattr(importlib.import_module(module), attribute))


def _load_plugin(point: EntryPoint) -> Listing:
    origin = _origin(point)
    try:
        loaded = point.load()
        problem = _not_an_observer(loaded, point.name)
    except Exception as error:
        log.debug("plugin %s failed to load", point.name, exc_info=True)
        return Listing(point.name, origin, None, f"cannot be imported: {type(error).__name__}: {error}")
    return Listing(point.name, origin, None if problem else loaded, problem)


def _not_an_observer(loaded: Any, name: str) -> str:
    spec = getattr(loaded, "spec", None)
    if not isinstance(spec, ObserverSpec):
        return "is no observer: it has no `spec` of type ObserverSpec"
    if not callable(getattr(loaded, "observe", None)):
        return "is no observer: it has no method `observe`"
    if spec.name != name:
        return f"its spec is named {spec.name!r}, its entry point {name!r}: they must agree"
    return ""


def _origin(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "unknown package"


class ToolBox:
    """The observers that work here, made once a process, and why the others do not."""

    def __init__(self, context: ObserverContext) -> None:
        """Set up every enabled observer.

        Raises:
            ConfigError: settings for an observer that does not exist, or a setting that it does not have.
        """
        self.observers: dict[str, Observer] = {}
        self.unavailable: dict[str, Unavailable] = {}
        self._listings = listings()
        known = {row.name for row in self._listings}
        for name in context.settings.observers:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                raise ConfigError(
                    f"observers.{name}: there is no such observer" + (f"; did you mean {close[0]}?" if close else "")
                )
        for row in self._listings:
            self._set_up(row, context)

    def _set_up(self, row: Listing, context: ObserverContext) -> None:
        if row.observer is None:
            self.unavailable[row.name] = Unavailable("broken_plugin", f"{row.origin}: {row.problem}")
            return
        settings = read_settings(row.observer.spec, context.settings.observers.get(row.name, {}))
        if not settings.enabled:
            self.unavailable[row.name] = Unavailable(
                "disabled", "switched off", f"--set observers.{row.name}.enabled=true"
            )
            return
        try:
            self.observers[row.name] = row.observer(settings, context)
        except ObserverUnavailableError as error:
            self.unavailable[row.name] = Unavailable(error.reason, error.message, error.hint)
        except Exception as error:
            log.debug("observer %s cannot be set up", row.name, exc_info=True)
            self.unavailable[row.name] = Unavailable("broken_plugin", f"{type(error).__name__}: {error}")

    @property
    def listings(self) -> tuple[Listing, ...]:
        return self._listings

    def offered(self, clip: Clip) -> tuple[Observer, ...]:
        """The observers that can say something about this clip."""
        return tuple(self._fitting(clip))

    def _fitting(self, clip: Clip) -> Iterator[Observer]:
        for observer in self.observers.values():
            if fits(observer.spec, clip.facts):
                yield observer

    def out_of_order(self, clip: Clip) -> dict[str, Unavailable]:
        """The observers that could say something about a clip of this kind, were they available."""
        specs = {row.name: row.spec for row in self._listings}
        fits: dict[str, Unavailable] = {}
        for name, why in self.unavailable.items():
            spec = specs.get(name)
            if why.reason != "disabled" and (spec is None or clip.facts.modality in spec.modalities):
                fits[name] = why
        return fits


def fits(spec: ObserverSpec, facts: MediaFacts) -> bool:
    """Whether an observer can say something about a clip of this kind."""
    has_stream = facts.has_audio if spec.needs == "audio" else facts.has_video if spec.needs == "video" else True
    return facts.modality in spec.modalities and has_stream


def read_settings(spec: ObserverSpec, values: Mapping[str, Any]) -> ObserverSettings:
    """An observer's settings from ``observers.NAME.*``.

    Raises:
        ConfigError: an unknown key (naming the nearest), or a bad value.
    """
    try:
        return spec.settings.model_validate(dict(values))
    except ValidationError as error:
        lines = []
        for item in error.errors(include_url=False):
            key = ".".join(str(part) for part in item["loc"])
            if item["type"] == "extra_forbidden":
                close = difflib.get_close_matches(key, spec.settings.model_fields, n=1)
                lines.append(
                    f"unknown key observers.{spec.name}.{key}"
                    + (f"; did you mean observers.{spec.name}.{close[0]}?" if close else "")
                )
            else:
                lines.append(f"observers.{spec.name}.{key}: {item['msg']}")
        raise ConfigError("; ".join(lines)) from None
