"""``omnidetective reward``: the rewards of AVoCaDO, for captions in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from omnidetective.cli.judging import CAPTIONS_HELP, concurrency_option, print_and_exit, progress, tokenizer_option
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
    help=CAPTIONS_HELP,
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
@concurrency_option("Captions that are graded at once.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Grade only the first N captions.")
@tokenizer_option
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

    from omnidetective.rewards.files import grade_file
    from omnidetective.token_counts import token_counter

    config = read_config(**options)
    with progress(f"reward {kind}") as told:
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
    print_and_exit(result, as_json=as_json)
