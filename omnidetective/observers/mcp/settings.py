"""What the user says about a server and its tools: ``observers.NAME.*`` with the key ``mcp``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, JsonValue, ValidationError, field_validator, model_validator

from omnidetective.errors import ConfigError
from omnidetective.nearest import did_you_mean
from omnidetective.observers.base import ObserverSettings
from omnidetective.observers.host.sources import SourceRef
from omnidetective.observers.mcp.placeholders import check_template
from omnidetective.records import Attribute, Kind, Modality
from omnidetective.section import Section

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class McpServer(Section):
    """Where an MCP server is: a `command` that speaks over its standard input and output, or a `url`."""

    command: tuple[str, ...] | None = Field(None, min_length=1)
    """Program and arguments that start the server: `[python, server.py]`. It is started once for a run and machine."""
    env: tuple[VariableName, ...] = ()
    """Names of environment variables that the started server gets besides HOME, PATH and the like; others it does not
    see."""
    cwd: Path | None = None
    """Folder that the server is started in; the working directory by default."""
    url: str | None = None
    """Address of a server that runs already (streamable HTTP): `http://127.0.0.1:8000/mcp`."""
    headers_env: dict[str, VariableName] = Field(default_factory=dict)
    """HTTP headers by the names of the environment variables that hold their values:
    `{Authorization: MY_SERVER_AUTHORIZATION}`."""

    @field_validator("url")
    @classmethod
    def _is_address(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an address is needed that begins with http:// or https://")
        if parts.username or parts.password:
            raise ValueError("user names and passwords do not belong into an address: use headers_env")
        return url

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.command is None) == (self.url is None):
            raise ValueError("either command or url is needed")
        if self.command is None and (self.env or self.cwd):
            raise ValueError("env and cwd are for a server that is started by command")
        if self.url is None and self.headers_env:
            raise ValueError("headers_env is for a server with a url")
        return self


class McpSettings(ObserverSettings):
    """Tools of an MCP server, each offered to the detective as an observer.

    A single tool is named NAME, several are named NAME_TOOL. The limits count for each tool.
    """

    mcp: McpServer
    """The server: `{command: [python, server.py]}` or `{url: http://127.0.0.1:8000/mcp}`."""
    tools: tuple[str, ...] = Field(("*",), min_length=1)
    """Tools to offer, by globs on their names. Those whose annotations say that they destroy something are offered
    only where they are named in full."""
    arguments: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)
    """What to give to which parameter of which tool: `{count_words: {file: "{path}", language: en}}`. Placeholders:
    `{path}` `{audio_path}` `{frame_path}` `{question}` `{start_s}` `{end_s}` `{duration_s}` `{url}` `{frame_base64}`
    `{audio_base64}`. Parameters with the usual names (`path`, `question`, `start_s` …) are filled without it."""
    kind: Kind = "witness"
    """`witness`: what the tools say is a claim. `instrument`: what they say is trusted as a measurement."""
    modalities: tuple[Modality, ...] | None = Field(None, min_length=1)
    """Kinds of clip that the tools are asked about; by default what their parameters take."""
    attributes: tuple[Attribute, ...] = ()
    """Attributes of a caption that the tools can be evidence for."""
    load_timeout_s: Annotated[float, Field(gt=0)] = 60.0
    """Time for the server to start and to list its tools."""

    @field_validator("arguments")
    @classmethod
    def _known_placeholders(cls, arguments: dict[str, dict[str, JsonValue]]) -> dict[str, dict[str, JsonValue]]:
        for parameters in arguments.values():
            for template in parameters.values():
                check_template(template)
        return arguments


def is_mcp(values: Mapping[str, Any]) -> bool:
    """Whether these ``observers.NAME.*`` say that the observer is an MCP server."""
    return "mcp" in values


def source_of(name: str) -> SourceRef:
    """The server that ``observers.NAME.mcp`` names, as a source of observers."""
    return SourceRef(name=name, origin="mcp", opener="omnidetective.observers.mcp.source:McpSource", target=name)


def read_mcp_settings(name: str, values: Mapping[str, Any]) -> McpSettings:
    """The settings of the server NAME.

    Raises:
        ConfigError: an unknown key (naming the nearest), a bad value, or a name that is none for an observer.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"observers.{name}: the name of an observer is lower_snake_case, of at most 40 characters")
    try:
        return McpSettings.model_validate(dict(values))
    except ValidationError as error:
        lines = []
        for item in error.errors(include_url=False, include_input=False):
            key = ".".join(("observers", name, *(str(part) for part in item["loc"])))
            if item["type"] == "extra_forbidden":
                lines.append(f"unknown key {key}{_nearest(item['loc'])}")
            else:
                lines.append(f"{key}: {item['msg'].removeprefix('Value error, ')}")
        raise ConfigError("; ".join(lines)) from None


def _nearest(where: tuple[int | str, ...]) -> str:
    model: type[BaseModel] = McpServer if where[0] == "mcp" else McpSettings
    return did_you_mean(str(where[-1]), model.model_fields)
