"""What the environment says about connections: proxies, certificate authorities, headers that OpenAI's users rely on.

The same variables as those of the openai SDK, read once for an endpoint: reading them for each call would cost as much
as the call.
"""

from __future__ import annotations

import base64
import os
import ssl
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

import certifi

from omnidetective.errors import BadRequestError
from omnidetective.llm.endpoint import Endpoint

_OPENAI_HOST = "api.openai.com"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy without credentials in its address; those are in ``headers``."""

    url: str
    headers: Mapping[str, str] = field(repr=False)


def proxy_for(url: str) -> Proxy | None:
    """The proxy that ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` name for an address.

    Raises:
        BadRequestError: ``proxy``: it is none that speaks HTTP.
    """
    parts = urlsplit(url)
    proxies = urllib.request.getproxies()
    given = proxies.get(parts.scheme) or proxies.get("all")
    if not given or urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    found = urlsplit(given if "://" in given else f"http://{given}")
    if found.scheme not in ("http", "https"):
        raise BadRequestError(
            f"the proxy for {parts.hostname} is of the kind {found.scheme}, which is not supported",
            reason="proxy",
            hint="name an http or https proxy, or except the host by NO_PROXY",
        )
    bare = urlunsplit(found._replace(netloc=found.netloc.rpartition("@")[2]))
    basic = _basic(found.username, found.password)
    return Proxy(bare, {"Proxy-Authorization": basic} if basic else {})


def certificate_authorities() -> ssl.SSLContext:
    """Those that ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name, otherwise Mozilla's (the package certifi)."""
    if os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR"):
        return ssl.create_default_context()  # OpenSSL reads the variables by itself.
    return ssl.create_default_context(cafile=certifi.where())


def authorization(endpoint: Endpoint) -> Mapping[str, str]:
    """The header that proves who asks: credentials in the address, or the key; none where there is neither."""
    parts = urlsplit(endpoint.base_url)
    basic = _basic(parts.username, parts.password)
    if basic:
        return {"Authorization": basic}
    return {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}


def openai_headers(endpoint: Endpoint) -> Mapping[str, str]:
    """The organisation, the project and what ``OPENAI_CUSTOM_HEADERS`` adds; for OpenAI alone: it is nobody else's."""
    if endpoint.host != _OPENAI_HOST:
        return {}
    named = {"OpenAI-Organization": "OPENAI_ORG_ID", "OpenAI-Project": "OPENAI_PROJECT_ID"}
    headers = {header: os.environ[variable] for header, variable in named.items() if os.environ.get(variable)}
    for line in os.environ.get("OPENAI_CUSTOM_HEADERS", "").splitlines():
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip()] = value.strip()
    return headers


def _basic(user: str | None, password: str | None) -> str:
    if not user and not password:
        return ""
    return "Basic " + base64.b64encode(f"{unquote(user or '')}:{unquote(password or '')}".encode()).decode()
