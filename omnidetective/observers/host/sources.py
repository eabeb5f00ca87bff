"""Where the process that hosts foreign observers gets them from. Only that process imports what a source names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from omnidetective.evidence import Frozen
from omnidetective.observers.base import Observer, ObserverContext


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
