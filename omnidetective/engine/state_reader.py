"""Looking at an output through its state, also while a run writes it: nothing is written, nobody waits.

The state is behind a run that is going on by the lines of the last half second. They are read from the files and laid
over it. Where the state does not agree with the files, or where there are lines of other programs in them, there is no
such view, and the files have to be read.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from omnidetective.engine.output_files import failures_path
from omnidetective.engine.sorting import Clips, sort_lines
from omnidetective.engine.source import read_lines
from omnidetective.engine.state import State
from omnidetective.engine.state_files import brought_up_to_date
from omnidetective.engine.state_lines import Covered, Entry, failure_entry, record_entry
from omnidetective.engine.state_schema import Fault, Known, Meta, side_files, state_path
from omnidetective.records import FailureRecord, InputRow

_MOST_TAIL_BYTES: Final = 2**26
"""A state that is further behind than this is of no use."""

Failures = Counter[tuple[str, bool]]
"""Reason and whether trying again can help → how many."""


class Snapshot:
    """An output at one moment. Its methods raise ``sqlite3.Error`` where the state is damaged.

    Attributes:
        output, failures: sums over the lines of the two files.
        begun: how often clips were begun, in all runs.
    """

    def __init__(self, state: State, meta: Meta, records: Sequence[Entry], failures: Sequence[Entry]) -> None:
        self._state = state
        self.output, self.failures, self.begun = meta.output, meta.failures, meta.begun
        self._fresh = {entry.id: entry for entry in failures if entry.kind == "failure"}
        self._fresh.update((entry.id, entry) for entry in records)
        self._before = {clip_id: state.standing(clip_id) for clip_id in self._fresh}
        faults = {
            Fault(entry.id, entry.reason, entry.line_number): entry for entry in failures if entry.kind == "fault"
        }
        known = state.known_faults(faults)
        self._faults = [entry for fault, entry in faults.items() if fault not in known]

    def standing(self) -> Failures:
        """The failures that stand: of clips without a record, and faults of rows."""
        counts: Failures = Counter(self._state.failed())
        counts.update(self._state.faults())
        for clip_id, before in self._before.items():
            if before is not None and before.status == "failed":
                counts[before.reason or "", bool(before.retryable)] -= 1
            if self._newly_failed(clip_id):
                counts[self._fresh[clip_id].reason, self._fresh[clip_id].retryable] += 1
        counts.update((entry.reason, entry.retryable) for entry in self._faults)
        return +counts

    def in_flight(self) -> int:
        """Clips that are being done, or were when the run was killed."""
        ended = sum(before.in_flight for before in self._before.values() if before is not None)
        return self._state.in_flight() - ended

    def places(self) -> Iterator[tuple[int, int]]:
        """Offset and length of each line of the failures that stands, in their order."""
        gone = {before.offset for before in self._before.values() if before is not None and before.status == "failed"}
        yield from (place for place in self._state.true_failures() if place[0] not in gone)
        fresh = [self._fresh[clip_id] for clip_id in self._before if self._newly_failed(clip_id)]
        yield from sorted((entry.offset, entry.length) for entry in (*fresh, *self._faults))

    def known(self, ids: Iterable[str]) -> dict[str, Known]:
        """What is known of some clips, but not where the input names them."""
        asked = list(ids)
        found = {clip_id: clip._replace(line=None) for clip_id, clip in self._state.known(asked).items()}
        for clip_id in asked:
            if (entry := self._fresh.get(clip_id)) is not None:
                done = entry.kind == "record" or (clip_id in found and found[clip_id].status == "done")
                found[clip_id] = Known(clip_id, "done" if done else "failed", entry.reason, None)
        return found

    def _newly_failed(self, clip_id: str) -> bool:
        before = self._before[clip_id]
        return self._fresh[clip_id].kind == "failure" and (before is None or before.status != "done")

    def close(self) -> None:
        """Let go of the state."""
        self._state.close()


def snapshot(path: Path, output: BinaryIO, failures: BinaryIO | None) -> Snapshot | None:
    """The output at this moment, from its state; ``None`` where the files have to be read.

    Args:
        path: of the output, without links.
        output, failures: the files, opened; where they stand in them is changed.
    """
    file = state_path(path)
    for _ in range(2):  # A run may begin meanwhile.
        if not file.is_file():
            return None
        changing = side_files(file)[0].exists()
        state = None
        try:
            state = State.reading(file, changing=changing)
            meta = state.meta()
            records = _since(meta.output, output, record_entry)
            failed = _since(meta.failures, failures, failure_entry)
            if records is not None and failed is not None:
                found = Snapshot(state, meta, records, failed)
                if changing or not side_files(file)[0].exists():
                    state = None
                    return found
        except sqlite3.Error:
            return None
        finally:
            if state is not None:
                state.close()
        if changing:
            return None
    return None


def count_rows(input_path: Path, output: Path, failures: Path, *, known: Snapshot | None) -> dict[str, int]:
    """How many rows of an input are ``done``, ``failed``, ``left``, ``duplicates`` and ``unusable``.

    Args:
        known: the output; without it the files are read.

    Raises:
        ConfigError: the input cannot be read.
        OSError, sqlite3.Error
    """
    counts = dict.fromkeys(("done", "failed", "left", "duplicates", "unusable"), 0)
    with closing(State.temporary()) as here:
        if known is None:
            brought_up_to_date(here, Meta(), output, failures)
        for some in sort_lines(read_lines(input_path), _Looking(here, known), again=lambda _id, _reason: False):
            counts["done"] += some.done
            counts["failed"] += some.failed
            for row in some.rows:
                if isinstance(row, InputRow):
                    counts["left"] += 1
                else:
                    counts["duplicates" if row.error.reason == "duplicate_id" else "unusable"] += 1
    return counts


@contextmanager
def looking(output: Path | None) -> Iterator[Clips]:
    """Clips as an output knows them, for whoever reads an input without doing anything of it.

    Args:
        output: it may be missing, and a run may be writing it; ``None``: nothing is known of any clip.

    Raises:
        OSError, sqlite3.Error: it cannot be read.
    """
    with ExitStack() as stack:
        here = stack.enter_context(closing(State.temporary()))
        known = None
        if output is not None and output.exists():
            failures = failures_path(output)
            records = stack.enter_context(output.open("rb"))
            failed = stack.enter_context(failures.open("rb")) if failures.exists() else None
            known = snapshot(output.resolve(), records, failed)
            if known is not None:
                stack.callback(known.close)
            else:
                brought_up_to_date(here, Meta(), output, failures)
        yield _Looking(here, known)


def rows_of(input_path: Path) -> Iterator[InputRow | FailureRecord]:
    """Every row of an input; those that cannot be used as failures, among them all but the first of one id.

    Raises:
        ConfigError: the input cannot be read.
    """
    with looking(None) as clips:
        for some in sort_lines(read_lines(input_path), clips, again=lambda _id, _reason: True):
            yield from some.rows


class _Looking:
    """Clips as an output knows them, with the lines of an input that is read only now."""

    def __init__(self, here: State, known: Snapshot | None) -> None:
        self._here = here
        self._known = known

    def known(self, ids: Iterable[str]) -> dict[str, Known]:
        """What is known of some clips."""
        asked = list(ids)
        found = self._here.known(asked)
        if self._known is not None:
            for clip_id, clip in self._known.known(asked).items():
                line = found[clip_id].line if clip_id in found else None
                found[clip_id] = clip._replace(line=line)
        return found

    def meet(self, passed: Sequence[tuple[str, int]], to_do: Sequence[tuple[str, int]]) -> None:
        """Remember the lines."""
        self._here.meet((*passed, *to_do))


def _since(covered: Covered, file: BinaryIO | None, entry_of: Callable[[bytes, int], Entry]) -> list[Entry] | None:
    """The lines that the state does not cover yet, added to its sums; ``None`` where the file says something else."""
    if file is None:
        return None if covered.size else []
    if not covered.begins(file.fileno()):
        return None
    offset = file.seek(covered.size)
    entries = []
    for line in file:
        entry = entry_of(line, offset)
        # A line that is being written is left to those who read the files.
        if not line.endswith(b"\n") or entry.kind == "damaged" or offset - covered.size > _MOST_TAIL_BYTES:
            return None
        entries.append(entry)
        offset += len(line)
    for entry in entries:
        covered.add(entry)
    sound = not (covered.damaged or covered.repeated or covered.outcomes.get(""))
    return entries if sound else None
