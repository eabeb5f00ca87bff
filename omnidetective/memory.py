"""How much memory a process holds, with all that it started: from ``/proc``, so on Linux only."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MEASURABLE: Final = Path("/proc/self/task").is_dir()
"""Whether it can be measured on this system."""

_COUNTED: Final = ("RssAnon:", "RssShmem:")
"""Not the pages of program files: processes share them, and the kernel can drop them at any time."""


def memory_mb(pid: int) -> float:
    """Resident memory of a process and its descendants, in MB; 0 for a process that is gone. Blocking, for moments."""
    return sum(_own_kb(one) for one in _family(pid)) / 1024


def _family(pid: int) -> Iterator[int]:
    """The process and its descendants, also those with a process group of their own."""
    yield pid
    with contextlib.suppress(OSError):
        # The kernel lists children by the thread that started them.
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                for child in (thread / "children").read_text().split():
                    yield from _family(int(child))


def _own_kb(pid: int) -> int:
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(_COUNTED))
    return 0
