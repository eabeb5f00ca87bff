"""OpenAI-compatible chat over real sockets: good answers streamed or not, and every fault."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from servers import faulty_openai as play
from servers.studio import KEY, Studio, asking

from omnidetective.errors import (
    AuthError,
    BadRequestError,
    ContentFilterError,
    MissingModelError,
    ProviderError,
    QuotaError,
    RateLimitError,
    TransientError,
)
from omnidetective.llm.endpoint import Endpoint
from omnidetective.llm.messages import AudioPart, ChatRequest, Message, TokenUsage, ToolSpec
from omnidetective.llm.openai_chat import OpenAIChat
from omnidetective.llm.openai_client import OpenAIClient

STREAMS = {"overrides": {"must_stream": True}}
BOTH_WAYS = pytest.mark.parametrize("options", [{}, STREAMS], ids=["whole", "streamed"])


@BOTH_WAYS
async def test_answer(studio: Studio, options: dict) -> None:
    server = await studio.server([play.says("Zwei Hunde bellen. 狗", reasoning="Let me listen.")])
    reply = await studio.model(server, **options).complete(asking("What is heard?"))
    assert (reply.outcome, reply.text, reply.reasoning) == ("ok", "Zwei Hunde bellen. 狗", "Let me listen.")
    assert reply.usage == TokenUsage(prompt_tokens=11, completion_tokens=7)
    assert reply.finish_reason == "stop"
    assert reply.model == "openai:test-model"
    assert reply.seconds > 0
    assert server.seen[0].headers["Authorization"] == f"Bearer {KEY}"
    assert server.seen[0].streams is bool(options)
    if options:
        assert server.seen[0].body["stream_options"] == {"include_usage": True}


@BOTH_WAYS
async def test_several_tool_calls(studio: Studio, options: dict) -> None:
    calls = [("ask", '{"observer": "asr", "question": "who?"}'), ("ask", '{"observer": "ocr"}'), ("conclude", "")]
    server = await studio.server([play.says("Two questions.", tool_calls=calls, finish_reason="tool_calls")])
    reply = await studio.model(server, **options).complete(
        asking(tools=(ToolSpec(name="ask", description="asks", parameters={"type": "object"}),))
    )
    assert [(c.id, c.function.name, c.function.arguments) for c in reply.tool_calls] == [
        (f"call_{n}", name, arguments) for n, (name, arguments) in enumerate(calls)
    ]
    assert reply.text == "Two questions."
    assert server.seen[0].body["tools"][0]["function"]["name"] == "ask"


async def test_tool_calls_in_a_stream_without_indices(studio: Studio) -> None:
    whole = [{"id": i, "function": {"name": n, "arguments": "{}"}} for i, n in (("a", "ask"), ("b", "conclude"))]
    server = await studio.server(
        [
            play.chunks(
                {"choices": [{"delta": {"tool_calls": [whole[0]]}}]},
                {"choices": [{"delta": {"tool_calls": [whole[1]]}, "finish_reason": "tool_calls"}]},
            )
        ]
    )
    reply = await studio.model(server, **STREAMS).complete(asking())
    assert [(c.id, c.function.name) for c in reply.tool_calls] == [("a", "ask"), ("b", "conclude")]
    assert reply.usage is None


@BOTH_WAYS
@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        (play.says("It begins and", finish_reason="length"), "truncated"),
        (play.says("", finish_reason="length"), "truncated"),
        (play.says("", finish_reason="content_filter"), "blocked"),
        (play.says("so far", finish_reason="content_filter"), "blocked"),
        (play.says(""), "empty"),
        (play.says(" \n"), "empty"),
        (play.says(None), "empty"),
    ],
)
async def test_outcomes(studio: Studio, options: dict, behaviour: play.Behaviour, outcome: str) -> None:
    server = await studio.server([behaviour])
    assert (await studio.model(server, **options).complete(asking())).outcome == outcome


@BOTH_WAYS
@pytest.mark.parametrize(
    ("behaviour", "error", "reason"),
    [
        (play.unauthorized(), AuthError, "invalid_key"),
        (play.rate_limited(retry_after="7"), RateLimitError, "rate_limit"),
        (play.server_error(), TransientError, "server_error"),
        (play.resets_mid_body(), TransientError, "connection"),
        (play.truncated_json(), TransientError, "bad_response"),
        (
            play.error_in_stream({"message": "x", "code": "data_inspection_failed"}),
            ContentFilterError,
            "content_filter",
        ),
        (play.error_in_stream({"message": "x", "type": "server_error"}), TransientError, "server_error"),
        (play.error_in_stream({"message": "x", "code": 429}), RateLimitError, "rate_limit"),
        (play.fails(404, {"message": "x", "code": "model_not_found"}), MissingModelError, "missing_model"),
        (play.fails(404, "<html>nothing here</html>"), MissingModelError, "not_found"),
        (play.fails(429, {"message": "x", "code": "insufficient_quota"}), QuotaError, "quota"),
        (play.fails(400, {"message": "x", "code": "context_length_exceeded"}), BadRequestError, "context_length"),
        (play.fails(400, {"message": "x", "param": "messages"}), BadRequestError, "bad_request"),
    ],
)
async def test_errors(
    studio: Studio, options: dict, behaviour: play.Behaviour, error: type[ProviderError], reason: str
) -> None:
    server = await studio.server([behaviour])
    with pytest.raises(error) as caught:
        await studio.model(server, **options).complete(asking())
    assert caught.value.reason == reason
    assert server.calls == 1, "the SDK must not try again by itself"
    if error is RateLimitError and caught.value.status == 429 and reason == "rate_limit" and caught.value.retry_after_s:
        assert caught.value.retry_after_s == 7.0


async def test_a_stream_without_an_end_is_no_answer(studio: Studio) -> None:
    server = await studio.server([play.stops_without_finishing()])
    with pytest.raises(TransientError) as caught:
        await studio.model(server, **STREAMS).complete(asking())
    assert caught.value.reason == "cut_off"
    with pytest.raises(TransientError) as caught:
        await studio.model(server).complete(asking())
    assert caught.value.reason == "bad_response"


@pytest.mark.parametrize("content", ["just words", "[]", '"text"', "{}", '{"choices": [{}]}'])
async def test_a_200_that_is_no_completion(studio: Studio, content: str) -> None:
    server = await studio.server([play.body(content, content_type="application/json")])
    with pytest.raises(TransientError) as caught:
        await studio.model(server).complete(asking())
    assert caught.value.reason == "bad_response"


async def test_missing_usage_is_not_guessed(studio: Studio) -> None:
    server = await studio.server([play.says("fine", usage=None), play.says("fine", usage={"prompt_tokens": "many"})])
    model = studio.model(server)
    assert (await model.complete(asking())).usage is None
    assert (await model.complete(asking())).usage is None


async def test_a_server_that_hangs(studio: Studio) -> None:
    server = await studio.server([play.hangs()])
    started = time.monotonic()
    with pytest.raises(TransientError) as caught:
        await studio.model(server, call_timeout_s=0.3).complete(asking())
    assert caught.value.reason == "timeout"
    assert time.monotonic() - started < 3


async def test_nobody_listens() -> None:
    model = OpenAIChat(OpenAIClient(Endpoint("vllm", "http://127.0.0.1:9/v1"), call_timeout_s=5), model="m")
    with pytest.raises(TransientError) as caught:
        await model.complete(asking())
    assert caught.value.reason == "connection"
    assert "127.0.0.1" in caught.value.hint
    await model.aclose()


async def test_cancelling_a_call_is_passed_on(studio: Studio) -> None:
    server = await studio.server([play.hangs()])
    task = asyncio.create_task(studio.model(server).complete(asking()))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_server_is_asked_for_its_model(studio: Studio) -> None:
    server = await studio.server([play.says("yes")], models=["Qwen/Qwen2.5-Omni-7B", "other"])
    model = studio.model(server, dialect="vllm", model=None)
    assert model.name == "vllm:?"
    assert not model.capabilities.audio
    sound = AudioPart(data=b"RIFF", format="wav", duration_s=1.0)
    await model.complete(asking(sound))
    assert model.name == "vllm:Qwen/Qwen2.5-Omni-7B"
    assert model.capabilities.audio
    assert server.seen[0].body["model"] == "Qwen/Qwen2.5-Omni-7B"


async def test_a_server_without_models(studio: Studio) -> None:
    server = await studio.server([play.says("yes")], models=[])
    with pytest.raises(MissingModelError):
        await studio.model(server, model=None).complete(asking())
    assert server.calls == 0


async def test_what_the_model_cannot_take_costs_no_call(studio: Studio) -> None:
    server = await studio.server([play.says("yes")])
    with pytest.raises(BadRequestError) as caught:
        await studio.model(server).complete(asking(AudioPart(data=b"x", format="wav", duration_s=1.0)))
    assert caught.value.reason == "unsupported_audio"
    assert server.calls == 0


async def test_parameters_of_the_model_set(studio: Studio) -> None:
    server = await studio.server([play.says("yes")])
    model = studio.model(server, parameters={"reasoning_effort": "none", "temperature": 0.9, "model": "smuggled"})
    await model.complete(asking(temperature=0.1, max_tokens=5, seed=3))
    sent = server.seen[0].body
    assert (sent["reasoning_effort"], sent["temperature"], sent["max_tokens"], sent["seed"]) == ("none", 0.1, 5, 3)
    assert sent["model"] == "test-model"


async def test_no_openai_headers_go_to_another_provider(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Gateway-Secret: hush")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    server = await studio.server([play.says("yes")])
    chat = OpenAIChat(OpenAIClient(Endpoint("vllm", server.base_url), call_timeout_s=5), model="m")
    await chat.complete(asking())
    await chat.aclose()
    headers = {name.lower() for name in server.seen[0].headers}
    assert not headers & {"openai-organization", "openai-project", "x-gateway-secret", "authorization"}


async def test_a_conversation_goes_over_whole(studio: Studio) -> None:
    server = await studio.server([play.tool_call("ask", {"observer": "asr"}), play.says("done")])
    model = studio.model(server)
    first = await model.complete(asking("Investigate."))
    history = ChatRequest(
        messages=(
            Message.of("system", "You are a detective."),
            Message.of("user", "Investigate."),
            Message(role="assistant", parts=(), tool_calls=first.tool_calls),
            Message(role="tool", parts=Message.of("user", "A dog barks.").parts, tool_call_id=first.tool_calls[0].id),
        )
    )
    await model.complete(history)
    sent = server.seen[1].body["messages"]
    assert [m["role"] for m in sent] == ["system", "user", "assistant", "tool"]
    assert sent[2]["content"] is None
    assert json.loads(sent[2]["tool_calls"][0]["function"]["arguments"]) == {"observer": "asr"}
    assert sent[3] == {"role": "tool", "content": "A dog barks.", "tool_call_id": "call_0"}


def test_one_model_in_two_event_loops() -> None:
    async def once(model: OpenAIChat, client_url: str) -> str:
        return (await model.complete(asking())).text

    async def serve_and_ask(holder: list[OpenAIChat]) -> str:
        async with play.FaultyOpenAI([play.says("yes")]) as server:
            if not holder:
                endpoint = Endpoint("openai", server.base_url, KEY)
                holder.append(OpenAIChat(OpenAIClient(endpoint, call_timeout_s=5), model="m"))
                return await once(holder[0], server.base_url)
            # The first server is gone, and with it its address: reaching for it must fail cleanly, in this loop.
            with pytest.raises(TransientError):
                await once(holder[0], server.base_url)
            await holder[0].aclose()
            return "clean"

    holder: list[OpenAIChat] = []
    assert asyncio.run(serve_and_ask(holder)) == "yes"
    assert asyncio.run(serve_and_ask(holder)) == "clean"
