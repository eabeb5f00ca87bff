"""Options that several commands share, and the configuration made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from omnidetective.config import Config

F = TypeVar("F", bound=Callable[..., Any])


def config_options(function: F) -> F:
    """``--models``, ``--workflow``, ``--set``, ``--config`` and ``--prompts``."""
    for option in reversed(
        (
            click.option("--models", metavar="NAME|FILE", help="Model set: who plays which role.  [default: local]"),
            click.option(
                "--workflow", metavar="NAME|FILE", help="Recipe: the stages of a clip.  [default: omnidetective]"
            ),
            click.option(
                "--set",
                "overrides",
                metavar="KEY.PATH=VALUE",
                multiple=True,
                help="Set anything, for example investigate.inquiries=5. May be repeated.",
            ),
            click.option(
                "--config",
                "config_file",
                metavar="FILE",
                type=click.Path(path_type=Path, exists=True, dir_okay=False),
                help="Configuration file (YAML).  [default: ./omnidetective.yaml, if there is one]",
            ),
            click.option(
                "--prompts",
                metavar="DIR",
                type=click.Path(path_type=Path),
                help="Folder whose prompt files replace the built-in ones of the same name.",
            ),
        )
    ):
        function = option(function)
    return function


def read_config(
    *,
    models: str | None,
    workflow: str | None,
    overrides: tuple[str, ...],
    config_file: Path | None,
    prompts: Path | None,
    **more: Any,
) -> Config:
    """The configuration of a command's options; ``more`` are dotted settings with an option of their own."""
    from omnidetective.config import load_config

    options = {"models": models, "workflow": workflow, "prompts": None if prompts is None else str(prompts), **more}
    return load_config(overrides=overrides, options=options, config_file=config_file)
