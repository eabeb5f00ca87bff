"""What commands share that ask a judge about captions: their options, the progress they show, and how they end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from omnidetective.cli.options import F

if TYPE_CHECKING:
    from omnidetective.evals.at_once import Told
    from omnidetective.evals.result import Evaluation

_EMPTY_LINE = "\r\x1b[K"
"""Takes a terminal to the beginning of its line, and clears it."""
CAPTIONS_HELP = "The captions: an output of `run`, or a prediction file."


def concurrency_option(what: str) -> Callable[[F], F]:
    """``--concurrency``."""
    return click.option(
        "--concurrency", type=click.IntRange(min=1), default=16, metavar="N", show_default=True, help=what
    )


tokenizer_option = click.option(
    "--tokenizer",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    help="tokenizer.json whose tokens are counted, where lengths matter.  [default: words and marks]",
)


@contextmanager
def progress(label: str) -> Iterator[Told]:
    """A bar on a terminal, nothing elsewhere. What is warned of stands on lines of its own above it."""
    from omnidetective.engine.logs import logging_to

    watched = sys.stderr.isatty()

    def warn(line: str) -> None:
        click.echo(f"{_EMPTY_LINE if watched else ''}{line}", err=True)

    with (
        logging_to(warn, quiet=False, log_file=None),
        click.progressbar(length=1, file=sys.stderr, label=label, hidden=not watched) as bar,
    ):

        def told(done: int, of: int) -> None:
            bar.length = of
            bar.update(1)

        yield told


def print_and_exit(result: Evaluation, *, as_json: bool) -> NoReturn:
    """Print the tables, or everything as JSON; the exit status is 1 where the provider left something unanswered."""
    from omnidetective.evals.tables import tables

    click.echo(result.model_dump_json() if as_json else tables(result), nl=as_json)
    sys.exit(1 if any(one.reason == "unfinished" for one in result.unjudged) else 0)
