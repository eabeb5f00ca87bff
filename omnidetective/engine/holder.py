"""Who writes an output, seen from outside: the run is not held up by being looked at."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from omnidetective.frozen import Sparse

_MOST_BYTES: Final = 4096
_JUST_BEGUN_S: Final = 2.0


class Holder(Sparse):
    """What the lock beside an output says.

    Attributes:
        state: ``none``: there is no lock, nobody writes. ``running``: a run writes. ``killed``: the run that took the
            lock is gone without letting go of it. ``unknown``: that cannot be seen from this machine.
        pid, host, started_at: the run that took the lock; absent where the lock does not say.
    """

    state: Literal["none", "running", "killed", "unknown"]
    pid: int | None = None
    host: str | None = None
    started_at: datetime | None = None


class _Said(BaseModel):
    """What :class:`~omnidetective.engine.lock.OutputLock` writes."""

    model_config = ConfigDict(extra="ignore")

    pid: Annotated[int, Field(ge=0, le=2**53)]
    host: Annotated[str, Field(max_length=255)]
    started_at: datetime


def holder_of(lock: Path) -> Holder:
    """Who holds the lock of an output. Never raises.

    The kernel is asked by a shared lock, which others who look can have too, and which is let go at once. It is not
    asked about a lock that was made a moment ago and is still empty: there its owner is about to take it.
    """
    try:
        # Not blocking: whatever stands under this name must not hang the caller.
        fd = os.open(lock, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return Holder(state="none")
    except OSError:
        return Holder(state="unknown")
    try:
        said = _said(os.pread(fd, _MOST_BYTES, 0))
        if said is None and time.time() - os.fstat(fd).st_mtime < _JUST_BEGUN_S:
            return Holder(state="running")
        state = _state(fd, said)
        if state != "running" and not _stands_at(fd, lock):
            return Holder(state="none")
        if said is None:
            return Holder(state=state)
        return Holder(state=state, pid=said.pid, host=said.host, started_at=said.started_at)
    except OSError:
        return Holder(state="unknown")
    finally:
        os.close(fd)


def _state(fd: int, said: _Said | None) -> Literal["running", "killed", "unknown"]:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(fd, fcntl.LOCK_UN)
    except BlockingIOError:
        return "running"
    except OSError:  # This file system cannot lock files.
        return "unknown"
    # A shared disk may keep the locks of each machine to itself.
    return "killed" if said is None or said.host == socket.gethostname() else "unknown"


def _stands_at(fd: int, path: Path) -> bool:
    """Whether an open file is still the one under a name: a lock that is let go is removed."""
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


def _said(content: bytes) -> _Said | None:
    try:
        said = _Said.model_validate_json(content)
    except ValidationError:
        return None
    if said.started_at.tzinfo is None:
        return said.model_copy(update={"started_at": said.started_at.replace(tzinfo=UTC)})
    return said
