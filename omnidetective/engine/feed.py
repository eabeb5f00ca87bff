"""The rows that are still to be done, handed out one by one while the input is read."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from omnidetective.engine.sorting import Clips, sort_lines
from omnidetective.engine.source import InputLine
from omnidetective.records import FailureRecord, InputRow

_BATCH_ROWS: Final = 64
_BATCH_CHARS: Final = 2**22
_BATCH_S: Final = 0.1


@dataclass(slots=True)
class Batch:
    """A stretch of the input, sorted.

    Attributes:
        wanted: clips to do.
        faults: rows that cannot be used.
        done: how many clips have a record already.
        failed_before: how many clips failed in an earlier run and are left alone.
        last_line: number of the last line read.
    """

    wanted: list[InputRow] = field(default_factory=list)
    faults: list[FailureRecord] = field(default_factory=list)
    done: int = 0
    failed_before: int = 0
    last_line: int = 0


def batches(
    lines: Iterable[InputLine], clips: Clips, *, again: Callable[[str, str], bool], limit: int | None
) -> Iterator[Batch]:
    """Sort the input, in batches small enough to be read between two heartbeats.

    Args:
        lines: the input.
        clips: what is known of clips.
        again: whether a clip that failed, by its id and the reason, is tried again.
        limit: only the first so many rows.
    """
    batch, chars, until = Batch(), 0, time.monotonic() + _BATCH_S
    for some in sort_lines(islice(lines, limit), clips, again=again):
        batch.done += some.done
        batch.failed_before += some.failed
        for row in some.rows:
            batch.last_line = row.line_number
            if isinstance(row, InputRow):
                batch.wanted.append(row)
                chars += len(row.media)
            else:
                batch.faults.append(row)
            if len(batch.wanted) >= _BATCH_ROWS or chars >= _BATCH_CHARS:
                yield batch
                batch, chars = Batch(last_line=batch.last_line), 0
        batch.last_line = some.last_line
        if batch.wanted or time.monotonic() >= until:
            yield batch
            batch, chars, until = Batch(last_line=batch.last_line), 0, time.monotonic() + _BATCH_S
    yield batch


class Feed:
    """Hands out rows to whoever is free, and reads on only when there are none left to hand out."""

    def __init__(
        self, source: Iterator[Batch], note: Callable[[Batch], None], begun: Callable[[InputRow], None]
    ) -> None:
        """
        Args:
            source: the sorted input; read in a thread, one batch at a time.
            note: told of each batch, in the thread of the event loop, before its rows are handed out.
            begun: told of each row that is handed out.
        """
        self._source = source
        self._note = note
        self._begun = begun
        self._rows: deque[InputRow] = deque()
        self._reading = asyncio.Lock()
        self._ended = False
        self.stopped = False
        self.handed_out = 0
        """Rows that were taken and not put back."""

    @property
    def ended(self) -> bool:
        """Whether the input was read to its end."""
        return self._ended

    @property
    def exhausted(self) -> bool:
        """Whether every row was handed out, and none came back."""
        return self._ended and not self._rows

    def stop(self) -> None:
        """Hand out no more rows."""
        self.stopped = True

    def put_back(self, row: InputRow) -> None:
        """Return a row that was not worked on."""
        self._rows.appendleft(row)
        self.handed_out -= 1

    async def ready(self) -> bool:
        """Whether there is a row to be had. May read on."""
        return await self.ahead(1) > 0

    async def ahead(self, most: int) -> int:
        """How many rows are to be had, counted up to ``most``. Reads on as far as that takes."""
        async with self._reading:
            while not (len(self._rows) >= most or self._ended or self.stopped):
                batch = await asyncio.to_thread(next, self._source, None)
                if batch is None:
                    self._ended = True
                else:
                    self._note(batch)
                    self._rows.extend(batch.wanted)
        return 0 if self.stopped else min(most, len(self._rows))

    async def count_rest(self) -> int:
        """How many rows were not handed out. Reads the input to its end, and tells nobody of what it finds there.

        For a feed that was stopped: there is nothing to be taken from it any more.
        """
        count = len(self._rows)
        async with self._reading:
            while (batch := await asyncio.to_thread(next, self._source, None)) is not None:
                count += len(batch.wanted)
        return count

    async def take(self) -> InputRow | None:
        """The next row; ``None`` when there are no more, or no more are to be begun."""
        while await self.ready():
            if self._rows:  # Another taker may have been faster.
                row = self._rows.popleft()
                self.handed_out += 1
                self._begun(row)
                return row
        return None
