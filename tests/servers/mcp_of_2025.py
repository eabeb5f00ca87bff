"""An MCP server over HTTP as most were in 2025: a handshake, a session id, answers as event streams.

The official package of today answers otherwise to a client of today, so this one is written by hand.
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

SCHEMA = {"type": "object", "properties": {"question": {"type": "string"}}, "required": ["question"]}


class ServerOf2025:
    """``url`` after ``start``. It forgets its sessions with ``forget``, as when it is started anew."""

    def __init__(self, *, answer_bytes: int = 10) -> None:
        self.sessions = 0
        self.authorizations: list[str | None] = []
        self._answer_bytes = answer_bytes
        self._known: set[str] = set()
        app = web.Application()
        app.router.add_route("*", "/mcp", self._handle)
        self._server = TestServer(app)

    async def start(self) -> None:
        await self._server.start_server()
        self.url = str(self._server.make_url("/mcp"))

    async def aclose(self) -> None:
        await self._server.close()

    def forget(self) -> None:
        self._known.clear()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.authorizations.append(request.headers.get("Authorization"))
        if request.method != "POST":
            return web.Response(status=405 if request.method == "GET" else 200)
        asked = await request.json()
        method, number = asked["method"], asked.get("id")
        if method == "initialize":
            self.sessions += 1
            self._known.add(f"s{self.sessions}")
            info = {"name": "old", "version": "1"}
            result: dict[str, Any] = {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": info,
            }
            return web.json_response(
                {"jsonrpc": "2.0", "id": number, "result": result}, headers={"Mcp-Session-Id": f"s{self.sessions}"}
            )
        if request.headers.get("Mcp-Session-Id") not in self._known:
            return web.Response(status=400 if "Mcp-Session-Id" not in request.headers else 404)
        if number is None:
            return web.Response(status=202)
        if method == "tools/list":
            result = {"tools": [{"name": "look", "inputSchema": SCHEMA}]}
        else:
            result = {"content": [{"type": "text", "text": "x" * self._answer_bytes}]}
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        message = {"jsonrpc": "2.0", "id": number, "result": result}
        await stream.write(b"event: message\ndata: " + json.dumps(message).encode() + b"\n\n")
        await stream.write_eof()
        return stream
