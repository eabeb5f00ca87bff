"""One run at a time on an output."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

from omnidetective.errors import ConfigError

_log = logging.getLogger(__name__)

_LOOKING_S = 0.1
"""How long a lock that is held may be only looked at."""


class OutputLock:
    """A lock on ``path`` that the kernel drops when its holder dies, however it dies.

    The file says who holds it, for the message that the second run shows. It goes away when the lock is released; one
    that a killed run left behind is taken over.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            ConfigError: another run holds it, or the file cannot be made.
        """
        self._path = path
        self._fd = self._take()
        holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, json.dumps(holder).encode(), 0)

    def release(self) -> None:
        """Let go. Safe to call twice."""
        if self._fd >= 0:
            # Unlinked while held: whoever opened the old file meanwhile sees that it is gone and tries again.
            self._path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = -1

    def _take(self) -> int:
        patient_until = time.monotonic() + _LOOKING_S
        while True:
            try:
                fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except OSError as error:
                raise ConfigError(f"cannot write beside the output: {self._path}: {error.strerror}") from error
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(fd, 4096, 0)
                os.close(fd)
                if time.monotonic() < patient_until:
                    # `omnidetective status` holds the file for a moment to see whether somebody writes.
                    time.sleep(_LOOKING_S / 10)
                    continue
                raise ConfigError(
                    f"another run is writing this output: {_describe(holder)}",
                    reason="output_in_use",
                    hint="wait for it, stop it, or choose another --output",
                ) from None
            except OSError as error:
                _log.warning(
                    "%s: this file system cannot lock files (%s): make sure that no other run writes the same output",
                    self._path,
                    error.strerror,
                )
            if self._is_current(fd):
                return fd
            os.close(fd)

    def _is_current(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.fstat(fd), self._path.stat())
        except FileNotFoundError:
            return False


def _describe(holder: bytes) -> str:
    try:
        said = json.loads(holder)
        return f"process {said['pid']} on {said['host']}, since {said['started_at']}"
    except (ValueError, KeyError, TypeError):
        return "it has only just begun"
