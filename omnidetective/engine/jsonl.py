"""A JSON Lines file that survives the death of its writer at any moment."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from omnidetective.engine.state_lines import json_object, record_entry
from omnidetective.errors import ConfigError

_BLOCK: Final = 2**16
_HEAD_START: Final = b'{"schema_version":1,"id":"'


class AppendFile:
    """Lines appended to a file, whole or not at all.

    Each line is given to the kernel at once, so the death of this process costs nothing; :meth:`sync` brings what was
    written to the disk, so that the death of the machine costs only what came after it.

    Attributes:
        size: bytes of whole lines.
    """

    def __init__(self, path: Path) -> None:
        """Open for appending; the file is made if it is not there.

        Raises:
            ConfigError: it cannot be opened for writing.
        """
        self.path = path
        created = not path.exists()
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ConfigError(f"cannot write {path}: {error.strerror}", reason="output_unwritable") from error
        if created:
            sync_folder(path.parent)
        self.size = os.fstat(self._fd).st_size
        self._unsynced = False
        self._closing = threading.Lock()

    def append(self, line: bytes) -> int:
        """Write one line (without its line break); returns the offset at which it begins.

        Raises:
            ConfigError: the disk is full or fails; the file is left with whole lines only.
        """
        rest = memoryview(line + b"\n")
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            with contextlib.suppress(OSError):  # Where even this fails, the next run cuts the tail.
                os.ftruncate(self._fd, self.size)
            raise self._unwritable(error) from error
        offset = self.size
        self.size += len(line) + 1
        self._unsynced = True
        return offset

    def sync(self) -> None:
        """Bring what was written to the disk. May be called from another thread.

        Raises:
            ConfigError: the disk is full or fails.
        """
        with self._closing:
            if self._unsynced and self._fd >= 0:
                self._unsynced = False
                try:
                    os.fsync(self._fd)
                except OSError as error:
                    raise self._unwritable(error) from error

    def close(self) -> None:
        """Sync and close. Safe to call twice."""
        self.sync()
        with self._closing:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def _unwritable(self, error: OSError) -> ConfigError:
        return ConfigError(
            f"cannot write {self.path}: {error.strerror}",
            reason="output_unwritable",
            hint="nothing written so far is lost: mend it, and run the same command again",
        )


def cut_torn_tail(path: Path) -> int:
    """Bring a file back to whole lines after its writer died.

    What stands after the last line break is cut, unless it is a whole object that only lacks its line break; so are
    lines at the end that hold no JSON object, which is what a power failure leaves.

    Returns:
        How many bytes were cut.

    Raises:
        ConfigError: the file cannot be read or written, or it is something else than lines of this program.
    """
    try:
        with path.open("r+b") as file:
            if not _may_be_ours(file.readline()):
                raise _foreign(path)
            before = end = file.seek(0, os.SEEK_END)
            while end > 0:
                start = _line_start(file.fileno(), end)
                if json_object(os.pread(file.fileno(), end - start, start)) is not None:
                    break
                end = start
            broken = end > 0 and os.pread(file.fileno(), 1, end - 1) != b"\n"
            if end < before:
                file.truncate(end)
            if broken:
                file.seek(end)
                file.write(b"\n")
            if end < before or broken:
                file.flush()
                os.fsync(file.fileno())
            return before - end
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}", reason="output_unwritable") from error


def last_line(path: Path) -> bytes | None:
    """The last line of a file that ends with whole lines; ``None`` where there is none.

    Raises:
        OSError: it cannot be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        end = os.fstat(fd).st_size
        start = _line_start(fd, end)
        return os.pread(fd, end - start, start) or None
    finally:
        os.close(fd)


def pieces_of(path: Path, places: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    """Parts of a file, each by where it begins and how long it is.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        for offset, length in places:
            file.seek(offset)
            yield file.read(length)


def replace_lines(path: Path, lines: Iterator[bytes]) -> None:
    """Put other lines in the place of a file, at once: a reader sees the old or the new, never half of it.

    A file that would be empty goes away.
    """
    new = path.with_name(f"{path.name}.new")
    try:
        with new.open("wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
            empty = file.tell() == 0
        if empty:
            path.unlink(missing_ok=True)
        else:
            new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError:
        pass  # Some network file systems cannot sync folders; they keep names by other means.
    finally:
        os.close(fd)


def _line_start(fd: int, end: int) -> int:
    """Where the last line of ``[0, end)`` begins; its own line break, if it has one, does not count."""
    upto = end - 1
    while upto > 0:
        start = max(0, upto - _BLOCK)
        found = os.pread(fd, upto - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        upto = start
    return 0


def _may_be_ours(first: bytes) -> bool:
    """Whether a first line is of this program, or torn off such a line, or empty blocks of a disk."""
    if record_entry(first, 0).kind == "record":
        return True
    torn = first.strip(b"\0")
    return not torn.endswith(b"\n") and (torn.startswith(_HEAD_START) or _HEAD_START.startswith(torn))


def _foreign(path: Path) -> ConfigError:
    return ConfigError(
        f"{path} exists and is not an output of this program",
        reason="output_foreign",
        hint="choose another --output; nothing was changed",
    )
