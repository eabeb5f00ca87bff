"""Running the embedded models: loaded once a process, a few at a time, off the event loop."""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import os
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from omnidetective.errors import ObserverUnavailableError

T = TypeVar("T")

_AT_ONCE = 2
"""Inferences at a time in one process: while one waits for memory or Python, the other computes."""
_MOST_THREADS = 4
"""More threads than this gain little with models so small."""

_models: dict[Hashable, Any] = {}
_locks: dict[Hashable, threading.Lock] = {}
_guard = threading.Lock()
_of_the_parent: list[Any] = []
"""What a fork has brought along and must never be taken apart here."""


def require_packages(*modules: str) -> None:
    """Say early, and without importing anything, that a package of the embedded cast is missing.

    Raises:
        ObserverUnavailableError: ``not_installed``, with the command that installs it.
    """
    missing = [name for name in modules if not _is_installed(name)]
    if missing:
        raise ObserverUnavailableError(
            f"the package {missing[0].replace('_', '-')} is not installed",
            reason="not_installed",
            hint="pip install 'omnidetective[local]'",
        )


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:
        # Its module is there and has no spec: OpenCV is so while another thread is loading it.
        return True


def threads_for(num_workers: int) -> int:
    """Threads for one model, so that all worker processes together keep the processors busy and no busier."""
    return max(1, min(_MOST_THREADS, processors() // max(1, num_workers)))


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_once(key: Hashable, load: Callable[[], T]) -> T:
    """The model of this key, loaded by whoever asks first; others wait for it. A failure is not remembered."""
    with _guard:
        lock = _locks.setdefault(key, threading.Lock())
    with lock:
        if key not in _models:
            _models[key] = load()
        model: T = _models[key]
        return model


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="inference")


async def infer(function: Callable[[], T]) -> T:
    """Run blocking work in one of the few threads kept for it; the wait for a free one is cancelled with the caller."""
    return await asyncio.get_running_loop().run_in_executor(_pool(), function)


def _after_fork() -> None:
    # Threads and locks do not survive a fork, and the end of a model waits for its threads for ever.
    global _guard
    _guard = threading.Lock()
    _locks.clear()
    _of_the_parent.append(dict(_models))
    _models.clear()
    _pool.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
