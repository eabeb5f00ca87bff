"""``omnidetective config``: what a run would use."""

from __future__ import annotations

from typing import Any

import click

from omnidetective.cli.options import config_options, read_config


@click.group(short_help="Show the configuration and where each value comes from.")
def config() -> None:
    """Look at the configuration.

    Strongest first: options and --set, environment (OMNIDETECTIVE_SECTION__KEY), configuration file, model set and
    workflow, defaults.
    """


@config.command()
@click.option("--sources", is_flag=True, help="Also say where each value comes from.")
@config_options
def show(sources: bool, **options: Any) -> None:
    """Print every setting as it would be in a run."""
    import json

    loaded = read_config(**options)
    rows = list(_leaves(loaded.settings.model_dump(mode="json")))
    for key, value in rows:
        text = f"{key} = {json.dumps(value, ensure_ascii=False)}"
        if sources:
            text += f"    # {_source(key, loaded.sources)}"
        click.echo(text)


def _leaves(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    leaves: list[tuple[str, Any]] = []
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            leaves += _leaves(value, f"{prefix}{key}.")
        else:
            leaves.append((f"{prefix}{key}", value))
    return leaves


def _source(key: str, sources: Any) -> str:
    return next((s for k, s in sources.items() if key == k or key.startswith(f"{k}.")), "default")
