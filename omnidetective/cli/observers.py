"""``omnidetective observers``: the tool box, one tool at a time."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from omnidetective.cli.options import config_options, read_config

if TYPE_CHECKING:
    from omnidetective.config import Config
    from omnidetective.llm.cast import Cast
    from omnidetective.observers.registry import ToolBox


@click.group(short_help="List observers, look at one, ask one about a clip, write your own.")
def observers() -> None:
    """The observers that the detective can question: witnesses (models) and instruments (measurements)."""


@observers.command("list")
@config_options
def list_(**options: Any) -> None:
    """List every observer: built-in and from installed packages, whether it works here, and if not, why."""
    from omnidetective.cli.table import echo_table

    box = toolbox(read_config(**options))
    box.close()
    rows = []
    hints: dict[str, list[str]] = {}
    for row in box.listings:
        kind = row.spec.kind if row.spec else "-"
        modalities = ",".join(row.spec.modalities) if row.spec else "-"
        why = box.unavailable.get(row.name)
        state = (row.problem or "ready") if why is None else why.message
        if why is not None and why.hint:
            hints.setdefault(why.hint, []).append(row.name)
        rows.append((row.name, kind, modalities, row.origin, state))
    echo_table(rows, header=("NAME", "KIND", "CLIPS", "FROM", "STATE"))
    if hints:
        click.echo()
    for hint, names in hints.items():
        click.echo(f"{', '.join(names)}: {hint}")


@observers.command()
@click.argument("name")
@config_options
def show(name: str, **options: Any) -> None:
    """Show one observer: what it can tell, and its settings with their values here."""
    box = toolbox(read_config(**options))
    box.close()
    row = next((row for row in box.listings if row.name == name), None)
    if row is None or row.spec is None:
        raise click.UsageError(f"there is no observer {name!r}" if row is None else f"{name}: {row.problem}")
    spec = row.spec
    click.echo(f"{spec.name}  {spec.kind}, {row.origin}, for {', '.join(spec.modalities)}")
    click.echo(spec.description)
    if spec.cost:
        click.echo(f"A question costs: {spec.cost}.")
    if name in box.unavailable:
        why = box.unavailable[name]
        click.echo(f"Not available: {why.message}" + (f" ({why.hint})" if why.hint else ""))
    click.echo("Settings:")
    for field in row.fields:
        click.echo(f"  observers.{row.settings_of or name}.{field.name} = {field.value}")
        if field.description:
            click.echo(f"      {field.description}")


@observers.command()
@click.argument("name")
@click.argument("clip", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("question", default="What can be observed, in detail and in order of time?")
@click.option("--span", metavar="START-END", help="Seconds to look at, for example 3-7.5.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole observation.")
@config_options
def ask(name: str, clip: Path, question: str, span: str | None, as_json: bool, **options: Any) -> None:
    """Put one QUESTION to the observer NAME about CLIP."""
    import asyncio

    from omnidetective.errors import ObserverUnavailableError
    from omnidetective.llm.cast import Cast
    from omnidetective.media.intake import open_clip
    from omnidetective.observers.ask import ask as put
    from omnidetective.records import Observation
    from omnidetective.rows import parse_row

    config = read_config(**options)
    path = clip.resolve()

    async def work() -> Observation:
        cast = Cast(config.model_set, config.settings.retry)
        try:
            await cast.discover()
            box = toolbox(config, cast)
            try:
                return await answer_of(box)
            finally:
                await box.aclose()
        finally:
            await cast.aclose()

    async def answer_of(box: ToolBox) -> Observation:
        if name not in box.observers:
            why = box.unavailable.get(name)
            if why is None:
                raise click.UsageError(f"there is no observer {name!r}; see `omnidetective observers list`")
            raise ObserverUnavailableError(f"{name}: {why.message}", hint=why.hint)
        async with open_clip(parse_row({"path": str(path)}), config.settings.media, base_dir=path.parent) as opened:
            part = _span(span)
            timeout_s = config.settings.investigate.observer_timeout_s
            return await put(box.observers[name], opened, question, part, timeout_s=timeout_s)

    answer = asyncio.run(work())
    if as_json:
        click.echo(answer.model_dump_json())
    elif answer.error is None:
        click.echo(answer.answer)
    if answer.error is not None:
        raise ObserverUnavailableError(f"{name}: {answer.error.message}", reason=answer.error.reason)


@observers.command()
@click.argument("name")
@click.option(
    "--dir",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder to make.  [default: ./omnidetective-NAME]",
)
def new(name: str, folder: Path | None) -> None:
    """Write a package with an observer of your own, NAME (lower_snake_case), that works and waits to be changed."""
    from omnidetective.observers.skeleton import package_name, write_skeleton

    folder = Path(package_name(name)) if folder is None else folder
    write_skeleton(name, folder)
    quoted = shlex.quote(str(folder))
    click.echo(f"{folder} is a package with the observer {name}. What comes next:")
    click.echo(f"  pip install -e {shlex.quote(f'{folder}[test]')}")
    click.echo(f"  python -m pytest {quoted}")
    click.echo(f"  omnidetective observers ask {name} CLIP")


def toolbox(config: Config, cast: Cast | None = None) -> ToolBox:
    """The tool box of a configuration."""
    from omnidetective.llm.cast import Cast
    from omnidetective.observers.base import ObserverContext
    from omnidetective.observers.registry import ToolBox
    from omnidetective.prompts import PromptLibrary

    cast = cast or Cast(config.model_set, config.settings.retry)
    prompts = PromptLibrary(config.settings.prompts)
    return ToolBox(ObserverContext(cast, config.model_set, prompts, config.settings))


def _span(text: str | None) -> Any:
    from omnidetective.evidence import Span

    if text is None:
        return None
    start, _, end = text.partition("-")
    try:
        return Span(start_s=float(start), end_s=float(end))
    except ValueError:
        raise click.BadParameter(f"{text!r} is no span; write START-END in seconds, for example 3-7.5") from None
