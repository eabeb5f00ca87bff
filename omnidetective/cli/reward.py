"""``omnidetective reward``: the rewards of AVoCaDO, for captions in a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from omnidetective.cli.options import config_options, read_config

if TYPE_CHECKING:
    from omnidetective.rewards.parts import Kind

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(short_help="Grade captions by the rewards of AVoCaDO, as trainers use them.")
@click.option(
    "--kind",
    type=click.Choice(("checklist", "dialogue", "length", "all")),
    required=True,
    help="Which reward; `all` is their sum.",
)
@click.option(
    "--captions",
    type=_FILE,
    required=True,
    metavar="FILE",
    help="The captions: an output of `run`, or a prediction file.",
)
@click.option(
    "--references", type=_FILE, required=True, metavar="FILE", help="The reference captions, in any of the same forms."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="Where the rewards go: a JSON line for each caption.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=16,
    metavar="N",
    show_default=True,
    help="Captions that are graded at once.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Grade only the first N captions.")
@click.option(
    "--tokenizer",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    help="tokenizer.json whose tokens are counted for the length.  [default: words and marks]",
)
@config_options
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def reward(
    *,
    kind: Kind,
    captions: Path,
    references: Path,
    output: Path,
    concurrency: int,
    limit: int | None,
    tokenizer: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Grade captions against reference captions by the rewards of AVoCaDO: checklist, dialogue and length.

    The judge is the role `judge` of the model set; its answers are kept beside the output, so that the same command
    again goes on where it stopped and pays for nothing twice. The length needs no judge, and neither do dialogues that
    stand in both files as lists under `dialogue`.

    \b
    Exit status: 0 done · 1 some captions were not judged for the provider's sake: the same command goes on
                 2 bad usage or configuration, or files of another form · 3 stopped by the budget
    """
    import asyncio

    from omnidetective.evals.tables import tables
    from omnidetective.rewards.files import grade_file
    from omnidetective.token_counts import token_counter

    config = read_config(**options)
    with click.progressbar(length=1, file=sys.stderr, label=f"reward {kind}", hidden=not sys.stderr.isatty()) as bar:

        def told(done: int, of: int) -> None:
            bar.length = of
            bar.update(1)

        result = asyncio.run(
            grade_file(
                config,
                kind,
                captions=captions,
                references=references,
                output=output,
                tokens=token_counter(tokenizer),
                concurrency=concurrency,
                limit=limit,
                told=told,
            )
        )
    click.echo(result.model_dump_json() if as_json else tables(result), nl=as_json)
    sys.exit(1 if any(one.reason == "unfinished" for one in result.unjudged) else 0)
