"""Where each line of several outputs stands, and whose it is.

It is kept in a temporary database on disk, so that memory does not grow with the number of clips.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from omnidetective.engine.output_files import failures_path
from omnidetective.engine.state_reader import rows_of
from omnidetective.errors import ConfigError, RowError
from omnidetective.records import InputRow

_SHOWN: Final = 5
_MOST_OPEN: Final = 128
_SCHEMA: Final = """
CREATE TABLE records (id TEXT PRIMARY KEY, place INTEGER, shard INTEGER, start INTEGER, size INTEGER,
    wanted INTEGER DEFAULT 0) WITHOUT ROWID;
CREATE TABLE failures (key TEXT PRIMARY KEY, place INTEGER, shard INTEGER, start INTEGER, size INTEGER, id TEXT,
    of_row INTEGER) WITHOUT ROWID;
CREATE INDEX failed ON failures (id);
"""

LineT = TypeVar("LineT", bound="_Line")


@dataclass(frozen=True, slots=True)
class Ids:
    """Some ids: how many, and the first few of them."""

    count: int
    first: tuple[str, ...]


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore")
    schema_version: Literal[1]
    id: str


class _Error(BaseModel):
    model_config = ConfigDict(extra="ignore")
    type: str
    reason: str


class _Failure(_Line):
    error: _Error
    line_number: int = 0

    @property
    def of_row(self) -> bool:
        """Whether it is about a row of the input, not about a clip."""
        return self.error.type == RowError.__name__

    @property
    def key(self) -> str:
        """What it is the same failure as."""
        return f"{self.error.reason}:{self.line_number}:{self.id}" if self.of_row else f":{self.id}"


class Index:
    """Where each record and each failure stands. Use as a context manager.

    Attributes:
        damaged: lines that hold no record and no failure, in the middle of a file.
    """

    def __init__(self, shards: Sequence[Path]) -> None:
        self._shards = shards
        # Without a name SQLite keeps it in a file of its own that nobody else sees, and that goes away with it.
        self._lines = sqlite3.connect("", isolation_level=None)
        self._lines.executescript(f"PRAGMA journal_mode=OFF; PRAGMA cache_size=-16000; {_SCHEMA}")
        self._lines.execute("BEGIN")
        self._files: OrderedDict[Path, BinaryIO] = OrderedDict()
        self._place = 0
        self.damaged = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lines.close()
        for file in self._files.values():
            file.close()

    def read(self, shard: int) -> None:
        """Take over what an output and its failures say.

        Raises:
            ConfigError: they are not whole, or an id has two records.
        """
        output = self._shards[shard]
        insert = "INSERT OR IGNORE INTO records (id, place, shard, start, size) VALUES (?, ?, ?, ?, ?)"
        repeated: list[str] = []
        others: set[Path] = set()
        count = 0
        for line, start, size in self._lines_of(output, _Line):
            self._place += 1
            if not self._lines.execute(insert, (line.id, self._place, shard, start, size)).rowcount:
                count += 1
                (other,) = self._lines.execute("SELECT shard FROM records WHERE id = ?", (line.id,)).fetchone()
                others.add(self._shards[other])
                repeated += [line.id] * (len(repeated) < _SHOWN)
        if count:
            more = " …" if count > _SHOWN else ""
            where = ", ".join(str(path) for path in sorted(others | {output}))
            raise ConfigError(
                f"{count:,} ids have more than one record: {', '.join(map(repr, repeated))}{more}, in {where}",
                reason="duplicate_id",
                hint="nothing was written; were the parts made with the same --shard N and from the same input?",
            )
        replace = "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?, ?, ?)"
        if (beside := failures_path(output)).exists():
            for failure, start, size in self._lines_of(beside, _Failure):
                self._place += 1
                place = (failure.key, self._place, shard, start, size, failure.id, failure.of_row)
                self._lines.execute(replace, place)
        self._lines.execute(
            "DELETE FROM failures WHERE NOT of_row AND EXISTS (SELECT 1 FROM records WHERE records.id = failures.id)"
        )

    def compare(self, input_path: Path) -> tuple[Ids, Ids]:
        """Ids of the input that are missing, and ids that it does not have. Puts the records in its order."""
        missing = _Counted()
        mark = "UPDATE records SET wanted = ? WHERE id = ?"
        for number, row in enumerate(rows_of(input_path), start=1):
            if isinstance(row, InputRow):
                if self._lines.execute(mark, (number, row.id)).rowcount:
                    continue
                key = f":{row.id}"
            else:
                key = f"{row.error.reason}:{row.line_number}:{row.id}"
            if self._lines.execute("SELECT 1 FROM failures WHERE key = ?", (key,)).fetchone() is None:
                missing.add(row.id)
        unknown = _Counted()
        for (clip_id,) in self._lines.execute("SELECT id FROM records WHERE wanted = 0 ORDER BY place"):
            unknown.add(clip_id)
        return missing.ids(), unknown.ids()

    def records(self, *, in_order: bool) -> Iterator[bytes]:
        """The lines of the new output."""
        order = "wanted = 0, wanted, place" if in_order else "place"
        query = f"SELECT shard, start, size FROM records ORDER BY {order}"  # noqa: S608 - one of two texts from here
        return self._copied(query, lambda shard: shard)

    def failures(self) -> Iterator[bytes]:
        """The lines of its failures."""
        return self._copied("SELECT shard, start, size FROM failures ORDER BY place", failures_path)

    def failed(self) -> Ids:
        """Clips that failed."""
        failed = _Counted()
        for (clip_id,) in self._lines.execute("SELECT id FROM failures WHERE NOT of_row ORDER BY place"):
            failed.add(clip_id)
        return failed.ids()

    def count(self, what: str) -> int:
        """How many rows there are of a table."""
        (count,) = self._lines.execute(f"SELECT count(*) FROM {what}").fetchone()  # noqa: S608 - the caller's words
        return int(count)

    def _lines_of(self, path: Path, kind: type[LineT]) -> Iterator[tuple[LineT, int, int]]:
        """The lines of a file, where each begins and how long it is, without its line break."""
        start = 0
        damaged = 0
        with path.open("rb") as file:
            for text in file:
                try:
                    if not text.endswith(b"\n"):
                        raise ValueError("torn")
                    line = kind.model_validate_json(text)
                    line.id.encode()
                except (ValidationError, ValueError):
                    damaged += 1
                else:
                    self.damaged += damaged
                    damaged = 0
                    yield line, start, len(text) - 1
                start += len(text)
        if damaged:
            raise ConfigError(
                f"{path} does not end in a whole line of this program",
                reason="output_torn",
                hint="its run was killed: the same run command again mends it and goes on; then merge",
            )

    def _copied(self, query: str, path_of: Callable[[Path], Path]) -> Iterator[bytes]:
        for shard, start, size in self._lines.execute(query):
            file = self._open(path_of(self._shards[shard]))
            file.seek(start)
            yield file.read(size) + b"\n"

    def _open(self, path: Path) -> BinaryIO:
        """A file that stays open for a while: there may be more outputs than files that may be open."""
        if path in self._files:
            self._files.move_to_end(path)
        else:
            if len(self._files) >= _MOST_OPEN:
                self._files.popitem(last=False)[1].close()
            self._files[path] = path.open("rb")
        return self._files[path]


class _Counted:
    """Counts ids, and keeps the first few."""

    def __init__(self) -> None:
        self._count = 0
        self._first: list[str] = []

    def add(self, clip_id: str) -> None:
        self._count += 1
        if self._count <= _SHOWN:
            self._first.append(clip_id)

    def ids(self) -> Ids:
        return Ids(self._count, tuple(self._first))
