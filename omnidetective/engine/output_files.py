"""The files of an output: their names, and what is done to them before a run."""

from __future__ import annotations

import os
from pathlib import Path

from omnidetective.engine.jsonl import sync_folder
from omnidetective.engine.state_schema import remove, state_path
from omnidetective.errors import ConfigError


def failures_path(output: Path) -> Path:
    """Where the failures of an output stand: ``out.failures.jsonl`` beside ``out.jsonl``."""
    return output.with_name(f"{output.stem}.failures.jsonl")


def move_aside(output: Path) -> tuple[str, ...]:
    """Keep what is there under other names; returns what is said of it.

    The state goes away: it can be made again from what is kept.
    """
    remove(state_path(output))
    both = (output, failures_path(output))
    old = [path for path in both if path.exists() and path.stat().st_size]
    if not old:
        return ()
    number = 1
    while any(_backup(path, number).exists() for path in both):
        number += 1
    for path in old:
        path.rename(_backup(path, number))
    sync_folder(output.parent)
    return (f"what was there is kept as {', '.join(str(_backup(path, number)) for path in old)}",)


def _backup(path: Path, number: int) -> Path:
    stem, failures, _ = path.name.partition(".failures.jsonl")
    if failures:
        return path.with_name(f"{stem}.bak{number}.failures.jsonl")
    return path.with_name(f"{path.stem}.bak{number}{path.suffix}")


def usable(output: Path) -> Path:
    """The output as an absolute path; its folder is made if needed.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        output = output.expanduser().resolve()
        if output.is_dir():
            raise ConfigError(f"the output {output} is a folder", hint=f"name a file, such as {output / 'out.jsonl'}")
        if output.exists() and not output.is_file():
            raise ConfigError(
                f"the output {output} is not a regular file",
                hint="a run goes on from its output, so it must be a file that stays",
            )
        output.parent.mkdir(parents=True, exist_ok=True)
        if output.exists() and not os.access(output, os.W_OK):
            raise ConfigError(f"cannot write the output {output}: permission denied")
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigError(f"cannot write the output {output}: {output.parent} is not a folder") from error
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, an unknown home.
        raise ConfigError(f"cannot write the output {output}: {error}") from error
    return output
