"""An evaluation from files to files: read, match, judge many items at once, count, write."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import omnidetective
from omnidetective.config import Config
from omnidetective.errors import ConfigError
from omnidetective.evals.at_once import Told, at_once
from omnidetective.evals.base import Benchmark, Judged
from omnidetective.evals.judge import Judge, UnjudgedError
from omnidetective.evals.judging import judging
from omnidetective.evals.predictions import Prediction, Predictions, read_predictions
from omnidetective.evals.result import Evaluation, ItemLine, Unjudged
from omnidetective.llm.usage import usage_scope
from omnidetective.prompts import prompts_used

NOBODY = "nobody"
"""The judge of answers that need none."""


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

    Raises:
        ConfigError: the data or the captions have a wrong form, or no caption fits any item.
    """
    items = benchmark.read(data)
    items = items if limit is None else items[:limit]
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
    return Plan(benchmark, matched, unused=sum(id(row) not in used for row in captions))


def _caption_of(item: Any, benchmark: Benchmark[Any, Any], captions: Predictions) -> Prediction | None:
    names, prompt = benchmark.names(item), benchmark.prompt(item)
    found = captions.find(*names, prompt=prompt)
    if found is None and prompt is not None and benchmark.any_prompt(item):
        found = captions.find(*names)
        return found if found is None or found.prompt is None else None
    return found


async def evaluate(
    config: Config,
    benchmark: Benchmark[Any, Any],
    *,
    captions: Path,
    data: Path,
    output: Path,
    runs: int | None = None,
    concurrency: int = 16,
    limit: int | None = None,
    told: Told = lambda done, of: None,
) -> Evaluation:
    """Score captions, and write the result and a line for each item beside it.

    Answers of the judge are kept in ``<output stem>.cache.sqlite``: the same command again asks for nothing twice.

    Raises:
        ConfigError: the files have a wrong form, or nobody can play the judge.
        ProviderError: no further call would succeed. What was answered is kept.
    """
    started_at, since = datetime.now(UTC).isoformat(timespec="milliseconds"), time.monotonic()
    work = plan(benchmark, data, read_predictions(captions), limit=limit)
    config = config.with_cache_beside(output)
    used: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        asked = any(one is not None and benchmark.answered(item, one) is None for item, one in work.matched)
        judge = await stack.enter_async_context(judging(config)) if asked else None
        count = benchmark.runs if runs is None else runs
        with usage_scope() as meter, prompts_used(used):
            done = await _judged(work, judge, runs=count, concurrency=concurrency, told=told)
            name = judge.name if judge is not None else NOBODY
    chosen = benchmark.one_of(done) if len(done) > 1 else 0
    tables = tuple(benchmark.tables(run) for run in done)
    result = Evaluation(
        benchmark=benchmark.name,
        variant=benchmark.variant,
        judge=name,
        tokens=benchmark.tokens.name,
        captions=captions.name,
        captions_sha256=sha256_of(captions),
        data=data.name,
        data_sha256=sha256_of(data),
        items=len(work.matched),
        judged=sum(one.verdict is not None for one in done[chosen]),
        unjudged=tuple(_unjudged(benchmark, one) for one in done[chosen] if one.reason is not None),
        unused_captions=work.unused,
        tables=tables[chosen],
        runs=tables if len(tables) > 1 else None,
        chosen=chosen if len(tables) > 1 else None,
        usage=meter.usage(),
        prompts=used,
        omnidetective=omnidetective.__version__,
        started_at=started_at,
        seconds=round(time.monotonic() - since, 3),
    )
    _write(output, result, [_line(benchmark, one, n) for n, run in enumerate(done) for one in run])
    return result


async def _judged(
    work: Plan, judge: Judge | None, *, runs: int, concurrency: int, told: Told
) -> list[list[Judged[Any, Any]]]:
    pieces = [
        partial(_one, work.benchmark, item, prediction, judge and judge.of_run(run))
        for run in range(runs)
        for item, prediction in work.matched
    ]
    done = await at_once(pieces, most=concurrency, told=told)
    size = len(work.matched)
    return [done[run * size : (run + 1) * size] for run in range(runs)]


async def _one(
    benchmark: Benchmark[Any, Any], item: Any, prediction: Prediction | None, judge: Judge | None
) -> Judged[Any, Any]:
    if prediction is None:
        return Judged(item, None, None, "missing_caption")
    if (answered := benchmark.answered(item, prediction)) is not None:
        return Judged(item, prediction.caption, answered, inquiries=prediction.inquiries)
    caption = prediction.caption
    if not caption.strip():
        return Judged(item, caption, None, "empty_caption", inquiries=prediction.inquiries)
    assert judge is not None, "somebody judges where an answer is missing"
    try:
        verdict = await benchmark.judge(item, caption, judge)
    except UnjudgedError as error:
        return Judged(item, caption, None, error.reason, error.why, prediction.inquiries)
    return Judged(item, caption, verdict, inquiries=prediction.inquiries)


def _unjudged(benchmark: Benchmark[Any, Any], one: Judged[Any, Any]) -> Unjudged:
    assert one.reason is not None
    return Unjudged(item=benchmark.names(one.item)[0], reason=one.reason, why=one.why)


def _line(benchmark: Benchmark[Any, Any], one: Judged[Any, Any], run: int) -> ItemLine:
    verdict = None if one.verdict is None else one.verdict.model_dump(mode="json")
    return ItemLine(item=benchmark.names(one.item)[0], run=run, verdict=verdict, reason=one.reason, why=one.why or None)


def _write(output: Path, result: Evaluation, lines: Sequence[ItemLine]) -> None:
    """Both files whole or not at all, the items first: a result never stands beside items of another run."""
    items = output.with_name(f"{output.stem}.items.jsonl")
    texts = {items: "".join(f"{line.model_dump_json()}\n" for line in lines), output: result.model_dump_json(indent=1)}
    for path, text in texts.items():
        new = path.with_name(f"{path.name}.new")
        new.write_text(text, encoding="utf-8")
        new.replace(path)


def sha256_of(path: Path) -> str:
    """Of a file; of a folder, of the annotation files in it, with their names: media are not annotations."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*.json*")) if path.is_dir() else [path]:
        if path.is_dir():
            digest.update(f"{file.relative_to(path)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def reasons(result: Evaluation) -> dict[str, int]:
    """Reason → how many items have no verdict for it, the most first."""
    return dict(Counter(one.reason for one in result.unjudged).most_common())
