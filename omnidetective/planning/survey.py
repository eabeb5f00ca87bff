"""The rows of an input, held against what an output holds already. Nothing is locked, mended or written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from omnidetective.engine.feed import batches
from omnidetective.engine.sorting import Clips
from omnidetective.engine.source import WHOLE, Part, check_input, read_lines
from omnidetective.engine.state_reader import looking
from omnidetective.errors import ConfigError
from omnidetective.media.intake import is_download
from omnidetective.records import InputRow

FIRST_PROBLEMS: Final = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row, or its clip, cannot be used."""

    where: str
    why: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is to do.

    Attributes:
        rows: of the input, as far as it was to be looked at.
        to_do, done, failed_before, unusable: the same, sorted.
        downloads: clips to do whose media have to be fetched first.
        problems: the first unusable rows.
        sample: clips to do whose media are here, spread evenly over the input.
    """

    rows: int
    to_do: int
    done: int
    failed_before: int
    unusable: int
    downloads: int
    problems: tuple[Problem, ...]
    sample: tuple[InputRow, ...]


class EvenSample:
    """Some of very many rows, evenly spread, chosen while they go by: the same rows give the same choice."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._every = 1
        self._seen = 0
        self._kept: list[InputRow] = []

    def add(self, row: InputRow) -> None:
        """A row goes by."""
        if self._seen % self._every == 0:
            if len(self._kept) == 2 * self._most:
                self._kept = self._kept[::2]
                self._every *= 2
            if self._seen % self._every == 0:
                self._kept.append(row)
        self._seen += 1

    @property
    def rows(self) -> tuple[InputRow, ...]:
        """At most as many as were wanted, from the beginning to the end of what went by."""
        kept, most = self._kept, self._most
        if len(kept) <= most:
            return tuple(kept)
        return tuple(kept[(2 * n + 1) * len(kept) // (2 * most)] for n in range(most))


def survey(
    input_path: Path,
    output: Path | None,
    *,
    shard: Part = WHOLE,
    limit: int | None = None,
    resume: bool = True,
    retry_failed: bool = False,
    sample: int,
) -> Survey:
    """Look through an input, and what is done of it.

    Args:
        output: of the run; it may be missing, and a run may be writing it.
        resume: go on with an output that is there; otherwise everything is to do.
        retry_failed: what has failed is to do again.
        sample: most clips of the sample.

    Raises:
        ConfigError: the input cannot be read, or the output is something else than an output.
    """
    check_input(input_path)
    here = EvenSample(sample)
    problems: list[Problem] = []
    counts = dict.fromkeys(("to_do", "done", "failed_before", "unusable", "downloads"), 0)
    with _clips(output if resume else None) as clips:
        lines = read_lines(input_path, shard=shard)
        for batch in batches(lines, clips, again=lambda _id, _reason: retry_failed, limit=limit):
            counts["done"] += batch.done
            counts["failed_before"] += batch.failed_before
            counts["unusable"] += len(batch.faults)
            counts["to_do"] += len(batch.wanted)
            for fault in batch.faults[: FIRST_PROBLEMS - len(problems)]:
                problems.append(Problem(f"line {fault.line_number}", fault.error.message))
            for row in batch.wanted:
                if is_download(row.media):
                    counts["downloads"] += 1
                else:
                    here.add(row)
    total = counts["to_do"] + counts["done"] + counts["failed_before"] + counts["unusable"]
    return Survey(rows=total, problems=tuple(problems), sample=here.rows, **counts)


def choose(input_path: Path, count: int, *, shard: Part = WHOLE, limit: int | None = None) -> tuple[InputRow, ...]:
    """Usable rows spread evenly over the input, whether they are done or not: the same each time.

    Raises:
        ConfigError: the input cannot be read.
    """
    check_input(input_path)
    chosen = EvenSample(count)
    with _clips(None) as clips:
        for batch in batches(read_lines(input_path, shard=shard), clips, again=lambda _id, _reason: True, limit=limit):
            for row in batch.wanted:
                chosen.add(row)
    return chosen.rows


@contextmanager
def _clips(output: Path | None) -> Iterator[Clips]:
    """What is known of clips, errors in our own terms."""
    if output is not None and output.is_dir():
        raise ConfigError(f"the output {output} is a folder", hint=f"name a file, such as {output / 'out.jsonl'}")
    try:
        with looking(output) as clips:
            yield clips
    except OSError as error:
        raise ConfigError(f"cannot read {error.filename or output}: {error.strerror}") from error
