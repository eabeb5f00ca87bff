"""One run over an input file: everything that is not done yet, once, each with a record or a failure."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from omnidetective.config import Config
from omnidetective.engine.agreement import agree
from omnidetective.engine.base import Engine
from omnidetective.engine.bookings import Bookings
from omnidetective.engine.breaker import Breaker
from omnidetective.engine.collector import collect_rarely
from omnidetective.engine.feed import Feed, batches
from omnidetective.engine.heartbeat import Heartbeat
from omnidetective.engine.interrupt import interruptible
from omnidetective.engine.ledger import Ledger
from omnidetective.engine.local import LocalEngine
from omnidetective.engine.logs import PACKAGE
from omnidetective.engine.output_files import failures_path
from omnidetective.engine.progress import Progress, Silent
from omnidetective.engine.retrying import Retry
from omnidetective.engine.source import WHOLE, Part, check_input, count_lines, identity, read_lines
from omnidetective.engine.tally import BudgetSummary, RunSummary
from omnidetective.engine.wire import ClipPipeline, Finished, PipelineFactory, Spending, WorkerSetup
from omnidetective.errors import ConfigError, UserError
from omnidetective.llm.limits.bookkeeper import Bookkeeper
from omnidetective.llm.limits.books import in_words
from omnidetective.llm.permits import Permits

GRACE_S: Final = 30.0
"""How long after a clip's own time limit the worker, and then the parent, put an end to it."""

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
    until: ExitStack | None = None,
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
        until: a connection to Ray is closed with it, from this thread; by default, before the summary is returned. Ray
            can crash the process when it is left: who has something to say says it first.

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
    with interruptible() as interrupt:
        ledger = await _open(output_path, resume=resume)
        with ledger:
            for note in ledger.notes:
                _log.warning("%s", note)
            agree(ledger, config, allow_changed=allow_changed)
            ledger.check_retry(retry)
            ledger.read_input(identity(input_path))
            breaker = Breaker(config.settings.limits.breaker)
            keeper = Bookkeeper.of(config.settings, spent_usd=ledger.spent_usd)
            books = Bookings(ledger, shard, breaker)
            feed = Feed(
                batches(
                    read_lines(input_path, shard=shard),
                    ledger,
                    again=retry.holds if retry_failed else _never,
                    limit=limit,
                ),
                books.note,
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
                spending=books.tally.spending,
                until=until,
            )

            def save() -> None:
                ledger.note_spent(keeper.spent_usd)
                ledger.sync()

            heart = Heartbeat(
                books.tally,
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
                books.deliver(clip)
                if breaker.stop is not None:
                    feed.stop()

            try:
                async with asyncio.TaskGroup() as group:
                    heartbeat = group.create_task(heart.beat())
                    await engine.run(feed, deliver)
                    if breaker.stop is not None or keeper.reached is not None:
                        not_started = await feed.count_rest() + books.tally.left_out
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
            ledger.settle(still_faulty=books.faults_that_stand(read_to_end=feed.exhausted and limit is None))
    tally = books.tally
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
    setup: WorkerSetup,
    keeper: Bookkeeper,
    *,
    deadline_s: float,
    spending: Callable[[Spending], None],
    until: ExitStack | None,
) -> Engine:
    if setup.config.settings.engine == "ray":
        from omnidetective.engine.ray import RayEngine

        return RayEngine(setup, keeper, deadline_s=deadline_s, spending=spending, until=until)
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


def _never(_clip_id: str, _reason: str) -> bool:
    return False


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
