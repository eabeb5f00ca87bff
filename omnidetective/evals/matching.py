"""Which caption belongs to which item of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnidetective.errors import ConfigError
from omnidetective.evals.base import Benchmark
from omnidetective.evals.predictions import Prediction, Predictions


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be judged.

    Attributes:
        matched: the items of the benchmark, each with its caption, or with none.
        unused: captions that belong to no item.
    """

    benchmark: Benchmark[Any, Any]
    matched: tuple[tuple[Any, Prediction | None], ...]
    unused: int


def plan(benchmark: Benchmark[Any, Any], data: Path, captions: Predictions, *, limit: int | None = None) -> Plan:
    """Find the caption of every item.

    Args:
        limit: only so many of the first items are judged; a caption of the others is not unused.

    Raises:
        ConfigError: the data or the captions have a wrong form, or no caption fits any item.
    """
    items = benchmark.read(data)
    if not items:
        raise ConfigError(f"{data} holds nothing to judge")
    matched = tuple((item, _caption_of(item, benchmark, captions)) for item in items)
    used = {id(found) for _, found in matched if found is not None}
    if not used:
        theirs, ours = benchmark.names(items[0])[0], next(iter(captions)).names[0]
        raise ConfigError(
            f"no caption belongs to any of the {len(items)} items: the benchmark calls its first one {theirs!r}, "
            f"the first caption is of {ours!r}",
            hint="the ids or file names of both must agree",
        )
    return Plan(benchmark, matched[:limit], unused=sum(id(row) not in used for row in captions))


def _caption_of(item: Any, benchmark: Benchmark[Any, Any], captions: Predictions) -> Prediction | None:
    names, prompt = benchmark.names(item), benchmark.prompt(item)
    found = captions.find(*names, prompt=prompt)
    if found is None and prompt is not None and benchmark.any_prompt(item):
        found = captions.find(*names)
        return found if found is None or found.prompt is None else None
    return found
