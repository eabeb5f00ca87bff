"""The observers of a source, made once for each context that workers ask in, and described to them."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import Any, Final

from omnidetective.errors import ObserverUnavailableError, OmnidetectiveError
from omnidetective.observers.base import Observer, ObserverSettings
from omnidetective.observers.fields import fields_of
from omnidetective.observers.host.context import context_of
from omnidetective.observers.host.faults import Fault
from omnidetective.observers.host.sources import Source, SourceRef, Unready, opened_by
from omnidetective.observers.host.wire import Described, Open, Opened

_SHARE_OF_MEMORY: Final = 0.75


@dataclass(frozen=True, slots=True)
class Opening:
    """What came of opening a source in one context.

    Attributes:
        opened: for the worker.
        observers: by name.
        memory_mb: how much the process may hold; ``None``: it is not known how much there is.
    """

    opened: Opened
    observers: dict[str, Observer] = field(default_factory=dict)
    memory_mb: float | None = None


class Openings:
    """Opens one source, once for each context: all workers of a run come with the same one."""

    def __init__(self, ref: SourceRef) -> None:
        self._ref = ref
        self._source: Source | None = None
        self._made: dict[str, asyncio.Task[Opening]] = {}

    async def get(self, wanted: Open) -> Opening:
        """The observers of a context."""
        key = wanted.model_dump_json()
        if key not in self._made:
            self._made[key] = asyncio.create_task(self._open(wanted))
        return await asyncio.shield(self._made[key])

    async def close(self) -> None:
        """Give back what the source holds."""
        if self._source is not None:
            await self._source.close()

    async def _open(self, wanted: Open) -> Opening:
        try:
            context = context_of(wanted)
            if self._source is None:
                self._source = opened_by(self._ref)
            values = context.settings.observers.get(self._ref.name, {})
            made = await self._source.open(values, context)
            described = tuple(self._describe(observer, values) for observer in made)
        except OmnidetectiveError as error:
            return Opening(Opened(fault=Fault.of(error)))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, the worker has to be told
            said = f"{type(error).__name__}: {error}"
            return Opening(Opened(fault=Fault.of(ObserverUnavailableError(said, reason="broken_plugin"))))
        observers = {observer.spec.name: observer for observer in made}
        limits = [one.settings["memory_mb"] for one in described if one.settings.get("memory_mb")]
        memory_mb = max((float(str(limit)) for limit in limits), default=_most_memory_mb())
        return Opening(Opened(observers=described), observers, memory_mb)

    def _describe(self, observer: Observer, values: dict[str, Any]) -> Described:
        from omnidetective.observers.registry import read_settings

        spec = observer.spec
        if spec.name != self._ref.name and not spec.name.startswith(f"{self._ref.name}_"):
            said = f"its observer is named {spec.name!r}: it must be {self._ref.name!r} or begin with it and `_`"
            raise ObserverUnavailableError(said, reason="broken_plugin")
        settings = read_settings(spec, values)
        return Described(
            name=spec.name,
            observer_kind=spec.kind,
            modalities=tuple(spec.modalities),
            needs=spec.needs,
            description=spec.description,
            attributes=tuple(spec.attributes),
            role=spec.role,
            cost=spec.cost,
            settings=settings.model_dump(mode="json", include=set(ObserverSettings.model_fields)),
            fields=fields_of(settings),
            fault=Fault.of(observer.why) if isinstance(observer, Unready) else None,
        )


def _most_memory_mb() -> float | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * _SHARE_OF_MEMORY / 2**20
    except (OSError, ValueError):
        return None
