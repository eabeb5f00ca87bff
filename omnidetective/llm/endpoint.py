"""Where a model is reached and with what key, resolved from a model set and the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from omnidetective.errors import ObserverUnavailableError
from omnidetective.model_sets import Dialect, ModelSpec

OWN_ADDRESS: Mapping[Dialect, str] = {
    "openai": "https://api.openai.com/v1",
    "dashscope": "https://dashscope.aliyuncs.com/compatible-mode/v1",
}
"""The providers' own OpenAI-compatible addresses; a self-hosted server has none."""

DASHSCOPE_NATIVE_ADDRESS = "https://dashscope.aliyuncs.com/api/v1"

_HOSTS: tuple[tuple[str, Dialect], ...] = (
    ("api.openai.com", "openai"),
    (".aliyuncs.com", "dashscope"),  # dashscope*.aliyuncs.com and {workspace}.{region}.maas.aliyuncs.com
)
_BASE64_RUN = re.compile(r"[A-Za-z0-9+/=]{120,}")
_MAX_QUOTED_CHARS = 300


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address, and the key for it.

    Attributes:
        dialect: whose flavour of the OpenAI-compatible interface it speaks.
        base_url: ends where ``/chat/completions`` begins.
        api_key: empty where the endpoint needs none; never shown.
        key_env: name of the variable that holds the key, for hints.
    """

    dialect: Dialect
    base_url: str
    api_key: str = field(default="", repr=False)
    key_env: str = ""

    @property
    def host(self) -> str:
        """The host without credentials, for messages and the price table."""
        parts = urlsplit(self.base_url)
        return parts.hostname or ""

    def quote(self, text: object) -> str:
        """Words of the provider, fit for a message: one line, short, without the key and without media."""
        line = " ".join(str(text).split())
        if self.api_key:
            line = line.replace(self.api_key, "***")
        line = _BASE64_RUN.sub("<data>", line)
        return line if len(line) <= _MAX_QUOTED_CHARS else f"{line[:_MAX_QUOTED_CHARS]}…"


def resolve_endpoint(spec: ModelSpec, environ: Mapping[str, str]) -> Endpoint:
    """The endpoint of a model.

    Raises:
        ObserverUnavailableError: ``no_key`` or ``no_address``, naming the environment variable that is unset.
    """
    given = _from_env(environ, spec.base_url_env) or spec.base_url
    dialect = spec.dialect or _dialect_of(given)
    if spec.provider == "dashscope":
        # One variable moves all that is DashScope to another region: it may hold the address of the other interface.
        dialect, base_url = "dashscope", _native(given) if given else DASHSCOPE_NATIVE_ADDRESS
    else:
        base_url = given or OWN_ADDRESS.get(dialect, "")
    _check_address(base_url, spec)
    key = _from_env(environ, spec.api_key_env)
    if spec.api_key_env and not key and not spec.api_key_optional:
        raise ObserverUnavailableError(
            f"{spec.api_key_env} is not set", reason="no_key", hint=f"export {spec.api_key_env}=…"
        )
    return Endpoint(dialect=dialect, base_url=base_url, api_key=key, key_env=spec.api_key_env or "")


def resolve_model(spec: ModelSpec, environ: Mapping[str, str]) -> str | None:
    """The name of the model, or ``None`` where the server is to be asked."""
    return _from_env(environ, spec.model_env) or spec.model


def provider_name(spec: ModelSpec, environ: Mapping[str, str]) -> str:
    """The first half of ``provider:model``: the dialect where one is known, else the provider."""
    if spec.provider != "openai":
        return spec.provider
    return spec.dialect or _dialect_of(_from_env(environ, spec.base_url_env) or spec.base_url)


def _check_address(base_url: str, spec: ModelSpec) -> None:
    setting = spec.base_url_env or "base_url"
    if not base_url:
        raise ObserverUnavailableError(
            f"{setting} is not set", reason="no_address", hint=f"export {setting}=http://host:port/v1"
        )
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ObserverUnavailableError(
            f"{setting} is no http or https address", reason="no_address", hint=f"export {setting}=http://host:port/v1"
        )


def _native(address: str) -> str:
    return re.sub(r"/compatible-mode/v1/?$", "/api/v1", address)


def _dialect_of(base_url: str | None) -> Dialect:
    host = urlsplit(base_url).hostname or "" if base_url else ""
    for suffix, dialect in _HOSTS:
        if host == suffix or (suffix.startswith(".") and host.endswith(suffix)):
            return dialect
    return "openai"


def _from_env(environ: Mapping[str, str], name: str | None) -> str:
    return environ.get(name, "").strip() if name else ""
