"""What a person sees while a run goes on: a bar on a terminal, a plain line now and then elsewhere. All on stderr."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from decimal import Decimal
from typing import Final, Protocol, TextIO

from omnidetective.engine.tally import Tally

LINE_EVERY_S: Final = 30.0
"""How often a plain line says how far the run is."""


class Progress(Protocol):
    """Shows how far a run is."""

    def show(self, tally: Tally, *, total: int | None) -> None:
        """Bring the display up to date; ``total`` is the number of lines of the input, where it is known."""
        ...

    def write(self, text: str) -> None:
        """Show a line of text without breaking the display."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was. Safe to call twice."""
        ...


class Silent:
    """Shows nothing but lines of text."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def show(self, tally: Tally, *, total: int | None) -> None:
        """Nothing."""

    def write(self, text: str) -> None:
        with _nobody_listening():
            self._stream.write(f"{text}\n")
            self._stream.flush()

    def close(self) -> None:
        """Nothing."""


class Lines(Silent):
    """A plain line every :data:`LINE_EVERY_S` seconds, for files and CI."""

    def __init__(self, stream: TextIO | None = None, *, every_s: float = LINE_EVERY_S) -> None:
        super().__init__(stream)
        self._every_s = every_s
        self._next = time.monotonic() + every_s

    def show(self, tally: Tally, *, total: int | None) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every_s
            of = "" if total is None else f" of {total:,}"
            self.write(f"{tally.recorded + tally.failed + tally.skipped:,}{of} clips · {counts(tally)}")


class Bar(Silent):
    """A bar, for a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        from tqdm import tqdm

        super().__init__(stream)
        self._bar = tqdm(unit="clip", file=self._stream, dynamic_ncols=True, smoothing=0.05)

    def show(self, tally: Tally, *, total: int | None) -> None:
        with _nobody_listening():
            # What was skipped counts for how far the run is, not for how fast it is.
            self._bar.initial = tally.skipped
            self._bar.n = tally.recorded + tally.failed + tally.skipped
            self._bar.total = total
            self._bar.set_postfix_str(counts(tally), refresh=False)
            self._bar.refresh()

    def write(self, text: str) -> None:
        with _nobody_listening():
            self._bar.write(text, file=self._stream)

    def close(self) -> None:
        with _nobody_listening():
            self._bar.close()


def _nobody_listening() -> contextlib.suppress:
    """A stream that is closed at the other end does not stop the run."""
    return contextlib.suppress(OSError, ValueError)


def progress_for(stream: TextIO, *, quiet: bool) -> Progress:
    """The display that suits a stream."""
    if quiet:
        return Silent(stream)
    return Bar(stream) if _has_room(stream) else Lines(stream)


def _has_room(stream: TextIO) -> bool:
    """Whether the stream is a terminal with a size; those of containers often have none, and would show nothing."""
    try:
        return stream.isatty() and os.get_terminal_size(stream.fileno()).columns > 0
    except (OSError, ValueError):
        return False


def counts(tally: Tally) -> str:
    """Failed, skipped, calls, tokens and cost, in one line."""
    spent = tally.spent
    tokens = spent.prompt_tokens + spent.completion_tokens
    more = "+" if spent.unreported else ""
    return (
        f"{tally.failed:,} failed · {tally.skipped:,} skipped · {spent.calls:,} calls · "
        f"{tokens:,}{more} tokens · cost {money(spent.cost_usd)}"
    )


def money(cost_usd: Decimal | None) -> str:
    """US dollars for people; an unknown cost is unknown."""
    if cost_usd is None:
        return "unknown"
    return f"${cost_usd:.2f}" if cost_usd >= 1 or cost_usd == 0 else f"${cost_usd:.4f}"
