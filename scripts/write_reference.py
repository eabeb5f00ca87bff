"""Write ``docs/reference``: everything in it that follows from the code, so that it cannot grow stale.

Run ``make reference`` after a change to records, settings, commands or observers; a test compares.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
from pydantic import BaseModel

from omnidetective.cli.main import COMMANDS, cli
from omnidetective.records import CaptionRecord, FailureRecord
from omnidetective.settings import Section, Settings

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"


def pages() -> dict[str, str]:
    """File name → content."""
    return {
        "record.schema.json": _schema(CaptionRecord, "One line of the output of `omnidetective run`"),
        "failure.schema.json": _schema(FailureRecord, "One line of <output stem>.failures.jsonl"),
        "settings.md": _settings(),
        "cli.md": _cli(),
    }


def _schema(model: type[BaseModel], title: str) -> str:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(mode="serialization"),
        "title": title,
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _settings() -> str:
    lines = [
        "# Settings",
        "",
        "Every setting can be given by `--set key=value`, as an environment variable",
        "(`OMNIDETECTIVE_MEDIA__ALLOW_PRIVATE=true`), or in a YAML file (`--config FILE`, or `./omnidetective.yaml`).",
        "`omnidetective config show --sources` says what is in force and why. Settings of observers:",
        "`omnidetective observers show NAME`.",
        "",
        "| key | default | meaning |",
        "|---|---|---|",
    ]
    for key, default, meaning in _fields(Settings):
        lines.append(f"| `{key}` | `{json.dumps(default)}` | {meaning} |")
    return "\n".join(lines) + "\n"


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *get_args(field.annotation)]
        section = next((t for t in kinds if isinstance(t, type) and issubclass(t, Section)), None)
        if section is not None:
            yield from _fields(section, f"{prefix}{name}.")
            continue
        default = field.get_default(call_default_factory=True)
        shown = str(default) if isinstance(default, Path) else list(default) if isinstance(default, tuple) else default
        yield f"{prefix}{name}", shown, " ".join((field.description or "").split())


def _cli() -> str:
    lines = ["# Command line", "", "The help texts, as the program prints them.", ""]
    for path, command in _commands(cli, ("omnidetective",)):
        context = click.Context(command, info_name=" ".join(path), max_content_width=100, terminal_width=100)
        lines += [f"## `{' '.join(path)}`", "", "```", command.get_help(context).rstrip(), "```", ""]
    return "\n".join(lines)


def _commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        names = COMMANDS if command is cli else command.list_commands(context)
        for name in names:
            child = command.get_command(context, name)
            if child is not None:
                yield from _commands(child, (*path, name))


def main() -> None:
    """Write every page that changed."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        path = REFERENCE / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stderr.write(f"wrote {path.relative_to(REFERENCE.parent.parent)}\n")


if __name__ == "__main__":
    main()
