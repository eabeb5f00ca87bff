"""Measure the instruments, each alone, on clips of known content.

::

    python -m scripts.bench.observers                  all instruments, as the table that the README quotes
    python -m scripts.bench.observers asr shots        these only

Each is asked one question about a whole clip, as `omnidetective observers ask` does. The clips are the samples with
their truth (`data/truth.json`) and, for what these do not hold, clips that ffmpeg makes for the moment
(`scripts/bench/instruments/films.py`). What is counted and how: one file a measure in `scripts/bench/instruments`.
*Work* is processor time, of all processes together, without loading models. Exit status: 2 where nothing was measured.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from omnidetective.evals.sample_truth import Truth
from scripts.bench.instruments import (
    charts,
    code,
    colours,
    containers,
    editing,
    people,
    screen_text,
    sounds,
    speech,
    tables,
)
from scripts.bench.instruments.asking import Bench, NotMeasuredError
from scripts.bench.instruments.films import Studio
from scripts.bench.instruments.rows import Row, markdown
from scripts.bench.samples import DATA

MEASURES: Mapping[str, Callable[[Bench, Truth, Studio], Awaitable[list[Row]]]] = {
    "asr": speech.measure,
    "ocr": screen_text.measure,
    "shots": editing.measure,
    "sound": sounds.measure,
    "faces": people.measure,
    "colour": colours.measure,
    "metadata": containers.measure,
    "tables": tables.measure,
    "code": code.measure,
    "charts": charts.measure,
}


async def rows_of(names: Sequence[str], folder: Path) -> list[Row]:
    """The rows of these instruments; one that cannot be asked has a row that says why."""
    truth = Truth.load(DATA / "truth.json")
    studio = Studio(folder)
    rows: list[Row] = []
    async with Bench.opened() as bench:
        for name in names:
            try:
                rows += await MEASURES[name](bench, truth, studio)
            except NotMeasuredError as error:
                rows.append(Row(name, "–", str(error)))
                continue
            used = bench.work[name].share
            if used is not None:
                rows.append(Row(name, "work for a second of clip", f"{used:.3f} s of one processor"))
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="Measure the instruments on clips of known content.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"instruments to measure: {', '.join(MEASURES)}")
    names = parser.parse_args(arguments).names or list(MEASURES)
    if unknown := [name for name in names if name not in MEASURES]:
        parser.error(f"there is no measure for {', '.join(unknown)}")
    with tempfile.TemporaryDirectory(prefix="omnidetective-bench-") as folder:
        rows = asyncio.run(rows_of(names, Path(folder)))
    print(markdown(rows))
    return 0 if any(row.what != "–" for row in rows) else 2


if __name__ == "__main__":
    sys.exit(main())
