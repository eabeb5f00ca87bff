"""The list of observers, built-in and from installed packages, and the tool box made of those that work here.

Nothing of a package is imported in this process: see :mod:`omnidetective.observers.host`. A package that cannot be
imported, or that is no observer, is a row with its reason: it never stops anything else.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from omnidetective.errors import ConfigError, ObserverUnavailableError
from omnidetective.media.clip import Clip
from omnidetective.nearest import did_you_mean
from omnidetective.observers.base import Observer, ObserverContext, ObserverSettings, ObserverSpec
from omnidetective.observers.fields import SettingField, fields_of
from omnidetective.observers.guard import QUOTA, guarded, refusal
from omnidetective.observers.host.sources import GROUP, SourceRef
from omnidetective.observers.mcp.settings import is_mcp, source_of
from omnidetective.records import MediaFacts
from omnidetective.settings import Settings

if TYPE_CHECKING:
    from omnidetective.observers.host.plugins import Hosted, Plugins

BUILT_IN: Mapping[str, str] = {
    "asr": "omnidetective.observers.asr:Asr",
    "audio_llm": "omnidetective.observers.audio_llm:AudioLlm",
    "charts": "omnidetective.observers.charts:Charts",
    "code": "omnidetective.observers.code:Code",
    "colour": "omnidetective.observers.colour:ColourObserver",
    "faces": "omnidetective.observers.faces:Faces",
    "frame_captioner": "omnidetective.observers.frame_captioner:FrameCaptioner",
    "metadata": "omnidetective.observers.metadata:Metadata",
    "ocr": "omnidetective.observers.ocr:Ocr",
    "omni_llm": "omnidetective.observers.omni_llm:OmniLlm",
    "shots": "omnidetective.observers.shots:Shots",
    "sound": "omnidetective.observers.sound:Sound",
    "tables": "omnidetective.observers.tables:Tables",
    "video_llm": "omnidetective.observers.video_llm:VideoLlm",
}

_ENTRY_POINT: Final = "omnidetective.observers.host.sources:EntryPointSource"
_TAKEN: Final = "the name is taken: rename the entry point"
_BUILT_IN_SOURCES: Final = ("model set ", "workflow ")
_LIMITS: Final = frozenset(ObserverSettings.model_fields)
_opened_beside: ContextVar[list[Plugins] | None] = ContextVar("opened_beside", default=None)
"""What observers that build on a package have opened: closed with the tool box that is being made."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listing:
    """One row of the registry: what an observer is, or why nothing is known of it.

    Attributes:
        fields: its settings as they are here.
        settings_of: under which name it is set, where that is not its own: a server has one for all of its tools.
    """

    name: str
    origin: str
    spec: ObserverSpec | None
    problem: str = ""
    fields: tuple[SettingField, ...] = ()
    settings_of: str = ""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why an observer cannot work here, and what mends it."""

    reason: str
    message: str
    hint: str = ""

    @property
    def expected(self) -> bool:
        """Whether it is so by choice: switched off, nobody was cast for it, or it was asked as often as it may be."""
        return self.reason in ("disabled", "no_model", QUOTA)


def sources(settings: Settings) -> tuple[SourceRef, ...]:
    """Where observers come from that are not built in; those that are switched off are left out, and never loaded."""
    return _wanted(_points(), settings)


def _wanted(points: Sequence[EntryPoint], settings: Settings) -> tuple[SourceRef, ...]:
    first = _first(points)
    found = [_reference(point) for name, point in first.items() if name not in BUILT_IN]
    taken = {*BUILT_IN, *first}
    found += [source_of(name) for name, given in settings.observers.items() if is_mcp(given) and name not in taken]
    return tuple(ref for ref in found if settings.observers.get(ref.name, {}).get("enabled") is not False)


def _points() -> list[EntryPoint]:
    """The entry points of installed packages, in an order of their own. Looks at every package that there is."""
    return sorted(entry_points(group=GROUP), key=lambda point: (point.name, _origin(point)))


def _first(points: Sequence[EntryPoint]) -> dict[str, EntryPoint]:
    """The first of each name: others of the same name are left out."""
    return {point.name: point for point in reversed(points)}


def _reference(point: EntryPoint) -> SourceRef:
    return SourceRef(name=point.name, origin=_origin(point), opener=_ENTRY_POINT, target=point.value)


def _origin(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "unknown package"


class ToolBox:
    """The observers that work here, made once a process, and why the others do not."""

    def __init__(self, context: ObserverContext) -> None:
        """Set up every enabled observer. Blocking, while the processes of installed packages start.

        Raises:
            ConfigError: settings for an observer that does not exist, or a setting that it does not have.
        """
        self.observers: dict[str, Observer] = {}
        self.unavailable: dict[str, Unavailable] = {}
        self._given = context.settings.observers
        self._listings: list[Listing] = []
        self._plugins: list[Plugins] = []
        points = _points()
        refs = _wanted(points, context.settings)
        if refs:
            from omnidetective.observers.host.plugins import Plugins  # Only where there is something to host.

            self._plugins.append(Plugins(refs, context))
        begun = tuple(self._plugins)
        token = _opened_beside.set(self._plugins)
        try:
            for name, target in BUILT_IN.items():
                self._add_built_in(name, target, context)
            for plugins in begun:
                for hosted in plugins.hosted():
                    self._add_hosted(hosted, context)
            self._add_unloaded(points, {ref.name for ref in refs})
            self._check_names(context.settings)
        except BaseException:
            self.close()
            raise
        finally:
            _opened_beside.reset(token)

    def _add_built_in(self, name: str, target: str, context: ObserverContext) -> None:
        module, _, attribute = target.partition(":")
        kind: type[Observer] = getattr(importlib.import_module(module), attribute)
        settings = read_settings(kind.spec, context.settings.observers.get(name, {}))
        self._listings.append(Listing(name, "built-in", kind.spec, fields=fields_of(settings)))
        if not settings.enabled:
            self.unavailable[name] = _switched_off(name)
            return
        try:
            self.observers[name] = guarded(kind(settings, context), settings, context)
        except ObserverUnavailableError as error:
            self.unavailable[name] = Unavailable(error.reason, error.message, error.hint)
        except Exception as error:
            log.debug("observer %s cannot be set up", name, exc_info=True)
            self.unavailable[name] = Unavailable("broken_plugin", f"{type(error).__name__}: {error}")

    def _add_hosted(self, hosted: Hosted, context: ObserverContext) -> None:
        name, why = hosted.name, hosted.why
        if any(row.name == name for row in self._listings):
            self._listings.append(Listing(name, hosted.origin, None, _TAKEN))
            return
        problem = why.message if why is not None and hosted.spec is None else ""
        self._listings.append(Listing(name, hosted.origin, hosted.spec, problem, hosted.fields, hosted.source))
        if not hosted.enabled:
            self.unavailable[name] = _switched_off(name)
        elif why is not None:
            self.unavailable[name] = Unavailable(why.reason, f"{hosted.origin}: {why.message}", why.hint)
        elif hosted.observer is not None:
            self.observers[name] = guarded(hosted.observer, hosted.observer.spec.settings(), context)

    def _add_unloaded(self, points: Sequence[EntryPoint], used: Collection[str]) -> None:
        """Packages and servers that were not looked at: their name is taken, or they are switched off."""
        first = _first(points)
        for point in points:
            if point.name in BUILT_IN or first[point.name] != point:
                self._listings.append(Listing(point.name, _origin(point), None, _TAKEN))
            elif point.name not in used:
                self._listings.append(Listing(point.name, _origin(point), None, "switched off"))
                self.unavailable[point.name] = _switched_off(point.name)
        for name, given in self._given.items():
            if is_mcp(given) and name not in {*used, *first, *BUILT_IN}:
                self._listings.append(Listing(name, source_of(name).origin, None, "switched off"))
                self.unavailable[name] = _switched_off(name)

    def _check_names(self, settings: Settings) -> None:
        known = {row.name for row in self._listings}
        for name, given in settings.observers.items():
            if name not in known and not is_mcp(given):  # A server's tools may all be named NAME_TOOL.
                raise ConfigError(f"observers.{name}: there is no such observer{did_you_mean(name, known)}")

    def require_named(self, sources: Mapping[str, str]) -> None:
        """Refuse to begin without an observer that the user has set up and that cannot work.

        Limits, which every observer has, say how much of it is wanted at most, not that it is wanted.

        Args:
            sources: where each setting comes from, as the configuration knows it.

        Raises:
            ConfigError: with the reason, and the hint that mends it.
        """
        given = (key.split(".") for key, source in sources.items() if not source.startswith(_BUILT_IN_SOURCES))
        named = {key[1] for key in given if key[0] == "observers" and len(key) > 2 and key[2] not in _LIMITS}
        for name in sorted(named | {name for name, values in self._given.items() if values.get("enabled") is True}):
            why = self.unavailable.get(name)
            if why is not None and not why.expected:
                raise ConfigError(
                    f"observers.{name} is set, and {name} cannot work here: {why.message}",
                    hint=why.hint or f"--set observers.{name}.enabled=false does without it",
                )

    async def aclose(self) -> None:
        """End what was started for it. Safe to call twice."""
        for plugins in self._plugins:
            await plugins.aclose()

    def close(self) -> None:
        """As :meth:`aclose`, where nothing was asked. Blocking, for moments."""
        for plugins in self._plugins:
            plugins.close()

    @property
    def listings(self) -> tuple[Listing, ...]:
        return tuple(self._listings)

    def offered(self, clip: Clip) -> tuple[Observer, ...]:
        """The observers that can say something about this clip."""
        return tuple(self._fitting(clip))

    def _fitting(self, clip: Clip) -> Iterator[Observer]:
        for observer in self.observers.values():
            if fits(observer.spec, clip.facts) and refusal(observer, clip) is None:
                yield observer

    def out_of_order(self, clip: Clip) -> dict[str, Unavailable]:
        """The observers that could say something about a clip of this kind, were they available."""
        specs = {row.name: row.spec for row in self._listings}
        fits: dict[str, Unavailable] = {}
        for name, why in self.unavailable.items():
            spec = specs.get(name)
            if why.reason != "disabled" and (spec is None or clip.facts.modality in spec.modalities):
                fits[name] = why
        refused = ((name, refusal(observer, clip)) for name, observer in self.observers.items())
        return fits | {name: Unavailable(why.reason, why.message, why.hint) for name, why in refused if why is not None}

    def missing(self, name: str, clip: Clip) -> Unavailable | None:
        """Why an observer that is asked for is not offered; ``None`` where it has nothing to say of such a clip."""
        if (why := self.unavailable.get(name)) is not None:
            return why
        if (observer := self.observers.get(name)) is None:
            known = [row.name for row in self._listings]
            return Unavailable("unknown", f"there is no such observer{did_you_mean(name, known)}")
        refused = refusal(observer, clip)
        return None if refused is None else Unavailable(refused.reason, refused.message, refused.hint)


def _switched_off(name: str) -> Unavailable:
    return Unavailable("disabled", "switched off", f"--set observers.{name}.enabled=true")


def plugin(name: str, context: ObserverContext) -> Observer:
    """See :meth:`ObserverContext.plugin`."""
    if (point := _first(_points()).get(name)) is None:
        raise ObserverUnavailableError(
            f"no package that brings the observer {name} is installed",
            reason="not_installed",
            hint=f"pip install omnidetective-{name}",
        )
    from omnidetective.observers.host.plugins import Plugins

    opening = Plugins((_reference(point),), context)
    if (beside := _opened_beside.get()) is not None:
        beside.append(opening)
    (found,) = opening.hosted()
    if found.observer is None:
        assert found.why is not None, "there is an observer, or a reason"
        raise ObserverUnavailableError(
            f"{found.origin}: {found.why.message}", reason=found.why.reason, hint=found.why.hint
        )
    return guarded(found.observer, found.observer.spec.settings(), context)


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
                section = f"observers.{spec.name}."
                meant = did_you_mean(key, spec.settings.model_fields, prefix=section)
                lines.append(f"unknown key {section}{key}{meant}")
            else:
                lines.append(f"observers.{spec.name}.{key}: {item['msg']}")
        raise ConfigError("; ".join(lines)) from None
