"""The names under which a server's tools are offered."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mcp_types import Tool

_MAX_CHARS: Final = 64
"""Longest name of a function that models take."""
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NO_NAME: Final = re.compile(r"[^a-z0-9]+")


def chosen_tools(tools: Iterable[Tool], globs: Sequence[str]) -> tuple[Tool, ...]:
    """The tools that the user chose, by name.

    A tool that says of itself that it destroys something is left out where only a glob fits it.
    """
    by_name: dict[str, Tool] = {}
    for tool in tools:
        if tool.name in globs or (not _destroys(tool) and any(fnmatch.fnmatchcase(tool.name, g) for g in globs)):
            by_name.setdefault(tool.name, tool)
    return tuple(by_name[name] for name in sorted(by_name))


def observer_names(server: str, tools: Sequence[Tool]) -> Mapping[str, str]:
    """The observer's name by the tool's: NAME for a single tool, else NAME_TOOL, whatever order they are listed in."""
    if len(tools) == 1:
        return {tools[0].name: server}
    names: dict[str, str] = {}
    for tool in sorted(tools, key=lambda tool: tool.name):
        word = _NO_NAME.sub("_", _HUMP.sub("_", tool.name).lower()).strip("_") or "tool"
        name, number = f"{server}_{word}"[:_MAX_CHARS], 1
        while name in names.values():
            number += 1
            ending = f"_{number}"
            name = f"{server}_{word}"[: _MAX_CHARS - len(ending)] + ending
        names[tool.name] = name
    return names


def _destroys(tool: Tool) -> bool:
    hints = tool.annotations
    return hints is not None and hints.destructive_hint is True and hints.read_only_hint is not True
