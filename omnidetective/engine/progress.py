"""What a person sees while a run goes on: a bar on a terminal, a plain line now and then elsewhere. All on stderr."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import Final, Protocol, TextIO

from omnidetective.engine.moment import Moment, details, headline

LINE_EVERY_S: Final = 30.0
"""How often a plain line says how far the run is."""

_ANY_WIDTH: Final = 10_000
_WITH_BAR: Final = "{percentage:3.0f}%|{bar}| {desc}"
_BAR_COLUMNS: Final = 16
"""What the bar takes of a line at least: the percentage, the frame, and ten columns of bar."""
_ROOM_FOR_BAR: Final = 60


class Progress(Protocol):
    """Shows how far a run is."""

    def show(self, moment: Moment) -> None:
        """Bring the display up to date."""
        ...

    def write(self, text: str) -> None:
        """Show a line of text without breaking the display."""
        ...

    def close(self) -> None:
        """Show the last moment, and leave the terminal as it was. Safe to call twice."""
        ...


class Silent:
    """Shows nothing but lines of text."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def show(self, moment: Moment) -> None:
        """Nothing."""

    def write(self, text: str) -> None:
        with _nobody_listening():
            self._stream.write(f"{text}\n")
            self._stream.flush()

    def close(self) -> None:
        """Nothing."""


class Lines(Silent):
    """A plain line at the start, at the end and every :data:`LINE_EVERY_S` seconds, for files and CI."""

    def __init__(self, stream: TextIO | None = None, *, every_s: float = LINE_EVERY_S) -> None:
        super().__init__(stream)
        self._every_s = every_s
        self._next = time.monotonic()
        self._untold: Moment | None = None

    def show(self, moment: Moment) -> None:
        self._untold = moment
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every_s
            self._tell()

    def close(self) -> None:
        self._tell()

    def _tell(self) -> None:
        if self._untold is not None:
            self.write(f"{headline(self._untold, _ANY_WIDTH)} · {details(self._untold, _ANY_WIDTH)}")
            self._untold = None


class Bar(Silent):
    """A bar and a line below it, for a terminal. What does not fit is left out, the lesser parts first."""

    def __init__(self, stream: TextIO | None = None) -> None:
        from tqdm import tqdm

        super().__init__(stream)
        self._bar = tqdm(file=self._stream, dynamic_ncols=True, bar_format="{desc}", position=0, leave=True)
        self._below = tqdm(file=self._stream, dynamic_ncols=True, bar_format="{desc}", position=1, leave=True)

    def show(self, moment: Moment) -> None:
        with _nobody_listening():
            columns = _columns(self._stream)
            with_bar = bool(moment.total) and columns >= _ROOM_FOR_BAR
            self._bar.bar_format = _WITH_BAR if with_bar else "{desc}"
            self._bar.total = moment.total
            self._bar.n = moment.done if moment.total is None else min(moment.done, moment.total)
            self._bar.desc = headline(moment, columns - _BAR_COLUMNS if with_bar else columns)
            # Short of the end of the line, for the terminal writes ^C behind it, which must not break the line.
            self._below.desc = details(moment, columns - len("^C") - 1)
            self._bar.refresh()
            self._below.refresh()

    def write(self, text: str) -> None:
        with _nobody_listening():
            self._bar.write(text, file=self._stream)

    def close(self) -> None:
        with _nobody_listening():
            self._bar.close()
            self._below.close()


def _nobody_listening() -> contextlib.suppress:
    """A stream that is closed at the other end does not stop the run."""
    return contextlib.suppress(OSError, ValueError)


def progress_for(stream: TextIO, *, quiet: bool) -> Progress:
    """The display that suits a stream."""
    if quiet:
        return Silent(stream)
    return Bar(stream) if _columns(stream) > 0 else Lines(stream)


def _columns(stream: TextIO) -> int:
    """Width of a terminal; 0 for all else, and for those of containers that have no size and would show nothing."""
    try:
        return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except (OSError, ValueError):
        return 0
