"""Reading the files of benchmarks as they are published, and handing their texts to a judge as data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omnidetective.errors import ConfigError


def find_file(data: Path, name: str) -> Path:
    """The file itself, or the file of this name in a folder, at any depth.

    Raises:
        ConfigError: there is none, or several.
    """
    if data.is_file():
        return data
    found = sorted(data.rglob(name)) if data.is_dir() else []
    if len(found) != 1:
        what = f"holds {len(found)} files named" if data.is_dir() else "is neither a file nor a folder with"
        raise ConfigError(f"{data} {what} {name}", hint="name the file itself with --data")
    return found[0]


def read_json(data: Path, name: str) -> Any:
    """One JSON value.

    Raises:
        ConfigError: no such file, or no JSON.
    """
    path = find_file(data, name)
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        hint = f"it has to have the form of {name}" if name else ""
        raise ConfigError(f"cannot read {path}: {error}", hint=hint) from error


def read_list(data: Path, name: str, *, of: str, takes: str) -> list[Any]:
    """One JSON list.

    Args:
        of: what is in it, and ``takes`` what ``--data`` takes, for people.

    Raises:
        ConfigError: no such file, no JSON, or no list.
    """
    rows = read_json(data, name)
    if not isinstance(rows, list):
        raise ConfigError(f"{data} is no list of {of}", hint=f"--data takes {takes}")
    return rows


def read_lines(data: Path, name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects of a JSON Lines file, with their line numbers from 1.

    Raises:
        ConfigError: no such file, or a line that is no object.
    """
    path = find_file(data, name)
    hint = f"it has to have the form of {name}, one object a line" if name else "one object a line"
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise ConfigError(f"{path}: line {number} is not JSON: {error}", hint=hint) from error
        if not isinstance(value, dict):
            raise ConfigError(f"{path}: line {number} is no object", hint=hint)
        yield number, value


def as_json(value: Mapping[str, Any]) -> str:
    """Data for a prompt: as JSON, nothing in it can speak as somebody else."""
    return json.dumps(value, ensure_ascii=False)
