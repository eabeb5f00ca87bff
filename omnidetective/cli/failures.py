"""`omnidetective failures`: the clips of an output that have no record, and why."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

if TYPE_CHECKING:
    from omnidetective.report.failing import FailureLine

    Chosen = Callable[[], Iterator[tuple[bytes, FailureLine]]]

_HEADER = ("ID", "STAGE", "REASON", "TRIES", "AGAIN", "MESSAGE")
_WIDEST = (24, 12, 20, 5, 5)
_NARROWEST_MESSAGE = 24
_WIDEST_MESSAGE = 240
_IN_A_PIPE = 160


@click.command(short_help="List the clips without a record, and why.")
@click.argument("output", metavar="OUT", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
@click.option(
    "--reason", "reasons", metavar="REASON", multiple=True, help="Only failures with this reason. May be repeated."
)
@click.option("--retryable", is_flag=True, help="Only failures that may go away when the clip is tried again.")
@click.option("--ids", "only_ids", is_flag=True, help="Print ids only, one a line.")
@click.option("--json", "as_json", is_flag=True, help="Print the lines of the failures as they are.")
def failures(output: Path, *, reasons: tuple[str, ...], retryable: bool, only_ids: bool, as_json: bool) -> None:
    """List what failed in the run that writes OUT, or wrote it, the newest last.

    OUT is the output of `run`; the failures are read from the file beside it, also while the run is going on. Of each
    clip the last failure is listed, and none of a clip that has a record by now.

    AGAIN says whether trying again can help as things are; otherwise something must be mended first, and MESSAGE says
    what. It is cut to the width of the terminal; --json has all of it, and a hint.

    With --ids, an id that holds line breaks or other control characters is printed as a JSON string.
    """
    from contextlib import ExitStack

    from omnidetective.engine.holder import holder_of
    from omnidetective.engine.output_files import failures_path
    from omnidetective.report.failing import chosen

    if only_ids and as_json:
        raise click.UsageError("choose one of --ids and --json")
    real = output.resolve()
    beside = failures_path(real)
    try:
        with ExitStack() as files:
            failed = files.enter_context(beside.open("rb")) if beside.is_file() else None
            lines = files.enter_context(real.open("rb"))
            _check_output(output, lines)
            stand = _Standing(real, failed, lines)

            def those() -> Iterator[tuple[bytes, FailureLine]]:
                return chosen(stand.lines(), reasons=frozenset(reasons), retryable=retryable)

            if as_json:
                for line, _ in those():
                    click.echo(line.removesuffix(b"\n"))
            elif only_ids:
                for clip_id in dict.fromkeys(failure.id for _, failure in those()):
                    click.echo(_on_one_line(clip_id))
            else:
                live = holder_of(real.with_name(f"{real.stem}.lock")).state == "running"
                for text in _table(those, of=stand.count, output=output, live=live):
                    click.echo(text)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise click.BadParameter(
            f"cannot read {error.filename or output}: {error.strerror}", param_hint="'OUT'"
        ) from error


def _check_output(output: Path, lines: BinaryIO) -> None:
    """A file that is something else has no failures beside it; to say that nothing failed would be wrong."""
    from pydantic import ValidationError

    from omnidetective.report.failing import RecordLine, views
    from omnidetective.report.layout import WIDTH, clean
    from omnidetective.report.reading import why_unreadable

    if output.name.endswith(".failures.jsonl"):
        whose = output.with_name(f"{output.name.removesuffix('.failures.jsonl')}.jsonl")
        raise click.BadParameter(f"name the output that it belongs to: {whose}", param_hint="'OUT'")
    for number, _, record in views(lines, RecordLine):
        if isinstance(record, ValidationError):
            why = clean(f"line {number}: {why_unreadable(record)}", WIDTH)
            raise click.BadParameter(f"{output} is no output of a run: {why}", param_hint="'OUT'")
        break
    lines.seek(0)


class _Standing:
    """The lines of the failures that stand; of the file that was opened, even if a run replaces it meanwhile."""

    def __init__(self, real: Path, failed: BinaryIO | None, lines: BinaryIO) -> None:
        """Find them in the state where that is possible, else by reading the failures and the output."""
        from omnidetective.report.failing import standing

        self._failed = failed
        self._numbers = frozenset[int]()
        self._places = _places(real, failed, lines)
        if self._places is None and failed is not None:
            failed.seek(0)
            lines.seek(0)
            self._numbers = standing(failed, lines)
        self.count = len(self._numbers if self._places is None else self._places)

    def lines(self) -> Iterator[bytes]:
        """The lines, from the first on."""
        if self._failed is None:
            return
        if self._places is None:
            self._failed.seek(0)
            yield from (line for number, line in enumerate(self._failed, start=1) if number in self._numbers)
            return
        for offset, length in self._places:
            self._failed.seek(offset)
            yield self._failed.read(length)


def _places(real: Path, failed: BinaryIO | None, lines: BinaryIO) -> list[tuple[int, int]] | None:
    """Where the failures that stand are, if the state knows; a run is not held up for longer than asking takes."""
    import sqlite3
    from contextlib import closing

    from omnidetective.engine.state_reader import snapshot

    if (found := snapshot(real, lines, failed)) is None:
        return None
    with closing(found):
        try:
            return list(found.places())
        except sqlite3.Error:
            return None


def _on_one_line(clip_id: str) -> str:
    import unicodedata

    breaks = any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in clip_id)
    return json.dumps(clip_id) if breaks else clip_id


def _table(those: Chosen, *, of: int, output: Path, live: bool) -> Iterator[str]:
    """Header, failures, and what to do next. The failures are read twice, so that none of them is kept."""
    import shutil

    from omnidetective.report.layout import many, width

    widths = [width(name) for name in _HEADER[:-1]]
    count = retryable = rows = 0
    for _, failure in those():
        count += 1
        retryable += failure.error.retryable
        rows += failure.about_row
        widths = [max(one, width(cell)) for one, cell in zip(widths, _cells(failure), strict=True)]
    if not count:
        yield f"no failures of this kind; {many(of, 'failure')} of others" if of else "no failures"
        return
    room = shutil.get_terminal_size((_IN_A_PIPE, 24)).columns - sum(one + 2 for one in widths)
    room = min(max(room, _NARROWEST_MESSAGE), _WIDEST_MESSAGE)
    yield _row(_HEADER[:-1], widths, _HEADER[-1])
    for _, failure in those():
        yield _row(_cells(failure), widths, _short(failure.error.message, room))
    yield ""
    yield f"{many(count, 'failure')}{f' of {of:,}' if of > count else ''}, {retryable:,} can be tried again as they are"
    yield from _what_next(output, rows=rows, retryable=retryable, clips=count - rows, live=live)


def _what_next(output: Path, *, rows: int, retryable: int, clips: int, live: bool) -> Iterator[str]:
    from omnidetective.report.layout import clean, many

    if live:
        yield "a run is going on: wait for its end first"
    if rows:
        yield f"mend {many(rows, 'row')} of the input, then give the same command again"
    if clips > retryable:
        yield "where AGAIN is no, mend first what the message says"
    if clips:
        path = clean(shlex.quote(str(output)), 200)
        yield f"try again: omnidetective run … --output {path} --retry-failed"


def _cells(failure: FailureLine) -> tuple[str, ...]:
    error = failure.error
    texts = (failure.id, error.stage, error.reason, str(error.attempts or ""), "yes" if error.retryable else "no")
    return tuple(_short(text, most) for text, most in zip(texts, _WIDEST, strict=True))


def _row(cells: Iterable[str], widths: Iterable[int], message: str) -> str:
    from omnidetective.report.layout import width

    padded = (cell + " " * (most - width(cell)) for cell, most in zip(cells, widths, strict=True))
    return "  ".join([*padded, message]).rstrip()


def _short(text: str, most: int) -> str:
    """A text cut to so many columns; of a long one no more is looked at than can be shown."""
    from omnidetective.report.layout import clean

    shown = clean(text[: most + 1], most)
    return shown if len(text) <= most + 1 or shown.endswith("…") else clean(f"{shown}…", most)
