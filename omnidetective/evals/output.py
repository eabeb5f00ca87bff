"""Where results go: never over what is read, by one writer at a time, each file whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from omnidetective.engine.lock import OutputLock
from omnidetective.errors import ConfigError


@contextmanager
def only_writer(files: Sequence[Path], *, reads: Sequence[Path]) -> Iterator[None]:
    """Held while the files are worked for; it is refused before anything is paid for.

    Args:
        files: what will be written, the output first.
        reads: what is read: a slip of the hand must not write the result over the captions.

    Raises:
        ConfigError: one of the files is read, cannot be written, or is written by somebody else.
    """
    read = {path.resolve() for path in reads}
    for path in files:
        if path.resolve() in read:
            raise ConfigError(f"{path} is read, and would be written over", hint="choose another --output")
    lock = OutputLock(files[0].with_name(f"{files[0].stem}.eval.lock"))
    try:
        yield
    finally:
        lock.release()


def write_whole(texts: Mapping[Path, str]) -> None:
    """Write files, in their order."""
    for path, text in texts.items():
        new = path.with_name(f"{path.name}.new")
        new.write_text(text, encoding="utf-8")
        new.replace(path)
