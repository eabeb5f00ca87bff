"""The one writer of a run: what is done, what failed, and nothing twice.

Two files say everything, and are all that resuming needs: ``<output>`` holds the records, ``<output
stem>.failures.jsonl`` the clips without one. A clip that has a record is done, whatever else is written about it; of
several failures of one clip the last one counts. Beside them stands the state, which answers for them: see
:mod:`omnidetective.engine.state`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from omnidetective.engine.jsonl import AppendFile, cut_torn_tail, last_line, pieces_of, replace_lines
from omnidetective.engine.lock import OutputLock
from omnidetective.engine.output_files import failures_path, move_aside, usable
from omnidetective.engine.retrying import Retry
from omnidetective.engine.state import State
from omnidetective.engine.state_files import (
    brought_up_to_date,
    open_state,
    read_failures_again,
    set_aside,
    unusable,
)
from omnidetective.engine.state_lines import Entry, failure_entry, record_entry
from omnidetective.engine.state_schema import Fault, Known, Meta, state_path
from omnidetective.errors import ConfigError
from omnidetective.records import FailureRecord, InputRow

_MOST_PENDING: Final = 5000
"""Lines that wait for being taken over into the state; :meth:`Ledger.sync` normally comes long before."""
_LATELY_MET: Final = 4096
"""How many clips to do are remembered that may not have been begun: more than are looked up at once."""

T = TypeVar("T")


class Ledger:
    """The output, its failures and its state, open for one run. Use as a context manager.

    Attributes:
        output: the output, as an absolute path.
        failures: the failures beside it; the file is there only where there are any.
        notes: what was found and mended on opening, for people.
        spent_usd: what earlier runs on this output have spent.
        warn: told of what goes wrong with the state while the run goes on.
    """

    def __init__(self, output: Path, *, resume: bool = True, warn: Callable[[str], None] = lambda _: None) -> None:
        """Lock the output, mend what a killed run left, and learn what is done.

        Args:
            output: the file of records. Its folder is made if needed.
            resume: go on with what is there; otherwise it is moved aside, to ``out.bak1.jsonl`` and
                ``out.bak1.failures.jsonl`` (the first number that is free), and the run begins afresh.

        Raises:
            ConfigError: another run writes this output, or it cannot be written, or it is something else than an
                output of this program. Nothing was changed.
        """
        self.output = usable(output)
        self.failures = failures_path(self.output)
        self.notes: list[str] = []
        self.warn = warn
        self._failures_file: AppendFile | None = None
        self._using = threading.RLock()
        self._begun: deque[str] = deque()
        self._entries: deque[Entry] = deque()
        self._in_flight: dict[str, int] = {}
        self._lately: deque[tuple[str, int]] = deque(maxlen=_LATELY_MET)
        self._remade = False
        self._state: State | None = None
        self._meta = Meta()
        self._lock = OutputLock(self.output.with_name(f"{self.output.stem}.lock"))
        try:
            if not resume:
                self.notes += move_aside(self.output)
            self._mend(self.output)
            self._mend(self.failures)
            self._open_state()
            self._output_file = AppendFile(self.output)
            self.settle()
        except BaseException:
            if self._state is not None:
                self._state.close()
            self._lock.release()
            raise
        self.spent_usd = self._meta.spent_usd

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def known(self, ids: Iterable[str]) -> dict[str, Known]:
        """What is known of some clips; those of which nothing is known are left out. May be called from any thread."""
        asked = list(ids)
        return self._with_state(lambda state: state.known(asked))

    def meet(self, passed: Sequence[tuple[str, int]], to_do: Sequence[tuple[str, int]]) -> None:
        """Note at which lines of the input clips are: those that are left alone, and those to do."""
        self._lately.extend(to_do)
        self._with_state(lambda state: state.meet((*passed, *to_do)))

    def begin(self, row: InputRow) -> None:
        """Note that a clip is being done."""
        self._in_flight[row.id] = row.line_number
        self._begun.append(row.id)

    def read_input(self, identity: str) -> None:
        """Say which input the run reads: of another one, the lines of clips are not known yet."""
        if identity != self._meta.input:
            self._with_state(lambda state: state.forget_lines())
            self._meta.input = identity

    def check_retry(self, retry: Retry) -> None:
        """Refuse a choice of failures that are not there.

        Raises:
            ConfigError: nothing has failed for one of the reasons, or one of the clips has not failed.
        """
        reasons: dict[str, int] = {}
        for (reason, _), count in self._with_state(lambda state: state.failed()).items():
            reasons[reason] = reasons.get(reason, 0) + count
        known = self.known(retry.ids)
        missing = sorted(one for one in retry.ids if one not in known or known[one].status != "failed")
        retry.check(reasons, missing)

    @property
    def configuration(self) -> str:
        """What the output was begun with, as :meth:`note_configuration` was told; empty where that is not known."""
        return self._meta.configuration

    def note_configuration(self, text: str) -> None:
        """What records are made with from now on; written with the next group of lines."""
        self._meta.configuration = text

    def last_record(self) -> bytes | None:
        """The last line of the output; ``None`` where there is none."""
        return last_line(self.output)

    def note_spent(self, total_usd: Decimal) -> None:
        """What was spent on this output, by earlier runs and by this one; written with the next group of lines."""
        self._meta.spent_usd = total_usd

    def leave(self, clip_id: str) -> None:
        """Note that a clip which was begun is left as not started."""
        self._in_flight.pop(clip_id, None)

    def add_record(self, clip_id: str, line: bytes) -> None:
        """Write the record of a clip.

        Raises:
            ConfigError: the disk is full or fails.
        """
        offset = self._output_file.append(line)
        self._in_flight.pop(clip_id, None)
        self._wait(record_entry(line + b"\n", offset))

    def add_failure(self, clip_id: str, line: bytes) -> None:
        """Write why a clip has no record; a failure that the same clip had before gives way to it.

        Raises:
            ConfigError: the disk is full or fails.
        """
        self._in_flight.pop(clip_id, None)
        self._append_failure(line)

    def add_row_faults(self, failures: Sequence[FailureRecord]) -> None:
        """Write why rows cannot be used, unless that is written already.

        Raises:
            ConfigError: the disk is full or fails.
        """
        faults = [Fault(one.id, one.error.reason, one.line_number) for one in failures]

        def find(state: State) -> set[Fault]:
            self._take_over(state)  # What this run has just found counts as written.
            known = state.known_faults(faults)
            state.find_faults_again(known, run=self._meta.runs)
            return known

        written = self._with_state(find) if faults else set()
        for fault, failure in zip(faults, failures, strict=True):
            if fault not in written:
                written.add(fault)
                self._append_failure(failure.to_line().encode())

    def sync(self) -> None:
        """Bring everything to the disk, then let the state say so. May be called from another thread.

        Raises:
            ConfigError: the disk is full or fails.
        """
        self._output_file.sync()
        if (failures := self._failures_file) is not None:
            failures.sync()
        self._with_state(self._commit)

    def settle(self, *, still_faulty: Callable[[Fault], bool] = lambda _: True) -> None:
        """Drop failures that are no longer true: of clips that have a record now, and of rows that were mended.

        Args:
            still_faulty: whether a fault of a row stands that this run has not met.
        """

        def outdated(state: State) -> bool:
            self._take_over(state)
            if not self._remade:
                state.drop_faults(not_of_run=self._meta.runs, mended=lambda fault: not still_faulty(fault))
            true = sum(state.failed().values()) + sum(state.faults().values())
            return true != self._meta.failures.lines

        if self._with_state(outdated):
            self._with_state(self._rewrite_failures)
        self._with_state(self._commit)

    def close(self) -> None:
        """Bring everything to the disk and unlock. Safe to call twice."""
        try:
            self._output_file.close()
            if self._failures_file is not None:
                self._failures_file.close()
            if self._state is not None:
                self._with_state(self._commit)
        finally:
            if self._state is not None:
                self._state.close()
                self._state = None
            self._lock.release()

    def _append_failure(self, line: bytes) -> None:
        if self._failures_file is None:
            self._failures_file = AppendFile(self.failures)
        offset = self._failures_file.append(line)
        self._wait(failure_entry(line + b"\n", offset))

    def _wait(self, entry: Entry) -> None:
        """Lines are taken over in groups, so that a clip costs no transaction."""
        self._entries.append(entry)
        if len(self._entries) >= _MOST_PENDING:
            self._with_state(self._commit)

    def _commit(self, state: State) -> None:
        self._take_over(state)
        state.commit(self._meta)

    def _take_over(self, state: State) -> None:
        """Bring the state to where the files are."""
        # What has ended was begun before that, so its beginning is among those taken after it.
        entries = [self._entries.popleft() for _ in range(len(self._entries))]
        begun = [self._begun.popleft() for _ in range(len(self._begun))]
        state.begin(begun)
        self._meta.begun += len(begun)
        records = [entry for entry in entries if entry.kind == "record"]
        for covered, some in (
            (self._meta.output, records),
            (self._meta.failures, [entry for entry in entries if entry.kind != "record"]),
        ):
            # A state that was made again meanwhile may cover lines that were still waiting.
            new = [entry for entry in some if entry.offset >= covered.size]
            covered.repeated += state.apply(new, run=self._meta.runs)
            for entry in new:
                covered.add(entry)

    def _with_state(self, work: Callable[[State], T]) -> T:
        """Do something with the state; where that fails, with a new one that the files give."""
        with self._using:
            try:
                return work(self._opened())
            except sqlite3.Error as error:
                self._make_again(error)
            try:
                return work(self._opened())
            except sqlite3.Error as error:
                raise self._no_state(error) from error

    def _opened(self) -> State:
        if self._state is None:
            raise sqlite3.ProgrammingError("the ledger is closed")
        return self._state

    def _open_state(self) -> None:
        try:
            opened = open_state(self.output, self.failures)
        except sqlite3.Error as error:
            raise self._no_state(error) from error
        except OSError as error:
            raise ConfigError(f"cannot read {self.output}: {error.strerror}", reason="output_unwritable") from error
        self._state, self._meta = opened.state, opened.meta
        self.notes += opened.notes
        covered = self._meta.output
        if covered.damaged:
            self.notes.append(
                f"{self.output}: {covered.damaged} damaged lines, the first is line {covered.first_damaged}; they are "
                "left as they are, and their clips are done again"
            )
        if covered.repeated:
            self.notes.append(
                f"{self.output}: {covered.repeated} lines repeat an id; they were not written by this run"
            )

    def _make_again(self, error: sqlite3.Error) -> None:
        """The state cannot be used any more: the files and what is remembered of the clips in flight make another."""
        path = state_path(self.output)
        self._opened().close()
        operational = isinstance(error, sqlite3.OperationalError)
        self.warn(unusable(path, error) if operational else set_aside(path, error))
        failures_size = 0 if self._failures_file is None else self._failures_file.size
        if self._failures_file is None and self.failures.exists():
            failures_size = self.failures.stat().st_size
        before = self._meta
        self._begun.clear()
        try:
            self._state = State.temporary()
            self._meta = brought_up_to_date(
                self._state,
                Meta(
                    runs=before.runs - 1,
                    begun=before.begun,
                    input=before.input,
                    configuration=before.configuration,
                    spent_usd=before.spent_usd,
                ),
                self.output,
                self.failures,
                upto=(self._output_file.size, failures_size),
            )
            in_flight = list(self._in_flight.items())
            self._state.meet((*self._lately, *in_flight))
            self._state.begin(clip_id for clip_id, _ in in_flight)
        except sqlite3.Error as worse:
            raise self._no_state(worse) from worse
        self._remade = True

    def _no_state(self, error: sqlite3.Error) -> ConfigError:
        return ConfigError(
            f"cannot keep the state of {self.output}, neither beside it nor in the folder for temporary files: {error}",
            reason="output_unwritable",
            hint="nothing written so far is lost: mend it, and run the same command again",
        )

    def _mend(self, path: Path) -> None:
        if path.exists() and (cut := cut_torn_tail(path)):
            self.notes.append(f"{path}: {cut} bytes of a line that a killed run had not finished were cut")

    def _rewrite_failures(self, state: State) -> None:
        if self._failures_file is not None:
            self._failures_file.close()
            self._failures_file = None
        try:
            replace_lines(self.failures, pieces_of(self.failures, state.true_failures()))
        except OSError as error:
            raise ConfigError(f"cannot write {self.failures}: {error.strerror}", reason="output_unwritable") from error
        read_failures_again(state, self._meta, self.failures)
