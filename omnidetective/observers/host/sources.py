"""Where the process that hosts foreign observers gets them from. Only that process imports what a source names."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from typing import Any, ClassVar, Final, Protocol

from omnidetective.errors import ObserverUnavailableError, OmnidetectiveError
from omnidetective.evidence import Span
from omnidetective.frozen import Frozen
from omnidetective.media.clip import Clip
from omnidetective.observers.base import Observer, ObserverContext, ObserverSettings, ObserverSpec
from omnidetective.records import Observation

GROUP: Final = "omnidetective.observers"
"""Entry points of this group are observers."""

log = logging.getLogger(__name__)


class Source(Protocol):
    """Something that gives observers, inside the host process: an installed entry point, a server.

    One source has one process. It is made by the function or class that :attr:`SourceRef.opener` names, called with the
    :class:`SourceRef`.
    """

    async def open(self, values: Mapping[str, Any], context: ObserverContext) -> tuple[Observer, ...]:
        """Make the observers. Called once for each context that asks, so perhaps more than once in a process.

        Args:
            values: the user's ``observers.NAME.*``, not validated yet: see ``registry.read_settings``.
            context: as an observer gets it; its chat models call back to whoever asks the question.

        Returns:
            Observers whose names are ``NAME`` or begin with ``NAME_``.

        Raises:
            ConfigError: the settings are wrong.
            ObserverUnavailableError: it cannot work here; the reason and the hint are shown to the user.
        """
        ...

    async def close(self) -> None:
        """Give back what is held. The process ends soon after, whether or not this returns."""
        ...


class SourceRef(Frozen):
    """A source by name, as the registry knows it without importing anything of it.

    Attributes:
        name: its settings are ``observers.NAME.*``.
        origin: where it comes from, for people: ``lamp-plug 1.2``.
        opener: ``module:attribute`` of what makes the :class:`Source` in the host process.
        target: for the opener: what to load, where to connect.
    """

    name: str
    origin: str
    opener: str
    target: str


class Unready:
    """Stands for an observer that cannot work here: what it is, and why not."""

    spec: ClassVar[ObserverSpec]

    def __init__(self, spec: ObserverSpec, why: OmnidetectiveError) -> None:
        self.spec = spec  # type: ignore[misc]  # its own, not its class's
        self.why = why

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        """Raises why it cannot."""
        raise self.why


class EntryPointSource:
    """An installed package's entry point: one observer class."""

    def __init__(self, ref: SourceRef) -> None:
        self._ref = ref

    async def open(self, values: Mapping[str, Any], context: ObserverContext) -> tuple[Observer, ...]:
        """See :class:`Source`."""
        from omnidetective.observers.registry import read_settings

        found = self._load()
        settings = read_settings(found.spec, values)
        return (_made(found, settings, context),)

    async def close(self) -> None:
        """An observer has no end of its own."""

    def _load(self) -> type[Observer]:
        try:
            loaded = EntryPoint(self._ref.name, self._ref.target, GROUP).load()
        except (Exception, SystemExit) as error:
            log.warning("%s cannot be imported", self._ref.target, exc_info=True)
            said = f"{type(error).__name__}: {error}"
            raise ObserverUnavailableError(f"cannot be imported: {said}", reason="broken_plugin") from error
        if problem := _not_an_observer(loaded, self._ref.name):
            raise ObserverUnavailableError(problem, reason="broken_plugin")
        found: type[Observer] = loaded
        return found


def opened_by(ref: SourceRef) -> Source:
    """The source that a reference names. Only for the host process.

    Raises:
        ObserverUnavailableError: what opens it cannot be imported.
    """
    module, _, attribute = ref.opener.partition(":")
    try:
        source: Source = getattr(importlib.import_module(module), attribute)(ref)
    except (Exception, SystemExit) as error:
        log.warning("%s cannot be imported", ref.opener, exc_info=True)
        said = f"{type(error).__name__}: {error}"
        raise ObserverUnavailableError(f"cannot be imported: {said}", reason="broken_plugin") from error
    return source


def _made(found: type[Observer], settings: ObserverSettings, context: ObserverContext) -> Observer:
    try:
        return found(settings, context)
    except OmnidetectiveError as error:
        return Unready(found.spec, error)
    except (Exception, SystemExit) as error:
        log.warning("%s cannot be set up", found.spec.name, exc_info=True)
        said = f"{type(error).__name__}: {error}"
        return Unready(found.spec, ObserverUnavailableError(said, reason="broken_plugin"))


def _not_an_observer(loaded: Any, name: str) -> str:
    spec = getattr(loaded, "spec", None)
    if not isinstance(spec, ObserverSpec):
        return "is no observer: it has no `spec` of type ObserverSpec"
    if not callable(getattr(loaded, "observe", None)):
        return "is no observer: it has no method `observe`"
    if spec.name != name:
        return f"its spec is named {spec.name!r}, its entry point {name!r}: they must agree"
    return ""
