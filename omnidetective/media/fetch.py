"""Downloads: http and https, to public addresses only, within limits of size and time.

The address that is checked is the address that is connected to: names are resolved once, here, and the connection is
made to what was found, so a name cannot change its meaning in between (DNS rebinding). Every redirect is a new address
and is checked like the first. The environment's proxies are not used: a proxy resolves names by itself, so nothing
could be checked. Cookies, netrc and compression are off; a compressed answer, which could be a bomb, is refused.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnidetective.errors import MediaError
from omnidetective.media.addresses import is_public
from omnidetective.settings import MediaSettings

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

_MAX_REDIRECTS = 5
_CONNECT_S = 20.0
_STALL_S = 30.0
"""Longest time without a single byte."""
_CHUNK_BYTES = 1 << 18
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TEMPORARY = frozenset({408, 425, 429})
_PRIVATE_HINT = "addresses in rows must be public; --set media.allow_private=true lifts this where rows are trusted"


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host name, by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(item[4][0]) for item in found))


@dataclass(frozen=True, slots=True)
class Network:
    """How names become addresses, and which of these may be spoken to.

    Attributes:
        resolve: addresses of a host name; raises ``OSError`` where there are none.
        allows: whether a connection to an address and port may be made.
    """

    resolve: Callable[[str, int], Awaitable[Sequence[str]]] = system_resolve
    allows: Callable[[str, int], bool] = lambda address, port: is_public(address)

    @classmethod
    def from_settings(cls, settings: MediaSettings) -> Network:
        """The network as the settings allow it."""
        return cls(allows=lambda address, port: True) if settings.allow_private else cls()


@dataclass(frozen=True, slots=True)
class Download:
    """What was fetched."""

    path: Path
    size_bytes: int
    sha256: str


async def fetch(url: str, target: Path, *, settings: MediaSettings, network: Network) -> Download:
    """Download a file.

    Raises:
        MediaError: ``bad_url``, ``scheme_refused``, ``address_refused``, ``too_large``, ``empty``; ``fetch_timeout``,
            which can be retried; ``fetch_failed``, which can where the server or the connection failed, not where it
            said no.
    """
    import tenacity

    attempts = tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(settings.fetch_attempts),
        wait=tenacity.wait_random_exponential(multiplier=0.5, max=10),
        retry=tenacity.retry_if_exception(lambda error: isinstance(error, MediaError) and error.retryable),
        reraise=True,
    )
    first = _parse(url)
    try:
        async with asyncio.timeout(settings.fetch_timeout_s):
            return await attempts(_fetch_once, first, target, settings.max_download_mb << 20, network)
    except TimeoutError:
        raise MediaError(
            f"fetching {shown_url(url)} took longer than {settings.fetch_timeout_s:g} s",
            reason="fetch_timeout",
            hint="raise media.fetch_timeout_s",
            retryable=True,
        ) from None


def shown_url(url: str) -> str:
    """A URL as it may be printed: without user, password, query and fragment, which can be secrets."""
    from yarl import URL

    try:
        parsed = URL(url)
        bare = parsed.with_user(None).with_query(None).with_fragment(None) if parsed.host else parsed.with_query(None)
    except ValueError:
        return "the URL"
    text = str(bare)
    return text if len(text) <= 200 else f"{text[:199]}…"


async def _fetch_once(first: URL, target: Path, max_bytes: int, network: Network) -> Download:
    import aiohttp

    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            resolver=_resolver(network),
            use_dns_cache=False,
            force_close=True,
            socket_factory=lambda info: _open_socket(info, network),
        ),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity", "User-Agent": "omnidetective"},
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_STALL_S),
        trust_env=False,
    )
    url = first
    shown = shown_url(str(first))
    try:
        async with session:
            for _ in range(_MAX_REDIRECTS + 1):
                _check(url, network)
                async with session.get(url, allow_redirects=False) as response:
                    if response.status not in _REDIRECTS:
                        return await _save(response, target, max_bytes, shown)
                    url = url.join(_parse(response.headers.get("Location", ""), shown=shown, relative=True))
        raise MediaError(f"{shown} was redirected more than {_MAX_REDIRECTS} times", reason="fetch_failed")
    except (aiohttp.InvalidURL, ValueError) as error:
        raise MediaError(f"{shown} is no usable URL", reason="bad_url") from error
    except aiohttp.ServerTimeoutError as error:
        raise MediaError(f"{shown} did not answer in time", reason="fetch_timeout", retryable=True) from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise MediaError(f"the certificate of {shown} is not valid", reason="fetch_failed") from error
    except aiohttp.ClientConnectorDNSError as error:
        raise MediaError(
            f"the host of {shown} was not found",
            reason="fetch_failed",
            retryable=error.os_error.errno != socket.EAI_NONAME,
        ) from error
    except aiohttp.ClientError as error:
        raise MediaError(
            f"fetching {shown} failed: {type(error).__name__}", reason="fetch_failed", retryable=True
        ) from error


async def _save(response: aiohttp.ClientResponse, target: Path, max_bytes: int, shown: str) -> Download:
    if response.status != 200:
        raise MediaError(
            f"{shown} answered with HTTP status {response.status}",
            reason="fetch_failed",
            retryable=response.status in _TEMPORARY or response.status >= 500,
        )
    if response.headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
        raise MediaError(f"{shown} sends compressed data, which was not asked for", reason="fetch_failed")
    too_large = MediaError(
        f"{shown} is larger than {max_bytes >> 20} MB", reason="too_large", hint="raise media.max_download_mb"
    )
    if (response.content_length or 0) > max_bytes:
        raise too_large
    digest = hashlib.sha256()
    size = 0
    with await asyncio.to_thread(target.open, "wb") as file:

        def keep(chunk: bytes) -> None:
            digest.update(chunk)
            file.write(chunk)

        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            size += len(chunk)
            if size > max_bytes:
                raise too_large
            await asyncio.to_thread(keep, chunk)
    if size == 0:
        raise MediaError(f"{shown} is empty", reason="empty")
    return Download(target, size, digest.hexdigest())


def _parse(url: str, *, shown: str = "", relative: bool = False) -> URL:
    from yarl import URL

    refused = MediaError(
        f"{shown} is redirected to no usable URL" if relative else "it is no usable URL", reason="bad_url"
    )
    if not url or any(character <= " " or character == "\x7f" for character in url):
        raise refused
    try:
        # Percent-escapes are sent as they stand where that is possible: signatures of signed URLs are made over them.
        parsed = URL(url, encoded=url.isascii())
        # Host and port are read only now, and may turn out to be none.
        if parsed.scheme in ("http", "https") and (not parsed.host or parsed.port is None):
            raise refused
    except ValueError as error:
        raise refused from error
    return parsed


def _check(url: URL, network: Network) -> None:
    """Refuse what can be told from the URL alone: its scheme, and an address in place of a name."""
    shown = shown_url(str(url))
    if url.scheme not in ("http", "https"):
        raise MediaError(
            f"{shown}: only http and https are fetched", reason="scheme_refused", hint="name local files by their path"
        )
    host, port = url.host or "", url.port or 0
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return
    _require(host, port, network)


def _require(address: str, port: int, network: Network) -> None:
    if not network.allows(address, port):
        raise MediaError(
            f"the address {address} is not public", reason="address_refused", hint=_PRIVATE_HINT, retryable=False
        )


def _resolver(network: Network) -> aiohttp.abc.AbstractResolver:
    import aiohttp.abc

    class Resolver(aiohttp.abc.AbstractResolver):
        """Gives aiohttp checked addresses; one that is refused refuses the name."""

        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
        ) -> list[aiohttp.abc.ResolveResult]:
            addresses = await network.resolve(host, port)
            if not addresses:
                raise OSError(socket.EAI_NONAME, "no address")
            for address in addresses:
                _require(address, port, network)
            return [
                {
                    "hostname": host,
                    "host": address,
                    "port": port,
                    "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                    "proto": 0,
                    "flags": socket.AI_NUMERICHOST,
                }
                for address in addresses
            ]

        async def close(self) -> None:
            """Nothing is held."""

    return Resolver()


def _open_socket(info: Any, network: Network) -> socket.socket:
    """The last gate: every connection, whatever led to it, is made on a socket that is opened here."""
    family, kind, protocol, _, address = info
    _require(str(address[0]), int(address[1]), network)
    return socket.socket(family, kind, protocol)
