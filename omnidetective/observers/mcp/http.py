"""A server that runs already, spoken to over streamable HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

import httpx2
from mcp.client.streamable_http import streamable_http_client

from omnidetective.observers.mcp.stdio import TOO_LARGE, too_large

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams

_CONNECT_S = 30.0


def connected_server(
    url: str, *, headers: dict[str, str], max_message_bytes: int
) -> AbstractAsyncContextManager[TransportStreams]:
    """Connect to a server."""

    async def bound(response: httpx2.Response) -> None:
        # Event streams are bounded event by event: one may be open for as long as the session.
        if not response.headers.get("content-type", "").lower().startswith("text/event-stream"):
            response.stream = httpx2.ByteStream(await _bounded_body(response, max_message_bytes))

    @asynccontextmanager
    async def connect() -> AsyncIterator[TransportStreams]:
        # An answer may take long: how long is up to whoever asks, so reading has no limit of its own.
        limits = httpx2.Timeout(_CONNECT_S, read=None)
        plain = {"accept-encoding": "identity"}
        async with (
            httpx2.AsyncClient(headers=headers | plain, timeout=limits, event_hooks={"response": [bound]}) as client,
            streamable_http_client(url, http_client=client, max_sse_event_size=max_message_bytes) as streams,
        ):
            yield streams

    return connect()


async def _bounded_body(response: httpx2.Response, max_bytes: int) -> bytes:
    """The body; where it is longer than it may be, an error in its place."""
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    body = bytearray()
    try:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            return _error(response, "its answer is compressed, which was not asked for")
        async for chunk in response.stream:
            body += chunk
            if len(body) > max_bytes:
                return _error(response, too_large(max_bytes))
    finally:
        await response.stream.aclose()
    return bytes(body)


def _error(response: httpx2.Response, message: str) -> bytes:
    response.headers["content-type"] = "application/json"
    response.headers.pop("content-encoding", None)
    try:
        number = json.loads(response.request.content)["id"]
    except (ValueError, KeyError, TypeError):
        number = None
    error = {"jsonrpc": "2.0", "id": number, "error": {"code": TOO_LARGE, "message": message}}
    return json.dumps(error).encode()
