"""Measure captions of the sample clips against what is known to be in them.

::

    python -m scripts.bench.samples                    run the embedded cast on data/input.jsonl, then measure
    python -m scripts.bench.samples captions.jsonl     measure captions that are there already
    python -m scripts.bench.samples --markdown         the table as the README has it
    python -m scripts.bench.samples --json             everything, for programs

What is counted and how: :mod:`omnidetective.evals.sample_records`. Exit status: 0 all bars are met · 1 one is missed ·
2 nothing could be measured. Captions of any model: `omnidetective eval samples`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from omnidetective.evals.sample_records import CUT_TOLERANCE_S, FALSE_SPEECH_S, ClipScore, Scores, score
from omnidetective.evals.sample_truth import Truth
from omnidetective.records import CaptionRecord

DATA = Path(__file__).parents[2] / "data"
RUN_TIMEOUT_S = 1800
SOME_CLIPS_FAILED = 1
"""Exit status of ``run`` when some clips have no record: they are measured as such."""

COLUMNS = (
    "clip",
    "word errors",
    "cards exact",
    "quoted",
    "strange text",
    "cuts found",
    "false cuts",
    "outside clip",
    "false speech",
    "language",
    "sounds heard",
    "false sounds",
    "silence found",
    "false silence",
    "seconds",
)


class BenchError(Exception):
    """Nothing could be measured; the message says why."""


def run(input_file: Path, output: Path, arguments: Sequence[str]) -> None:
    """Caption the sample clips with the program itself, in a process of its own.

    Raises:
        BenchError: the run ended without a result.
    """
    command = [sys.executable, "-m", "omnidetective.cli.main", "run", "--input", str(input_file)]
    command += ["--output", str(output), *arguments]
    try:
        done = subprocess.run(command, timeout=RUN_TIMEOUT_S, stdout=sys.stderr)
    except subprocess.TimeoutExpired:
        raise BenchError(f"the run did not end within {RUN_TIMEOUT_S} s") from None
    failures = output.with_name(f"{output.stem}.failures.jsonl")
    wrote = any(path.is_file() and path.stat().st_size for path in (output, failures))
    if done.returncode not in (0, SOME_CLIPS_FAILED) or not wrote:
        said = "" if wrote else ", without a record or a failure"
        raise BenchError(f"the run ended with exit status {done.returncode}{said}")


def read_records(path: Path) -> list[CaptionRecord]:
    """The records of a captions file.

    Raises:
        BenchError: there is no such file, or a line is no record.
    """
    try:
        lines = path.read_bytes().splitlines()
        return [CaptionRecord.model_validate_json(line) for line in lines if line.strip()]
    except FileNotFoundError:
        raise BenchError(f"{path}: no such file") from None
    except ValueError as error:
        raise BenchError(f"{path}: a line is no caption record: {error}") from error


def cells(clip: ClipScore) -> tuple[str, ...]:
    """A row of the table; – where there is nothing to find, or nothing false."""

    def share(part: int, whole: int) -> str:
        return f"{part}/{whole}" if whole else "–"

    def count(number: int) -> str:
        return str(number) if number else "–"

    rate = clip.word_error_rate
    found = f"{clip.silent_found_s:.1f}/{clip.silent_s:.1f} s" if clip.silent_s else "–"
    return (
        f"{clip.id} (no record)" if clip.missing and clip.id != "total" else clip.id,
        "–" if rate is None else f"{clip.word_errors}/{clip.words} ({rate:.1%})",
        share(clip.cards_exact, clip.cards),
        share(clip.cards_quoted, clip.cards),
        count(clip.strange_text),
        share(clip.cuts_found, clip.cuts),
        count(clip.false_cuts),
        count(clip.outside),
        count(clip.false_speech),
        share(clip.languages_right, clip.languages),
        share(clip.sounds_heard, clip.sounds),
        count(clip.false_sounds),
        found,
        f"{clip.silent_false_s:.1f} s" if clip.silent_false_s >= 0.05 else "–",
        f"{clip.seconds:.1f}",
    )


def table(scores: Scores) -> str:
    """The scores for a terminal: one measure a line, one clip a column."""
    columns = [COLUMNS, *(cells(clip) for clip in (*scores.clips, scores.total))]
    widths = [max(len(cell) for cell in column) for column in columns]
    rows = zip(*columns, strict=True)
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    verdict = [f"missed: {text}" for text in scores.missed] or ["all bars are met"]
    return "\n".join([*lines, "", *verdict])


def markdown(scores: Scores) -> str:
    """The scores as a Markdown table, one clip a column."""
    columns = [COLUMNS, *(cells(clip) for clip in (*scores.clips, scores.total))]
    head, *body = (" | ".join(row) for row in zip(*columns, strict=True))
    rule = "|".join(["---"] + ["---:"] * (len(columns) - 1))
    note = (
        f"Cuts within {CUT_TOLERANCE_S} s; false speech: transcript lines that reach more than {FALSE_SPEECH_S} s into "
        "a stretch without a voice; word errors without case and punctuation."
    )
    return "\n".join([f"| {head} |", f"|{rule}|", *(f"| {row} |" for row in body), "", note])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and say by the exit status whether all bars are met."""
    parser = argparse.ArgumentParser(description="Measure captions of the sample clips against the truth.")
    parser.add_argument("captions", type=Path, nargs="?", help="output of `omnidetective run`; without it, run it now")
    parser.add_argument("--truth", type=Path, default=DATA / "truth.json", help="default: data/truth.json")
    parser.add_argument("--input", type=Path, default=DATA / "input.jsonl", help="default: data/input.jsonl")
    parser.add_argument("--models", default="local", help="model set of the run (default: local)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print a Markdown table")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="omnidetective-bench-") as folder:
            captions: Path | None = options.captions
            if captions is None:
                captions = Path(folder) / "captions.jsonl"
                run(options.input, captions, ["--models", options.models])
            scores = score(Truth.load(options.truth), read_records(captions))
    except (BenchError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(scores.model_dump_json(indent=2))
    else:
        print(markdown(scores) if options.markdown else table(scores))
    return 1 if scores.missed else 0


if __name__ == "__main__":
    sys.exit(main())
