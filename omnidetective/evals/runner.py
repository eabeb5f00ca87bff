"""An evaluation from files to files: read, match, judge many items at once, count, write."""

from __future__ import annotations

import hashlib
import time
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
from omnidetective.evals import growth_plot
from omnidetective.evals.at_once import Told, at_once
from omnidetective.evals.base import Benchmark, Judged, Rated
from omnidetective.evals.growth import By, Growth, growth
from omnidetective.evals.growth import tables as growth_tables
from omnidetective.evals.judge import Judge, UnjudgedError
from omnidetective.evals.judging import judging
from omnidetective.evals.matching import Plan, plan
from omnidetective.evals.output import only_writer, write_whole
from omnidetective.evals.predictions import Prediction, read_predictions
from omnidetective.evals.result import NOBODY, Evaluation, ItemLine, Unjudged
from omnidetective.llm.usage import usage_scope
from omnidetective.prompts import prompts_used


@dataclass(frozen=True, slots=True)
class Curve:
    """The co-growth curve that is wanted (:mod:`omnidetective.evals.growth`): by what, and where its picture goes."""

    by: By
    plot: Path | None = None


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
    curve: Curve | None = None,
    told: Told = lambda done, of: None,
) -> Evaluation:
    """Score captions, and write the result and a line for each item beside it.

    Answers of the judge are kept in ``<output stem>.cache.sqlite``: the same command again asks for nothing twice.

    Raises:
        ConfigError: the files have a wrong form, nobody can play the judge, the curve cannot be had, or the output is
            one of the files that are read, cannot be written, or is written by another evaluation.
        ProviderError: no further call would succeed. What was answered is kept.
        BudgetReachedError: ``limits.max_cost_usd`` does not allow the next call. What was answered is kept.
    """
    files = (output, _items_of(output), *((curve.plot,) if curve is not None and curve.plot is not None else ()))
    with only_writer(files, reads=(captions, data)):
        started_at, since = datetime.now(UTC).isoformat(timespec="milliseconds"), time.monotonic()
        captions_sha256, data_sha256 = sha256_of(captions), sha256_of(data)  # a run may be appending to them
        work = plan(benchmark, data, read_predictions(captions, records=benchmark.reads_records), limit=limit)
        if curve is not None:
            _require(curve, work)
        config = config.with_cache_beside(output)
        used: dict[str, str] = {}
        async with AsyncExitStack() as stack:
            asked = benchmark.judged and any(
                one is not None and benchmark.answered(item, one) is None for item, one in work.matched
            )
            judge = await stack.enter_async_context(judging(config)) if asked else None
            count = benchmark.runs if runs is None else runs
            with usage_scope() as meter, prompts_used(used):
                done = await _judged(work, judge, runs=count, concurrency=concurrency, told=told)
                name = judge.name if judge is not None else NOBODY
        tables = tuple(benchmark.tables(run) for run in done)
        chosen = benchmark.median_of(tables)
        curves = _curves(curve, benchmark, done)
        if curves:
            assert isinstance(benchmark, Rated)
            tables = tuple((*one, *growth_tables(found, benchmark)) for one, found in zip(tables, curves, strict=True))
        result = Evaluation(
            benchmark=benchmark.name,
            variant=benchmark.variant,
            judge=name,
            tokens=benchmark.tokens.name,
            captions=captions.name,
            captions_sha256=captions_sha256,
            data=data.name,
            data_sha256=data_sha256,
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
        lines = [_line(benchmark, one, n) for n, run in enumerate(done) for one in run]
        # The items first: a result never stands beside items of another run.
        items = "".join(f"{line.model_dump_json()}\n" for line in lines)
        write_whole({_items_of(output): items, output: result.model_dump_json(indent=1)})
        if curve is not None and curve.plot is not None:
            found = curves[chosen]
            growth_plot.draw(found, curve.plot, title=f"{benchmark.title}: {captions.name}, {found.clips:,} captions")
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


def _items_of(output: Path) -> Path:
    return output.with_name(f"{output.stem}.items.jsonl")


def _require(curve: Curve, work: Plan) -> None:
    """Whether the curve can be had, before anything is paid for.

    Raises:
        ConfigError: it cannot.
    """
    if not isinstance(work.benchmark, Rated):
        raise ConfigError(f"{work.benchmark.title} does not tell detail from hallucination, clip by clip")
    if curve.plot is not None:
        growth_plot.require_plots(curve.plot)
    if curve.by == "inquiries" and all(one is None or one.inquiries is None for _, one in work.matched):
        raise ConfigError(
            "no caption tells how many questions the detective put for it",
            hint="records of `omnidetective run` do, unless they were made with --no-trajectory",
        )


def _curves(
    curve: Curve | None, benchmark: Benchmark[Any, Any], runs: Sequence[Sequence[Judged[Any, Any]]]
) -> list[Growth]:
    """That of each run, where one is wanted."""
    if curve is None:
        return []
    assert isinstance(benchmark, Rated)
    return [growth(benchmark, run, curve.by, tokens=benchmark.tokens) for run in runs]


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


def sha256_of(path: Path) -> str:
    """Of a file; of a folder, of the annotation files in it, with their names: media are not annotations."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*.json*")) if path.is_dir() else [path]:
        if path.is_dir():
            digest.update(f"{file.relative_to(path)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
