"""In a worker: tells the parent what clips in flight have spent so far, so that a long clip does not look idle."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Final

from omnidetective.engine.wire import Spending
from omnidetective.llm.usage import Meter, usage_scope

TELL_EVERY_S: Final = 0.5
"""Least time between two messages of one worker."""


class SpendingReport:
    """What the clips of this process spend, and how much of it has been told."""

    def __init__(self, send: Callable[[Spending], None]) -> None:
        self._send = send
        self._clips: dict[str, Meter] = {}
        self._told: dict[str, int] = {}

    @contextlib.contextmanager
    def clip(self, clip_id: str) -> Iterator[Meter]:
        """While a clip is in flight; the meter counts all that it spends."""
        with usage_scope() as meter:
            self._clips[clip_id] = meter
            try:
                yield meter
            finally:
                self._clips.pop(clip_id, None)
                self._told.pop(clip_id, None)

    async def keep_telling(self) -> None:
        """Tell what is new, now and then, until cancelled. A clip that is done tells the rest itself."""
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            if new := {i: m for i, m in self._clips.items() if m.additions != self._told.get(i, 0)}:
                self._told.update({clip_id: meter.additions for clip_id, meter in new.items()})
                self._send(Spending(tuple((clip_id, meter.total()) for clip_id, meter in new.items())))
