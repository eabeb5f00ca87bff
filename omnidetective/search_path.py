"""Where this process imports from, told to processes that are to import the same."""

from __future__ import annotations

import os
import sys


def search_path() -> str:
    """``sys.path`` as a value of ``PYTHONPATH``: absolute, without the working directory.

    Folders that are packages themselves come last. OpenCV puts its own first while it is being loaded, in whatever
    thread that happens, and takes it away again: a process that is started meanwhile would find OpenCV's ``typing``
    instead of Python's, and end at once. A script that lies in a package still finds the modules beside it.
    """
    # Absolute, not resolved, and no `Path`: entries may be zip files, and links that mean something.
    folders = [os.path.abspath(entry) for entry in [*sys.path] if entry]  # noqa: PTH100
    return os.pathsep.join(sorted(folders, key=_is_package))


def _is_package(folder: str) -> bool:
    return os.path.isfile(os.path.join(folder, "__init__.py"))  # noqa: PTH113, PTH118
