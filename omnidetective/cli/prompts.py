"""``omnidetective prompts``: the prompts of a run, through the very loader that a run uses."""

from __future__ import annotations

from pathlib import Path

import click

_DIR = click.option(
    "--prompts",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder with your own versions, as for `run`.",
)


@click.group(short_help="List prompts, show one, render it, compare with your own.")
def prompts() -> None:
    """Look at the prompts of a run.

    To change one, copy its file into a folder of your own, under the same name, and give `--prompts DIR`. Prompts for
    agents of domains of your own lie there in `capflow/`.
    """


@prompts.command("list")
@_DIR
def list_(folder: Path | None) -> None:
    """List every prompt: name, version and hash, what it is for."""
    from omnidetective.cli.table import echo_table
    from omnidetective.prompts import PromptLibrary

    rows = [(p.name, p.fingerprint, p.description) for p in PromptLibrary(folder)]
    echo_table(rows, header=("NAME", "VERSION", "WHAT IT IS FOR"))


@prompts.command()
@click.argument("name")
@_DIR
def show(name: str, folder: Path | None) -> None:
    """Print the file of a prompt: its front matter and its template."""
    from omnidetective.prompts import PromptLibrary

    click.echo(PromptLibrary(folder).get(name).path.read_text(encoding="utf-8"), nl=False)


@prompts.command()
@click.argument("name")
@click.argument("variables", nargs=-1, metavar="[NAME=VALUE]...")
@_DIR
def render(name: str, variables: tuple[str, ...], folder: Path | None) -> None:
    """Print a prompt with its variables filled in, as a model would get it. Values are read as YAML."""
    import yaml

    from omnidetective.errors import PromptError
    from omnidetective.prompts import PromptLibrary

    values = {}
    for text in variables:
        key, separator, value = text.partition("=")
        if not separator:
            raise PromptError(f"a variable is NAME=VALUE, not {text!r}")
        values[key] = yaml.safe_load(value)
    prompt = PromptLibrary(folder).get(name)
    if missing := [key for key in prompt.inputs if key not in values]:
        lines = "\n".join(f"  {key}: {prompt.inputs[key]}" for key in missing)
        raise PromptError(f"prompt {name} also needs these variables:\n{lines}")
    click.echo(prompt.render(**values))


@prompts.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
def diff(folder: Path) -> None:
    """Show how your prompts in DIR differ from the built-in ones."""
    import difflib

    from omnidetective.prompts import PromptLibrary

    built_in = {prompt.name: prompt for prompt in PromptLibrary()}
    same = True
    for prompt in PromptLibrary(folder):
        old = built_in.get(prompt.name)
        if old is not None and prompt.path == old.path:
            continue
        before, after = (p.path.read_text(encoding="utf-8").splitlines() if p else [] for p in (old, prompt))
        for line in difflib.unified_diff(before, after, f"built-in {prompt.name}", str(prompt.path), lineterm=""):
            same = False
            click.echo(line)
    if same:
        click.echo("no differences", err=True)
