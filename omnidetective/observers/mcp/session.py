"""One session with one server for all clips; after a death, the next question gets a new one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
from mcp import Client, MCPError
from mcp_types import CONNECTION_CLOSED, INVALID_REQUEST, PARSE_ERROR, CallToolResult, Tool

from omnidetective.errors import ObserverUnavailableError
from omnidetective.observers.mcp.lifeline import Lifeline
from omnidetective.observers.mcp.masking import Mask, one_line
from omnidetective.observers.mcp.package_log import quieten_package
from omnidetective.observers.mcp.stdio import TOO_LARGE

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams
    from mcp.client.session import LoggingFnT
    from mcp_types import LoggingMessageNotificationParams

Connect = Callable[[Lifeline], "AbstractAsyncContextManager[TransportStreams]"]

_MAX_PAGES = 50
_MAX_TOOLS = 500
_MAX_MESSAGE_CHARS = 300
_CLOSE_S = 15.0
_MOST_GIVEN_UP = 3
_STILL_THERE_S = 10.0
_REASONS: Final = {TOO_LARGE: "too_large", PARSE_ERROR: "bad_result"}

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Session:
    lifeline: Lifeline
    ready: asyncio.Future[Client]
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    in_flight: int = 0
    lost: bool = False
    given_up: int = 0
    """Questions that were given up since the last answer: perhaps it is the server that hangs."""

    @property
    def over(self) -> bool:
        return self.lost or self.lifeline.ended.is_set() or self.task is None or self.task.done()

    @property
    def doubtful(self) -> bool:
        """Whether to look if the server is still there. Where others wait for it, it may be at work for them."""
        return self.given_up > 0 and (self.in_flight == 0 or self.given_up >= _MOST_GIVEN_UP)


class _NoSuchSessionError(ObserverUnavailableError):
    """The request was refused before it was looked at, as by a server that does not know the session."""


quieten_package()


class Server:
    """Connects when it is first needed, and again when the connection is lost. Serves many questions at once."""

    def __init__(self, name: str, connect: Connect, *, mask: Mask, start_s: float) -> None:
        self._name = name
        self._connect = connect
        self._mask = mask
        self._start_s = start_s
        self._session: _Session | None = None
        self._opening: asyncio.Task[_Session] | None = None
        self._closed = False
        self._longer = f"give it longer with --set observers.{name}.load_timeout_s=…"

    async def tools(self) -> tuple[Tool, ...]:
        """The tools that it offers, in its own order.

        Raises:
            ObserverUnavailableError: ``server_unavailable``, ``server_timeout``, ``too_large``.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self._start_s
        session = await self._live()

        async def all_pages() -> tuple[Tool, ...]:
            tools: list[Tool] = []
            cursor: str | None = None
            for _ in range(_MAX_PAGES):
                page = await session.ready.result().list_tools(cursor=cursor)
                tools += page.tools
                cursor = page.next_cursor
                if cursor is None or len(tools) >= _MAX_TOOLS:
                    break
            return tuple(tools[:_MAX_TOOLS])

        try:
            async with asyncio.timeout_at(until):
                return await self._asked(session, all_pages)
        except TimeoutError:
            raise ObserverUnavailableError(
                f"the MCP server did not list its tools within {self._start_s:g} s",
                reason="server_timeout",
                hint=self._longer,
            ) from None

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> CallToolResult:
        """Call a tool. Where this is cancelled, the server is told so.

        Raises:
            ObserverUnavailableError: ``server_unavailable``, ``server_timeout``, ``server_died``, ``too_large``,
                ``tool_error``, ``bad_result``.
        """
        try:
            return await self._call(tool, arguments)
        except _NoSuchSessionError:  # The server was started anew, and has done nothing yet.
            return await self._call(tool, arguments)

    async def _call(self, tool: str, arguments: Mapping[str, Any]) -> CallToolResult:
        session = await self._live()
        return await self._asked(session, lambda: session.ready.result().call_tool(tool, dict(arguments)))

    async def close(self) -> None:
        """End the session, and the server where it was started here, with everything that it started."""
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait({self._opening})
        if self._session is not None:
            await _end(self._session)
            self._session = None

    async def _live(self) -> _Session:
        if self._opening is None and not self._closed:
            session = self._session
            if session is not None and not session.over and not session.doubtful:
                return session
            # A task of its own: it goes on where whoever asked first does not wait long enough.
            self._opening = asyncio.create_task(self._open())
            self._opening.add_done_callback(self._opened)
        try:
            if self._opening is not None:
                return await asyncio.shield(self._opening)
        except asyncio.CancelledError:
            asking = asyncio.current_task()
            if not self._closed or (asking is not None and asking.cancelling()):
                raise
        raise ObserverUnavailableError("the MCP server has been closed", reason="server_unavailable")

    async def _open(self) -> _Session:
        session = self._session
        if session is not None and not session.over and session.doubtful:
            session.lost = not await self._answers(session)
        if session is not None and session.over:
            self._session = None
            await _end(session)
        if self._session is None:
            self._session = await self._start()
        return self._session

    def _opened(self, task: asyncio.Task[_Session]) -> None:
        self._opening = None
        if not task.cancelled():
            task.exception()  # Looked at, so that nobody complains where nobody waited for it.

    async def _answers(self, session: _Session) -> bool:
        """Whether a server that let a question go unanswered is still there."""
        try:
            await asyncio.wait_for(session.ready.result().list_tools(), min(_STILL_THERE_S, self._start_s))
        except (MCPError, TimeoutError, ValueError, RuntimeError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            log.debug("the MCP server %s does not answer any more", self._name)
            return False
        session.given_up = 0
        return True

    async def _start(self) -> _Session:
        session = _Session(Lifeline(self._name, self._mask), asyncio.get_running_loop().create_future())
        session.task = asyncio.create_task(self._keep(session))
        try:
            await asyncio.wait({session.ready}, timeout=self._start_s)
            if not session.ready.done():
                raise ObserverUnavailableError(
                    f"the MCP server was not ready within {self._start_s:g} s{session.lifeline.last_words}",
                    reason="server_timeout",
                    hint=self._longer,
                )
            session.ready.result()
        except BaseException:
            await _end(session)
            raise
        return session

    async def _keep(self, session: _Session) -> None:
        """Hold the connection open until it is lost or not needed any more. One task enters and leaves it."""
        try:
            async with Client(
                self._connect(session.lifeline),
                cache=None,
                logging_callback=_to(session.lifeline),
            ) as client:
                session.ready.set_result(client)
                await _first_of(session.stop, session.lifeline.ended)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is why there is no session
            cause = _innermost(error)
            log.debug("the session with the MCP server %s ended: %s", self._name, self._said(cause))
            if not session.ready.done():
                # Its standard error comes by another pipe than the end of the connection.
                await asyncio.sleep(0.1)
                session.ready.set_exception(self._not_started(cause, session.lifeline))

    def _not_started(self, cause: BaseException, lifeline: Lifeline) -> ObserverUnavailableError:
        why = cause.strerror or str(cause) if isinstance(cause, OSError) else str(cause)
        if isinstance(cause, FileNotFoundError) and cause.filename:
            why = f"{why}: {cause.filename}"
        said = self._mask(one_line(f"{why or type(cause).__name__}", _MAX_MESSAGE_CHARS))
        return ObserverUnavailableError(
            f"the MCP server cannot be reached: {said}{lifeline.last_words}", reason="server_unavailable"
        )

    async def _asked(self, session: _Session, request: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What a request gives, or why it gives nothing, whatever happens to the connection meanwhile."""
        assert session.task is not None
        session.in_flight += 1
        asking = asyncio.create_task(request())
        try:
            await asyncio.wait({asking, session.task}, return_when="FIRST_COMPLETED")
            if not asking.done():
                session.lost = True
                raise self._died(session)
            answer = asking.result()
            session.given_up = 0
            return answer
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            session.lost = True
            raise self._died(session) from None
        except MCPError as error:
            session.lost = session.lost or error.code in (CONNECTION_CLOSED, INVALID_REQUEST)
            if error.code == CONNECTION_CLOSED:
                raise await self._died_after_words(session, error) from None
            if error.code == INVALID_REQUEST:
                raise _NoSuchSessionError(self._said(error), reason="tool_error") from None
            raise ObserverUnavailableError(self._said(error), reason=_REASONS.get(error.code, "tool_error")) from None
        except (ValueError, RuntimeError) as error:  # A result that is none, or not what the tool's schema says.
            raise ObserverUnavailableError(self._said(error), reason="bad_result") from None
        finally:
            session.in_flight -= 1
            if not asking.done():
                session.given_up += 1
                asking.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await asking

    async def _died_after_words(self, session: _Session, error: MCPError) -> ObserverUnavailableError:
        await asyncio.sleep(0.1)  # As above: what it said comes by another pipe.
        return self._died(session, self._said(error))

    def _died(self, session: _Session, said: str = "") -> ObserverUnavailableError:
        return ObserverUnavailableError(
            f"the MCP server ended the connection before it answered{f' ({said})' if said else ''}"
            f"{session.lifeline.last_words}",
            reason="server_died",
            retryable=True,
        )

    def _said(self, error: BaseException) -> str:
        return self._mask(one_line(str(error), _MAX_MESSAGE_CHARS)) or type(error).__name__


async def _end(session: _Session) -> None:
    if session.task is None:
        return
    session.stop.set()
    if not session.ready.done():
        session.task.cancel()
    await asyncio.wait({session.task}, timeout=_CLOSE_S)
    if not session.task.done():
        session.task.cancel()
        await asyncio.wait({session.task}, timeout=_CLOSE_S)
    if session.ready.done() and not session.ready.cancelled():
        session.ready.exception()  # Looked at, so that nobody complains that it was not.


async def _first_of(*events: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when="FIRST_COMPLETED")
    finally:
        for wait in waits:
            wait.cancel()


def _to(lifeline: Lifeline) -> LoggingFnT:
    async def log_message(params: LoggingMessageNotificationParams) -> None:
        lifeline.heard(str(params.data))

    return log_message


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
