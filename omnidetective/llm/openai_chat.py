"""Chat models behind any OpenAI-compatible endpoint: OpenAI, DashScope's compatible mode, vLLM, llama.cpp, gateways."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from omnidetective.errors import MissingModelError, TransientError
from omnidetective.llm.base import Capabilities
from omnidetective.llm.capabilities import built_in_capabilities, check
from omnidetective.llm.messages import ChatReply, ChatRequest
from omnidetective.llm.openai_client import OpenAIClient
from omnidetective.llm.openai_outcomes import reply_of
from omnidetective.llm.openai_stream import StreamAssembly
from omnidetective.llm.openai_wire import to_body

_PATH = "/chat/completions"


class OpenAIChat:
    """A chat model at an endpoint.

    Answers are streamed only where the provider insists (``must_stream``): a stream costs about twice the client's
    CPU, and nothing here can use half an answer.

    Args:
        provider: first half of the name.
        model: ``None`` asks the server for its first model at the first call (a vLLM server holds one).
        overrides: capabilities that are stronger than ``configs/capabilities.yaml``.
        parameters: extra fields of every request.
    """

    def __init__(
        self,
        client: OpenAIClient,
        *,
        provider: str = "openai",
        model: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self._client = client
        self._provider = provider
        self._model = model
        self._overrides = dict(overrides or {})
        self._parameters = dict(parameters or {})
        self._capabilities = built_in_capabilities().of(self.name, self._overrides)

    @property
    def name(self) -> str:
        return f"{self._provider}:{self._model or '?'}"

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def complete(self, request: ChatRequest) -> ChatReply:
        """See :class:`~omnidetective.llm.base.ChatModel`."""
        model = self._model or await self.discover()
        check(request, self._capabilities, model=self.name)
        streams = self._capabilities.must_stream
        body = to_body(
            request, model=model, capabilities=self._capabilities, parameters=self._parameters, stream=streams
        )
        started = time.monotonic()
        if streams:
            completion = await self._streamed(body)
        else:
            completion = await self._client.post(_PATH, body, model=self.name)
        return reply_of(completion, endpoint=self._client.endpoint, model=self.name, seconds=time.monotonic() - started)

    async def discover(self) -> str:
        """Asks the server for its model, where none is configured; the name and the capabilities follow.

        Raises:
            MissingModelError: the server lists none.
        """
        if self._model is None:
            models = await self._client.models()
            if not models:
                raise MissingModelError(
                    f"{self._client.endpoint.host} lists no model", hint="name the model in the model set"
                )
            self._model = models[0]
            self._capabilities = built_in_capabilities().of(self.name, self._overrides)
        return self._model

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _streamed(self, body: bytes) -> object:
        assembly = StreamAssembly()
        async with self._client.stream(_PATH, body, model=self.name) as chunks:
            async for chunk in chunks:
                if not isinstance(chunk, dict):
                    raise TransientError(f"{self.name}: a chunk is no JSON object", reason="bad_response")
                if chunk.get("error") or (chunk.get("code") and "choices" not in chunk):
                    return chunk
                assembly.add(chunk)
        return assembly.completion()
