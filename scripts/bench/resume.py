"""How long a run takes to begin where the last one ended, and how much memory that needs.

Each measurement is a process of its own: it opens the ledger of an output that is done but for its last row, passes
over the rows of the input until it has the one that is to be done, and says how long that took and how much memory it
had at its peak. It is compared with what there was before: reading the head of each line of the output into a set of
ids, and parsing and checking each row of the input. Seconds are of the processor, user and system, since the machine is
shared; the best of some rounds counts.

Lines of 20 kB are real lines. A million of them are 20 GB, which is too much for a bench: there lines have 1 kB, and
the row before it shows that bytes do not matter, 50,000 rows with lines of 20 kB against 50,000 with lines of 1 kB.

    python scripts/bench/resume.py [--folder DIR] [--rows 1000000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from omnidetective.engine.feed import batches
from omnidetective.engine.ledger import Ledger
from omnidetective.engine.source import identity, read_lines
from omnidetective.engine.state_schema import remove, state_path

_RECORD = (
    '{{"schema_version":1,"id":"clip-{number:08}","outcome":"accepted","input":{{"id":"clip-{number:08}","video":'
    '"v.mp4"}},"caption":"{filler}","usage":{{"calls":21,"prompt_tokens":9000,"completion_tokens":800,"cost_usd":0.0123,'
    '"by_model":{{"openai:m":{{"calls":21,"prompt_tokens":9000,"completion_tokens":800,"cost_usd":0.0123}}}}}},'
    '"provenance":{{"omnidetective":"0","workflow":"w","models":{{}},"config_sha":"0","prompts":{{}},'
    '"started_at":"2026-01-01T00:00:{number:09}Z","seconds":1.0,"stages":{{}}}}}}\n'
)


def prepare(folder: Path, rows: int, line_bytes: int) -> None:
    """An input of ``rows`` rows, and an output in which all but the last one are done."""
    folder.mkdir(parents=True)
    with (folder / "in.jsonl").open("w") as file:
        file.writelines(
            f'{{"id": "clip-{number:08}", "video": "clips/{number:08}.mp4", "note": "{"x" * 60}"}}\n'
            for number in range(rows)
        )
    filler = "x" * max(0, line_bytes - len(_RECORD.format(number=0, filler="")))
    with (folder / "out.jsonl").open("w") as file:
        file.writelines(_RECORD.format(number=number, filler=filler) for number in range(rows - 1))


def with_state(folder: Path) -> int:
    """What a run does before its first clip; returns how many rows it passed over."""
    passed = 0
    with Ledger(folder / "out.jsonl") as ledger:
        ledger.read_input(identity(folder / "in.jsonl"))
        lines = read_lines(folder / "in.jsonl")
        for batch in batches(lines, ledger, again=lambda _id, _reason: False, limit=None):
            passed += batch.done
            if batch.wanted:
                break
    return passed


def first_time(folder: Path) -> int:
    """The same without a state, which is made from the output first."""
    remove(state_path(folder / "out.jsonl"))
    return with_state(folder)


def edited_input(folder: Path) -> int:
    """The same with an input that has changed since: where its clips stand is noted anew."""
    (folder / "in.jsonl").touch()
    return with_state(folder)


def reading_heads(folder: Path) -> int:
    """Before there was a state: heads of all lines of the output, then every row of the input parsed and checked."""
    import re

    from omnidetective.rows import parse_row

    head = re.compile(rb'\s*\{\s*"schema_version":\s*1,\s*"id":\s*("(?:[^"\\\x00-\x1f]|\\.)*")')
    done: set[str] = set()
    with (folder / "out.jsonl").open("rb") as file:
        for line in file:
            if (found := head.match(line)) and line.rstrip().endswith(b"}"):
                done.add(str(json.loads(found.group(1))))
    passed = 0
    seen: set[str] = set()
    with (folder / "in.jsonl").open("rb") as file:
        for number, line in enumerate(file, start=1):
            row = parse_row(line, number)
            seen.add(row.id)
            passed += row.id in done
    return passed


WAYS: dict[str, Callable[[Path], int]] = {
    "heads": reading_heads,
    "first": first_time,
    "edited": edited_input,
    "state": with_state,
}


def measure(way: str, folder: Path, rounds: int) -> tuple[float, float]:
    """Seconds of the processor (the best of some rounds) and peak memory in MB (the median)."""
    seconds, peaks = [], []
    for _ in range(rounds):
        said = subprocess.run(
            [sys.executable, __file__, "--measure", way, "--folder", str(folder)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        took = json.loads(said)
        seconds.append(took["seconds"])
        peaks.append(took["peak_mb"])
    return min(seconds), statistics.median(peaks)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where the files are made (by default a temporary folder)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the largest input")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", choices=WAYS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        began = time.process_time()
        passed = WAYS[given.measure](given.folder)
        seconds = time.process_time() - began
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"passed": passed, "seconds": seconds, "peak_mb": peak_mb}))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as temporary:
        table(Path(temporary), given.rows, given.rounds)


def table(folder: Path, rows: int, rounds: int) -> None:
    """One line for each size."""
    print(
        "| done rows | a line | heads and parsing | without a state | edited input | with the state | ratio | peak MB |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for count, line_bytes in ((1_000, 1_000), (50_000, 20_000), (50_000, 1_000), (rows // 10, 1_000), (rows, 1_000)):
        here = folder / f"{count}-{line_bytes}"
        prepare(here, count, line_bytes)
        heads, _ = measure("heads", here, 1)
        first, _ = measure("first", here, 1)
        edited, _ = measure("edited", here, 1)
        state, peak_mb = measure("state", here, rounds)
        print(
            f"| {count - 1:,} | {line_bytes / 1000:g} kB | {heads:.2f} s | {first:.2f} s | {edited:.2f} s "
            f"| {state:.2f} s | {heads / state:.0f} x | {peak_mb:.1f} |",
            flush=True,
        )
        for file in here.iterdir():
            file.unlink()


if __name__ == "__main__":
    main()
