"""What comes in while a run goes on, rows of the input and clips that are done, and where all of it is noted."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Final

from omnidetective.engine.breaker import Breaker
from omnidetective.engine.feed import Batch
from omnidetective.engine.ledger import Ledger
from omnidetective.engine.source import Part
from omnidetective.engine.state_schema import Fault
from omnidetective.engine.tally import Tally
from omnidetective.engine.wire import Finished
from omnidetective.records import FailureDetail

_FAILURES_SHOWN: Final = 20
_log = logging.getLogger(__name__)


class Bookings:
    """Notes everything in the ledger, the tally, the breaker and the log."""

    def __init__(self, ledger: Ledger, shard: Part, breaker: Breaker) -> None:
        self.tally = Tally()
        self._ledger = ledger
        self._shard = shard
        self._breaker = breaker
        self._last_line = 0

    def note(self, batch: Batch) -> None:
        """A stretch of the input was read."""
        self.tally.read(batch)
        self._last_line = batch.last_line or self._last_line
        self._ledger.add_row_faults(batch.faults)
        for failure in batch.faults:
            self._tell(failure.id, failure.error, f"line {failure.line_number}: ")

    def deliver(self, clip: Finished) -> None:
        """A clip is done."""
        if clip.left_out:
            self._ledger.leave(clip.id)
            self.tally.finished(clip)
            return
        if clip.failure is None:
            self._ledger.add_record(clip.id, clip.line)
        else:
            self._ledger.add_failure(clip.id, clip.line)
        self.tally.finished(clip)
        if clip.failure is None:
            self._breaker.saw_record()
        elif self._breaker.explains(clip.failure):
            _log.info("no record: %s", clip.failure.message, extra={"clip": clip.id})
        else:
            self._tell(clip.id, clip.failure, "")
            self._breaker.saw_failure(clip.failure)
            if self._breaker.explains(clip.failure):
                _log.info("no more clips are begun: the circuit breaker has opened", extra={"clip": clip.id})

    def faults_that_stand(self, *, read_to_end: bool) -> Callable[[Fault], bool]:
        """Which faults of rows stand, besides those that this run found: those of rows that it did not look at."""
        last_line = math.inf if read_to_end else self._last_line
        return lambda fault: fault.line > last_line or not self._shard.holds(fault.id)

    def _tell(self, clip_id: str, failure: FailureDetail, where: str) -> None:
        shown = self.tally.failed
        level = logging.WARNING if shown <= _FAILURES_SHOWN else logging.INFO
        hint = f" ({failure.hint})" if failure.hint else ""
        _log.log(level, "no record: %s%s%s", where, failure.message, hint, extra={"clip": clip_id})
        if shown == _FAILURES_SHOWN:
            _log.warning("further failures are not shown here; all of them are in %s", self._ledger.failures)
