"""The state of an output: one row a clip, in a SQLite file beside it.

The files of lines are the truth. This is what they say, in a form that can be asked about one clip without reading a
million others, and what they do not say: which clips are being done now, at which line of the input each was met, what
the run was told to do. It can always be made again from the files (:mod:`omnidetective.engine.state_files`).

What is written becomes visible to others, and lasting, by :meth:`State.commit`, together with how much of the files it
covers.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from omnidetective.engine.state_lines import Entry
from omnidetective.engine.state_schema import (
    BEGIN,
    FAULT,
    FINISH,
    MEET,
    Fault,
    Known,
    Meta,
    Standing,
    check_schema,
    create,
)

_BUSY_S: Final = 10.0
_MOST_VARIABLES: Final = 900
"""SQLite before 3.32 takes 999 values in a statement."""
_CHUNK: Final = 1000


class State:
    """An open state. Its methods raise ``sqlite3.Error``; one thread at a time may use it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._run = connection.execute
        self._committed: dict[str, str] = {}
        self._changes = 0

    @classmethod
    def at(cls, path: Path) -> State:
        """Open the file, or make it.

        Raises:
            StaleSchemaError: it was made by another version of this program.
            sqlite3.Error: it is damaged, something else, or cannot be written.
        """
        connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            empty = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if not empty:
                check_schema(connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("BEGIN IMMEDIATE")
            if empty:
                create(connection)
        except BaseException:
            connection.close()
            raise
        return cls(connection)

    @classmethod
    def temporary(cls) -> State:
        """A state that ends with this process; what memory does not hold goes to the folder for temporary files."""
        connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        connection.execute("BEGIN")
        create(connection)
        return cls(connection)

    @classmethod
    def reading(cls, path: Path, *, changing: bool) -> State:
        """Open a state to look at it, as it is at this moment. Nothing is written, and nobody is held up.

        Args:
            changing: whether a run has it open, or left it open when it was killed.

        Raises:
            StaleSchemaError, sqlite3.Error: it cannot be read.
        """
        how = "mode=ro" if changing else "mode=ro&immutable=1"
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None)
        try:
            connection.execute("PRAGMA busy_timeout = 1000")
            connection.execute("BEGIN")
            check_schema(connection)
        except BaseException:
            connection.close()
            raise
        return cls(connection)

    def close(self) -> None:
        """Close without committing. Safe to call twice."""
        self._connection.close()

    def commit(self, meta: Meta) -> None:
        """Make everything since the last commit visible, at once, together with what it covers."""
        values = meta.to_rows()
        if values == self._committed and self._connection.total_changes == self._changes:
            return
        self._connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())
        self._run("COMMIT")
        self._run("BEGIN IMMEDIATE")
        self._committed, self._changes = values, self._connection.total_changes

    def meta(self) -> Meta:
        """What was committed last.

        Raises:
            sqlite3.DatabaseError: it cannot be understood.
        """
        return Meta.from_rows(dict(self._run("SELECT name, value FROM meta")))

    def known(self, ids: Iterable[str]) -> dict[str, Known]:
        """What is known of these clips; those of which nothing is known are left out."""
        found: dict[str, Known] = {}
        for some in _parts(ids, _MOST_VARIABLES):
            marks = ",".join("?" * len(some))
            asked = f"SELECT id, status, reason, line FROM clips WHERE id IN ({marks})"  # noqa: S608
            found.update({clip.id: clip for clip in map(Known._make, self._run(asked, some))})
        return found

    def standing(self, clip_id: str) -> Standing | None:
        """How a clip stands; ``None`` where nothing is known of it."""
        row = self._run("SELECT status, reason, retryable, offset, in_flight FROM clips WHERE id = ?", (clip_id,))
        found = row.fetchone()
        return None if found is None else Standing(*found)

    def known_faults(self, faults: Iterable[Fault]) -> set[Fault]:
        """Which of these faults of rows are written already."""
        query = "SELECT 1 FROM faults WHERE id = ? AND reason = ? AND line = ?"
        return {fault for fault in faults if self._run(query, fault).fetchone()}

    def meet(self, rows: Iterable[tuple[str, int]]) -> None:
        """Note at which line of the input each clip is."""
        self._connection.executemany(MEET, rows)

    def begin(self, ids: Iterable[str]) -> None:
        """Note that these clips are being done."""
        self._connection.executemany(BEGIN, ((clip_id,) for clip_id in ids))

    def apply(self, entries: Sequence[Entry], *, run: int) -> int:
        """Take over lines of the files; returns how many records and faults among them were there before.

        ``run`` is the number of the run that found the faults of rows; 0: that was an earlier one.
        """
        of: dict[str, list[Entry]] = {"record": [], "failure": [], "fault": [], "damaged": []}
        for entry in entries:
            of[entry.kind].append(entry)
        new = self._count_changes(FINISH, map(_finish_row, of["record"]))
        self._connection.executemany(FINISH, map(_finish_row, of["failure"]))
        new += self._count_changes(
            FAULT, ((e.id, e.reason, e.line_number, e.retryable, e.offset, e.length, run) for e in of["fault"])
        )
        return len(of["record"]) + len(of["fault"]) - new

    def find_faults_again(self, faults: Iterable[Fault], *, run: int) -> None:
        """Note that the present run has met these faults too."""
        self._connection.executemany(
            "UPDATE faults SET run = ? WHERE id = ? AND reason = ? AND line = ?", ((run, *fault) for fault in faults)
        )

    def drop_faults(self, *, not_of_run: int, mended: Callable[[Fault], bool]) -> None:
        """Forget faults of rows that the present run has not met, where they are mended."""
        after = 0
        while rows := self._run(
            "SELECT rowid, id, reason, line FROM faults WHERE rowid > ? AND run != ? ORDER BY rowid LIMIT ?",
            (after, not_of_run, _CHUNK),
        ).fetchall():
            after = rows[-1][0]
            gone = [(row[0],) for row in rows if mended(Fault(*row[1:]))]
            self._connection.executemany("DELETE FROM faults WHERE rowid = ?", gone)

    def move_failures(self, entries: Iterable[Entry]) -> None:
        """Take over where lines of the failures are that are known already."""
        for entry in entries:
            place = (entry.offset, entry.length, entry.id)
            if entry.kind == "fault":
                self._run(
                    "UPDATE faults SET offset = ?, length = ? WHERE id = ? AND reason = ? AND line = ?",
                    (*place, entry.reason, entry.line_number),
                )
            else:
                self._run("UPDATE clips SET offset = ?, length = ? WHERE id = ? AND status = 'failed'", place)

    def leave_all(self) -> None:
        """Nothing is being done any more: the run that did it is gone."""
        self._run("UPDATE clips SET in_flight = 0 WHERE in_flight = 1")

    def forget_lines(self) -> None:
        """The input is another one: where its clips are is not known yet."""
        self._run("UPDATE clips SET line = NULL WHERE line IS NOT NULL")

    def forget_failures(self) -> None:
        """Know nothing of the failures any more."""
        self._run("DELETE FROM faults")
        self._run(
            "UPDATE clips SET status = 'met', outcome = NULL, reason = NULL, retryable = NULL, offset = NULL, "
            "length = NULL, cost_usd = NULL, tokens = NULL, attempts = 0 WHERE status = 'failed'"
        )

    def forget_all(self) -> None:
        """Know nothing of any clip."""
        for table in ("clips", "faults", "meta"):
            self._run(f"DELETE FROM {table}")  # noqa: S608

    def failed(self) -> dict[tuple[str, bool], int]:
        """Clips that have failed and have no record: reason and whether trying again can help → how many."""
        return _counts(self._run("SELECT reason, retryable, count(*) FROM clips WHERE status = 'failed' GROUP BY 1, 2"))

    def faults(self) -> dict[tuple[str, bool], int]:
        """Faults of rows, in the same way."""
        return _counts(self._run("SELECT reason, retryable, count(*) FROM faults GROUP BY 1, 2"))

    def in_flight(self) -> int:
        """How many clips are being done."""
        return int(self._run("SELECT count(*) FROM clips WHERE in_flight = 1").fetchone()[0])

    def true_failures(self) -> Iterator[tuple[int, int]]:
        """Offset and length of the lines of the failures that are true, in their order."""
        yield from self._run(
            "SELECT offset, length FROM clips INDEXED BY failed WHERE status = 'failed' "
            "UNION ALL SELECT offset, length FROM faults ORDER BY 1"
        )

    def _count_changes(self, statement: str, rows: Iterable[tuple[object, ...]]) -> int:
        before = self._connection.total_changes
        self._connection.executemany(statement, rows)
        return self._connection.total_changes - before


def _finish_row(entry: Entry) -> tuple[object, ...]:
    usage = entry.usage
    return (
        entry.id,
        "done" if entry.kind == "record" else "failed",
        entry.outcome or None,
        None if entry.kind == "record" else entry.reason,
        None if entry.kind == "record" else entry.retryable,
        entry.offset,
        entry.length,
        None if usage is None or usage.cost_usd is None else str(usage.cost_usd),
        None if usage is None else usage.prompt_tokens + usage.completion_tokens,
    )


def _counts(rows: Iterable[tuple[str, int, int]]) -> dict[tuple[str, bool], int]:
    return {(reason, bool(retryable)): count for reason, retryable, count in rows}


def _parts(values: Iterable[str], size: int) -> Iterator[tuple[str, ...]]:
    rest = iter(values)
    while part := tuple(islice(rest, size)):
        yield part
