"""Models at a scripted server, and requests to them; for the tests of any room."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from servers.faulty_openai import FaultyOpenAI, Script

from omnidetective.llm.endpoint import Endpoint
from omnidetective.llm.messages import ChatRequest, Message, Part
from omnidetective.llm.openai_chat import OpenAIChat
from omnidetective.llm.openai_client import OpenAIClient
from omnidetective.settings import RetrySettings

KEY = "sk-canary-7f3a9d51c2"


def asking(*parts: str | Part, **fields: Any) -> ChatRequest:
    """A request of one user message."""
    return ChatRequest(messages=(Message.of("user", *(parts or ("hello?",))),), **fields)


def quick(**fields: Any) -> RetrySettings:
    """Retries that do not keep a test waiting."""
    return RetrySettings(**{"attempts": 3, "first_wait_s": 0.01, "call_timeout_s": 5.0, "total_s": 20.0, **fields})


class Studio:
    """Makes servers and models, and closes them."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def server(self, script: Script, **options: Any) -> FaultyOpenAI:
        return await self._stack.enter_async_context(FaultyOpenAI(script, **options))

    def model(
        self, server: FaultyOpenAI, *, dialect: str = "openai", call_timeout_s: float = 5.0, **options: Any
    ) -> OpenAIChat:
        endpoint = Endpoint(dialect, server.base_url, KEY, "TEST_API_KEY")  # type: ignore[arg-type]
        chat = OpenAIChat(
            OpenAIClient(endpoint, call_timeout_s=call_timeout_s),
            **{"provider": dialect, "model": "test-model", **options},
        )
        self._stack.push_async_callback(chat.aclose)
        return chat
