"""An MCP server as a source of observers, inside the process that hosts them."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Final

from omnidetective.errors import ObserverUnavailableError
from omnidetective.observers.base import Observer, ObserverContext
from omnidetective.observers.host.sources import SourceRef, Unready
from omnidetective.observers.mcp.masking import Mask, one_line
from omnidetective.observers.mcp.settings import McpServer, McpSettings, read_mcp_settings

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams
    from mcp_types import Tool

    from omnidetective.observers.mcp.lifeline import Lifeline
    from omnidetective.observers.mcp.session import Server

_MAX_MESSAGE_BYTES: Final = 16 << 20
"""Largest message of a server: some pictures fit, as they may come with an answer."""
_SHARE_TO_START: Final = 0.8
"""Of the time to load: so it is told here what is wrong, and not by whoever waits for this process to be ready."""


class McpSource:
    """The tools of the server that ``observers.NAME.mcp`` names.

    The server is connected once, whoever opens the source, as long as the settings are the same.
    """

    def __init__(self, ref: SourceRef) -> None:
        self._name = ref.name
        self._servers: dict[tuple[str, float], Server] = {}

    async def open(self, values: Mapping[str, Any], context: ObserverContext) -> tuple[Observer, ...]:
        """Connect, and make an observer of each tool that is chosen.

        A tool that cannot be called is one that is not ready where a glob chose it, and an error where it was named.

        Raises:
            ConfigError: the settings are wrong.
            ObserverUnavailableError: ``not_installed``, ``missing_variable``, ``no_tools``, ``bad_schema``,
                ``unknown_tool``, ``unknown_parameter``, ``unfilled_parameter``, or what ``Server.tools`` raises.
        """
        settings = read_mcp_settings(self._name, values)
        try:
            importlib.import_module("omnidetective.observers.mcp.session")
        except ImportError as error:
            raise ObserverUnavailableError(
                f"the package mcp cannot be used: {error}",
                reason="not_installed",
                hint="pip install 'omnidetective[mcp]'",
            ) from error
        passed = _variables(settings.mcp)
        mask = Mask.of(passed.values())
        server = self._server(settings, passed, mask)
        return self._offered(await server.tools(), settings, server, mask)

    async def close(self) -> None:
        """End all sessions, and the servers that were started."""
        for server in self._servers.values():
            await server.close()
        self._servers.clear()

    def _server(self, settings: McpSettings, passed: Mapping[str, str], mask: Mask) -> Server:
        from omnidetective.observers.mcp.session import Server

        where = settings.mcp
        key = (where.model_dump_json(), settings.load_timeout_s)
        if key in self._servers:
            return self._servers[key]

        def connect(lifeline: Lifeline) -> AbstractAsyncContextManager[TransportStreams]:
            return _connect(where, passed, lifeline)

        server = Server(self._name, connect, mask=mask, start_s=settings.load_timeout_s * _SHARE_TO_START)
        self._servers[key] = server
        return server

    def _offered(
        self, tools: tuple[Tool, ...], settings: McpSettings, server: Server, mask: Mask
    ) -> tuple[Observer, ...]:
        from omnidetective.observers.mcp.arguments import plan_call
        from omnidetective.observers.mcp.describing import tool_spec
        from omnidetective.observers.mcp.naming import chosen_tools, observer_names
        from omnidetective.observers.mcp.tool import tool_observer

        chosen = chosen_tools(tools, settings.tools)
        self._check_choice(tools, chosen, settings)
        observers: list[Observer] = []
        for name, tool in zip(observer_names(self._name, chosen).values(), chosen, strict=True):
            try:
                plan = plan_call(
                    tool.name,
                    tool.input_schema,
                    settings.arguments.get(tool.name, {}),
                    setting=f"observers.{self._name}.arguments",
                    shares_files=settings.mcp.command is not None,
                )
            except ObserverUnavailableError as error:
                why = ObserverUnavailableError(
                    f"the tool {one_line(tool.name, 80)} cannot be called: {error.message}",
                    reason=error.reason,
                    hint=error.hint,
                )
                if len(chosen) == 1 or tool.name in settings.tools or tool.name in settings.arguments:
                    raise why from None
                observers.append(Unready(tool_spec(name, tool, None, settings, mask), why))
                continue
            observers.append(tool_observer(tool_spec(name, tool, plan, settings, mask), tool, plan, server, mask))
        return tuple(observers)

    def _check_choice(self, tools: tuple[Tool, ...], chosen: tuple[Tool, ...], settings: McpSettings) -> None:
        there = ", ".join(sorted(one_line(tool.name, 80) for tool in tools[:20])) or "none"
        names = {tool.name for tool in tools}
        missing = [name for name in settings.arguments if name not in names]
        missing += [name for name in settings.tools if not set(name) & set("*?[") and name not in names]
        if missing:
            raise ObserverUnavailableError(
                f"the MCP server has no tool {missing[0]!r}", reason="unknown_tool", hint=f"it has {there}"
            )
        if not chosen:
            raise ObserverUnavailableError(
                f"the MCP server offers no tool that fits observers.{self._name}.tools",
                reason="no_tools",
                hint=f"it has {there}",
            )


def _connect(
    where: McpServer, passed: Mapping[str, str], lifeline: Lifeline
) -> AbstractAsyncContextManager[TransportStreams]:
    if where.command is not None:
        from omnidetective.observers.mcp.stdio import started_server

        return started_server(
            where.command,
            env={name: passed[name] for name in where.env},
            cwd=None if where.cwd is None else where.cwd.expanduser(),
            lifeline=lifeline,
            max_message_bytes=_MAX_MESSAGE_BYTES,
        )
    from omnidetective.observers.mcp.http import connected_server

    assert where.url is not None
    headers = {header: passed[name] for header, name in where.headers_env.items()}
    return connected_server(where.url, headers=headers, max_message_bytes=_MAX_MESSAGE_BYTES)


def _variables(where: McpServer) -> dict[str, str]:
    """The environment variables that the server gets, by name."""
    found = {}
    for name in (*where.env, *where.headers_env.values()):
        value = os.environ.get(name)
        if not value:
            raise ObserverUnavailableError(
                f"the environment variable {name} is not set, and the MCP server is to get it",
                reason="missing_variable",
                hint=f"export {name}=…",
            )
        found[name] = value
    return found
