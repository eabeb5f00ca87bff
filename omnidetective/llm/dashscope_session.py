"""HTTP sessions for DashScope's own interfaces, and what goes wrong with them in our own terms.

The SDK hides a second try and trips over errors without a code, so a session makes one try a call, and hands on nothing
but a success.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

from aiohttp import (
    ClientConnectionError,
    ClientConnectorError,
    ClientError,
    ClientHandlerType,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ContentTypeError,
)

from omnidetective.errors import ProviderError, TransientError
from omnidetective.llm.endpoint import Endpoint
from omnidetective.llm.openai_outcomes import error_of, read_error


class OwnSession:
    """A session of one's own, as the SDK's is shared by the whole process; a new one for each event loop."""

    def __init__(self) -> None:
        self._session: ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self) -> ClientSession:
        """The session of the running loop."""
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            self._session, self._loop = ClientSession(trust_env=True, middlewares=(_once,)), loop
        return self._session

    async def aclose(self) -> None:
        """Gives back its connections, where they belong to the running loop. Safe to call twice."""
        session, self._session = self._session, None
        if session is not None and self._loop is asyncio.get_running_loop():
            await session.close()


def error_in_session(error: Exception, *, endpoint: Endpoint, model: str) -> ProviderError:
    """What went wrong in such a session.

    Raises:
        Exception: the error itself, where it is no failure of a call.
    """
    where = f"{model} at {endpoint.host}"
    if isinstance(error, ProviderError):
        return error
    if isinstance(error, _RefusedError):
        facts = read_error(error.body)
        return error_of(facts, endpoint=endpoint, model=model, status=error.status, headers=error.headers)
    if isinstance(error, TimeoutError):
        return TransientError(f"{where}: no answer in time", reason="timeout", hint="raise retry.call_timeout_s")
    if isinstance(error, (json.JSONDecodeError, ContentTypeError, KeyError)):
        return TransientError(f"{where}: the answer is broken", reason="bad_response")
    if isinstance(error, (_BrokenError, ClientError, OSError)):
        cause = error.__cause__ or error
        return TransientError(
            f"{where}: the connection broke ({type(cause).__name__})",
            reason="connection",
            sent=not isinstance(cause, ClientConnectorError),
        )
    raise error


class _RefusedError(Exception):
    """An HTTP answer that is no success, taken before the SDK reads it: it trips over bodies without a code."""

    def __init__(self, status: int, headers: Mapping[str, str], body: object) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.headers = dict(headers)
        self.body = body


class _BrokenError(Exception):
    """A connection that broke before the answer began. Not aiohttp's own error, which the SDK would try again."""


async def _once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Middleware of the session: one try a call, as the SDK hides a second, and no answer but a success."""
    try:
        response = await handler(request)
    except TimeoutError:
        raise
    except ClientConnectionError as error:
        raise _BrokenError(type(error).__name__) from error
    if response.status == 200:
        return response
    async with response:
        text = await response.text(errors="replace")
    raise _RefusedError(response.status, response.headers, _json_or_text(text))


def _json_or_text(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
