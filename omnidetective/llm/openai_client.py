"""The HTTP client of OpenAI-compatible endpoints, and what goes wrong with it in our own terms.

Bodies are ready bytes, and aiohttp sends them: the openai SDK costs 0.5 ms of CPU a call at its cheapest, several times
what the rest of a call costs (``scripts/bench/transport.py`` measures it).
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from yarl import URL

from omnidetective.errors import ProviderError, TransientError
from omnidetective.llm.endpoint import Endpoint
from omnidetective.llm.openai_outcomes import error_of, read_error
from omnidetective.llm.server_sent_events import EventParser
from omnidetective.llm.surroundings import authorization, certificate_authorities, openai_headers, proxy_for

_CONNECT_TIMEOUT_S = 15.0
_LAST_BYTES_S = 0.5
"""How long the end of a streamed answer is waited for after its last event, so that its connection can be kept."""

_DONE = "[DONE]"


@dataclass(frozen=True, slots=True)
class _Connections:
    """What is open, in one event loop, and what each request takes with it.

    The headers are not the session's: aiohttp would show those of a session, the key among them, to a proxy.
    """

    loop: asyncio.AbstractEventLoop
    session: aiohttp.ClientSession
    headers: Mapping[str, str] = field(repr=False)
    json_headers: Mapping[str, str] = field(repr=False)
    options: Mapping[str, Any] = field(repr=False)


class OpenAIClient:
    """One endpoint. The connections belong to the event loop that is running when they are first used."""

    def __init__(self, endpoint: Endpoint, *, call_timeout_s: float) -> None:
        self.endpoint = endpoint
        self._call_timeout_s = call_timeout_s
        self._connections: _Connections | None = None
        parts = urlsplit(endpoint.base_url)
        self._base = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")

    async def post(self, path: str, body: bytes, *, model: str, headers: Mapping[str, str] | None = None) -> object:
        """The parsed answer to a body; text where the answer is no JSON.

        Raises:
            ProviderError: whatever went wrong.
        """
        async with self._answer("POST", path, model=model, data=body, json_body=True, more=headers) as response:
            return await _read(response)

    async def get(self, path: str, *, model: str) -> object:
        """The parsed answer to a question without a body.

        Raises:
            ProviderError: whatever went wrong.
        """
        async with self._answer("GET", path, model=model) as response:
            return await _read(response)

    @asynccontextmanager
    async def stream(self, path: str, body: bytes, *, model: str) -> AsyncIterator[AsyncIterator[object]]:
        """The chunks of an answer, parsed.

        Raises:
            ProviderError: whatever went wrong, also on the way.
        """
        async with self._answer("POST", path, model=model, data=body, json_body=True) as response:
            yield _chunks(response)

    async def upload(
        self, path: str, *, fields: Mapping[str, object], file: tuple[str, bytes, str], model: str
    ) -> object:
        """The parsed answer to a form with one file of ``(name, content, type)``; text where the answer is no JSON.

        Raises:
            ProviderError: whatever went wrong.
        """
        form = aiohttp.FormData()
        for name, value in _flat(fields):
            form.add_field(name, value)
        file_name, content, content_type = file
        form.add_field("file", content, filename=file_name, content_type=content_type)
        async with self._answer("POST", path, model=model, data=form) as response:
            return await _read(response)

    async def models(self) -> tuple[str, ...]:
        """The models that the server lists; free of charge.

        Raises:
            ProviderError: whatever went wrong.
        """
        within = aiohttp.ClientTimeout(total=_CONNECT_TIMEOUT_S)
        async with self._answer("GET", "/models", model="the list of models", timeout=within) as response:
            answer = await _read(response)
        rows = answer.get("data") if isinstance(answer, Mapping) else None
        ids = [row.get("id") for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
        return tuple(model for model in ids if isinstance(model, str))

    async def aclose(self) -> None:
        """Closes the connections, where they belong to the running loop."""
        connections, self._connections = self._connections, None
        if connections is not None and connections.loop is asyncio.get_running_loop():
            await connections.session.close()

    @asynccontextmanager
    async def _answer(
        self,
        method: str,
        path: str,
        *,
        model: str,
        json_body: bool = False,
        more: Mapping[str, str] | None = None,
        **options: Any,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to a request, if it is a good one; errors until it is read become ours, too.

        They are raised ``from None``: messages of servers are quoted in them, and careless servers quote the key.
        """
        try:
            open_ = self._open()
            headers = open_.json_headers if json_body else open_.headers
            if more:
                headers = {**headers, **more}
            url = URL(self._base + path, encoded=True)
            async with open_.session.request(method, url, headers=headers, **open_.options, **options) as response:
                if not 200 <= response.status < 300:
                    raise await self._refusal(response, model)
                yield response
        except ProviderError:
            raise
        except Exception as error:  # noqa: BLE001 - the border to the network: each failure becomes one of ours
            raise self._error(error, model) from None

    async def _refusal(self, response: aiohttp.ClientResponse, model: str) -> ProviderError:
        try:
            said = (await response.read()).decode("utf-8", "replace").strip()
        except (aiohttp.ClientError, OSError):
            said = ""  # The status alone says enough.
        try:
            body: object = json.loads(said)
        except ValueError:
            body = said
        return error_of(
            read_error(body),
            endpoint=self.endpoint,
            model=model,
            status=response.status,
            headers=response.headers,
        )

    def _error(self, error: Exception, model: str) -> ProviderError:
        where = f"{model} at {self.endpoint.host}"
        if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
            hint = "name the authority that signed it by SSL_CERT_FILE"
            return TransientError(
                f"{where}: its certificate is not trusted", reason="connection", hint=hint, sent=False
            )
        if isinstance(error, aiohttp.ClientConnectorError):
            hint = f"is a server listening at {self.endpoint.host}?"
            return TransientError(f"{where}: cannot connect", reason="connection", hint=hint, sent=False)
        if isinstance(error, TimeoutError):
            return TransientError(f"{where}: no answer in time", reason="timeout", hint="raise retry.call_timeout_s")
        if isinstance(error, aiohttp.ClientError | OSError):
            return TransientError(f"{where}: the connection broke ({type(error).__name__})", reason="connection")
        if isinstance(error, ValueError):
            return TransientError(f"{where}: the answer is broken JSON", reason="bad_response")
        raise error

    def _open(self) -> _Connections:
        loop = asyncio.get_running_loop()
        if self._connections is None or self._connections.loop is not loop:
            self._connections = self._connect(loop)
        return self._connections

    def _connect(self, loop: asyncio.AbstractEventLoop) -> _Connections:
        encrypted = self._base.startswith("https:")
        headers = {
            "Accept": "application/json",
            "User-Agent": "omnidetective",
            **openai_headers(self.endpoint),
            **authorization(self.endpoint),
        }
        options: dict[str, Any] = {}
        if (proxy := proxy_for(self._base)) is not None:
            options["proxy"] = proxy.url
            if encrypted:
                options["proxy_headers"] = proxy.headers  # for the request that opens the tunnel
            else:
                headers |= proxy.headers
        session = aiohttp.ClientSession(
            # No limit of connections here: how much is in flight is for the run to say.
            connector=aiohttp.TCPConnector(limit=0, ssl=certificate_authorities() if encrypted else True),
            timeout=aiohttp.ClientTimeout(sock_connect=_CONNECT_TIMEOUT_S, sock_read=self._call_timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return _Connections(loop, session, headers, {**headers, "Content-Type": "application/json"}, options)


async def _read(response: aiohttp.ClientResponse) -> object:
    """The JSON of an answer; its text where it says that it is no JSON."""
    content = await response.read()
    if "json" in response.content_type:
        answer: object = json.loads(content)
        return answer
    return content.decode("utf-8", "replace")


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[object]:
    parser = EventParser()
    async for received in response.content.iter_any():
        for data in parser.feed(received):
            if data.startswith(_DONE):
                await _to_the_end(response)
                return
            if data:  # Some servers keep a connection awake by events of nothing.
                yield json.loads(data)


async def _to_the_end(response: aiohttp.ClientResponse) -> None:
    """Reads what follows the last event, the end of the body: only then can the connection be used again."""
    try:
        async with asyncio.timeout(_LAST_BYTES_S):
            await response.content.read()
    except (TimeoutError, aiohttp.ClientError, OSError):
        response.close()  # The answer is whole; it is only the connection that is lost.


def _flat(fields: Mapping[str, object]) -> list[tuple[str, str]]:
    """The fields of a form; lists as the endpoint wants them, with ``[]`` after their name."""
    flat: list[tuple[str, str]] = []
    for name, value in fields.items():
        if isinstance(value, list | tuple):
            flat += [(f"{name}[]", _word(item)) for item in value]
        elif isinstance(value, Mapping):
            flat += [(f"{name}[{key}]", _word(item)) for key, item in value.items()]
        elif value is not None:
            flat.append((name, _word(value)))
    return flat


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
