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
from omnidetective.nearest import did_you_mean, nearest
from omnidetective.picture_signs import SIGNS
from omnidetective.records import Modality
from omnidetective.resources import resource_root
from omnidetective.section import Count, Section, Shows

FOLDER = "capflow"
"""Where built-in domains are, in ``configs``, and their prompts, in ``prompts``."""

AGENT_INPUTS: Mapping[str, str] = {
    "modality": "kind of the clip (video, audio, image)",
    "domains": "titles of the domains that it was taken to belong to, and that the agent is asked for: one or two",
    "tells": "what a caption of these domains must tell",
    "duration_s": "length of the whole clip in seconds; 0 for an image",
}
"""What the prompt of every agent is given."""

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
        wanted = self.plain(text)
        return next((domain for domain in self.values() if wanted and wanted in _calls(domain)), None)

    def near(self, text: str) -> str:
        """The end of a message about a name that is none: ``; did you mean NAME?``, or nothing.

        A word of a title is as good as the name.
        """
        meant = {word: domain.name for domain in self.values() for call in _calls(domain) for word in call.split()}
        meant |= {call: domain.name for domain in self.values() for call in _calls(domain)}
        close = nearest(self.plain(text), meant)
        return "" if close is None else f"; did you mean {meant[close]}?"

    @staticmethod
    def plain(text: str) -> str:
        """A name or a title without what spellings differ in: case, marks between words, ``&`` or ``and``."""
        return " ".join(word for word in re.findall(r"[^\W_]+", text.lower()) if word != "and")


@cache
def load_domains(own: Path | None) -> Domains:
    """The built-in domains, with those of a folder of the user's own added, or in the place of the same names.

    Raises:
        ConfigError: the folder is missing or holds no domain, a file of it is wrong, or two domains go by one name.
    """
    built_in = resource_root() / "configs" / FOLDER
    domains = {domain.name: domain for domain in map(_read, sorted(built_in.glob("*.yaml")))}
    if own is not None:
        if not own.is_dir():
            raise ConfigError(f"route.domains: {own} is not a folder", hint="name a folder of YAML files")
        mine = [_read(path) for path in sorted(own.iterdir()) if path.suffix in (".yaml", ".yml")]
        if not mine:
            raise ConfigError(f"route.domains: {own} holds no domain", hint="a domain is a file NAME.yaml")
        _refuse_namesakes(mine)
        domains |= {domain.name: domain for domain in mine}
        _refuse_namesakes(domains.values())
    return Domains(domains.values())


def _calls(domain: Domain) -> tuple[str, str]:
    return Domains.plain(domain.name), Domains.plain(domain.title)


def _refuse_namesakes(domains: Iterable[Domain]) -> None:
    """Nobody could say which of two domains is meant that go by the same name or title."""
    known: dict[str, Domain] = {}
    for domain in domains:
        for call in {*_calls(domain)}:
            other = known.setdefault(call, domain)
            if other is not domain:
                raise ConfigError(
                    f"the domains {other.name!r} ({other.title}) and {domain.name!r} ({domain.title}) cannot be told "
                    f"apart: both go by {call!r}",
                    hint=f"name the file {other.name}.yaml to replace that domain, or choose another title",
                )


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
    key = ".".join(str(part) for part in where) or "the file"
    if kind != "extra_forbidden":
        return f"{key}: {message}"
    known = AgentSpec.model_fields if where[0] == "agents" else Domain.model_fields
    return f"unknown key {key!r}{did_you_mean(str(where[-1]), known)}"
