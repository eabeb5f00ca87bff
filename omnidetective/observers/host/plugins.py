"""Opening sources: their processes are started side by side, and say what observers they have."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ConfigDict, create_model

from omnidetective.errors import ConfigError, ObserverUnavailableError, OmnidetectiveError
from omnidetective.framing import LENGTHS, WireError, begin
from omnidetective.llm.cast import Cast
from omnidetective.model_sets import ROLES
from omnidetective.observers.base import Observer, ObserverContext, ObserverSettings, ObserverSpec
from omnidetective.observers.fields import SettingField
from omnidetective.observers.host import processes
from omnidetective.observers.host.client import HostClient, IsolatedObserver
from omnidetective.observers.host.faults import Fault
from omnidetective.observers.host.processes import Address
from omnidetective.observers.host.sources import SourceRef
from omnidetective.observers.host.wire import (
    FROM_HOST,
    FROM_HOST_MOST,
    Described,
    FromHost,
    Hello,
    Open,
    Opened,
    RoleCast,
    understood,
)

_LOAD_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Hosted:
    """One observer of a source, or why there is none.

    Attributes:
        name: the observer's, or the source's where it has none.
        spec: ``None`` where nothing is known of it.
        observer: to be asked; ``None`` where it cannot work.
        enabled: whether its settings offer it to the detective.
        fields: its settings.
        why: why it cannot work.
        source: the name under which it is set.
    """

    name: str
    origin: str
    spec: ObserverSpec | None = None
    observer: Observer | None = None
    enabled: bool = True
    fields: tuple[SettingField, ...] = ()
    why: Fault | None = None
    source: str = ""


class Plugins:
    """Sources that are being opened: begun at once for all, then waited for."""

    def __init__(self, refs: Iterable[SourceRef], context: ObserverContext) -> None:
        self._context = context
        self._refs = tuple(refs)
        self._clients: list[HostClient] = []
        self._begun: list[tuple[SourceRef, _Begun | Fault]] = []
        if self._refs:
            message = _open_message(context)
            self._begun = [(ref, self._begin(ref, message)) for ref in self._refs]

    def hosted(self) -> tuple[Hosted, ...]:
        """The observers of all sources. Blocking, until each has answered or its time is up.

        Raises:
            ConfigError: settings that the user gave are wrong.
        """
        found: list[Hosted] = []
        for ref, begun in self._begun:
            try:
                opened = Opened(fault=begun) if isinstance(begun, Fault) else begun.opened()
            except OmnidetectiveError as error:
                opened = Opened(fault=Fault.of(error))
            if opened.fault is not None:
                self._insist(ref, opened.fault)
                found.append(Hosted(ref.name, ref.origin, why=opened.fault))
            elif not isinstance(begun, Fault):
                found += self._made(ref, begun, opened)
        return tuple(found)

    async def aclose(self) -> None:
        """Close connections; then as :meth:`close`."""
        for client in self._clients:
            await client.aclose()
        self.close()

    def close(self) -> None:
        """Give the processes back. Safe to call twice."""
        refs, self._refs = self._refs, ()
        if refs:
            processes.give_back(refs)

    def _begin(self, ref: SourceRef, message: Open) -> _Begun | Fault:
        try:
            return _Begun(ref, processes.take(ref), message, load_s=_load_s(self._context.settings.observers, ref.name))
        except ObserverUnavailableError as error:
            return Fault.of(error)

    def _made(self, ref: SourceRef, begun: _Begun, opened: Opened) -> list[Hosted]:
        client = HostClient(ref.name, begun.address, begun.message, self._context, load_s=begun.load_s)
        self._clients.append(client)
        made = []
        for one in opened.observers:
            spec = _spec(one)
            observer = IsolatedObserver(spec, client) if one.fault is None else None
            made.append(
                Hosted(
                    one.name,
                    ref.origin,
                    spec,
                    observer,  # type: ignore[arg-type]  # made otherwise, asked the same
                    bool(one.settings.get("enabled", True)),
                    one.fields,
                    one.fault,
                    ref.name,
                )
            )
        return made

    def _insist(self, ref: SourceRef, fault: Fault) -> None:
        """Wrong settings are the user's to mend; where the user gave none, it is the package that is wrong."""
        if fault.type == ConfigError.__name__ and self._context.settings.observers.get(ref.name):
            raise fault.error()


@dataclass(slots=True)
class _Begun:
    """A source that was asked to open, on a connection of its own."""

    ref: SourceRef
    address: Address
    message: Open
    load_s: float
    _socket: socket.socket = field(init=False)
    _deadline: float = field(init=False)
    _pid: int = 0
    _lost: bool = False

    def __post_init__(self) -> None:
        self._deadline = time.monotonic() + self.load_s
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.settimeout(self.load_s)
            self._socket.connect(os.fspath(self.address.host))
            self._socket.sendall(begin(self.message.model_dump_json().encode()))
        except OSError:
            self._lost = True

    def opened(self) -> Opened:
        """What the source has.

        Raises:
            ObserverUnavailableError: its process ended, or was not ready in time.
        """
        with self._socket:
            try:
                while not self._lost:
                    message = self._next()
                    if isinstance(message, Opened):
                        return message
                    if isinstance(message, Hello):
                        self._pid = message.pid
            except TimeoutError:
                self.address.ask({"ask": "stuck", "pid": self._pid, "final": True})
                raise ObserverUnavailableError(
                    f"was not ready after {self.load_s:g} s",
                    reason="load_timeout",
                    hint=f"--set observers.{self.ref.name}.load_timeout_s={2 * self.load_s:g}, "
                    f"or --set observers.{self.ref.name}.enabled=false",
                ) from None
            except (OSError, EOFError):
                pass
            except WireError as error:
                raise ObserverUnavailableError(
                    f"said what cannot be understood: {error}", reason="plugin_died"
                ) from None
        how, _ = self.address.ask({"ask": "end", "pid": self._pid})
        raise ObserverUnavailableError(
            f"its process {how} while it was loaded",
            reason="plugin_died",
            hint=f"--log-file says what it printed; --set observers.{self.ref.name}.enabled=false does without it",
        )

    def _next(self) -> FromHost:
        header_bytes, payload_bytes = FROM_HOST_MOST.check(self._read(LENGTHS.size))
        header = self._read(header_bytes)
        self._read(payload_bytes)
        return understood(header, FROM_HOST)

    def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            left_s = self._deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            self._socket.settimeout(left_s)
            chunk = self._socket.recv(min(size - len(data), 1 << 20))
            if not chunk:
                raise EOFError
            data += chunk
        return bytes(data)


def _spec(one: Described) -> ObserverSpec:
    """What a worker knows of an observer; of its settings, those that every observer has, as they are here."""
    fields: dict[str, Any] = {
        name: (info.annotation, one.settings.get(name, info.default))
        for name, info in ObserverSettings.model_fields.items()
    }
    return ObserverSpec(
        name=one.name,
        kind=one.observer_kind,
        modalities=one.modalities,
        description=one.description,
        needs=one.needs,
        attributes=one.attributes,
        settings=create_model(f"SettingsOf_{one.name}", __base__=_OpenSettings, **fields),
        role=one.role,
        cost=one.cost,
    )


class _OpenSettings(ObserverSettings):
    """The package's own settings are known, and were checked, in its process alone."""

    model_config = ConfigDict(extra="ignore")


def _load_s(observers: Mapping[str, Mapping[str, Any]], name: str) -> float:
    given = observers.get(name, {}).get("load_timeout_s")
    return float(given) if isinstance(given, int | float) and given > 0 else _LOAD_S


def _open_message(context: ObserverContext) -> Open:
    cast = context.cast
    roles = tuple(_role(cast, role) for role in _roles(context))  # Makes the models: only now are all names known.
    return Open(
        settings=context.settings.model_dump(mode="json"),
        model_set=context.model_set.model_dump(mode="json"),
        names=cast.names(),
        roles=roles,
    )


def _roles(context: ObserverContext) -> list[str]:
    model_set = context.model_set
    return sorted({*model_set.roles, *(role for role in ROLES if model_set.spec(role) is not None)})


def _role(cast: Cast, role: str) -> RoleCast:
    told = RoleCast(role=role)
    try:
        chat = cast.chat(role)
        told = told.model_copy(update={"name": chat.name, "capabilities": chat.capabilities})
    except OmnidetectiveError as error:
        told = told.model_copy(update={"fault": Fault.of(error)})
    try:
        transcriber = cast.transcriber(role)
        return told.model_copy(update={"transcriber": transcriber.name, "hearing": transcriber.hearing})
    except OmnidetectiveError as error:
        return told.model_copy(update={"transcriber_fault": Fault.of(error)})
