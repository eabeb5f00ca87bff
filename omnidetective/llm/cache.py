"""The response cache: a call that was answered is not paid for again.

One SQLite file beside the output, or wherever ``cache.path`` says; many processes can share it. A killed run repeats
no call that had ended, and a change of a late prompt repeats none of the early ones. Kept are whole, good replies only:
what was cut off, blocked or empty is asked again, and so is what could not be brought into its form.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

_Row = tuple[str, str, str, float]
"""Key, model, reply, and when it was made, in seconds since 1970."""

_VERSION = 1
_MOST_USES_UNTOLD = 1000
_FIND = "SELECT reply FROM replies WHERE key = ?"
_BUSY_S = 30.0
_TABLES = """
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY,
    model TEXT NOT NULL,
    reply TEXT NOT NULL,
    made_at REAL NOT NULL,
    used_at REAL NOT NULL
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """What a cache file holds; times are seconds since 1970, ``None`` where it is empty."""

    replies: int
    size_bytes: int
    by_model: dict[str, int]
    oldest_at: float | None
    newest_at: float | None


class ResponseCache:
    """Replies by key, in one file. It is opened at the first use, so a run without model calls leaves none behind.

    A file that is no database, or a damaged one, is set aside under another name and a new one is begun: the cache can
    cost money when it fails, never a clip.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._broken = False
        self._complained = False
        # Whatever may wait for another process is done in a thread, never on the event loop.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="response-cache")
        self._asking: dict[str, asyncio.Future[None]] = {}
        self._group: list[tuple[_Row, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._used: dict[str, float] = {}

    async def answer(
        self,
        key: str,
        model: str,
        ask: Callable[[], Awaitable[tuple[T, str | None]]],
        *,
        read: Callable[[str], T],
    ) -> tuple[T, bool]:
        """The answer to a call, from the cache or by asking; the same call is asked once at a time.

        Args:
            key: what was asked, as a hash.
            ask: makes the call; returns the answer, and its text if it is worth keeping.
            read: makes an answer of a text that was kept; a ``ValueError`` says that it cannot be used.

        Returns:
            The answer, and whether it came from the cache. One that was asked for and is kept is in the file by now.
        """
        while (asking := self._asking.get(key)) is not None:
            # Whoever asks the same at this moment pays; if that fails, the next in line asks.
            await asyncio.wait([asking])
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asking[key] = done
        try:
            kept = await self._get(key)
            if kept is not None:
                with suppress(ValueError):
                    return read(kept), True
                await self.forget(key)
            answer, text = await ask()
            if text is not None:
                # It is kept even if whoever asked is cancelled now: it is paid for.
                await self._put((key, model, text, time.time()))
            return answer, False
        finally:
            del self._asking[key]
            done.set_result(None)

    async def forget(self, key: str) -> None:
        """Ask the next time."""
        await self._in_thread(lambda: self._run("DELETE FROM replies WHERE key = ?", (key,)))

    def statistics(self) -> CacheStatistics:
        """Count what is in the file."""
        rows = self._run("SELECT model, count(*) FROM replies GROUP BY model ORDER BY 2 DESC, 1") or []
        oldest_at, newest_at = (self._run("SELECT min(made_at), max(made_at) FROM replies") or [(None, None)])[0]
        by_model = {str(model): int(count) for model, count in rows}
        return CacheStatistics(
            replies=sum(by_model.values()),
            size_bytes=sum(file.stat().st_size for file in self._files() if file.exists()),
            by_model=by_model,
            oldest_at=oldest_at,
            newest_at=newest_at,
        )

    def prune(self, *, unused_for_s: float) -> int:
        """Remove replies that were not used for so long, and give their room back; returns how many."""
        before = self.statistics().replies
        self._run("DELETE FROM replies WHERE used_at < ?", (time.time() - unused_for_s,))
        self._run("VACUUM")
        self._run("PRAGMA wal_checkpoint(TRUNCATE)")
        return before - self.statistics().replies

    def close(self) -> None:
        """Give the file back. Safe to call twice."""
        self._thread.shutdown(wait=True)
        self._store([row for row, _ in self._group], self._taken_uses())
        self._group.clear()
        for connection in (self._reader, self._connection):
            if connection is not None:
                connection.close()
        self._reader = self._connection = None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _get(self, key: str) -> str | None:
        """The text that is kept. In WAL mode nobody makes a reader wait: it is looked for here and now."""
        try:
            if self._reader is None:
                raise sqlite3.OperationalError("not open yet")
            row = self._reader.execute(_FIND, (key,)).fetchone()
        except sqlite3.Error:
            rows = await self._in_thread(lambda: self._run(_FIND, (key,)))
            row = rows[0] if rows else None
        if row is None:
            return None
        self._used[key] = time.time()
        if len(self._used) >= _MOST_USES_UNTOLD:
            await self._in_thread(partial(self._store, [], self._taken_uses()))
        return str(row[0])

    def _put(self, row: _Row) -> asyncio.Future[None]:
        """Bring a reply into the file; done when it is there. Those that come while others are written go together."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._group.append((row, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_groups())
        return done

    async def _write_groups(self) -> None:
        try:
            while self._group:
                group, self._group = self._group, []
                try:
                    await self._in_thread(partial(self._store, [row for row, _ in group], self._taken_uses()))
                finally:
                    for _, done in group:
                        if not done.done():
                            done.set_result(None)
        finally:
            self._writing = None

    def _taken_uses(self) -> Mapping[str, float]:
        used, self._used = self._used, {}
        return used

    def _store(self, rows: Sequence[_Row], used: Mapping[str, float]) -> None:
        """Write replies, and when others were used, in one transaction."""
        if not rows and not used:
            return

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.executemany("INSERT OR IGNORE INTO replies VALUES (?1, ?2, ?3, ?4, ?4)", rows)
                uses = [(at, key) for key, at in used.items()]
                connection.executemany("UPDATE replies SET used_at = ? WHERE key = ?", uses)
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

        self._with_file(write)

    def _run(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]] | None:
        """One statement; ``None`` where the cache cannot be used."""
        return self._with_file(lambda connection: connection.execute(statement, values).fetchall())

    def _with_file(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """What is done with the file; ``None`` where it cannot be used."""
        if self._broken:
            return None
        try:
            return work(self._connected())
        except (sqlite3.OperationalError, OSError) as error:
            # Busy for too long, a full disk, a folder that cannot be written: not the file's fault.
            level = logging.DEBUG if self._complained else logging.WARNING
            log.log(level, "the response cache %s could not be used: %s", self.path, error)
            self._complained = True
            return None
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
            return None

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = self._connect(_BUSY_S)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute(_TABLES)
                connection.execute(f"PRAGMA user_version = {_VERSION}")
            except sqlite3.Error:
                connection.close()
                raise
            self._connection, self._reader = connection, self._connect(0.0)
        return self._connection

    def _connect(self, timeout_s: float) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=timeout_s, isolation_level=None, check_same_thread=False)

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = self._reader = None
        aside = self.path.with_name(f"{self.path.name}.damaged-{time.time_ns()}")
        log.warning("the response cache %s is damaged (%s): set aside as %s", self.path, error, aside.name)
        try:
            self.path.replace(aside)
            for file in self._files()[1:]:
                file.unlink(missing_ok=True)
        except OSError as problem:
            log.warning("it could not be set aside (%s): this run goes on without a cache", problem)
            self._broken = True

    def _files(self) -> tuple[Path, ...]:
        return (self.path, *(self.path.with_name(f"{self.path.name}{suffix}") for suffix in ("-wal", "-shm")))
