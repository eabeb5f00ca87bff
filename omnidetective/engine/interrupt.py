"""Ctrl-C: the first one lets the clips in flight finish, the second one stops now."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Iterator

from omnidetective.engine.feed import Feed
from omnidetective.engine.heartbeat import Heartbeat
from omnidetective.engine.worker import MANAGED_SIGNALS

_log = logging.getLogger(__name__)


class Interrupt:
    """Counts requests to stop."""

    def __init__(self) -> None:
        self.asked = 0
        self.forced = False
        self._feed: Feed | None = None
        self._heart: Heartbeat | None = None
        self._task = asyncio.current_task()

    def watch(self, feed: Feed, heart: Heartbeat) -> None:
        """The feed to stop, at once where that was asked for already; and who knows how many clips are in flight."""
        self._feed, self._heart = feed, heart
        if self.asked:
            feed.stop()

    def ask(self) -> None:
        """A signal came."""
        self.asked += 1
        if self.asked == 1:
            _log.warning(
                "stopping: no more clips are begun, %d in flight are finished first; Ctrl-C again stops now, and "
                "leaves them for the next run",
                self._in_flight(),
            )
            if self._feed is not None:
                self._feed.stop()
        elif not self.forced and self._feed is not None and self._task is not None:
            _log.warning("stopping now: %d clips in flight are left for the next run", self._in_flight())
            self.forced = True
            self._task.cancel()

    def in_words(self, in_flight: int) -> str:
        """What becomes of the clips in flight when no more are begun."""
        if self.forced:
            return f"stopped: {in_flight:,} in flight are left for the next run"
        again = "; Ctrl-C again stops now" if self.asked else ""
        return f"stopping: {in_flight:,} in flight are finished first{again}" if in_flight else "stopped"

    def _in_flight(self) -> int:
        return 0 if self._heart is None else self._heart.in_flight

    def absorb(self) -> bool:
        """Whether it was the second signal that cancelled the run; if so, the run ends like any other."""
        if self.forced and self._task is not None:
            self._task.uncancel()
        return self.forced


@contextlib.contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Answer SIGINT and SIGTERM for as long as the run goes on, where this is the main thread."""
    interrupt = Interrupt()
    loop = asyncio.get_running_loop()
    installed: list[signal.Signals] = []
    for number in MANAGED_SIGNALS:
        with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):
            loop.add_signal_handler(number, interrupt.ask)
            installed.append(number)
    try:
        yield interrupt
    finally:
        for number in installed:
            loop.remove_signal_handler(number)
