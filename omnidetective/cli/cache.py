"""``omnidetective cache``: the kept answers of models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from omnidetective.llm.cache import ResponseCache

_FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
_DAY_S = 86_400.0


@click.group(short_help="Look at the kept answers of models, and clear old ones away.")
def cache() -> None:
    """Look at the answers of models that a run keeps, so that no call is paid twice.

    FILE is the output of a run, whose answers are kept beside it in `<output stem>.cache.sqlite`, or such a file.
    """


@cache.command()
@_FILE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def stats(file: Path, as_json: bool) -> None:
    """Say how many answers are kept, of which models, since when, and how large the file is."""
    import json
    from dataclasses import asdict
    from datetime import UTC, datetime

    from omnidetective.cli.table import echo_table

    kept = _open(file)
    try:
        found = kept.statistics()
    finally:
        kept.close()
    if as_json:
        click.echo(json.dumps({"file": str(kept.path), **asdict(found)}))
        return
    click.echo(f"{kept.path}: {found.replies:,} answers, {found.size_bytes / 1e6:.1f} MB")
    if found.oldest_at is not None and found.newest_at is not None:
        oldest, newest = (
            datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC") for at in (found.oldest_at, found.newest_at)
        )
        click.echo(f"from {oldest} to {newest}\n")
        echo_table([(model, f"{count:,}") for model, count in found.by_model.items()], header=("MODEL", "ANSWERS"))


@cache.command()
@_FILE
@click.option(
    "--unused-for",
    "days",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    metavar="DAYS",
    help="Remove answers that no run has used for so many days; 0 removes all.",
)
def prune(file: Path, days: float) -> None:
    """Remove answers that have not been used for long. A run that needs one of them pays for it again."""
    kept = _open(file)
    try:
        removed = kept.prune(unused_for_s=days * _DAY_S)
        left = kept.statistics()
    finally:
        kept.close()
    click.echo(f"{kept.path}: {removed:,} answers removed, {left.replies:,} left, {left.size_bytes / 1e6:.1f} MB")


def _open(file: Path) -> ResponseCache:
    from omnidetective.config import cache_beside
    from omnidetective.llm.cache import ResponseCache

    path = cache_beside(file) if file.suffix == ".jsonl" else file
    if not path.is_file():
        raise click.UsageError(f"there are no kept answers at {path}")
    return ResponseCache(path)
