"""What the state file looks like: its tables, the statements that fill them, and what a row of them says."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final, Literal, NamedTuple

from omnidetective.engine.state_lines import Covered

APPLICATION_ID: Final = 0x4F4D4E49
SCHEMA: Final = 1

TABLES: Final = (
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
MEET: Final = """
INSERT INTO clips (id, status, line) VALUES (?, 'met', ?) ON CONFLICT (id) DO UPDATE SET line = excluded.line
"""
BEGIN: Final = """
INSERT INTO clips (id, status, in_flight, attempts) VALUES (?, 'met', 1, 1)
ON CONFLICT (id) DO UPDATE SET in_flight = 1, attempts = attempts + 1 WHERE status != 'done'
"""
# A line that comes without its beginning (it was not committed, or the state was made again) counts as an attempt.
FINISH: Final = """
INSERT INTO clips (id, status, attempts, outcome, reason, retryable, offset, length, cost_usd, tokens)
VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    status = excluded.status, in_flight = 0, attempts = attempts + (in_flight = 0), outcome = excluded.outcome,
    reason = excluded.reason, retryable = excluded.retryable, offset = excluded.offset, length = excluded.length,
    cost_usd = excluded.cost_usd, tokens = excluded.tokens
WHERE status != 'done'
"""
FAULT: Final = """
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

    def to_rows(self) -> dict[str, str]:
        """For the table of that name."""
        return {
            "output_name": self.output_name,
            "output": self.output.to_json(),
            "failures": self.failures.to_json(),
            "runs": str(self.runs),
            "begun": str(self.begun),
            "input": self.input,
            "configuration": self.configuration,
            "spent_usd": str(self.spent_usd),
        }

    @classmethod
    def from_rows(cls, values: dict[str, str]) -> Meta:
        """Read back; a table that is empty says what a new state says.

        Raises:
            sqlite3.DatabaseError: it cannot be understood.
        """
        if not values:
            return cls()
        try:
            return cls(
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


def check_schema(connection: sqlite3.Connection) -> None:
    """Refuse a file that is no state, or one of another version.

    Raises:
        StaleSchemaError, sqlite3.DatabaseError
    """
    ours = connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    if not ours:
        raise sqlite3.DatabaseError("it is no state of a run")
    if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA:
        raise StaleSchemaError("another version of omnidetective made it")


def create(connection: sqlite3.Connection) -> None:
    """Make the tables."""
    for statement in TABLES:
        connection.execute(statement)
