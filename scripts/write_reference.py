"""Write ``docs/reference``: everything in it that follows from the code, so that it cannot grow stale.

Run ``make reference`` after a change to records, settings, commands or observers; a test compares.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import click
from pydantic import BaseModel

from omnidetective.cli.main import cli
from omnidetective.records import CaptionRecord, FailureRecord
from omnidetective.section import Section
from omnidetective.settings import Settings

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
    # The schema of what is read says what is written too: the serializer only leaves fields out.
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(mode="validation"),
        "title": title,
    }
    return json.dumps(_without_nulls(schema), indent=2, ensure_ascii=False) + "\n"


def _without_nulls(schema: Any, name: str = "") -> Any:
    """A schema whose optional fields are absent instead of null, except where null says something (``cost_usd``)."""
    if isinstance(schema, list):
        return [_without_nulls(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _without_nulls(value, key) for key, value in schema.items()}
    if name == "cost_usd":
        return {"anyOf": [{"type": "number"}, {"type": "null"}], "description": "US dollars; null is unknown."}
    choices = [choice for choice in kept.get("anyOf", ()) if choice != {"type": "null"}]
    if "anyOf" in kept and len(choices) < len(kept["anyOf"]):
        kept.pop("default", None)
        kept.pop("anyOf")
        return {**choices[0], **kept} if len(choices) == 1 else {**kept, "anyOf": choices}
    return kept


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
        by_name = get_origin(field.annotation) is dict
        if section is not None and not by_name:
            yield from _fields(section, f"{prefix}{name}.")
            continue
        default = "must be given" if field.is_required() else field.get_default(call_default_factory=True)
        shown = str(default) if isinstance(default, Path) else list(default) if isinstance(default, tuple) else default
        yield f"{prefix}{name}", shown, " ".join((field.description or "").split())
        if section is not None:
            yield from _fields(section, f"{prefix}{name}.NAME.")


def _cli() -> str:
    lines = ["# Command line", "", "The help texts, as the program prints them.", ""]
    for context in _contexts(cli, "omnidetective", None):
        help_text = context.command.get_help(context).rstrip()
        lines += [f"## `{context.command_path}`", "", "```", help_text, "```", ""]
    return "\n".join(lines)


def _contexts(command: click.Command, name: str, parent: click.Context | None) -> Iterator[click.Context]:
    """A command and all below it, each in the context that a call of it would have."""
    settings = {**command.context_settings, "max_content_width": 100, "terminal_width": 100}
    context = click.Context(command, info_name=name, parent=parent, **settings)
    yield context
    if isinstance(command, click.Group):
        for child_name in command.list_commands(context):
            child = command.get_command(context, child_name)
            if child is not None:
                yield from _contexts(child, child_name, context)


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
