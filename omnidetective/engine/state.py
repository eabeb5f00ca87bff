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
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import islice
from pathlib import Path
from typing import Final, Literal, NamedTuple

from omnidetective.engine.state_lines import Covered, Entry

APPLICATION_ID: Final = 0x4F4D4E49
SCHEMA: Final = 1
_BUSY_S: Final = 10.0
_MOST_VARIABLES: Final = 900
"""SQLite before 3.32 takes 999 values in a statement."""
_CHUNK: Final = 1000

_TABLES: Final = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE clips (
        id TEXT PRIMARY KEY,
        status TEXT NOT NULL,
        in_flight INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        outcome TEXT,
        reason TEXT,
        retryable INTEGER,
        offset INTEGER,
        length INTEGER,
        cost_usd TEXT,
        tokens INTEGER,
        line INTEGER
    ) WITHOUT ROWID""",
    "CREATE INDEX in_flight ON clips (in_flight) WHERE in_flight = 1",
    "CREATE INDEX failed ON clips (reason, retryable) WHERE status = 'failed'",
    """CREATE TABLE faults (
        id TEXT NOT NULL,
        reason TEXT NOT NULL,
        line INTEGER NOT NULL,
        retryable INTEGER NOT NULL,
        offset INTEGER NOT NULL,
        length INTEGER NOT NULL,
        run INTEGER NOT NULL,
        PRIMARY KEY (id, reason, line)
    )""",
    f"PRAGMA user_version = {SCHEMA}",
    f"PRAGMA application_id = {APPLICATION_ID}",
)
_MEET: Final = """
INSERT INTO clips (id, status, line) VALUES (?, 'met', ?) ON CONFLICT (id) DO UPDATE SET line = excluded.line
"""
_BEGIN: Final = """
INSERT INTO clips (id, status, in_flight, attempts) VALUES (?, 'met', 1, 1)
ON CONFLICT (id) DO UPDATE SET in_flight = 1, attempts = attempts + 1 WHERE status != 'done'
"""
# A line that comes without its beginning (it was not committed, or the state was made again) counts as an attempt.
_FINISH: Final = """
INSERT INTO clips (id, status, attempts, outcome, reason, retryable, offset, length, cost_usd, tokens)
VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    status = excluded.status, in_flight = 0, attempts = attempts + (in_flight = 0), outcome = excluded.outcome,
    reason = excluded.reason, retryable = excluded.retryable, offset = excluded.offset, length = excluded.length,
    cost_usd = excluded.cost_usd, tokens = excluded.tokens
WHERE status != 'done'
"""
_FAULT: Final = """
INSERT INTO faults (id, reason, line, retryable, offset, length, run) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id, reason, line) DO NOTHING
"""

Status = Literal["met", "done", "failed"]


class Known(NamedTuple):
    """What is known of a clip.

    Attributes:
        id: of the clip.
        status: ``met``: it has neither record nor failure.
        reason: why it failed, if it did.
        line: where the present input names it, as far as it has been read.
    """

    id: str
    status: Status
    reason: str | None
    line: int | None


class Standing(NamedTuple):
    """What the last committed line of a clip says, and whether the clip is being done."""

    status: Status
    reason: str | None
    retryable: int | None
    offset: int | None
    in_flight: int


class Fault(NamedTuple):
    """A row of the input that cannot be used: its id, why, and its line."""

    id: str
    reason: str
    line: int


@dataclass(slots=True)
class Meta:
    """What the state knows of the whole.

    Attributes:
        output_name: name of the output that it belongs to.
        output, failures: how much of the two files it covers.
        runs: how many runs there were, the present one included.
        begun: how often clips were begun, in all runs.
        input: which input the lines of the clips are of.
        configuration: what the records were made with, as JSON; empty where that is not known.
        spent_usd: what all runs have spent, as the runs counted it.
    """

    output_name: str = ""
    output: Covered = field(default_factory=Covered)
    failures: Covered = field(default_factory=Covered)
    runs: int = 0
    begun: int = 0
    input: str = ""
    configuration: str = ""
    spent_usd: Decimal = Decimal(0)


class State:
    """An open state. Its methods raise ``sqlite3.Error``; one thread at a time may use it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._run = connection.execute

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
                _check_schema(connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("BEGIN IMMEDIATE")
            if empty:
                _create(connection)
        except BaseException:
            connection.close()
            raise
        return cls(connection)

    @classmethod
    def temporary(cls) -> State:
        """A state that ends with this process; what memory does not hold goes to the folder for temporary files."""
        connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        connection.execute("BEGIN")
        _create(connection)
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
            _check_schema(connection)
        except BaseException:
            connection.close()
            raise
        return cls(connection)

    def close(self) -> None:
        """Close without committing. Safe to call twice."""
        self._connection.close()

    def commit(self, meta: Meta) -> None:
        """Make everything since the last commit visible, at once, together with what it covers."""
        values = {
            "output_name": meta.output_name,
            "output": meta.output.to_json(),
            "failures": meta.failures.to_json(),
            "runs": str(meta.runs),
            "begun": str(meta.begun),
            "input": meta.input,
            "configuration": meta.configuration,
            "spent_usd": str(meta.spent_usd),
        }
        self._connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())
        self._run("COMMIT")
        self._run("BEGIN IMMEDIATE")

    def meta(self) -> Meta:
        """What was committed last.

        Raises:
            sqlite3.DatabaseError: it cannot be understood.
        """
        values: dict[str, str] = dict(self._run("SELECT name, value FROM meta"))
        if not values:
            return Meta()
        try:
            return Meta(
                output_name=values["output_name"],
                output=Covered.from_json(values["output"]),
                failures=Covered.from_json(values["failures"]),
                runs=int(values["runs"]),
                begun=int(values["begun"]),
                input=values["input"],
                configuration=values["configuration"],
                spent_usd=Decimal(values["spent_usd"]),
            )
        except (KeyError, ValueError, InvalidOperation) as error:
            raise sqlite3.DatabaseError(f"what it says of itself cannot be understood: {error}") from error

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
        self._connection.executemany(_MEET, rows)

    def begin(self, ids: Iterable[str]) -> None:
        """Note that these clips are being done."""
        self._connection.executemany(_BEGIN, ((clip_id,) for clip_id in ids))

    def apply(self, entries: Sequence[Entry], *, run: int) -> int:
        """Take over lines of the files; returns how many records and faults among them were there before.

        ``run`` is the number of the run that found the faults of rows; 0: that was an earlier one.
        """
        of: dict[str, list[Entry]] = {"record": [], "failure": [], "fault": [], "damaged": []}
        for entry in entries:
            of[entry.kind].append(entry)
        new = self._count_changes(_FINISH, map(_finish_row, of["record"]))
        self._connection.executemany(_FINISH, map(_finish_row, of["failure"]))
        new += self._count_changes(
            _FAULT, ((e.id, e.reason, e.line_number, e.retryable, e.offset, e.length, run) for e in of["fault"])
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


class StaleSchemaError(sqlite3.DatabaseError):
    """The state was made by another version of this program."""


def state_path(output: Path) -> Path:
    """Where the state of an output is kept: ``out.state.sqlite`` beside ``out.jsonl``."""
    return output.with_name(f"{output.stem}.state.sqlite")


def side_files(path: Path) -> tuple[Path, ...]:
    """The files that SQLite keeps beside its own while it is open."""
    return tuple(path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-shm"))


def remove(path: Path) -> None:
    """Remove a state."""
    for file in (path, *side_files(path)):
        with suppress(FileNotFoundError):
            file.unlink()


def _check_schema(connection: sqlite3.Connection) -> None:
    ours = connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    if not ours:
        raise sqlite3.DatabaseError("it is no state of a run")
    if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA:
        raise StaleSchemaError("another version of omnidetective made it")


def _create(connection: sqlite3.Connection) -> None:
    for statement in _TABLES:
        connection.execute(statement)


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
