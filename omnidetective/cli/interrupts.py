"""Ctrl-C at the border of the program: known in every disguise, never lost, and told once.

The answer to SIGINT stays Python's own for as long as a command works: only then does asyncio set up its own.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

import click

INTERRUPTED: Final = 130
"""Exit status (DESIGN §4)."""
_AGAIN_S: Final = 0.02


def is_interrupt(error: BaseException | None) -> bool:
    """Whether a Ctrl-C is behind an error that somebody else made of it.

    Python and C code chain theirs to it. Of the one that came upon pydantic's core while it built a model, only the
    name is left, at the end of a text.
    """
    while error is not None:
        if isinstance(error, (KeyboardInterrupt, click.Abort)):
            return True
        if type(error).__name__ == "SchemaError" and str(error).rstrip().endswith("\n  KeyboardInterrupt:"):
            return True
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return False


def ask_again(lost: Any) -> None:
    """As ``sys.unraisablehook``: code that cannot raise can lose a Ctrl-C; it is asked again when that code is left."""
    if lost.exc_type is None or not issubclass(lost.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return
    # A real signal, since it also wakes whoever waits.
    again = threading.Timer(_AGAIN_S, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
    again.daemon = True
    again.start()


def ignore_at_last() -> None:
    """When nothing runs any more but Python's own end, which takes back the answers to signals, ignore Ctrl-C."""
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)  # Registered first, called last.


def be_deaf() -> None:
    """Take no notice of Ctrl-C while the first one is told."""
    _answer(_unheard)


def settle(status: int) -> None:
    """Everything is told. What is left is to end: who presses Ctrl-C does not want to wait for that."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # Nobody reads it any more.
            stream.flush()

    def end(_number: int, _frame: FrameType | None) -> None:
        os._exit(status)

    _answer(end)


def undisturbed(work: Callable[[], object]) -> None:
    """Do something that would leave processes behind if Ctrl-C cut it short. From the main thread."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        work()
    finally:
        signal.signal(signal.SIGINT, before)


def _answer(handler: Any) -> None:
    # Where a shell or a program around this one has settled what SIGINT does, it stays so.
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) in (
        signal.default_int_handler,
        _unheard,
    ):
        signal.signal(signal.SIGINT, handler)


def _unheard(_number: int, _frame: FrameType | None) -> None:
    pass
