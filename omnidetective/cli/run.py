"""`omnidetective run`: many clips from a file, their records to a file."""

from __future__ import annotations

import contextlib
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from omnidetective.cli.interrupts import undisturbed
from omnidetective.cli.options import config_options, read_config

if TYPE_CHECKING:
    from omnidetective.config import Config
    from omnidetective.engine.tally import BudgetSummary, RunSummary
    from omnidetective.observers.registry import ToolBox

_FILE = click.Path(path_type=Path)


@click.command(short_help="Caption every clip of an input file.")
@click.option(
    "--input",
    "input_path",
    type=_FILE,
    required=True,
    metavar="FILE",
    help='JSON Lines, one clip a line: {"id": …, "video": …}. Instead of video: audio, image, path or url. '
    "Relative paths are relative to this file.",
)
@click.option(
    "--output",
    "output_path",
    type=_FILE,
    required=True,
    metavar="FILE",
    help="Where the records go, one JSON object a line, in the order in which they are done. What fails goes to "
    "FILE's name with .failures.jsonl. Where FILE is there already, the run goes on from it.",
)
@click.option("--num-workers", type=click.IntRange(min=1), metavar="N", help="Worker processes.  [default: 1]")
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    metavar="N",
    help="Clips at once in each worker.  [default: the model set's]",
)
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    help="Workers are processes on this machine, or actors of Ray.  [default: local]",
)
@click.option(
    "--ray-address",
    metavar="ADDRESS",
    help="With --engine ray: a cluster, by host:port of its head, or auto.  [default: this machine alone]",
)
@config_options
@click.option("--shard", metavar="K/N", help="Do only part K of N, from 1. A clip's part depends on its id alone.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Look only at the first N rows.")
@click.option(
    "--no-resume", is_flag=True, help="Begin a new output. One that is there is renamed (out.bak1.jsonl), never lost."
)
@click.option("--retry-failed", is_flag=True, help="Also try the clips again that failed in an earlier run.")
@click.option(
    "--only",
    "only_reasons",
    metavar="REASON",
    multiple=True,
    help="With --retry-failed: only clips that failed with this reason. May be repeated.",
)
@click.option(
    "--id", "only_ids", metavar="ID", multiple=True, help="With --retry-failed: only this clip. May be repeated."
)
@click.option(
    "--allow-changed",
    is_flag=True,
    help="Go on with an output that was begun with another configuration; otherwise that is refused.",
)
@click.option(
    "--max-cost",
    metavar="USD",
    help="Stop before more US dollars are spent on this output, by all runs together. With a higher one, it goes on.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Say what the run would do and cost, and do nothing: no model is called, nothing is written.",
)
@click.option("--no-trajectory", is_flag=True, help="Leave the detective's conversation out of the records.")
@click.option("--log-file", type=_FILE, metavar="FILE", help="Write a detailed log, one JSON object a line.")
@click.option("--quiet", is_flag=True, help="Show no progress, only errors and what failed.")
@click.pass_context
def run(
    context: click.Context,
    /,
    *,
    input_path: Path,
    output_path: Path,
    num_workers: int | None,
    concurrency: int | None,
    engine: str | None,
    ray_address: str | None,
    shard: str | None,
    limit: int | None,
    no_resume: bool,
    max_cost: str | None,
    retry_failed: bool,
    dry_run: bool,
    only_reasons: tuple[str, ...],
    only_ids: tuple[str, ...],
    allow_changed: bool,
    no_trajectory: bool,
    log_file: Path | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Caption every clip of a file.

    Stop it at any time, by Ctrl-C or otherwise: the same command goes on, and does no finished clip again.

    \b
    Exit status: 0 every clip has a record · 1 some failed (they are listed)
                 2 bad usage or configuration · 3 stopped by --max-cost · 130 interrupted
    """
    import asyncio
    import atexit

    from omnidetective.cli.observers import toolbox
    from omnidetective.engine.logs import logging_to
    from omnidetective.engine.progress import progress_for
    from omnidetective.engine.run import run_batch
    from omnidetective.engine.source import WHOLE, Shard

    options["limits.max_cost_usd"] = max_cost
    options["ray.address"] = ray_address
    config = read_config(
        num_workers=num_workers,
        concurrency=concurrency,
        engine=engine,
        trajectory=False if no_trajectory else None,
        **options,
    )
    if ray_address is not None and config.settings.engine != "ray":
        raise click.UsageError("--ray-address goes with --engine ray")
    part = WHOLE if shard is None else Shard.parse(shard)
    if dry_run:
        from omnidetective.cli.estimate import show
        from omnidetective.planning.planner import plan_run

        plan = asyncio.run(
            plan_run(
                config,
                input_path,
                output_path,
                shard=part,
                limit=limit,
                resume=not no_resume,
                retry_failed=retry_failed,
            )
        )
        show(plan)
        sys.exit(0 if plan.would_start else 2)
    config = config.with_cache_beside(output_path)
    progress = progress_for(sys.stderr, quiet=quiet)
    until = contextlib.ExitStack()
    try:
        with (
            logging_to(progress.write, quiet=quiet, log_file=log_file),
            contextlib.closing(toolbox(config)) as box,  # The processes of its observers serve the run.
        ):
            if config.settings.ray.address is None:  # Nodes of a cluster have packages and weights of their own.
                box.require_named(config.sources)
            if not quiet:
                _say_what_is_missing(box)
                _say_what_keys_could_do(config)
            summary = asyncio.run(
                run_batch(
                    config,
                    input_path,
                    output_path,
                    shard=part,
                    limit=limit,
                    resume=not no_resume,
                    retry_failed=retry_failed,
                    only_reasons=only_reasons,
                    only_ids=only_ids,
                    allow_changed=allow_changed,
                    progress=progress,
                    until=until,
                )
            )
    finally:
        progress.close()
        # When everything is told, whatever it is; and before Ray would close what it finds open.
        atexit.register(undisturbed, until.close)
    _report(summary, context, quiet=quiet)
    sys.exit(summary.exit_status)


def _say_what_is_missing(box: ToolBox) -> None:
    """An observer that could work here and does not makes poorer captions: better known before a night than after."""
    for name, why in box.unavailable.items():
        if not why.expected:
            hint = f": {why.hint}" if why.hint else ""
            click.echo(f"note: without {name}, as {why.message}{hint}", err=True)


def _say_what_keys_could_do(config: Config) -> None:
    """Nothing is spent by accident; that a key lies unused is said in one line."""
    import os

    from omnidetective.config import load_model_set, names

    if config.model_set.name != "local":
        return
    for name in names("models"):
        needs = load_model_set(name).needs_env
        if needs and all(os.environ.get(variable) for variable in needs):
            click.echo(
                f"note: this run uses the embedded cast, which costs nothing; {' and '.join(needs)} would let "
                f"--models {name} ask real models",
                err=True,
            )
            return


def _report(summary: RunSummary, context: click.Context, *, quiet: bool) -> None:
    from omnidetective.engine.moment import money

    if not quiet:
        outcomes = ", ".join(
            f"{summary.outcomes[name]:,} {name}"
            for name in ("accepted", "partial", "rejected")
            if summary.outcomes.get(name)
        )
        spent = summary.usage
        click.echo(
            f"{summary.recorded:,} clips done in {summary.seconds:.1f} s"
            + (f" ({outcomes})" if outcomes else "")
            + (f", {summary.already_done:,} were done before" if summary.already_done else "")
            + f" · {spent.calls:,} calls, {spent.prompt_tokens + spent.completion_tokens:,} tokens, "
            f"cost {money(spent.cost_usd)} · {summary.output}",
            err=True,
        )
        if not summary.rows and not summary.interrupted:
            click.echo("there was nothing to do: no rows", err=True)
    if summary.failed or summary.failed_before:
        reasons = ", ".join(
            f"{count:,} {reason}"
            for reason, count in sorted(summary.failure_reasons.items(), key=lambda item: -item[1])
        )
        before = f"{summary.failed_before:,} failed in an earlier run and were left alone" * bool(summary.failed_before)
        failed = f"{summary.failed:,} without a record: {reasons}" * bool(summary.failed)
        click.echo("; ".join(filter(None, (failed, before))), err=True)
        click.echo(f"why: {summary.failures}", err=True)
        if summary.faulty_rows:
            click.echo(
                f"rows to mend in the input: {summary.faulty_rows:,}; then give the same command again", err=True
            )
        if summary.failed + summary.failed_before > summary.faulty_rows and not summary.interrupted:
            click.echo(f"try them again: {_this_command(context, '--retry-failed')}", err=True)
    if summary.budget is not None:
        _report_budget(summary.budget, summary.not_started, context, quiet=quiet)
    if summary.interrupted:
        click.echo(f"interrupted; to go on: {_this_command(context)}", err=True)


def _report_budget(budget: BudgetSummary, not_started: int, context: click.Context, *, quiet: bool) -> None:
    """How far the money went; where it ended the run, the command that goes on."""
    from omnidetective.engine.moment import money
    from omnidetective.errors import BudgetReachedError

    spent = (
        f"spent {money(budget.spent_usd)} of {money(budget.cap_usd)}; the most that was reserved for one call: "
        f"{money(budget.largest_usd)}"
    )
    if budget.reached is None:
        if not quiet:
            click.echo(spent, err=True)
        return
    left = f"{not_started:,} clips were" if not_started != 1 else "1 clip was"
    click.echo(f"stopped by the budget: {budget.reached.message}. {left} not started. {spent}", err=True)
    if budget.reached.reason == BudgetReachedError.default_reason:
        higher = (2 * budget.cap_usd).normalize()
        click.echo(f"to go on with a higher cap: {_this_command(context, '--max-cost', f'{higher:f}')}", err=True)
    else:
        click.echo(budget.reached.hint, err=True)


def _this_command(context: click.Context, *extra: str) -> str:
    """The command line that was given, as it can be pasted again; what would undo the run is left out."""
    words: list[str] = []
    for parameter in context.command.params:
        name = str(parameter.name)
        if context.get_parameter_source(name) is not ParameterSource.COMMANDLINE or name == "no_resume":
            continue
        value: Any = context.params[name]
        option = parameter.opts[0]
        if option in extra:
            continue
        if value is True:
            words.append(option)
        else:
            for one in value if isinstance(value, tuple) else (value,):
                words += [option, str(one)]
    return shlex.join([*context.command_path.split(), *words, *extra])
