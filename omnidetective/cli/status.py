"""`omnidetective status`: how far a run is, from its files alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

if TYPE_CHECKING:
    from datetime import datetime

    from omnidetective.engine.holder import Holder
    from omnidetective.engine.state_reader import Snapshot
    from omnidetective.report.numbers import Spending
    from omnidetective.report.status import Rows, Status

_FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
_MOST_NAMES = 8


@click.command(short_help="Say how far a run is: records, failures, what is left, cost.")
@click.argument("output", metavar="OUT", type=_FILE)
@click.option(
    "--input",
    "input_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The input of the run: how many of its rows are left is said too.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as one JSON object.")
def status(output: Path, *, input_path: Path | None, as_json: bool) -> None:
    """Say how far the run is that writes OUT, or wrote it.

    OUT is the output of `run`. All is read from the files and the state beside them, so that a run which is going on is
    not held up: who writes OUT now, how many records and failures there are, how many clips are being done, when the
    last line was written, and what was spent.

    The cost is that of the clips that are done, with or without a record: what clips in flight have spent is not in
    the files yet. It is "at least" so much where a part of it is unknown.
    """
    from contextlib import ExitStack
    from datetime import UTC, datetime

    from omnidetective.engine.holder import holder_of
    from omnidetective.engine.output_files import failures_path
    from omnidetective.engine.source import check_input
    from omnidetective.report.layout import WIDTH, clean

    if input_path is not None:
        check_input(input_path)
    real = output.resolve()
    beside = failures_path(real)
    try:
        with ExitStack() as files:
            # Asked first: a run that ends meanwhile is better shown as going on than its last lines as missing.
            holder = holder_of(real.with_name(f"{real.stem}.lock"))
            failures = files.enter_context(beside.open("rb")) if beside.is_file() else None
            numbers = _numbers(real, files.enter_context(real.open("rb")), beside, failures, input_path)
            written = [file.stat() for file in (real, beside) if file.is_file()]
    except OSError as error:
        raise click.BadParameter(
            f"cannot read {error.filename or output}: {error.strerror}", param_hint="'OUT'"
        ) from error
    if numbers.first_bad_line is not None and not numbers.records:
        why = clean(f"line {numbers.first_bad_line.line_number}: {numbers.first_bad_line.why}", WIDTH)
        raise click.BadParameter(f"{output} holds no record: {why}", param_hint="'OUT'")
    last_s = max((file.st_mtime for file in written if file.st_size), default=None)
    last = None if last_s is None else datetime.fromtimestamp(last_s, UTC)
    if as_json:
        said = {"output": str(real), "run": holder.model_dump(mode="json")}
        if last is not None:
            said["last_line_at"] = last.isoformat(timespec="milliseconds")
        click.echo(json.dumps({**said, **numbers.model_dump(mode="json")}))
        return
    click.echo(clean(str(output), WIDTH))
    for line in _lines(holder, numbers, last, datetime.now(UTC)):
        click.echo(line)


def _numbers(real: Path, output: BinaryIO, beside: Path, failures: BinaryIO | None, input_path: Path | None) -> Status:
    """The numbers from the state beside the output where that is possible, else from the files."""
    import sqlite3
    from contextlib import closing

    from omnidetective.engine.state_reader import snapshot
    from omnidetective.report.status import status, status_from_sums

    if (found := snapshot(real, output, failures)) is not None:
        with closing(found):
            try:
                return status_from_sums(
                    outcomes=found.output.outcomes,
                    failures=found.standing(),
                    spent=_spending(found),
                    in_flight=found.in_flight(),
                    attempts=found.begun,
                    rows=_rows(input_path, real, beside, found),
                )
            except sqlite3.Error:
                pass  # The state is damaged; the files are what counts.
    rows = _rows(input_path, real, beside, None)
    output.seek(0)
    if failures is not None:
        failures.seek(0)
    return status(output, failures or (), rows)


def _rows(input_path: Path | None, real: Path, beside: Path, found: Snapshot | None) -> Rows | None:
    from omnidetective.engine.state_reader import count_rows
    from omnidetective.report.status import Rows

    if input_path is None:
        return None
    counts = count_rows(input_path, real, beside, known=found)
    return Rows(rows=sum(counts.values()), **counts)


def _spending(found: Snapshot) -> Spending | None:
    from decimal import Decimal

    from omnidetective.report.numbers import Spending

    parts = (found.output, found.failures)
    if not any(part.told for part in parts):
        return None
    known_usd = sum((part.known_usd for part in parts), Decimal(0))
    return Spending(
        calls=sum(part.calls for part in parts),
        cached_calls=sum(part.cached_calls for part in parts),
        failed_attempts=sum(part.failed_attempts for part in parts),
        unreported=sum(part.unreported for part in parts),
        prompt_tokens=sum(part.prompt_tokens for part in parts),
        completion_tokens=sum(part.completion_tokens for part in parts),
        cost_usd=None if any(part.unknown for part in parts) else known_usd,
        known_cost_usd=known_usd,
    )


def _lines(holder: Holder, numbers: Status, last: datetime | None, now: datetime) -> Iterator[str]:
    from omnidetective.report.layout import many

    yield from _entry("run", _run(holder))
    yield from _entry("records", _with_parts(f"{numbers.records:,}", numbers.outcomes))
    retryable = f", {numbers.retryable:,} can be tried again" if numbers.failures else ""
    yield from _entry("failures", _with_parts(f"{numbers.failures:,}{retryable}", numbers.failure_reasons))
    if numbers.attempts:
        in_flight = many(numbers.in_flight or 0, "clip") + (" when it was killed" if holder.state == "killed" else "")
        begun = f"clips were begun {many(numbers.attempts, 'time')} in all"
        yield from _entry("in flight", begun if holder.state == "none" else f"{in_flight}; {begun}")
    if numbers.input is not None:
        yield from _entry("input", _input(numbers.input))
    if last is not None:
        yield from _entry("last line", f"{_time(last)}, {_ago((now - last).total_seconds())}")
    yield from _entry("cost", "nothing is known" if numbers.spent is None else _spent(numbers.spent))
    if numbers.first_bad_line is not None:
        bad = f"{many(numbers.bad_lines, 'line')} of the output, the first is line {numbers.first_bad_line.line_number}"
        yield from _entry("damaged", bad)
    if numbers.bad_failure_lines:
        yield from _entry("damaged", f"{many(numbers.bad_failure_lines, 'line')} of the failures")


def _entry(name: str, text: str) -> Iterator[str]:
    import textwrap

    from omnidetective.report.layout import WIDTH

    yield from textwrap.wrap(text, WIDTH, initial_indent=f"{name:<11}", subsequent_indent=" " * 11)


def _run(holder: Holder) -> str:
    from omnidetective.report.layout import clean

    who = "a run"
    if holder.pid is not None and holder.host is not None and holder.started_at is not None:
        who = f"process {holder.pid} on {clean(holder.host, 60)}, since {_time(holder.started_at)}"
    match holder.state:
        case "running":
            return f"going on: {who}"
        case "killed":
            return f"none; the last one was killed: {who}"
        case "unknown":
            return f"perhaps going on, which cannot be seen from here: {who}"
        case "none":
            return "none is going on"


def _with_parts(text: str, counts: Mapping[str, int]) -> str:
    from omnidetective.report.layout import clean

    parts = [f"{count:,} {clean(name, 40)}" for name, count in counts.items()]
    if len(parts) > _MOST_NAMES + 1:
        parts[_MOST_NAMES:] = [f"{len(parts) - _MOST_NAMES} more kinds"]
    return f"{text}: {', '.join(parts)}" if parts else text


def _input(rows: Rows) -> str:
    from omnidetective.report.layout import many

    parts = [f"{rows.left:,} left", f"{rows.done:,} done", f"{rows.failed:,} failed"]
    if rows.duplicates:
        parts.append(many(rows.duplicates, "duplicate of an id", plural="duplicates of ids"))
    if rows.unusable:
        parts.append(f"{rows.unusable:,} unusable")
    return f"{many(rows.rows, 'row')}: {', '.join(parts)}"


def _spent(spent: Spending) -> str:
    from omnidetective.report.layout import at_least, compact, cost, many

    tokens = at_least(compact(spent.prompt_tokens + spent.completion_tokens), spent)
    return f"{cost(spent)} for {many(spent.calls, 'call')}, {tokens} tokens"


def _time(moment: datetime) -> str:
    from datetime import UTC

    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _ago(seconds: float) -> str:
    from omnidetective.report.layout import duration

    return f"{duration(round(seconds))} ago" if seconds >= 1 else "just now"
