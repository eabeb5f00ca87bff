"""The connection to Ray: a cluster that is there, or a Ray of our own that ends with the connection."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import logging
import math
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any, Final, TextIO

from omnidetective.errors import ConfigError
from omnidetective.settings import RaySettings

_OBJECT_STORE_BYTES: Final = 256 * 2**20
"""Rows and records larger than 100 kB pass through it."""
_REACH_S: Final = 10.0
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def connected(settings: RaySettings, *, num_workers: int) -> Iterator[None]:
    """Be connected to Ray; where no address is given, to one of our own, on loopback only.

    A process that is connected already stays so, and its connection is used.

    Args:
        num_workers: actors that a Ray of our own must have room for.

    Raises:
        ConfigError: Ray is not installed, or the cluster cannot be reached.
    """
    local = settings.address is None
    if settings.address is not None:
        _check_address(settings.address)
    # Before the import: Ray reads some of them only then.
    with _environment(local=local), _quiet():
        ray = _import()
        if ray.is_initialized():
            yield
            return
        options: dict[str, Any] = {"configure_logging": False, "log_to_driver": False}
        if local:
            options |= {
                "address": "local",
                "include_dashboard": False,
                # As many workers as the user asked for, like processes; Ray would count the processors.
                "num_cpus": max(1, math.ceil(num_workers * settings.num_cpus)),
                "object_store_memory": _OBJECT_STORE_BYTES,
            }
        else:
            options |= {"address": settings.address}
        _start(ray, options, "Ray cannot be started here" if local else f"cannot join the cluster {settings.address}")
        try:
            yield
        finally:
            with contextlib.redirect_stdout(
                _WithoutRay(sys.stdout, all_threads=True)
            ):  # It says here what it held back.
                ray.shutdown()


def is_shared(settings: RaySettings) -> bool:
    """Whether actors may run on other machines than this one."""
    ray = sys.modules.get("ray")
    return settings.address is not None or (ray is not None and ray.is_initialized())


def _import() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise ConfigError(
            f"--engine ray needs Ray, which is not installed ({error})", hint="pip install 'omnidetective[ray]'"
        ) from error


def _start(ray: Any, options: dict[str, Any], failed: str) -> None:
    # In this thread, although it takes seconds: what Ray starts dies with the thread that started it.
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ray.init(**options)
    except (ray.exceptions.RayError, OSError, RuntimeError, ValueError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"{failed}: {said}",
            hint="the run must be started on a machine of the cluster, with the same versions of Python and Ray",
        ) from error
    finally:
        # Ray answers SIGTERM by itself; here the run does.
        for number, handler in before.items():
            if threading.current_thread() is threading.main_thread() and signal.getsignal(number) != handler:
                signal.signal(number, handler)


def _check_address(address: str) -> None:
    """Refuse what Ray would try in vain for a minute."""
    if address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if address.startswith("ray://") or not (colon and host and port.isdecimal()):
        raise ConfigError(
            f"--ray-address takes host:port of the cluster's head, or auto, not {address!r}",
            hint="start the run on a machine of the cluster, for example by `ray job submit` or on its head",
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_S).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"no Ray cluster answers at {address}: {error}",
            hint="start one with `ray start --head`, and give what it prints; or leave --ray-address out",
        ) from error


@functools.cache
def _token() -> str:
    """What only our own Ray's processes know; Ray would write one to the user's home. One a process: Ray keeps it."""
    return secrets.token_hex(32)


@contextlib.contextmanager
def _environment(*, local: bool) -> Iterator[None]:
    """Ray's switches that are environment variables. What the user has set stays."""
    wanted = {"RAY_USAGE_STATS_ENABLED": "0"}  # Nobody is told what is run here.
    if local:
        wanted["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # Its name for: be reached over loopback only.
        if "RAY_AUTH_MODE" not in os.environ:
            wanted |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": _token()}
    mine = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(mine)
    try:
        yield
    finally:
        for name in mine:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray's own words off the terminal: the run says itself what happened to an actor, and to which clips."""
    logger = logging.getLogger("ray")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(_WithoutRay(sys.stdout)):
            yield
    finally:
        logger.setLevel(before)


class _WithoutRay(io.TextIOBase):
    """Standard output, for all threads but Ray's, which print there what nodes report; that goes to the log."""

    def __init__(self, out: TextIO, *, all_threads: bool = False) -> None:
        self._out = out
        self._all_threads = all_threads

    def write(self, text: str) -> int:
        if not (self._all_threads or threading.current_thread().name.startswith("ray_")):
            return self._out.write(text)
        if said := text.strip():
            _log.info("Ray says: %s", said)
        return len(text)

    def flush(self) -> None:
        self._out.flush()

    def isatty(self) -> bool:
        return self._out.isatty()

    def fileno(self) -> int:
        return self._out.fileno()
