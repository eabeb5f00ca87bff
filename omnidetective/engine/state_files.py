"""Bringing the state to what the files say: opening it, reading what was added since, or making it again.

A state that is damaged, is of another output, or says something else than the files costs time, never a clip.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from omnidetective.engine.state import State
from omnidetective.engine.state_lines import Covered, Entry, failure_entry, record_entry
from omnidetective.engine.state_schema import Meta, StaleSchemaError, remove, state_path

_CHUNK_LINES: Final = 500
_CHUNK_BYTES: Final = 2**23
_COMMIT_S: Final = 2.0
"""While a state is made from the files, how often what is there is kept."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A state that says what the files say, what it knows of itself, and what was met on the way, for people."""

    state: State
    meta: Meta
    notes: tuple[str, ...]


def open_state(output: Path, failures: Path) -> Opened:
    """The state of an output, up to date. Both files must end with whole lines, and nobody else may write them.

    A file that is damaged or no state is set aside. Where no file can be written, the state is kept elsewhere until the
    process ends.

    Raises:
        OSError: the files cannot be read.
        sqlite3.Error: no state can be kept, not even elsewhere.
    """
    path = state_path(output)
    notes: list[str] = []
    for _ in range(2):
        try:
            state, meta = _opened(path, output, failures)
            return Opened(state, meta, tuple(notes))
        except sqlite3.OperationalError as error:  # A full disk, a folder or a file that cannot be written.
            notes.append(unusable(path, error))
            break
        except sqlite3.DatabaseError as error:
            notes.append(set_aside(path, error))
    state = State.temporary()
    return Opened(state, brought_up_to_date(state, Meta(), output, failures), tuple(notes))


def unusable(path: Path, error: sqlite3.Error) -> str:
    """What is said of a state that cannot be kept."""
    return (
        f"the state file {path} cannot be written ({error}): this run keeps its state in a temporary one, "
        "and the next run will read the output again"
    )


def set_aside(path: Path, error: sqlite3.Error) -> str:
    """Put a damaged state out of the way; returns what is said of it."""
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    try:
        path.replace(aside)
        remove(path)
    except OSError as problem:
        return f"the state file {path} is damaged ({error}), and could not be set aside: {problem.strerror}"
    return f"the state file {path} was damaged ({error}): set aside as {aside.name}, and made again from the output"


def brought_up_to_date(
    state: State, meta: Meta, output: Path, failures: Path, *, upto: tuple[int, int] | None = None
) -> Meta:
    """Make a state say what the files say, and begin a new run in it.

    Args:
        meta: what the state says of itself.
        upto: how many bytes of the output and of the failures count, where somebody is writing them.

    Raises:
        OSError, sqlite3.Error
    """
    if not _covers(meta.output, output):
        state.forget_all()
        # What was spent and decided is this output's even where its lines were changed; a state that was copied from
        # another output says nothing about this one.
        ours = meta.output_name == output.name
        meta = Meta(configuration=meta.configuration, spent_usd=meta.spent_usd) if ours else Meta()
    elif not _covers(meta.failures, failures):
        state.forget_failures()
        meta.failures = Covered()
    meta.output_name = output.name
    ends = (None, None) if upto is None else upto
    _read_on(state, meta, meta.output, output, record_entry, ends[0])
    _read_on(state, meta, meta.failures, failures, failure_entry, ends[1])
    if meta.runs == 0:
        meta.spent_usd = max(meta.spent_usd, meta.output.known_usd + meta.failures.known_usd)
    meta.runs += 1
    state.leave_all()
    state.commit(meta)
    return meta


def read_failures_again(state: State, meta: Meta, failures: Path) -> None:
    """The failures that are true stand elsewhere in their file now. Not committed.

    Raises:
        OSError, sqlite3.Error
    """
    meta.failures = Covered()
    for entries in _entries_from(failures, 0, failure_entry, None):
        state.move_failures(entries)
        for entry in entries:
            meta.failures.add(entry)


def lines_from(path: Path, offset: int, upto: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Whole lines from a place in a file on, each with the place where it begins; none where there is no file."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        file.seek(offset)
        while (upto is None or offset < upto) and (line := file.readline()).endswith(b"\n"):
            yield offset, line
            offset += len(line)


def _opened(path: Path, output: Path, failures: Path) -> tuple[State, Meta]:
    try:
        state = State.at(path)
    except StaleSchemaError:
        remove(path)
        state = State.at(path)
    try:
        return state, brought_up_to_date(state, state.meta(), output, failures)
    except BaseException:
        state.close()
        raise


def _covers(covered: Covered, path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return not covered.size
    try:
        return covered.begins(fd)
    finally:
        os.close(fd)


def _read_on(
    state: State,
    meta: Meta,
    covered: Covered,
    path: Path,
    entry_of: Callable[[bytes, int], Entry],
    upto: int | None,
) -> None:
    """Take over the lines that the state does not cover yet."""
    commit_at = time.monotonic() + _COMMIT_S
    for entries in _entries_from(path, covered.size, entry_of, upto):
        covered.repeated += state.apply(entries, run=0)
        for entry in entries:
            covered.add(entry)
        if time.monotonic() >= commit_at:
            state.commit(meta)
            commit_at = time.monotonic() + _COMMIT_S


def _entries_from(
    path: Path, offset: int, entry_of: Callable[[bytes, int], Entry], upto: int | None
) -> Iterator[list[Entry]]:
    entries: list[Entry] = []
    size = 0
    for at, line in lines_from(path, offset, upto):
        entries.append(entry_of(line, at))
        size += len(line)
        if len(entries) >= _CHUNK_LINES or size >= _CHUNK_BYTES:
            yield entries
            entries, size = [], 0
    if entries:
        yield entries
