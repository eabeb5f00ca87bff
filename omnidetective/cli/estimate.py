"""`omnidetective estimate`: what a run will cost, foreseen, or measured on a few of its clips."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from omnidetective.cli.interrupts import undisturbed
from omnidetective.cli.options import config_options, read_config

if TYPE_CHECKING:
    from omnidetective.planning.plan import Plan

_FILE = click.Path(path_type=Path)


@click.command(short_help="Say what a run will cost: foreseen, or measured on a few clips.")
@click.option("--input", "input_path", type=_FILE, required=True, metavar="FILE", help="The input of the run.")
@click.option(
    "--output",
    "output_path",
    type=_FILE,
    metavar="FILE",
    help="The output of the run: what is done already is left out. With --pilot the records of the pilot go there, "
    "and a run with this output goes on from them, so that nothing is paid twice.",
)
@click.option(
    "--pilot",
    type=click.IntRange(min=1),
    metavar="N",
    help="Caption N clips, spread evenly over the input, and foresee the rest from what they took. This costs what "
    "N clips cost.",
)
@click.option("--num-workers", type=click.IntRange(min=1), metavar="N", help="Worker processes.  [default: 1]")
@click.option("--concurrency", type=click.IntRange(min=1), metavar="N", help="Clips at once in each worker.")
@config_options
@click.option("--shard", metavar="K/N", help="Do only part K of N, from 1. A clip's part depends on its id alone.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Look only at the first N rows.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object.")
def estimate(
    *,
    input_path: Path,
    output_path: Path | None,
    pilot: int | None,
    num_workers: int | None,
    concurrency: int | None,
    shard: str | None,
    limit: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Say how many calls and tokens a run takes, what it costs, and how long it lasts.

    Without --pilot no model is called: some clips are looked at, and the calls are foreseen from their lengths and
    from the settings. Ranges are wide, since nobody knows how much there is to say about a clip. With --pilot a few
    clips are really captioned, and the ranges come from what these took.

    \b
    Exit status: 0 the run would start · 1 no clip of the pilot has a record
                 2 bad usage or configuration, or a model that is needed is not ready
                 130 interrupted
    """
    import asyncio

    from omnidetective.engine.source import WHOLE, Shard

    config = read_config(num_workers=num_workers, concurrency=concurrency, **options)
    part = WHOLE if shard is None else Shard.parse(shard)
    if pilot is None:
        from omnidetective.planning.planner import plan_run

        plan = asyncio.run(plan_run(config, input_path, output_path, shard=part, limit=limit))
        show(plan, as_json=as_json)
        sys.exit(0 if plan.would_start else 2)
    import atexit
    import contextlib

    from omnidetective.engine.logs import logging_to
    from omnidetective.engine.progress import progress_for
    from omnidetective.planning.pilot import fly
    from omnidetective.planning.pilot_tables import pilot_text

    progress = progress_for(sys.stderr, quiet=False)
    until = contextlib.ExitStack()
    try:
        with logging_to(progress.write, quiet=False, log_file=None):
            flown = fly(
                config, input_path, output_path, clips=pilot, shard=part, limit=limit, progress=progress, until=until
            )
            measured = asyncio.run(flown)
    finally:
        progress.close()
        # When everything is told, whatever it is; and before Ray would close what it finds open.
        atexit.register(undisturbed, until.close)
    click.echo(measured.model_dump_json() if as_json else pilot_text(measured), nl=as_json)
    sys.exit(130 if measured.interrupted else 0 if measured.recorded else 1)


def show(plan: Plan, *, as_json: bool = False) -> None:
    """Print a plan."""
    from omnidetective.planning.tables import plan_text

    click.echo(plan.model_dump_json() if as_json else plan_text(plan), nl=as_json)
