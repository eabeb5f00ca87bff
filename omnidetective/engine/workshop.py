"""What a worker does, wherever it runs: one pipeline, many clips at once, and everything that is told meanwhile."""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from collections.abc import Callable
from typing import Final

from omnidetective.engine.logs import current_clip
from omnidetective.engine.permit_talk import PermitTalk
from omnidetective.engine.spending import SpendingReport
from omnidetective.engine.wire import ClipPipeline, Finished, Message, StartFailed, WorkerSetup
from omnidetective.engine.worker_permits import WorkerPermits
from omnidetective.errors import BudgetReachedError, OmnidetectiveError, UserError
from omnidetective.llm.usage import Meter
from omnidetective.records import CaptionRecord, FailureRecord, InputRow, Usage

_CLOSE_S: Final = 10.0
_log = logging.getLogger(__name__)


class Workshop:
    """A pipeline with its permits, and how clips in it end. All of it runs on one event loop.

    Args:
        setup: what the worker was told.
        send: takes a message to the parent.

    Raises:
        Exception: whatever making the pipeline raises; :func:`start_failed` says it to the parent.
    """

    def __init__(self, setup: WorkerSetup, send: Callable[[Message], None]) -> None:
        self._clip_timeout_s = setup.clip_timeout_s
        has_cap = setup.config.settings.limits.max_cost_usd is not None
        self._permits = WorkerPermits(send, money_is_limited=has_cap)
        self._pipeline: ClipPipeline = setup.factory(setup.config, setup.base_dir, self._permits)
        self._spending = SpendingReport(send)
        self._telling = asyncio.create_task(self._spending.keep_telling())

    def heard(self, talk: PermitTalk) -> None:
        """The parent has answered about permits."""
        self._permits.heard(talk)

    async def do(self, row: InputRow) -> Finished:
        """Do one clip; how it ended, whatever its pipeline does short of ending the process."""
        current_clip.set(row.id)
        with self._spending.clip(row.id) as meter:
            try:
                async with asyncio.timeout(self._clip_timeout_s) as limit:
                    return _checked(await self._pipeline.process(row), row)
            except BudgetReachedError:
                return Finished.not_started(row, meter.usage())
            except TimeoutError:
                return self._timed_out(row, meter) if limit.expired() else _internal(row, meter)
            except asyncio.CancelledError:
                return _internal(row, meter)  # Nobody here cancels a clip: its own code did.
            except (Exception, SystemExit):  # noqa: BLE001 - the border of a clip: any fault is its recorded outcome
                return _internal(row, meter)

    async def close(self) -> None:
        """Close the pipeline, and tell the parent what is left to be told."""
        self._telling.cancel()
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._pipeline.aclose()
        except Exception:  # noqa: BLE001 - every clip is written; there is nothing left to lose
            _log.warning("the pipeline did not close cleanly", exc_info=True)
        self._permits.tell_spent()
        self._permits.flush()
        await asyncio.sleep(0)  # Lets log lines that other threads left reach the parent.

    def _timed_out(self, row: InputRow, meter: Meter) -> Finished:
        return Finished.without_record(
            row,
            outcome="timed_out",
            error_type="ClipTimeoutError",
            reason="clip_timeout",
            message=f"the clip was not done after {self._clip_timeout_s:g} s",
            hint="raise limits.clip_timeout_s",
            usage=_spent(meter),
        )


def start_failed(error: Exception) -> StartFailed:
    """What the parent is told when the pipeline cannot be built."""
    if isinstance(error, OmnidetectiveError):
        return StartFailed(error.message, error.reason, error.hint, isinstance(error, UserError))
    _log.info("the pipeline cannot be built", exc_info=True)
    said = "".join(traceback.format_exception_only(error)).strip()
    return StartFailed(f"the pipeline cannot be built: {said}", "worker_start", "", by_user=False)


def _spent(meter: Meter) -> Usage | None:
    """What a clip without a record has cost; ``None`` where nothing was counted."""
    return meter.usage() if meter.additions else None


def _checked(result: CaptionRecord | FailureRecord, row: InputRow) -> Finished:
    if not isinstance(result, CaptionRecord | FailureRecord) or result.id != row.id:
        raise TypeError(f"the pipeline returned {type(result).__name__} for clip {row.id!r}")
    return Finished.of(result)


def _internal(row: InputRow, meter: Meter) -> Finished:
    """The exception that is being handled, as the outcome of a clip."""
    error = sys.exception()
    _log.info("the pipeline failed", exc_info=True)
    return Finished.without_record(
        row,
        outcome="internal",
        error_type=type(error).__name__,
        reason="internal",
        message="".join(traceback.format_exception_only(error)).strip(),
        hint="this is a fault of the program: please report it with the traceback from --log-file",
        usage=_spent(meter),
    )
