"""The one writer of a run: what is done, what failed, and nothing twice.

Two files say everything, and are all that resuming needs: ``<output>`` holds the records, ``<output
stem>.failures.jsonl`` the clips without one. A clip that has a record is done, whatever else is written about it; of
several failures of one clip the last one counts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from omnidetective.engine.ids import IdSet
from omnidetective.engine.jsonl import AppendFile, cut_torn_tail, ids_of, objects_of, replace_lines, sync_folder
from omnidetective.engine.lock import OutputLock
from omnidetective.errors import ConfigError, RowError
from omnidetective.records import FailureRecord

_ROW_ERROR: Final = RowError.__name__


@dataclass(frozen=True, slots=True)
class RowFault:
    """A failure that is about a row of the input, not about its clip: found anew by every run that reads the row."""

    id: str
    reason: str
    line_number: int


def failures_path(output: Path) -> Path:
    """Where the failures of an output stand: ``out.failures.jsonl`` beside ``out.jsonl``."""
    return output.with_name(f"{output.stem}.failures.jsonl")


class Ledger:
    """The output and its failures, open for one run. Use as a context manager.

    Attributes:
        output: the output, as an absolute path.
        failures: the failures beside it; the file is there only where there are any.
        done: ids that had a record when the run began.
        failed: ids whose clip had failed, and had no record, when the run began.
        notes: what was found and mended on opening, for people.
    """

    def __init__(self, output: Path, *, resume: bool = True) -> None:
        """Lock the output, mend what a killed run left, and learn what is done.

        Args:
            output: the file of records. Its folder is made if needed.
            resume: go on with what is there; otherwise it is moved aside, to ``out.bak1.jsonl`` and
                ``out.bak1.failures.jsonl`` (the first number that is free), and the run begins afresh.

        Raises:
            ConfigError: another run writes this output, or it cannot be written, or it is something else than an
                output of this program. Nothing was changed.
        """
        self.output = _usable(output)
        self.failures = failures_path(self.output)
        self.done = IdSet()
        self.failed = IdSet()
        self.notes: list[str] = []
        self._row_faults: set[RowFault] = set()
        self._outdated = False
        self._recovered = IdSet()
        self._failures_file: AppendFile | None = None
        self._lock = OutputLock(self.output.with_name(f"{self.output.stem}.lock"))
        try:
            if not resume:
                self._move_aside()
            self._read_output()
            self._read_failures()
            self._output_file = AppendFile(self.output)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def add_record(self, clip_id: str, line: bytes) -> None:
        """Write the record of a clip.

        Raises:
            ConfigError: the disk is full or fails.
        """
        self._output_file.append(line)
        if clip_id in self.failed:
            self._recovered.add(clip_id)

    def add_failure(self, clip_id: str, line: bytes) -> None:
        """Write why a clip has no record; a failure that the same clip had before gives way to it.

        Raises:
            ConfigError: the disk is full or fails.
        """
        self._append_failure(line)
        if clip_id in self.failed:
            self._outdated = True

    def add_row_fault(self, failure: FailureRecord) -> None:
        """Write why a row cannot be used, unless that is written already.

        Raises:
            ConfigError: the disk is full or fails.
        """
        fault = row_fault(failure)
        if fault not in self._row_faults:
            self._row_faults.add(fault)
            self._append_failure(failure.to_line().encode())

    def sync(self) -> None:
        """Bring everything to the disk. May be called from another thread."""
        self._output_file.sync()
        if (failures := self._failures_file) is not None:
            failures.sync()

    def settle(self, *, still_faulty: Callable[[RowFault], bool] = lambda _: True) -> None:
        """Drop failures that are no longer true: of clips that have a record now, and of rows that were mended.

        Args:
            still_faulty: whether a fault of a row stands.
        """
        mended = {fault for fault in self._row_faults if not still_faulty(fault)}
        if self._outdated or self._recovered or mended:
            self._row_faults -= mended
            self._rewrite_failures(mended)

    def close(self) -> None:
        """Bring everything to the disk and unlock. Safe to call twice."""
        try:
            self._output_file.close()
            if self._failures_file is not None:
                self._failures_file.close()
        finally:
            self._lock.release()

    def _append_failure(self, line: bytes) -> None:
        if self._failures_file is None:
            self._failures_file = AppendFile(self.failures)
        self._failures_file.append(line)

    def _move_aside(self) -> None:
        old = [path for path in (self.output, self.failures) if path.exists() and path.stat().st_size]
        if not old:
            return
        number = 1
        while any(_backup(path, number).exists() for path in (self.output, self.failures)):
            number += 1
        for path in old:
            path.rename(_backup(path, number))
        sync_folder(self.output.parent)
        self.notes.append(f"what was there is kept as {', '.join(str(_backup(path, number)) for path in old)}")

    def _read_output(self) -> None:
        self._mend(self.output)
        if not self.output.exists():
            return
        damaged: list[int] = []
        repeated = 0
        for number, clip_id in enumerate(ids_of(self.output), start=1):
            if clip_id is None:
                damaged.append(number)
            elif not self.done.add(clip_id):
                repeated += 1
        if damaged:
            self.notes.append(
                f"{self.output}: {len(damaged)} damaged lines, the first is line {damaged[0]}; they are left as they "
                "are, and their clips are done again"
            )
        if repeated:
            self.notes.append(f"{self.output}: {repeated} lines repeat an id; they were not written by this run")

    def _read_failures(self) -> None:
        self._mend(self.failures)
        if not self.failures.exists():
            return
        for _, failure in objects_of(self.failures):
            if failure is None or not isinstance(clip_id := failure.get("id"), str):
                self._outdated = True
            elif (fault := _stored_fault(failure)) is not None:
                self._row_faults.add(fault)
            elif clip_id in self.done:
                self._recovered.add(clip_id)
            elif not self.failed.add(clip_id):
                self._outdated = True
        self.settle()

    def _mend(self, path: Path) -> None:
        if path.exists() and (cut := cut_torn_tail(path)):
            self.notes.append(f"{path}: {cut} bytes of a line that a killed run had not finished were cut")

    def _rewrite_failures(self, mended: set[RowFault]) -> None:
        if self._failures_file is not None:
            self._failures_file.close()
            self._failures_file = None
        last: dict[str, int] = {}
        for number, (_, failure) in enumerate(objects_of(self.failures)):
            if failure is not None and _stored_fault(failure) is None:
                last[str(failure.get("id"))] = number
        try:
            replace_lines(self.failures, self._true_failures(last, mended))
        except OSError as error:
            raise ConfigError(f"cannot write {self.failures}: {error.strerror}", reason="output_unwritable") from error
        self._outdated = False
        self._recovered = IdSet()

    def _true_failures(self, last: dict[str, int], mended: set[RowFault]) -> Iterator[bytes]:
        for number, (line, failure) in enumerate(objects_of(self.failures)):
            if failure is None:
                continue
            fault = _stored_fault(failure)
            if fault is None:
                clip_id = str(failure.get("id"))
                true = last[clip_id] == number and clip_id not in self._recovered
            else:
                true = fault not in mended
            if true:
                yield line


def row_fault(failure: FailureRecord) -> RowFault:
    """What makes a row's failure the same one as in an earlier run."""
    return RowFault(failure.id, failure.error.reason, failure.line_number)


def _stored_fault(failure: dict[str, Any]) -> RowFault | None:
    error = failure.get("error")
    if not isinstance(error, dict) or error.get("type") != _ROW_ERROR:
        return None
    line_number = failure.get("line_number")
    return RowFault(
        str(failure.get("id")), str(error.get("reason")), line_number if isinstance(line_number, int) else 0
    )


def _backup(path: Path, number: int) -> Path:
    stem, failures, _ = path.name.partition(".failures.jsonl")
    if failures:
        return path.with_name(f"{stem}.bak{number}.failures.jsonl")
    return path.with_name(f"{path.stem}.bak{number}{path.suffix}")


def _usable(output: Path) -> Path:
    try:
        output = output.expanduser().resolve()
        if output.is_dir():
            raise ConfigError(f"the output {output} is a folder", hint=f"name a file, such as {output / 'out.jsonl'}")
        if output.exists() and not output.is_file():
            raise ConfigError(
                f"the output {output} is not a regular file",
                hint="a run goes on from its output, so it must be a file that stays",
            )
        output.parent.mkdir(parents=True, exist_ok=True)
        if output.exists() and not os.access(output, os.W_OK):
            raise ConfigError(f"cannot write the output {output}: permission denied")
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigError(f"cannot write the output {output}: {output.parent} is not a folder") from error
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, an unknown home.
        raise ConfigError(f"cannot write the output {output}: {error}") from error
    return output
