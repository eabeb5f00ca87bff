"""The thread that starts and reaps child processes, so that the event loop waits for neither.

One thread for the whole program, kept until its end: Linux kills a child when the *thread* that started it ends (see
``worker.die_with``), and multiprocessing's book-keeping of children is not made for several threads at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import multiprocessing
import multiprocessing.resource_tracker
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.context import SpawnProcess
from typing import Final, TypeVar

from omnidetective.engine.worker import MANAGED_SIGNALS

T = TypeVar("T")

SPAWN: Final = multiprocessing.get_context("spawn")


async def start_process(process: SpawnProcess) -> None:
    """Start a process. Cancelled, it has been started or not, but nothing is under way any more."""
    await _in_thread(functools.partial(_start, process))


async def reap_process(process: SpawnProcess) -> int | None:
    """The exit code of a process that has ended (negative: the signal that ended it)."""

    def reap() -> int | None:
        process.join()
        return process.exitcode

    return await _in_thread(reap)


def _start(process: SpawnProcess) -> None:
    # Multiprocessing's own helper process first: starting it lets the signals through again.
    multiprocessing.resource_tracker.ensure_running()
    with _signals_held():
        process.start()


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """A new process begins with Ctrl-C held back, until it has said how it answers."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, MANAGED_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@functools.cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="starter")


async def _in_thread(function: Callable[[], T]) -> T:
    doing = asyncio.get_running_loop().run_in_executor(_thread(), function)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait({doing})
        raise
