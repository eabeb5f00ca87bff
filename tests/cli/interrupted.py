"""A command that is interrupted by itself where Python or pydantic wraps the interrupt in an error, or loses it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import Any, Literal

import click
from pydantic import create_model

from omnidetective.cli.main import COMMANDS, main


class Loud(str):
    """A word that interrupts whoever asks how it is written."""

    __slots__ = ()

    def __repr__(self) -> str:
        signal.raise_signal(signal.SIGINT)
        return "loud"


class Named:
    """Interrupts whoever makes a class that holds it."""

    def __set_name__(self, owner: type, name: str) -> None:
        signal.raise_signal(signal.SIGINT)


class Dropped:
    """Interrupts whoever lets go of it."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def in_a_schema() -> None:
    create_model("Model", word=(Literal[Loud("word")], ...))


def in_a_class() -> None:
    type("Holder", (), {"held": Named()})


def lost() -> None:
    Dropped()
    time.sleep(60)


def in_a_clean_up() -> None:
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        signal.raise_signal(signal.SIGINT)


def while_it_is_told() -> None:
    class Pressed:
        """Standard error: Ctrl-C is pressed again while the first one is told."""

        def write(self, text: str) -> int:
            os.kill(os.getpid(), signal.SIGINT)
            return sys.__stderr__.write(text)  # type: ignore[union-attr]

        def flush(self) -> None:
            sys.__stderr__.flush()  # type: ignore[union-attr]

    sys.stderr = Pressed()  # type: ignore[assignment]
    signal.raise_signal(signal.SIGINT)


def after_the_end() -> None:
    import atexit

    atexit.register(signal.raise_signal, signal.SIGINT)
    signal.raise_signal(signal.SIGINT)


def a_fault() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    raise RuntimeError("a fault of the program")


@click.command()
@click.argument("where")
def interrupted(where: str) -> Any:
    globals()[where]()


if __name__ == "__main__":
    COMMANDS["interrupted"] = ("__main__", "")  # type: ignore[index]
    main()
