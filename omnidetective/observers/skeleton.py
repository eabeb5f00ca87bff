"""The package that ``omnidetective observers new`` writes: ``tools/example`` under another name.

The example is a package that works, is tested here and travels in the wheel, so there is one source. Its name has two
words, ``focus_meter``, in the three spellings that a package needs, and stands nowhere else in it: putting another name
in its place is plain replacement.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import re
from collections.abc import Mapping
from pathlib import Path

from omnidetective.errors import ConfigError
from omnidetective.observers.registry import BUILT_IN
from omnidetective.resources import resource_root

EXAMPLE = "focus_meter"
LONGEST_NAME = 30
"""Longer ones break lines of the skeleton, and the table of `observers list`."""

_FILES = (
    "README.md",
    "pyproject.toml",
    "omnidetective_focus_meter.py",
    "tests/test_focus_meter.py",
)
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def package_name(name: str) -> str:
    """The name that a package installer knows the observer by: ``omnidetective-bird-count``."""
    return f"omnidetective-{name.replace('_', '-')}"


def class_name(name: str) -> str:
    """``bird_count`` → ``BirdCount``."""
    return "".join(word.capitalize() for word in name.split("_"))


def check_name(name: str) -> None:
    """Refuse what cannot be the name of an observer.

    Raises:
        ConfigError: it is not lower_snake_case, too short or long, a word of Python, the name of a built-in observer,
            or its class would have the name of something that the skeleton uses.
    """
    if not _NAME.fullmatch(name) or len(name) < 2:
        raise ConfigError(f"{name!r} is no name for an observer", hint="use lower_snake_case, for example bird_count")
    if len(name) > LONGEST_NAME:
        raise ConfigError(f"{name!r} has {len(name)} characters; at most {LONGEST_NAME} are allowed")
    if name in BUILT_IN:
        raise ConfigError(f"{name} is a built-in observer", hint="choose another name")
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise ConfigError(f"{name} is a word of the Python language", hint="choose another name")
    taken = _names_in_the_example().union(dir(builtins), keyword.kwlist)
    for wanted in (class_name(name), f"{class_name(name)}Settings"):
        if wanted in taken:
            raise ConfigError(f"the class of {name} would be {wanted}, which means something else", hint="rename it")


def skeleton(name: str) -> Mapping[str, str]:
    """The files of a package with one observer: path in the package → text.

    Raises:
        ConfigError: see ``check_name``.
    """
    check_name(name)
    return {_renamed(path, name): _renamed(text, name) for path, text in _example().items()}


def write_skeleton(name: str, folder: Path) -> None:
    """Write the package into a folder that is not there yet.

    Raises:
        ConfigError: a bad name, or the folder exists or cannot be made.
    """
    files = skeleton(name)
    try:
        folder.mkdir(parents=True)
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(exist_ok=True)
            target.write_text(text, encoding="utf-8")
    except FileExistsError:
        raise ConfigError(f"{folder} is there already", hint="choose another with --dir") from None
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error.strerror or error}") from error


def _example() -> dict[str, str]:
    root = resource_root() / "tools" / "example"
    return {path: (root / path).read_text(encoding="utf-8") for path in _FILES}


def _renamed(text: str, name: str) -> str:
    """All spellings at once, so that nothing that was put in is looked at again."""
    spellings = {
        EXAMPLE: name,
        EXAMPLE.replace("_", "-"): name.replace("_", "-"),
        class_name(EXAMPLE): class_name(name),
    }
    return re.sub("|".join(spellings), lambda found: spellings[found.group()], text)


def _names_in_the_example() -> set[str]:
    """What its code calls something else than itself."""
    names: set[str] = set()
    for path, text in _example().items():
        for node in ast.walk(ast.parse(text)) if path.endswith(".py") else ():
            if isinstance(node, ast.alias):
                names.add(node.asname or node.name)
            elif isinstance(node, ast.Name):
                names.add(node.id)
    return {name for name in names if not name.startswith(class_name(EXAMPLE))}
