"""Against a real server that nobody here wrote (llama.cpp with a very small model)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Literal

import pytest
from pydantic import BaseModel
from servers.llama import llama_server
from servers.studio import asking, quick

from omnidetective.config import load_model_set
from omnidetective.errors import BadRequestError, FormatError
from omnidetective.llm.cast import Cast
from omnidetective.llm.endpoint import Endpoint
from omnidetective.llm.messages import ToolSpec
from omnidetective.llm.openai_chat import OpenAIChat
from omnidetective.llm.openai_client import OpenAIClient
from omnidetective.llm.structured import structured
from omnidetective.llm.usage import usage_scope
from omnidetective.prompts import PromptLibrary

PROMPTS = PromptLibrary()

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def llama() -> Iterator[str]:
    with llama_server() as base_url:
        yield base_url


@pytest.fixture
async def cast(llama: str) -> AsyncIterator[Cast]:
    cast = Cast(load_model_set("vllm"), quick(call_timeout_s=60.0, total_s=120.0), environ={"VLLM_BASE_URL": llama})
    await cast.discover()
    yield cast
    await cast.aclose()


class Animal(BaseModel):
    animal: Literal["dog", "cat", "bird"]
    legs: int
    wild: bool | None = None


async def test_plain_and_streamed(llama: str, cast: Cast) -> None:
    assert "SmolLM2" in cast.names()["detective"]
    request = asking("Name one animal.", temperature=0.0, max_tokens=16, seed=1)
    with usage_scope() as meter:
        whole = await cast.chat("detective").complete(request)
    assert whole.text
    assert whole.outcome in ("ok", "truncated")
    assert whole.usage is not None
    assert meter.usage().prompt_tokens == whole.usage.prompt_tokens > 0
    client = OpenAIClient(Endpoint("vllm", llama), call_timeout_s=60)
    streamed = await OpenAIChat(client, provider="vllm", overrides={"must_stream": True}).complete(request)
    await client.aclose()
    assert (streamed.text, streamed.outcome) == (whole.text, whole.outcome)
    assert streamed.usage is not None
    assert streamed.usage.completion_tokens == whole.usage.completion_tokens


async def test_a_length_stop(cast: Cast) -> None:
    reply = await cast.chat("detective").complete(asking("Count from 1 to 100.", temperature=0.0, max_tokens=5))
    assert (reply.outcome, reply.finish_reason) == ("truncated", "length")


async def test_a_schema_is_enforced(cast: Cast) -> None:
    answer = await structured(
        cast.chat("detective"),
        asking("Which animal barks?", temperature=0.0, max_tokens=100),
        Animal,
        repairs=0,
        prompts=PROMPTS,
    )
    assert answer.way == "json_schema"
    assert answer.value.animal in ("dog", "cat", "bird")


@pytest.mark.parametrize("flags", [{"json_schema": False}, {"json_schema": False, "json_object": False}])
async def test_without_enforcement_it_ends_in_a_value_or_a_clear_failure(llama: str, flags: dict[str, bool]) -> None:
    client = OpenAIClient(Endpoint("vllm", llama), call_timeout_s=60)
    model = OpenAIChat(client, provider="vllm", overrides=flags)
    ended = ""
    try:
        ended = (
            await structured(
                model, asking("Which animal barks?", max_tokens=60, seed=1), Animal, repairs=1, prompts=PROMPTS
            )
        ).way
    except FormatError as error:
        ended = error.reason
    finally:
        await client.aclose()
    assert ended in ("json_object", "prompt", "format", "truncated", "empty")


async def test_tools_are_ignored_by_the_server_or_refused_by_us(llama: str, cast: Cast) -> None:
    tool = ToolSpec(name="ask", description="Asks an observer.", parameters={"type": "object", "properties": {}})
    request = asking("Use the tool.", tools=(tool,), temperature=0.0, max_tokens=16)
    with pytest.raises(BadRequestError) as caught:
        await cast.chat("detective").complete(request)
    assert caught.value.reason == "unsupported_tools"
    client = OpenAIClient(Endpoint("vllm", llama), call_timeout_s=60)
    reply = await OpenAIChat(client, provider="vllm", overrides={"tools": True}).complete(request)
    await client.aclose()
    assert reply.tool_calls == ()
    assert reply.text


async def test_a_context_that_is_too_short(cast: Cast) -> None:
    with pytest.raises(BadRequestError) as caught:
        await cast.chat("detective").complete(asking("dog " * 9000))
    assert caught.value.reason == "context_length"


async def test_probe(cast: Cast) -> None:
    probe = await cast.probe("detective")
    assert probe.ready is True
    assert "SmolLM2" in probe.name
