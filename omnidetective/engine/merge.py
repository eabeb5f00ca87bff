"""Joins outputs into one, and proves that it holds every clip once.

Outputs of several runs (`--shard K/N`) are read line by line; nothing is changed in them. The new output appears whole
or not at all, and a later run goes on from it as from its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from omnidetective.engine.holder import holder_of
from omnidetective.engine.jsonl import sync_folder
from omnidetective.engine.lock import OutputLock
from omnidetective.engine.merge_index import Ids, Index
from omnidetective.engine.output_files import failures_path
from omnidetective.engine.source import check_input
from omnidetective.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Merged:
    """What was joined.

    Attributes:
        records: clips with a record.
        failed: clips that failed and have no record in any of the outputs.
        faulty_rows: rows of the input that could not be used, as the outputs' failures tell.
        damaged: lines of outputs that hold no record, left out; their clips were done again in later lines, or are
            missing.
        missing: ids of rows of the input of which the outputs say nothing, neither a record nor a failure; ``None``
            where no input was given.
        unknown: ids of records that no row of the input has; ``None`` where no input was given.
    """

    output: Path
    failures: Path
    records: int
    failed: Ids
    faulty_rows: int
    damaged: int
    missing: Ids | None
    unknown: Ids | None

    @property
    def exit_status(self) -> int:
        """0: every clip has a record; 1: it has not, or there are records of clips that nobody asked for."""
        doubtful = (self.failed, self.missing, self.unknown)
        return 1 if self.faulty_rows or any(ids.count for ids in doubtful if ids) else 0


def merge(outputs: Sequence[Path], target: Path, *, input_path: Path | None = None) -> Merged:
    """Write one output, and its failures beside it, out of several.

    Records come in the order of the input where that is given (those of no input row last), otherwise output after
    output. Of a clip that failed in one output and has a record in another, the failure is dropped; of several
    failures of one clip the last one counts.

    Args:
        outputs: outputs of :func:`~omnidetective.engine.run.run_batch`; nothing is changed in them.
        target: the new output; it must not be there yet, nor may its failures.
        input_path: the whole input that the outputs are parts of; with it, what is missing is found out.

    Raises:
        ConfigError: an output is missing, is being written, was changed meanwhile, or ends in a line that is not whole;
            two lines have the same id, even where they are equal; or the target is there. Then nothing is written.
    """
    shards = [_checked(path) for path in outputs]
    for number, path in enumerate(shards):
        if path in shards[:number]:
            raise ConfigError(f"{path} is given twice")
    if input_path is not None:
        check_input(input_path)
    target = target.expanduser().resolve()
    beside = failures_path(target)
    for new in (target, beside):
        if new.exists():
            raise ConfigError(f"{new} is there already", reason="output_exists", hint="choose another --output")
    target.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        lock = OutputLock(target.with_name(f"{target.stem}.lock"))
        stack.callback(lock.release)
        index = stack.enter_context(Index(shards))
        before = [_stamp(path) for path in shards]
        for number in range(len(shards)):
            index.read(number)
        missing = unknown = None
        if input_path is not None:
            missing, unknown = index.compare(input_path)
        for path in (target, beside):
            stack.callback(path.with_name(f"{path.name}.new").unlink, missing_ok=True)
        new_failures = _written(beside, index.failures())
        new_output = _written(target, index.records(in_order=input_path is not None))
        for path, stamp in zip(shards, before, strict=True):
            _checked(path)
            if _stamp(path) != stamp:
                raise ConfigError(f"{path} was written meanwhile", hint="wait until its run has ended")
        if new_failures.stat().st_size:
            _place(new_failures, beside)
        _place(new_output, target)
        sync_folder(target.parent)
        return Merged(
            output=target,
            failures=beside,
            records=index.count("records"),
            failed=index.failed(),
            faulty_rows=index.count("failures WHERE of_row"),
            damaged=index.damaged,
            missing=missing,
            unknown=unknown,
        )


def _checked(path: Path) -> Path:
    """An output that is at rest, by its true name."""
    path = path.expanduser().resolve()
    if not path.is_file():
        raise ConfigError(f"there is no output {path}", hint="a shard that had nothing to do has an empty one")
    holder = holder_of(path.with_name(f"{path.stem}.lock"))
    if holder.state in ("running", "unknown"):
        who = f" (process {holder.pid} on {holder.host})" if holder.pid is not None else ""
        raise ConfigError(
            f"a run is writing {path}{who}" if holder.state == "running" else f"a run may be writing {path}{who}",
            reason="output_in_use",
            hint="wait until it has ended; where it was killed, the same run command again goes on with what is left",
        )
    return path


def _stamp(output: Path) -> tuple[tuple[int, int] | None, ...]:
    """What changes when an output or its failures are written."""
    stats = [path.stat() if path.exists() else None for path in (output, failures_path(output))]
    return tuple(None if stat is None else (stat.st_size, stat.st_mtime_ns) for stat in stats)


def _written(path: Path, lines: Iterator[bytes]) -> Path:
    """A file with these lines under another name, brought to the disk."""
    new = path.with_name(f"{path.name}.new")
    try:
        with new.open("wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigError(f"cannot write {new}: {error.strerror}", reason="output_unwritable") from error
    return new


def _place(new: Path, path: Path) -> None:
    """Give a file its name, unless somebody else has taken it meanwhile."""
    try:
        os.link(new, path)
    except FileExistsError:
        raise ConfigError(f"{path} is there already", reason="output_exists", hint="choose another --output") from None
    except OSError:  # This file system has no links.
        new.rename(path)
