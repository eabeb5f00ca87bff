"""What a run does twice a second: it shows how far it is, and brings what is written to the disk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from omnidetective.engine.feed import Feed
from omnidetective.engine.moment import Moment
from omnidetective.engine.pace import Pace
from omnidetective.engine.progress import Progress
from omnidetective.engine.tally import Tally

_TICK_S: Final = 0.5


class Heartbeat:
    """Keeps a display up to date.

    Args:
        tally, feed: where the run is.
        sync: brings what is written to the disk; called in a thread.
        count: how many rows the input has, ``None`` where only reading it would tell; called in a thread.
        stopping: given how many clips are in flight, what becomes of them where no more are begun, in words.
        waiting: what waits for limits, in words; empty where nothing does.
        cap_usd: the most that the run may spend.
    """

    def __init__(
        self,
        tally: Tally,
        feed: Feed,
        progress: Progress,
        *,
        sync: Callable[[], None],
        count: Callable[[], int | None],
        stopping: Callable[[int], str],
        waiting: Callable[[], str] = lambda: "",
        cap_usd: Decimal | None = None,
    ) -> None:
        self._tally = tally
        self._feed = feed
        self._progress = progress
        self._sync = sync
        self._count = count
        self._stopping = stopping
        self._waiting = waiting
        self._cap_usd = cap_usd
        self._pace = Pace()
        self._total: int | None = None

    @property
    def in_flight(self) -> int:
        """Clips that workers have."""
        return self._feed.handed_out - self._tally.ended

    async def beat(self) -> None:
        """Go on until cancelled."""
        counting = asyncio.create_task(self._find_total())  # Of a large file that takes a while.
        try:
            await asyncio.wait({counting}, timeout=_TICK_S)
            while True:
                self.show()
                await asyncio.sleep(_TICK_S)
                await asyncio.to_thread(self._sync)
        finally:
            counting.cancel()

    def show(self) -> None:
        """Show how far the run is now."""
        tally, spent, in_flight = self._tally, self._tally.spent, self.in_flight
        self._pace.note(time.monotonic(), done=tally.ended, in_flight=in_flight, calls=spent.calls)
        total = tally.rows if self._feed.ended else self._total
        left = None if total is None else max(0, total - tally.recorded - tally.failed - tally.skipped)
        self._progress.show(
            Moment(
                total=total,
                recorded=tally.recorded,
                failed=tally.failed,
                skipped=tally.skipped,
                in_flight=in_flight,
                spent=spent,
                cap_usd=self._cap_usd,
                waiting=self._waiting(),
                stopping=self._stopping(in_flight) if self._feed.stopped else "",
                clips_per_s=self._pace.clips_per_s,
                calls_per_s=self._pace.calls_per_s,
                left_s=None if left is None else self._pace.left_s(left),
            )
        )

    async def _find_total(self) -> None:
        self._total = await asyncio.to_thread(self._count)
