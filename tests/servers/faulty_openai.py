"""A scripted OpenAI-compatible server on a real socket, which plays every fault a provider has shown.

Use::

    async with FaultyOpenAI([rate_limited(retry_after="1"), says("hello")]) as server:
        environ = {"OPENAI_API_KEY": "key", "OPENAI_BASE_URL": server.base_url}
        cast = Cast(load_model_set("openai"), RetrySettings(), environ=environ)
        ...
    assert server.calls == 2

Give it a list of behaviours, one a request (the last one is played again when the list is over), or a function from
the :class:`Seen` request to a behaviour. ``server.seen`` holds the requests. Behaviours answer a streamed request with
a stream and another with one body, so one script serves both. ``GET /models`` lists ``server.models`` and is not
counted.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


@dataclass(frozen=True, slots=True)
class Seen:
    """One request.

    Attributes:
        body: the parsed JSON, or the fields of a form, as a list where there are several of a name; ``{}`` where there
            is neither.
        raw: the bytes of the body.
        at_s: when it came, on the monotonic clock.
    """

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    raw: bytes = field(repr=False)
    at_s: float

    @property
    def streams(self) -> bool:
        return bool(self.body.get("stream"))


Behaviour = Callable[[web.Request, Seen], Awaitable[web.StreamResponse]]
Script = Sequence[Behaviour] | Callable[[Seen], Behaviour]


class FaultyOpenAI:
    """The server; an async context manager."""

    def __init__(self, script: Script, *, models: Sequence[str] = ("test-model",), models_status: int = 200) -> None:
        self._script = script
        self.models = tuple(models)
        self._models_status = models_status
        self.seen: list[Seen] = []
        self._runner: web.AppRunner | None = None
        self.base_url = ""

    @property
    def calls(self) -> int:
        """How many requests came, lists of models aside."""
        return len(self.seen)

    async def __aenter__(self) -> FaultyOpenAI:
        app = web.Application(client_max_size=64 * 1024**2)
        app.router.add_get("/v1/models", self._list)
        app.router.add_route("*", "/{path:.*}", self._play)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.base_url = f"http://127.0.0.1:{port}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _list(self, request: web.Request) -> web.Response:
        if self._models_status != 200:
            return web.json_response({"error": {"message": "no"}}, status=self._models_status)
        return web.json_response({"object": "list", "data": [{"id": m, "object": "model"} for m in self.models]})

    async def _play(self, request: web.Request) -> web.StreamResponse:
        body: Mapping[str, Any] = {}
        if request.content_type.startswith("multipart/"):
            form = await request.post()
            given: dict[str, list[Any]] = {}
            for name, value in form.items():
                given.setdefault(name, []).append(value if isinstance(value, str) else value.file.read())
            body = {name: values[0] if len(values) == 1 else values for name, values in given.items()}
            raw = b""
        else:
            raw = await request.read()
            body = json.loads(raw) if raw else {}
        seen = Seen(request.path, dict(request.headers), body, raw, time.monotonic())
        self.seen.append(seen)
        if callable(self._script):
            behaviour = self._script(seen)
        else:
            behaviour = self._script[min(len(self.seen), len(self._script)) - 1]
        return await behaviour(request, seen)


# What it can do ------------------------------------------------------------------------------------------------------


def says(
    text: str | None,
    *,
    finish_reason: str | None = "stop",
    tool_calls: Sequence[tuple[str, str]] = (),
    reasoning: str = "",
    usage: Mapping[str, Any] | None = USAGE,
) -> Behaviour:
    """A good answer; ``tool_calls`` are names and arguments as text, which may be malformed."""
    calls = [
        {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate(tool_calls)
    ]
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = calls
    if reasoning:
        message["reasoning_content"] = reasoning

    async def play(request: web.Request, seen: Seen) -> web.StreamResponse:
        if not seen.streams:
            body = {"id": "x", "object": "chat.completion", "model": "test-model", "usage": usage}
            choice = {"index": 0, "message": message, "finish_reason": finish_reason}
            return web.json_response({**body, "choices": [choice]})
        return await _stream(request, _chunks(text, calls, reasoning, finish_reason, usage))

    return play


def tool_call(name: str, arguments: Mapping[str, Any] | str) -> Behaviour:
    """An answer that calls one tool; arguments as text may be malformed."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return says(None, tool_calls=[(name, text)], finish_reason="tool_calls")


def fails(
    status: int, error: Mapping[str, Any] | str | None = None, *, headers: Mapping[str, str] | None = None
) -> Behaviour:
    """An HTTP error; ``error`` is the OpenAI error object, or text for a body that is no JSON."""

    async def play(request: web.Request, seen: Seen) -> web.StreamResponse:
        if isinstance(error, str):
            return web.Response(text=error, status=status, headers=headers)
        return web.json_response({"error": dict(error or {"message": "failed"})}, status=status, headers=headers)

    return play


def unauthorized() -> Behaviour:
    """401, with the key that was sent in the message, as careless servers do."""

    async def play(request: web.Request, seen: Seen) -> web.StreamResponse:
        key = seen.headers.get("Authorization", "")
        error = {"message": f"Incorrect API key provided: {key}", "code": "invalid_api_key"}
        return web.json_response({"error": error}, status=401)

    return play


def rate_limited(*, retry_after: str | None = None) -> Behaviour:
    """429, with Retry-After where it is given."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return fails(429, {"message": "slow down", "code": "rate_limit_exceeded"}, headers=headers)


def server_error() -> Behaviour:
    """500 with a page of HTML, as a proxy gives it."""
    return fails(500, "<html><body>Internal Server Error</body></html>")


def resets_mid_body() -> Behaviour:
    """A good beginning, then the connection is cut."""

    async def play(request: web.Request, seen: Seen) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": _content_type(seen), "Content-Length": "5000"})
        await response.prepare(request)
        start = _sse(_chunk({"content": "It begins"})) if seen.streams else b'{"choices": [{"message": {"content": "It'
        await response.write(start)
        assert request.transport is not None
        request.transport.abort()
        return response

    return play


def truncated_json() -> Behaviour:
    """A 200 whose body is whole by its length, and cut as JSON."""

    async def play(request: web.Request, seen: Seen) -> web.StreamResponse:
        body = b'{"choices": [{"message": {"role": "assistant", "content": "It'
        if seen.streams:
            return await _stream(request, [], tail=b"data: " + body + b"\n\n")
        return web.Response(body=body, content_type="application/json")

    return play


def stops_without_finishing() -> Behaviour:
    """A stream that ends in order, without a finish reason; not streamed, a body without choices."""

    async def play(request: web.Request, seen: Seen) -> web.StreamResponse:
        if not seen.streams:
            return web.json_response({"object": "chat.completion", "choices": []})
        return await _stream(request, [_chunk({"content": "It begins"})])

    return play


def error_in_stream(error: Mapping[str, Any]) -> Behaviour:
    """An error inside a 200: after the first chunk of a stream, or as the body."""

    async def play(request: web.Request, seen: Seen) -> web.StreamResponse:
        if not seen.streams:
            return web.json_response({"error": dict(error)})
        return await _stream(request, [_chunk({"content": "It begins"}), {"error": dict(error)}])

    return play


def hangs(seconds: float = 30.0) -> Behaviour:
    """Takes the request and says nothing."""

    async def play(request: web.Request, seen: Seen) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return web.Response(status=504)

    return play


def late(behaviour: Behaviour, seconds: float) -> Behaviour:
    """A behaviour, after a while."""

    async def play(request: web.Request, seen: Seen) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await behaviour(request, seen)

    return play


def body(content: object, *, status: int = 200, content_type: str = "application/json") -> Behaviour:
    """Any body: JSON, or text."""

    async def play(request: web.Request, seen: Seen) -> web.StreamResponse:
        text = content if isinstance(content, str) else json.dumps(content)
        return web.Response(text=text, status=status, content_type=content_type)

    return play


def chunks(*items: Mapping[str, Any]) -> Behaviour:
    """A stream of just these chunks, then ``[DONE]``."""

    async def play(request: web.Request, seen: Seen) -> web.StreamResponse:
        return await _stream(request, list(items))

    return play


FAULTS: Mapping[str, Behaviour] = {
    "401": unauthorized(),
    "429 with Retry-After": rate_limited(retry_after="0.05"),
    "500": server_error(),
    "reset mid-body": resets_mid_body(),
    "truncated JSON": truncated_json(),
    "prose instead of JSON": says("I would rather talk about the weather."),
    "malformed tool arguments": tool_call("ask", '{"observer": "asr", '),
    "unknown tool": tool_call("launch_rocket", {"when": "now"}),
    "empty content": says(""),
    "content filter": says("", finish_reason="content_filter"),
    "length stop": says("It begins and", finish_reason="length"),
    "SSE error inside a 200": error_in_stream({"message": "upstream failed", "code": "internal_error"}),
    "missing usage": says("fine", usage=None),
    "stream without an end": stops_without_finishing(),
    "hang": hangs(),
}
"""The fault matrix by name, for tests that go through all of it."""


def _chunks(
    text: str | None,
    calls: Sequence[Mapping[str, Any]],
    reasoning: str,
    finish_reason: str | None,
    usage: Mapping[str, Any] | None,
) -> list[Mapping[str, Any]]:
    made = [_chunk({"role": "assistant", "content": ""})]
    made += [_chunk({"reasoning_content": piece}) for piece in _halves(reasoning)]
    made += [_chunk({"content": piece}) for piece in _halves(text or "")]
    for index, call in enumerate(calls):
        first, *rest = _halves(call["function"]["arguments"]) or [""]
        function = {"name": call["function"]["name"], "arguments": first}
        made.append(
            _chunk({"tool_calls": [{"index": index, "id": call["id"], "type": "function", "function": function}]})
        )
        made += [_chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}) for piece in rest]
    made.append(_chunk({}, finish_reason))
    if usage is not None:
        made.append({"object": "chat.completion.chunk", "choices": [], "usage": dict(usage)})
    return made


def _halves(text: str) -> list[str]:
    middle = (len(text) + 1) // 2
    return [piece for piece in (text[:middle], text[middle:]) if piece]


def _chunk(delta: Mapping[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": dict(delta), "finish_reason": finish_reason}
    return {"object": "chat.completion.chunk", "choices": [choice], "usage": None}


def _sse(chunk: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(chunk)}\n\n".encode()


def _content_type(seen: Seen) -> str:
    return "text/event-stream" if seen.streams else "application/json"


async def _stream(request: web.Request, items: Sequence[Mapping[str, Any]], *, tail: bytes = b"") -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for item in items:
        await response.write(_sse(item))
    await response.write(tail or b"data: [DONE]\n\n")
    await response.write_eof()
    return response
