"""One folder for the temporary files of a run, which is gone at the latest when the next run begins.

Workers put downloads there, a folder each: it is removed when its worker is gone, however it went. A parent that is
killed can remove nothing, so each run begins with removing what dead runs have left. The kernel knows which those are:
a run holds a lock on its folder for as long as it lives.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PREFIX: Final = "omnidetective-run-"
_UNBORN: Final = "omnidetective-new-"


@contextlib.contextmanager
def scratch_folder(root: Path | None = None) -> Iterator[Path]:
    """A folder for this run, readable by this user alone; removed at the end. Blocking, for moments.

    Args:
        root: where it is made; by default where temporary files go (``TMPDIR``).
    """
    root = Path(tempfile.gettempdir()) if root is None else root
    unborn = Path(tempfile.mkdtemp(prefix=_UNBORN, dir=root))
    fd = os.open(unborn, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # A file system without locks: nobody can lock it, so nobody will sweep it.
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Only now under the name that others sweep: they never find it without its lock.
        folder = unborn.rename(root / (_PREFIX + unborn.name.removeprefix(_UNBORN)))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(fd)


def sweep(root: Path | None = None) -> None:
    """Remove the folders of this user's runs that are dead. Never raises. Blocking.

    Args:
        root: as for :func:`scratch_folder`.
    """
    root = Path(tempfile.gettempdir()) if root is None else root
    with contextlib.suppress(OSError):
        for folder in root.glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError):
                if _is_dead(folder):
                    shutil.rmtree(folder, ignore_errors=True)


def _is_dead(folder: Path) -> bool:
    """Whether nobody holds its lock. A link, or what another user made, is never touched."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) != 0o700:
            return False
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True
