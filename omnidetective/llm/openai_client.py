"""The HTTP client of OpenAI-compatible endpoints, and the errors of the SDK in our own terms.

The SDK's public low-level ``post`` is used with bodies that are ready bytes: ``chat.completions.create`` walks every
message in Python, which costs several times the rest of the call (``scripts/bench/transport.py`` measures it).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp
import openai
from openai import AsyncOpenAI, AsyncStream, DefaultAioHttpClient, Omit, RequestOptions, Timeout

from omnidetective.errors import ProviderError, TransientError
from omnidetective.llm.endpoint import Endpoint
from omnidetective.llm.openai_outcomes import error_of, read_error

_CONNECT_TIMEOUT_S = 15.0
_JSON = "application/json"


class OpenAIClient:
    """One endpoint. The connections belong to the event loop that is running when they are first used."""

    def __init__(self, endpoint: Endpoint, *, call_timeout_s: float) -> None:
        self.endpoint = endpoint
        self._call_timeout_s = call_timeout_s
        self._client: AsyncOpenAI | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def post(self, path: str, body: bytes, *, model: str) -> object:
        """The parsed answer to a body.

        Raises:
            ProviderError: whatever went wrong.
        """
        try:
            answer: object = await self._open().post(path, cast_to=object, content=body, options=self._options(_JSON))
        except Exception as error:  # noqa: BLE001 - the border to the SDK: each failure becomes one of ours
            raise self.error(error, model=model) from None
        return answer

    async def stream(self, path: str, body: bytes, *, model: str) -> AsyncStream[object]:
        """The chunks of an answer, parsed. Iterate inside ``async with``; pass errors on the way to :meth:`error`."""
        try:
            return await self._open().post(
                path,
                cast_to=object,
                content=body,
                options=self._options(_JSON),
                stream=True,
                stream_cls=AsyncStream[object],
            )
        except Exception as error:  # noqa: BLE001 - the border to the SDK: each failure becomes one of ours
            raise self.error(error, model=model) from None

    async def upload(
        self, path: str, *, fields: Mapping[str, object], file: tuple[str, bytes, str], model: str
    ) -> object:
        """The parsed answer to a form with one file of ``(name, content, type)``; text where the answer is no JSON."""
        try:
            answer: object = await self._open().post(
                path,
                cast_to=object,
                body=dict(fields),
                files=[("file", file)],
                options=self._options("multipart/form-data"),
            )
        except Exception as error:  # noqa: BLE001 - the border to the SDK: each failure becomes one of ours
            raise self.error(error, model=model) from None
        return answer

    async def models(self) -> tuple[str, ...]:
        """The models that the server lists; free of charge.

        Raises:
            ProviderError: whatever went wrong.
        """
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                answer: object = await self._open().get("/models", cast_to=object, options=self._options(_JSON))
        except Exception as error:  # noqa: BLE001 - the border to the SDK: each failure becomes one of ours
            raise self.error(error, model="the list of models") from None
        rows = answer.get("data") if isinstance(answer, Mapping) else None
        ids = [row.get("id") for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
        return tuple(model for model in ids if isinstance(model, str))

    async def aclose(self) -> None:
        """Closes the connections, where they belong to the running loop."""
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            await client.close()

    def error(self, error: Exception, *, model: str) -> ProviderError:
        """An exception of the SDK, or of what it is made of, as one of ours.

        Raise it ``from None``: the SDK's message quotes the server, and careless servers quote the key.
        """
        endpoint = self.endpoint
        where = f"{model} at {endpoint.host}"
        if isinstance(error, ProviderError):
            return error
        if isinstance(error, openai.APIStatusError):
            return error_of(
                read_error(error.body),
                endpoint=endpoint,
                model=model,
                status=error.status_code,
                headers=dict(error.response.headers),
            )
        if isinstance(error, json.JSONDecodeError):
            return TransientError(f"{where}: the answer is broken JSON", reason="bad_response")
        causes = tuple(_causes(error))
        if any(isinstance(cause, aiohttp.ClientConnectorError) for cause in causes):
            hint = f"is a server listening at {endpoint.host}?"
            return TransientError(f"{where}: cannot connect", reason="connection", hint=hint, sent=False)
        if any(isinstance(cause, TimeoutError) for cause in causes):
            return TransientError(f"{where}: no answer in time", reason="timeout", hint="raise retry.call_timeout_s")
        if isinstance(error, (openai.APIConnectionError, aiohttp.ClientError, OSError)):
            return TransientError(f"{where}: the connection broke ({type(causes[-1]).__name__})", reason="connection")
        if isinstance(error, openai.APIError):
            return error_of(read_error(error.body or error.message), endpoint=endpoint, model=model)
        raise error

    def _options(self, content_type: str) -> RequestOptions:
        headers: dict[str, str | Omit] = {"Content-Type": content_type}
        if not self.endpoint.api_key:
            headers["Authorization"] = Omit()
        return {"headers": headers}

    def _open(self) -> AsyncOpenAI:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._client, self._loop = self._make(), loop
        return self._client

    def _make(self) -> AsyncOpenAI:
        timeout = Timeout(self._call_timeout_s, connect=_CONNECT_TIMEOUT_S)
        headers: dict[str, Any] = {}  # the SDK's annotation leaves out Omit, which it takes
        if self.endpoint.host != "api.openai.com":
            headers |= {name: Omit() for name in _openai_only_headers()}
        return AsyncOpenAI(
            api_key=self.endpoint.api_key or "none",
            base_url=self.endpoint.base_url,
            max_retries=0,
            timeout=timeout,
            default_headers=headers,
            http_client=DefaultAioHttpClient(timeout=timeout),
        )


def _openai_only_headers() -> tuple[str, ...]:
    # The SDK adds these from OPENAI_* variables to every request; other providers have no business with them.
    custom = os.environ.get("OPENAI_CUSTOM_HEADERS", "").splitlines()
    return (
        "OpenAI-Organization",
        "OpenAI-Project",
        *(line.partition(":")[0].strip() for line in custom if ":" in line),
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    # The SDK wraps the transport's errors, and the transport maps aiohttp's to names that fit loosely.
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
