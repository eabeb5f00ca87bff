"""Domains of pictures as data: how one is told from another, and which agents look at it (MetaCaptioner's CapFlow).

A domain is a file ``configs/capflow/<name>.yaml``. A folder of the user's own (``route.domains``) adds domains, and
replaces those of the same name. Prompts that its agents name are built in, or come with ``--prompts``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from omnidetective.errors import ConfigError
from omnidetective.nearest import did_you_mean
from omnidetective.picture_signs import SIGNS
from omnidetective.records import Modality
from omnidetective.resources import resource_root
from omnidetective.section import Count, Section, Shows

FOLDER = "capflow"
"""Where built-in domains are, in ``configs``, and their prompts, in ``prompts``."""

AgentKind = Literal["guideline", "perception", "reasoning", "tool"]


class AgentSpec(Section):
    """One functional agent of a domain.

    Guideline, perception and reasoning agents are models with a prompt; a tool is an observer, which may come from a
    package or a server.
    """

    kind: AgentKind
    """`guideline`: what the picture is as a whole, told as a caption; `perception`: what is seen, part by part;
    `reasoning`: what follows from it; `tool`: an observer."""
    prompt: str | None = None
    """Name of its prompt (`capflow/…`); for every kind but tools."""
    role: str = "agent"
    """Role of the model set that plays it."""
    shows: Shows = ("frames",)
    """What it is shown."""
    tiles: int = Field(default=0, ge=0)
    """Most tiles at full resolution that it is shown besides the whole, of a picture that is larger than a frame."""
    observer: str | None = None
    """For tools: name of the observer."""
    question: str | None = None
    """For tools: what the observer is asked, where not what it is usually asked."""
    max_tokens: Count = 1024
    """Longest answer, in tokens of the model."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind == "tool" and (self.observer is None or self.prompt is not None):
            raise ValueError("a tool names an observer and no prompt")
        if self.kind != "tool" and (self.prompt is None or self.observer is not None):
            raise ValueError(f"a {self.kind} agent names a prompt and no observer")
        return self


class Domain(Section):
    """One domain of pictures."""

    name: str
    """As rows, settings and records call it; the name of its file."""
    title: str
    """As people call it."""
    description: str
    """What belongs here, for the router."""
    modalities: tuple[Modality, ...] = Field(min_length=1)
    """Kinds of clips that can belong here. A video in which nothing moves is routed like an image."""
    boundaries: tuple[str, ...] = ()
    """What is easily mistaken, and where it belongs: rules for the router."""
    tells: tuple[str, ...] = ()
    """What a caption of this domain must tell, for the one who writes it."""
    agents: dict[str, AgentSpec] = Field(min_length=1)
    """Name, which is the observer's name in records → agent."""
    signs: dict[str, float] = Field(default_factory=dict)
    """For routing by measurement: how much each measure speaks for this domain. `bias` is added always, `words` counts
    the share of lines in which one of `words` is found."""
    words: tuple[str, ...] = ()
    """Regular expressions of words that speak for this domain, tried on each line that was read, whatever its case."""

    @field_validator("signs")
    @classmethod
    def _known(cls, signs: dict[str, float]) -> dict[str, float]:
        for name in signs:
            if name not in SIGNS:
                raise ValueError(f"there is no measure {name!r}{did_you_mean(name, SIGNS)}")
        return signs

    @field_validator("words")
    @classmethod
    def _compile(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        for word in words:
            try:
                re.compile(word)
            except re.error as error:
                raise ValueError(f"{word!r} is no regular expression: {error}") from error
        return words


class Domains(Mapping[str, Domain]):
    """All domains by name, in the order of their names."""

    def __init__(self, domains: Iterable[Domain]) -> None:
        self._domains = {domain.name: domain for domain in sorted(domains, key=lambda domain: domain.name)}

    def __getitem__(self, name: str) -> Domain:
        return self._domains[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._domains)

    def __len__(self) -> int:
        return len(self._domains)

    def of(self, modality: Modality) -> tuple[Domain, ...]:
        """The domains that a clip of this kind can belong to."""
        return tuple(domain for domain in self.values() if modality in domain.modalities)

    def named(self, text: str) -> Domain | None:
        """The domain that a user means: by its name or its title, whatever their case; ``None`` where there is none."""
        wanted = _plain(text)
        return next((d for d in self.values() if wanted in (_plain(d.name), _plain(d.title))), None)

    def near(self, text: str) -> str:
        """The end of a message about a name that is none: ``; did you mean NAME?``, or nothing."""
        return did_you_mean(text, self)


@cache
def load_domains(own: Path | None) -> Domains:
    """The built-in domains, with those of a folder of the user's own added, or in the place of the same names.

    Raises:
        ConfigError: the folder is missing, or a file of it is wrong.
    """
    built_in = resource_root() / "configs" / FOLDER
    domains = {domain.name: domain for domain in map(_read, sorted(built_in.glob("*.yaml")))}
    if own is not None:
        if not own.is_dir():
            raise ConfigError(f"route.domains: {own} is not a folder", hint="name a folder of YAML files")
        domains |= {domain.name: domain for domain in map(_read, sorted(own.glob("*.yaml")))}
    return Domains(domains.values())


def _read(path: Path) -> Domain:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        domain = Domain.model_validate(data)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read the domain in {path}: {error}") from error
    except ValidationError as error:
        lines = [_told(item["loc"], item["type"], item["msg"]) for item in error.errors(include_url=False)]
        raise ConfigError(f"the domain in {path} is wrong: {'; '.join(lines)}") from None
    if domain.name != path.stem:
        raise ConfigError(f"the domain in {path} is named {domain.name!r}", hint=f"name the file {domain.name}.yaml")
    return domain


def _told(where: tuple[int | str, ...], kind: str, message: str) -> str:
    key = ".".join(str(part) for part in where)
    if kind != "extra_forbidden":
        return f"{key}: {message}"
    known = AgentSpec.model_fields if where[0] == "agents" else Domain.model_fields
    return f"unknown key {key!r}{did_you_mean(str(where[-1]), known)}"


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower().replace("and", " ")))
