"""``omnidetective domains``: what pictures are told apart by, and who looks at which."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from omnidetective.cli.options import config_options, read_config

if TYPE_CHECKING:
    from omnidetective.domains import AgentSpec, Domain, Domains

_DIR = click.option(
    "--domains",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder with domains of your own; the same as --set route.domains=DIR.",
)


@click.group(short_help="List the domains of pictures, and show who looks at one.")
def domains() -> None:
    """The domains that the workflow `capflow` sorts pictures into; each has agents of its own.

    To add one, write a file NAME.yaml in a folder of your own, and give the folder with `--domains DIR`, or to a run
    with `--set route.domains=DIR`.
    """


@domains.command("list")
@_DIR
@config_options
def list_(folder: Path | None, **options: Any) -> None:
    """List every domain: its name and title, the clips that can belong to it, and its agents by kind."""
    from omnidetective.cli.table import echo_table

    rows = [(d.name, d.title, ",".join(d.modalities), _by_kind(d)) for d in _domains(folder, options).values()]
    echo_table(rows, header=("NAME", "TITLE", "CLIPS", "AGENTS"))


@domains.command()
@click.argument("name")
@_DIR
@config_options
def show(name: str, folder: Path | None, **options: Any) -> None:
    """Show one domain: what belongs to it, where it ends, what a caption of it tells, and its agents."""
    known = _domains(folder, options)
    domain = known.named(name)
    if domain is None:
        raise click.UsageError(f"there is no domain {name!r}{known.near(name)}")
    click.echo(f"{domain.name}  {domain.title}, for {', '.join(domain.modalities)}")
    click.echo(domain.description)
    _echo_list("Where it ends:", domain.boundaries)
    _echo_list("What a caption tells:", domain.tells)
    _echo_list("Agents:", (f"{agent}: {_played(spec)}" for agent, spec in domain.agents.items()))


def _domains(folder: Path | None, options: dict[str, Any]) -> Domains:
    from omnidetective.domains import load_domains

    named: dict[str, Any] = {"route.domains": None if folder is None else str(folder)}
    return load_domains(read_config(**options, **named).settings.route.domains)


def _by_kind(domain: Domain) -> str:
    """``guideline, perception, reasoning, tool: ocr charts``."""
    kinds: dict[str, list[str]] = {}
    for name, agent in domain.agents.items():
        kinds.setdefault(agent.kind, []).append(name)
    return ", ".join(kind if names == [kind] else f"{kind}: {' '.join(names)}" for kind, names in kinds.items())


def _played(agent: AgentSpec) -> str:
    """Who an agent is: the observer of a tool, the prompt of a model, and its role where that is not the usual one."""
    if agent.observer is not None:
        return f"tool, the observer {agent.observer}"
    role = f", played by {agent.role}" * (agent.role != "agent")
    return f"{agent.kind}, prompt {agent.prompt}{role}"


def _echo_list(heading: str, lines: Iterable[str]) -> None:
    for n, line in enumerate(lines):
        if n == 0:
            click.echo(heading)
        click.echo(f"  {line}")
