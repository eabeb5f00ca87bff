"""``omnidetective eval``: scores captions by published benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from omnidetective.cli.judging import CAPTIONS_HELP, concurrency_option, print_and_exit, progress, tokenizer_option
from omnidetective.cli.options import F, config_options, read_config
from omnidetective.cli.suggesting import SuggestingGroup

if TYPE_CHECKING:
    from omnidetective.evals.base import Benchmark
    from omnidetective.evals.growth import By

_FILE = click.Path(path_type=Path, exists=True)
_NO_OPTIONS: dict[str, Any] = {"models": None, "workflow": None, "overrides": (), "config_file": None, "prompts": None}


_EXIT_JUDGED = (
    "\b\nExit status: 0    done\n"
    "             1    the provider did not answer for some items: again, to go on\n"
    "             2    bad usage or configuration, or files of another form\n"
    "             3    stopped by limits.max_cost_usd\n"
    "             130  interrupted\n\n"
    "In each case the answers of the judge are kept."
)


class Benches(SuggestingGroup):
    """Its commands are the benchmarks; each is imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from omnidetective.evals import BENCHMARKS

        return ["list", *BENCHMARKS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if (found := super().get_command(ctx, cmd_name)) is not None:
            return found
        from omnidetective.evals import BENCHMARKS

        return _command(cmd_name) if cmd_name in BENCHMARKS else None


@click.group("eval", cls=Benches, short_help="Score captions by published benchmarks.")
def eval() -> None:
    """Score captions by the protocol of a published benchmark.

    `omnidetective eval list` says what each benchmark needs. The judge is the role `judge` of the model set; its
    answers are kept beside the result, so that the same command again goes on where it stopped and pays for nothing
    twice.
    """


@eval.command("list", short_help="Say what each benchmark needs.")
def list_() -> None:
    """List the benchmarks: the data that each needs, and how it is judged."""
    from omnidetective.evals import BENCHMARKS
    from omnidetective.evals.base import Rated

    for name in BENCHMARKS:
        kind = _kind(name)
        click.echo(f"{name}: {kind.title}\n  data: {kind.data}\n  judge: {kind.judging}\n  source: {kind.source}")
        for variant, meaning in kind.variants.items():
            click.echo(f"  --variant {variant}: {meaning}")
        if issubclass(kind, Rated):
            click.echo(f"  --by length|inquiries: detail ({kind.detail}), hallucination ({kind.invention})")


def _kind(name: str) -> type[Benchmark[Any, Any]]:
    import importlib

    from omnidetective.evals import BENCHMARKS

    module, _, attribute = BENCHMARKS[name].partition(":")
    kind: type[Benchmark[Any, Any]] = getattr(importlib.import_module(module), attribute)
    return kind


def _command(name: str) -> click.Command:
    from omnidetective.evals.base import Rated

    kind = _kind(name)
    variants = list(kind.variants)

    @click.option(
        "--captions",
        type=_FILE,
        required=True,
        metavar="FILE",
        help=CAPTIONS_HELP,
    )
    @_data_option(kind)
    @click.option(
        "--output",
        type=click.Path(path_type=Path, dir_okay=False),
        required=True,
        metavar="FILE",
        help="Where the result goes, as JSON; a line for each item goes beside it.",
    )
    @(
        click.option("--variant", type=click.Choice(variants), help="How it is counted, where there are several ways.")
        if variants
        else _nothing
    )
    @click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Look at the first N items only.")
    @(_curve_options if issubclass(kind, Rated) else _nothing)
    @(_judge_options(kind.runs) if kind.judged else _nothing)
    @click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
    def command(
        *,
        captions: Path,
        data: Path,
        output: Path,
        limit: int | None,
        as_json: bool,
        variant: str | None = None,
        runs: int | None = None,
        concurrency: int = 1,
        tokenizer: Path | None = None,
        by: By | None = None,
        plot: Path | None = None,
        **options: Any,
    ) -> None:
        import asyncio

        from omnidetective.evals.runner import Curve, evaluate
        from omnidetective.token_counts import token_counter

        if plot is not None and by is None:
            raise click.UsageError("--plot draws the curve that --by asks for: give both")
        config = read_config(**{**_NO_OPTIONS, **options})
        with progress(kind.title) as told:
            result = asyncio.run(
                evaluate(
                    config,
                    kind(variant or "", tokens=token_counter(tokenizer)),
                    captions=captions,
                    data=data,
                    output=output,
                    runs=runs,
                    concurrency=concurrency,
                    limit=limit,
                    curve=None if by is None else Curve(by, plot),
                    told=told,
                )
            )
        print_and_exit(result, as_json=as_json)

    command.__doc__ = f"Score captions by {kind.title}.\n\nJudge: {kind.judging}.\n\nProtocol: {kind.source}\n\n" + (
        _EXIT_JUDGED if kind.judged else "Exit status: 0 done · 2 bad usage, or files of another form"
    )
    return click.command(name, short_help=kind.title)(command)


def _data_option(kind: type[Benchmark[Any, Any]]) -> Callable[[F], F]:
    """``--data``; it need not be given where what is taken without it is there."""
    help_line, place = f"What is judged: {kind.data}.", kind.default_data
    if not place:
        return click.option("--data", type=_FILE, required=True, metavar="PATH", help=help_line)
    help_line += f"  [default: ./{place}, if it is there]"
    if not Path(place).exists():
        return click.option("--data", type=_FILE, required=True, metavar="PATH", help=help_line)
    return click.option("--data", type=_FILE, default=Path(place), metavar="PATH", help=help_line)


def _nothing(function: F) -> F:
    return function


def _curve_options(function: F) -> F:
    """``--by`` and ``--plot``."""
    by = click.option(
        "--by",
        type=click.Choice(["length", "inquiries"]),
        help="Show how detail and hallucination grow: with the length of captions, or with the detective's inquiries.",
    )
    plot = click.option(
        "--plot",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Draw that curve, as .png or .svg. Needs the extra `plots`.",
    )
    return by(plot(function))


def _judge_options(runs: int) -> Callable[[F], F]:
    """The options of benchmarks that somebody judges."""

    def add(function: F) -> F:
        function = config_options(function)
        for option in (
            tokenizer_option,
            concurrency_option("Items that are judged at once."),
            click.option(
                "--runs",
                type=click.IntRange(min=1, max=99),
                metavar="N",
                help=f"How often the judge goes over everything.  [default: {runs}]",
            ),
        ):
            function = option(function)
        return function

    return add
