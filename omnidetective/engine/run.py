"""One run over an input file: everything that is not done yet, once, each with a record or a failure."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import signal
import time
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from omnidetective.config import Config
from omnidetective.engine.base import Engine
from omnidetective.engine.breaker import Breaker
from omnidetective.engine.collector import collect_rarely
from omnidetective.engine.conditions import conditions_of, difference, difference_from_record, refusal, to_text
from omnidetective.engine.feed import Batch, Feed, batches
from omnidetective.engine.heartbeat import Heartbeat
from omnidetective.engine.ledger import Ledger
from omnidetective.engine.local import LocalEngine
from omnidetective.engine.logs import PACKAGE
from omnidetective.engine.output_files import failures_path
from omnidetective.engine.progress import Progress, Silent
from omnidetective.engine.retrying import Retry
from omnidetective.engine.source import WHOLE, Part, check_input, count_lines, identity, read_lines
from omnidetective.engine.state_schema import Fault
from omnidetective.engine.tally import BudgetSummary, RunSummary, Tally
from omnidetective.engine.wire import ClipPipeline, Finished, PipelineFactory, Spending, WorkerSetup
from omnidetective.engine.worker import MANAGED_SIGNALS
from omnidetective.errors import ConfigError, UserError
from omnidetective.llm.limits.bookkeeper import Bookkeeper
from omnidetective.llm.limits.books import in_words
from omnidetective.llm.permits import Permits
from omnidetective.records import FailureDetail

GRACE_S: Final = 30.0
"""How long after a clip's own time limit the worker, and then the parent, put an end to it."""

_FAILURES_SHOWN: Final = 20
_log = logging.getLogger(__name__)


def default_pipeline(config: Config, base_dir: Path, permits: Permits) -> ClipPipeline:
    """The pipeline that the configuration describes."""
    from omnidetective.pipeline import Pipeline

    pipeline = Pipeline.from_config(config, base_dir=base_dir, permits=permits)
    collect_rarely()
    return pipeline


async def run_batch(
    config: Config,
    input_path: Path,
    output_path: Path,
    *,
    shard: Part = WHOLE,
    limit: int | None = None,
    resume: bool = True,
    retry_failed: bool = False,
    only_reasons: Collection[str] = (),
    only_ids: Collection[str] = (),
    allow_changed: bool = False,
    progress: Progress | None = None,
    factory: PipelineFactory | None = None,
    grace_s: float = GRACE_S,
) -> RunSummary:
    """Caption every row of a JSON Lines file, in ``config.settings.num_workers`` processes, or actors of Ray.

    Records are appended to the output in the order in which they are done; what has no record is in
    ``<output stem>.failures.jsonl``. Called again, it goes on: clips with a record are not done again, nor are clips
    that failed, unless ``retry_failed``. Run from the main thread, the first SIGINT or SIGTERM lets the clips in flight
    finish and begins no others, the second one stops at once.

    With ``limits.max_cost_usd``, the first call that may not fit any more ends the run: no other clips are begun, those
    in flight go on until their next call, and are left as not started.

    When ``limits.breaker`` clips in a row fail since a key is refused, a quota is used up or a model is not there, no
    others are begun, those in flight finish, and one error in the log says so; clips that were not begun are written
    nowhere.

    Args:
        config: what to do with each clip.
        input_path: the rows (DESIGN §4, "Input row"). Relative paths in them are relative to its folder.
        output_path: where records go; its folder is made if needed.
        shard: do only this part of the input.
        limit: look only at the first so many rows (of the shard).
        resume: go on with an output that is there; otherwise it is moved aside first, nothing is overwritten.
        retry_failed: try clips again that failed in an earlier run.
        only_reasons: of them only those that failed with one of these reasons; all, where there are none.
        only_ids: of them only these; all, where there are none.
        allow_changed: go on with an output that was begun with another configuration, prompts included.
        progress: shows how far the run is; nothing is shown by default.
        factory: makes the pipeline, instead of the one that the configuration describes. A function at the top of a
            module, since worker processes import it by name.
        grace_s: a clip that is not done this long after ``limits.clip_timeout_s`` is given up by its worker, and after
            twice as long the worker is killed.

    Raises:
        UserError: the input or the output cannot be used, another run writes the output, the output was begun with
            another configuration, nothing has failed as ``only_reasons`` or ``only_ids`` say, or the configuration does
            not work. What was done until then is saved.
        OmnidetectiveError: worker processes cannot start.
    """
    if retry_failed and not resume:
        raise UserError("--retry-failed goes on with an output, --no-resume begins a new one: choose one of them")
    retry = Retry(frozenset(only_reasons), frozenset(only_ids))
    if retry != Retry() and not retry_failed:
        raise UserError("--only and --id choose among the clips that failed: they need --retry-failed")
    if limit is not None and limit < 1:
        raise ConfigError(f"--limit must be at least 1, not {limit}")
    input_path = Path(os.path.abspath(input_path))  # noqa: PTH100, ASYNC240 - links in the path are the user's to keep
    check_input(input_path)
    _check_apart(input_path, output_path)
    started = time.monotonic()
    progress = progress or Silent()
    with _interruptible() as interrupt:
        ledger = await _open(output_path, resume=resume)
        with ledger:
            for note in ledger.notes:
                _log.warning("%s", note)
            _agree(ledger, config, allow_changed=allow_changed)
            ledger.check_retry(retry)
            ledger.read_input(identity(input_path))
            breaker = Breaker(config.settings.limits.breaker)
            keeper = Bookkeeper.of(config.settings, spent_usd=ledger.spent_usd)
            run = _Run(ledger, shard, breaker)
            feed = Feed(
                batches(
                    read_lines(input_path, shard=shard),
                    ledger,
                    again=retry.holds if retry_failed else _never,
                    limit=limit,
                ),
                run.note,
                ledger.begin,
            )
            clip_timeout_s = config.settings.limits.clip_timeout_s
            keeper.when_refused(lambda _: feed.stop())
            engine = _engine(
                WorkerSetup(
                    config=config,
                    base_dir=input_path.parent,
                    factory=factory or default_pipeline,
                    clip_timeout_s=clip_timeout_s + grace_s,
                    log_level=logging.getLogger(PACKAGE).getEffectiveLevel(),
                    parent_pid=os.getpid(),
                ),
                keeper,
                deadline_s=clip_timeout_s + 2 * grace_s,
                spending=run.tally.spending,
            )

            def save() -> None:
                ledger.note_spent(keeper.spent_usd)
                ledger.sync()

            heart = Heartbeat(
                run.tally,
                feed,
                progress,
                sync=save,
                count=lambda: _rows(input_path, shard, limit),
                stopping=interrupt.in_words,
                waiting=lambda: in_words(keeper.waiting()),
                cap_usd=keeper.cap_usd,
            )
            interrupt.watch(feed, heart)
            not_started = 0

            def deliver(clip: Finished) -> None:
                run.deliver(clip)
                if breaker.stop is not None:
                    feed.stop()

            try:
                async with asyncio.TaskGroup() as group:
                    heartbeat = group.create_task(heart.beat())
                    await engine.run(feed, deliver)
                    if breaker.stop is not None or keeper.reached is not None:
                        not_started = await feed.count_rest() + run.tally.left_out
                    heartbeat.cancel()
            except asyncio.CancelledError:
                if not interrupt.absorb():
                    raise
            except BaseExceptionGroup as group_error:
                raise _first(group_error) from None
            finally:
                heart.show()
                progress.close()
                ledger.note_spent(keeper.spent_usd)
            if breaker.stop is not None and not interrupt.forced:
                _log.error("%s", breaker.stop.message(not_started=not_started))
            ledger.settle(still_faulty=run.faults_that_stand(read_to_end=feed.exhausted and limit is None))
    tally = run.tally
    return RunSummary(
        output=ledger.output,
        failures=ledger.failures,
        outcomes=dict(tally.outcomes),
        failure_reasons=dict(tally.reasons),
        already_done=tally.already_done,
        failed_before=tally.failed_before,
        rows=tally.rows,
        faulty_rows=tally.faulty_rows,
        usage=tally.usage,
        seconds=time.monotonic() - started,
        crashes=engine.crashes,
        stopped=breaker.stop,
        budget=_budget(keeper),
        not_started=not_started,
        interrupted=interrupt.forced or (interrupt.asked > 0 and not feed.exhausted),
    )


def _engine(
    setup: WorkerSetup, keeper: Bookkeeper, *, deadline_s: float, spending: Callable[[Spending], None]
) -> Engine:
    if setup.config.settings.engine == "ray":
        from omnidetective.engine.ray import RayEngine

        return RayEngine(setup, keeper, deadline_s=deadline_s, spending=spending)
    return LocalEngine(setup, keeper, deadline_s=deadline_s, spending=spending)


async def _open(output_path: Path, *, resume: bool) -> Ledger:
    """Open the ledger in a thread; a run that is cancelled meanwhile does not leave it locked."""
    warn = partial(_log.warning, "%s")
    opening = asyncio.ensure_future(asyncio.to_thread(Ledger, output_path, resume=resume, warn=warn))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        (await opening).close()
        raise


def _agree(ledger: Ledger, config: Config, *, allow_changed: bool) -> None:
    """Refuse to go on with records that were made with another configuration, unless that is allowed."""
    now = conditions_of(config)
    if ledger.configuration:
        found = difference(ledger.configuration, now)
    else:
        found = difference_from_record(ledger.last_record() or b"", config, now)
    if found and not allow_changed:
        raise refusal(found)
    ledger.note_configuration(to_text(now))


def _never(_clip_id: str, _reason: str) -> bool:
    return False


class _Run:
    """What the parts of a run tell each other."""

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


class _Interrupt:
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
def _interruptible() -> Iterator[_Interrupt]:
    """Answer SIGINT and SIGTERM for as long as the run goes on, where this is the main thread."""
    interrupt = _Interrupt()
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


def _budget(keeper: Bookkeeper) -> BudgetSummary | None:
    if keeper.cap_usd is None:
        return None
    return BudgetSummary(keeper.cap_usd, keeper.spent_usd, keeper.largest_usd, keeper.reached)


def _rows(input_path: Path, shard: Part, limit: int | None) -> int | None:
    """How many rows there are to look at; of a part of the input nobody knows before it is read."""
    count = count_lines(input_path) if shard == WHOLE else None
    return count if count is None or limit is None else min(count, limit)


def _check_apart(input_path: Path, output_path: Path) -> None:
    if output_path.is_dir():
        return  # The ledger says what is wrong with that.
    for written in (output_path, failures_path(output_path)):
        if written.exists() and input_path.samefile(written):
            raise ConfigError(
                f"the input {input_path} is also what the run would write to {written}",
                hint="choose another --output; failed clips are tried again by --retry-failed",
            )


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What went wrong first, out of the groups in which tasks report it."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
