"""`omnidetective merge`: the outputs of shards as one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from omnidetective.engine.merge import Merged
    from omnidetective.engine.merge_index import Ids

_FILE = click.Path(path_type=Path)


@click.command(short_help="Join the outputs of several runs into one, and prove it whole.")
@click.argument("outputs", metavar="OUT…", type=_FILE, nargs=-1, required=True)
@click.option("--output", "target", type=_FILE, required=True, metavar="FILE", help="The new output.")
@click.option(
    "--input",
    "input_path",
    type=_FILE,
    metavar="FILE",
    help="The whole input of the runs: records are put in its order, and what is missing is said.",
)
def merge(outputs: tuple[Path, ...], target: Path, input_path: Path | None) -> None:
    """Join outputs of `run` into one, for example those of all parts of --shard K/N, with their failures.

    Every id may have one record only, also where two lines are equal: otherwise nothing is written, and the ids and
    files are named. The outputs are left as they are, and must not be being written. FILE must not be there yet; `run`
    goes on from it as from an output of its own.

    \b
    Exit status: 0 every clip has a record · 1 some failed or, with --input, are missing, or no row asks for them
                 2 the outputs cannot be joined
    """
    from omnidetective.engine.merge import merge as join

    merged = join(outputs, target, input_path=input_path)
    _report(merged, len(outputs))
    sys.exit(merged.exit_status)


def _report(merged: Merged, outputs: int) -> None:
    click.echo(f"{merged.records:,} records of {outputs:,} outputs, each id once · {merged.output}", err=True)
    if merged.damaged:
        click.echo(f"left out: {merged.damaged:,} damaged lines, which hold no record", err=True)
    if merged.failed.count or merged.faulty_rows:
        rows = f"; {merged.faulty_rows:,} rows of the input to mend" * bool(merged.faulty_rows)
        click.echo(f"without a record: {_named(merged.failed)}{rows}; why: {merged.failures}", err=True)
    if merged.missing is not None and merged.missing.count:
        click.echo(f"missing, neither done nor failed: {_named(merged.missing)}", err=True)
        click.echo(
            "the parts that they belong to are not done: run them again, or run on with the new output", err=True
        )
    if merged.unknown is not None and merged.unknown.count:
        click.echo(f"records that no row of the input asks for: {_named(merged.unknown)}", err=True)


def _named(ids: Ids) -> str:
    """How many, and the first of them."""
    from omnidetective.engine.logs import printable

    shown = ", ".join(printable(repr(clip_id)) for clip_id in ids.first)
    more = " …" if ids.count > len(ids.first) else ""
    return f"{ids.count:,} clips" + (f" ({shown}{more})" if shown else "")
