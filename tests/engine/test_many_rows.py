"""20,000 rows: the parent's memory does not grow with the input, and the engine is not what takes the time."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from engine.harness import Folder, Start, until

ROWS = 20_000


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]


@pytest.mark.integration
def test_twenty_thousand_rows(folder: Folder, start: Start) -> None:
    folder.rows({"id": f"clip-{n:08}", "note": "x" * 200} for n in range(ROWS))
    begun = time.monotonic()
    process = start("--concurrency", "16", "--quiet")

    def written() -> int:
        return folder.output.stat().st_size if folder.output.exists() else 0

    until(lambda: written() > 2_000 * 700)
    early = resident_mb(process.pid)
    late = early
    while process.poll() is None:
        if (folder.path / "out.lock").exists():
            late = max(late, resident_mb(process.pid))
        time.sleep(0.02)
    seconds = time.monotonic() - begun
    assert process.returncode == 0
    assert len(set(folder.ids())) == len(folder.ids()) == ROWS
    # Ids are kept, to tell duplicates: about 150 bytes each.
    assert late - early < 8, f"{early:.1f} MB, then {late:.1f} MB"
    # A few hundred rows/s would do for any model; this is 5,000 on an idle machine.
    assert ROWS / seconds > 500, f"{ROWS / seconds:.0f} rows/s"
