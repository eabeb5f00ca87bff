"""`omnidetective stats`: what an output says as a whole."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Show quality, outcomes, tokens and cost of an output.")
@click.argument("output", metavar="OUT", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
@click.option(
    "--compare-models",
    "compared",
    metavar="PROVIDER:MODEL",
    multiple=True,
    help="Show what the same tokens would cost at this model's price, as a whole, by role and by stage, such as "
    "openai:gpt-4.1. May be given several times. Another model counts text, pictures and sound as other numbers of "
    "tokens; what was cached or sound is not known from records, so all is priced in full and as text.",
)
@click.option(
    "--prices",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
    help="Prices of your own for --compare-models, in the form of configs/prices.yaml; stronger than those.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as one JSON object.")
def stats(output: Path, *, compared: tuple[str, ...], prices: Path | None, as_json: bool) -> None:
    """Show what the records of OUT say together: one table for each thing that they hold.

    OUT is the output of `run`. Failures beside it are counted too, and the run may still be going on.

    The tables are about outcomes and their reasons, captions and their scores, what the audit found before and after
    refining, what instruments caught, contradictions, and calls, tokens, cost and seconds. A cost is "at least" so
    much where a part of it is unknown. A line that is no record is left out and named.
    """
    from contextlib import ExitStack

    from omnidetective.engine.output_files import failures_path
    from omnidetective.llm.prices import prices_with
    from omnidetective.report.comparing import compared_price, comparison
    from omnidetective.report.layout import WIDTH, clean
    from omnidetective.report.statistics import statistics
    from omnidetective.report.tables import tables

    if prices is not None and not compared:
        raise click.UsageError("--prices is for --compare-models; what was spent stands in the records")
    others = [(name, *compared_price(name, prices_with(prices))) for name in dict.fromkeys(compared)]
    beside = failures_path(output)
    try:
        with ExitStack() as files:
            failures = files.enter_context(beside.open("rb")) if beside.is_file() else ()
            numbers = statistics(files.enter_context(output.open("rb")), failures)
    except OSError as error:
        raise click.BadParameter(
            f"cannot read {error.filename or output}: {error.strerror}", param_hint="'OUT'"
        ) from error
    if numbers.bad_lines and not numbers.records:
        bad = numbers.first_bad_lines[0]
        why = clean(f"line {bad.line_number}: {bad.why}", WIDTH)
        raise click.BadParameter(f"{output} holds no record: {why}", param_hint="'OUT'")
    if others:
        if numbers.usage is None:
            raise click.BadParameter(f"{output} does not say what its calls took", param_hint="'--compare-models'")
        there = tuple(comparison(name, host, price, numbers.usage) for name, host, price in others)
        numbers = numbers.model_copy(update={"compared": there})
    click.echo(numbers.model_dump_json() if as_json else tables(numbers), nl=as_json)
