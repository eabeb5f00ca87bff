"""DashScope's native interface over real sockets. Above all: text that looks like a file is text."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from servers import faulty_openai as play
from servers.studio import KEY, asking, quick

from omnidetective.errors import (
    AuthError,
    ContentFilterError,
    ProviderError,
    QuotaError,
    RateLimitError,
    TransientError,
)
from omnidetective.llm import dashscope_chat
from omnidetective.llm.dashscope_chat import DashScopeChat
from omnidetective.llm.endpoint import Endpoint
from omnidetective.llm.messages import (
    AudioPart,
    ChatRequest,
    FramesPart,
    ImagePart,
    Message,
    TextPart,
    TokenUsage,
    ToolSpec,
    VideoUrlPart,
)
from omnidetective.llm.retry import Retried
from omnidetective.records import FunctionCall, ToolCall

PATH = "/api/v1/services/aigc/multimodal-generation/generation"
USAGE = {"input_tokens": 11, "output_tokens": 7}


def native(text: str, *, finish_reason: str = "stop", **message: Any) -> dict[str, Any]:
    choice = {"finish_reason": finish_reason, "message": {"role": "assistant", "content": [{"text": text}], **message}}
    return {"request_id": "r", "output": {"choices": [choice]}, "usage": USAGE}


def streamed(*items: dict[str, Any], error: dict[str, Any] | None = None) -> play.Behaviour:
    async def behave(request: web.Request, seen: play.Seen) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for item in items:
            await response.write(f"id:1\nevent:result\n:HTTP_STATUS/200\ndata:{json.dumps(item)}\n\n".encode())
        if error is not None:
            await response.write(f"event:error\nstatus:{error.pop('status')}\ndata:{json.dumps(error)}\n\n".encode())
        return response

    return behave


Make = Callable[..., DashScopeChat]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    async with AsyncExitStack() as stack:

        def build(server: play.FaultyOpenAI, *, call_timeout_s: float = 5.0, **options: Any) -> DashScopeChat:
            base_url = server.base_url.removesuffix("/v1") + "/api/v1"
            endpoint = Endpoint("dashscope", base_url, KEY, "DASHSCOPE_API_KEY")
            chat = DashScopeChat(endpoint, model="qwen-vl-max", call_timeout_s=call_timeout_s, **options)
            stack.push_async_callback(chat.aclose)
            return chat

        yield build


async def test_answer(make: Make) -> None:
    async with play.FaultyOpenAI([play.body(native("A dog.", reasoning_content="Hm."))]) as server:
        model = make(server, parameters={"enable_thinking": True, "temperature": 0.9})
        picture, frames = ImagePart(data=b"one"), FramesPart(frames=(ImagePart(data=b"one"),) * 4, fps=2.0)
        reply = await model.complete(asking("What is seen?", picture, frames, temperature=0.1, max_tokens=50, seed=1))
    assert (reply.outcome, reply.text, reply.reasoning) == ("ok", "A dog.", "Hm.")
    assert reply.usage == TokenUsage(prompt_tokens=11, completion_tokens=7)
    [seen] = server.seen
    assert seen.path == PATH
    assert seen.headers["Authorization"] == f"Bearer {KEY}"
    assert "X-DashScope-OssResourceResolve" not in seen.headers
    uri = "data:image/jpeg;base64,b25l"
    assert seen.body["input"]["messages"] == [
        {"role": "user", "content": [{"text": "What is seen?"}, {"image": uri}, {"video": [uri] * 4, "fps": 2.0}]}
    ]
    assert seen.body["parameters"] == {
        "enable_thinking": True,
        "temperature": 0.1,
        "max_tokens": 50,
        "seed": 1,
        "result_format": "message",
    }


async def test_streamed_answer(make: Make) -> None:
    pieces = [native("A ", finish_reason="null"), native("dog.", finish_reason="null"), native("")]
    async with play.FaultyOpenAI([streamed(*pieces)]) as server:
        reply = await make(server, overrides={"must_stream": True}).complete(asking())
    assert (reply.outcome, reply.text, reply.usage) == (
        "ok",
        "A dog.",
        TokenUsage(prompt_tokens=11, completion_tokens=7),
    )
    assert server.seen[0].body["parameters"]["incremental_output"] is True
    assert server.seen[0].headers["X-DashScope-SSE"] == "enable"


async def test_tool_calls(make: Make) -> None:
    call = {"index": 0, "id": "c1", "function": {"name": "ask", "arguments": '{"observer": "asr"}'}}
    async with play.FaultyOpenAI([play.body(native("", finish_reason="tool_calls", tool_calls=[call]))]) as server:
        tool = ToolSpec(name="ask", description="asks", parameters={"type": "object"})
        reply = await make(server).complete(asking(tools=(tool,)))
    assert [(c.id, c.function.name, c.function.arguments) for c in reply.tool_calls] == [
        ("c1", "ask", '{"observer": "asr"}')
    ]
    assert server.seen[0].body["parameters"]["tools"][0]["function"]["name"] == "ask"


@pytest.mark.parametrize(
    ("behaviour", "error", "reason"),
    [
        (play.body({"code": "InvalidApiKey", "message": f"bad {KEY}"}, status=401), AuthError, "invalid_key"),
        (play.body({"code": "Throttling.RateQuota", "message": "x"}, status=429), RateLimitError, "rate_limit"),
        (play.body({"code": "Arrearage", "message": "x"}, status=400), QuotaError, "quota"),
        (play.body({"code": "DataInspectionFailed", "message": "x"}, status=400), ContentFilterError, "content_filter"),
        (play.fails(500, "<html>oops</html>"), TransientError, "server_error"),
        (play.body({"message": "no code here"}, status=503), TransientError, "overloaded"),
        (play.truncated_json(), TransientError, "bad_response"),
        (play.body("prose", content_type="text/plain"), TransientError, "bad_response"),
        (play.resets_mid_body(), TransientError, "connection"),
        (play.body({"request_id": "r", "output": None}), TransientError, "cut_off"),
    ],
)
async def test_errors(
    make: Make,
    caplog: pytest.LogCaptureFixture,
    behaviour: play.Behaviour,
    error: type[ProviderError],
    reason: str,
) -> None:
    async with play.FaultyOpenAI([behaviour]) as server:
        with pytest.raises(error) as caught:
            await make(server).complete(asking())
    assert caught.value.reason == reason
    assert KEY not in str(caught.value)
    assert server.calls == 1, "the SDK must not try again by itself"
    assert not [r for r in caplog.records if r.name == "dashscope"], "the retry layer tells, without tracebacks"


async def test_a_connection_that_drops_is_not_tried_again_in_secret(make: Make) -> None:
    async def drop(request: web.Request, seen: play.Seen) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with play.FaultyOpenAI([drop]) as server:
        with pytest.raises(TransientError) as caught:
            await make(server).complete(asking())
    assert caught.value.reason == "connection"
    assert server.calls == 1


async def test_errors_in_a_stream(make: Make) -> None:
    begun = native("A ", finish_reason="null")
    refused = streamed(begun, error={"status": 400, "code": "DataInspectionFailed", "message": "x"})
    async with play.FaultyOpenAI([refused, streamed(begun)]) as server:
        model = make(server, overrides={"must_stream": True})
        with pytest.raises(ContentFilterError):
            await model.complete(asking())
        with pytest.raises(TransientError) as caught:
            await model.complete(asking())
    assert caught.value.reason == "cut_off"


async def test_a_server_that_hangs(make: Make) -> None:
    async with play.FaultyOpenAI([play.hangs(), play.body(native("A dog."))]) as server:
        model = Retried(make(server), quick(call_timeout_s=0.3))
        assert (await model.complete(asking())).text == "A dog."
        server.seen.clear()
        with pytest.raises(TransientError) as caught:
            await make(server, call_timeout_s=0.3).complete(asking())
    assert caught.value.reason == "timeout"


# Nothing is uploaded by looking like a file


_opened: set[str] = set()
sys.addaudithook(lambda event, args: _opened.add(str(args[0])) if event == "open" else None)


def every_text(canary: str) -> ChatRequest:
    """A conversation in which a text stands in every place there is."""
    call = ToolCall(id="c1", function=FunctionCall(name="ask", arguments=json.dumps({"question": canary})))
    return ChatRequest(
        messages=(
            Message.of("system", canary),
            Message.of("user", canary, ImagePart(data=b"one"), canary),
            Message(role="assistant", parts=(TextPart(text=canary),), tool_calls=(call,)),
            Message(role="tool", parts=(TextPart(text=canary),), tool_call_id="c1"),
            Message.of("user", canary),
        )
    )


@pytest.mark.parametrize("form", ["{path}", "file://{path}", "~/canary.txt", "oss://bucket/{path}", "canary.txt"])
async def test_text_that_is_the_path_of_a_file_is_never_uploaded(
    make: Make, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = tmp_path / "canary.txt"
    canary.write_text("the canary sings")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    _opened.clear()
    text = form.format(path=canary)
    async with play.FaultyOpenAI([play.body(native("A dog."))]) as server:
        await make(server).complete(every_text(text))
    assert [seen.path for seen in server.seen] == [PATH], "no upload was asked for"
    [seen] = server.seen
    assert b"the canary sings" not in seen.raw
    assert "X-DashScope-OssResourceResolve" not in seen.headers
    sent = [item["text"] for m in seen.body["input"]["messages"] for item in m["content"] if "text" in item]
    assert sent == [text] * 6, "every text arrives as it was"
    assert str(canary) not in _opened, "nobody looked into it"


def test_the_door_of_the_sdk_that_is_not_used_would_upload_it(tmp_path: Path) -> None:
    """The control: where this fails, the SDK no longer reads files named in texts: the guard can be rethought."""
    canary = tmp_path / "canary.txt"
    canary.write_text("the canary sings")
    program = f"""
        import asyncio
        from unittest import mock
        from dashscope import AioMultiModalConversation
        from dashscope.utils import oss_utils

        asked = []
        upload = lambda *_, file_path, **__: asked.append(file_path) or ("oss://x", {{}})
        with mock.patch.object(oss_utils.OssUtils, "upload", upload):
            messages = [{{"role": "user", "content": [{{"text": {str(canary)!r}}}]}}]
            call = AioMultiModalConversation.call("m", messages, api_key="k", base_address="http://127.0.0.1:9")
            try:
                asyncio.run(call)
            except Exception:
                pass
        print(asked)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60, check=True
    )
    assert str(canary) in done.stdout


async def test_only_large_media_of_ours_are_uploaded(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashscope_chat, "MAX_INLINE_BYTES", 400)
    small, large = ImagePart(data=b"s" * 100), AudioPart(data=b"L" * 900, format="wav", duration_s=3.0)
    forms: list[dict[str, Any]] = []

    def script(seen: play.Seen) -> play.Behaviour:
        if seen.path.endswith("/uploads"):
            return policy
        if seen.path == "/oss":
            forms.append(dict(seen.body))
            return play.body("", content_type="text/plain")
        return play.body(native("A dog."))

    async def policy(request: web.Request, seen: play.Seen) -> web.StreamResponse:
        assert request.query["action"] == "getPolicy"
        data = {
            "oss_access_key_id": "id",
            "signature": "sig",
            "policy": "p",
            "upload_dir": "dashscope-instant/x",
            "x_oss_object_acl": "private",
            "x_oss_forbid_overwrite": "true",
            "upload_host": server.base_url.removesuffix("/v1") + "/oss",
        }
        return web.json_response({"request_id": "r", "data": data})

    async with play.FaultyOpenAI(script) as server:
        overrides = {"images": True, "audio": True, "max_part_bytes": 50}
        model = make(server, overrides=overrides)
        await model.complete(asking("What is heard?", small, large))
        await model.complete(asking("And again?", small, large))
    [form] = forms
    assert form["file"] == large.data
    assert form["key"] == f"dashscope-instant/x/{large.sha256[:32]}.wav"
    asked = server.seen[-1]
    assert asked.headers["X-DashScope-OssResourceResolve"] == "enable"
    content = asked.body["input"]["messages"][0]["content"]
    assert content[1]["image"].startswith("data:image/jpeg;base64,")
    assert content[2]["audio"] == f"oss://{form['key']}"


async def test_a_video_by_its_address(make: Make) -> None:
    async with play.FaultyOpenAI([play.body(native("A dog."))]) as server:
        film = VideoUrlPart(url="https://films.example/a.mp4", sha256="0", duration_s=60.0)
        await make(server).complete(asking("What happens?", film))
    [seen] = server.seen
    assert seen.body["input"]["messages"][0]["content"][1] == {"video": "https://films.example/a.mp4"}


@pytest.mark.parametrize(
    ("behaviour", "error", "reason"),
    [
        (play.body({"code": "InternalError", "message": KEY}, status=500), TransientError, "server_error"),
        (play.body({"code": "InvalidApiKey", "message": KEY}, status=401), AuthError, "invalid_key"),
        (play.body({"data": {"policy": 3}}), TransientError, "upload"),
        (play.body("prose", content_type="text/plain"), TransientError, "bad_response"),
        (play.resets_mid_body(), TransientError, "connection"),
    ],
)
async def test_an_upload_that_fails(
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: play.Behaviour,
    error: type[ProviderError],
    reason: str,
) -> None:
    monkeypatch.setattr(dashscope_chat, "MAX_INLINE_BYTES", 10)
    async with play.FaultyOpenAI([behaviour]) as server:
        with pytest.raises(error) as caught:
            await make(server, overrides={"images": True}).complete(asking(ImagePart(data=b"s" * 100)))
    assert caught.value.reason == reason
    assert KEY not in str(caught.value)
    assert server.calls == 1
