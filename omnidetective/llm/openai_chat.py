"""Chat models behind any OpenAI-compatible endpoint: OpenAI, DashScope's compatible mode, vLLM, llama.cpp, gateways."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from omnidetective.errors import BadRequestError, MissingModelError, TransientError
from omnidetective.llm.base import Capabilities
from omnidetective.llm.capabilities import built_in_capabilities, check
from omnidetective.llm.dashscope_store import RESOLVE, TemporaryStore, own_interface
from omnidetective.llm.messages import ChatReply, ChatRequest, VideoPart
from omnidetective.llm.openai_client import OpenAIClient
from omnidetective.llm.openai_outcomes import reply_of
from omnidetective.llm.openai_stream import StreamAssembly
from omnidetective.llm.openai_wire import to_body

_PATH = "/chat/completions"


class OpenAIChat:
    """A chat model at an endpoint.

    Answers are streamed only where the provider insists (``must_stream``): a stream costs about twice the client's
    CPU, and nothing here can use half an answer.

    A video that is too large for the body goes to the provider's own store first, where it has one that we know
    (DashScope's) and ``video_by`` allows it; every other part is refused where it is too large.

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
        self._capabilities = self._able()
        self._store: TemporaryStore | None = None

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
        started = time.monotonic()
        stored = await self._upload_large(request, model)
        streams = self._capabilities.must_stream
        body = to_body(
            request,
            model=model,
            capabilities=self._capabilities,
            parameters=self._parameters,
            stream=streams,
            stored=stored,
        )
        headers = RESOLVE if stored else None
        try:
            if streams:
                completion = await self._streamed(body, headers)
            else:
                completion = await self._client.post(_PATH, body, model=self.name, headers=headers)
            seconds = time.monotonic() - started
            return reply_of(completion, endpoint=self._client.endpoint, model=self.name, seconds=seconds)
        except BadRequestError:
            if self._store is not None:
                self._store.forget(stored)
            raise

    def _able(self) -> Capabilities:
        can = built_in_capabilities().of(self.name, self._overrides)
        if self._client.endpoint.dialect == "dashscope":
            return can
        return can.model_copy(update={"video_by": tuple(way for way in can.video_by if way != "upload")})

    async def _upload_large(self, request: ChatRequest, model: str) -> dict[str, str]:
        """Addresses of the videos that are too large for the body, by their hash."""
        can = self._capabilities
        if "upload" not in can.video_by or can.max_part_bytes is None:
            return {}
        videos = (part for message in request.messages for part in message.parts if isinstance(part, VideoPart))
        large = [part for part in videos if 4 * ((len(part.data) + 2) // 3) > can.max_part_bytes]
        if not large:
            return {}
        if self._store is None:
            self._store = TemporaryStore(
                own_interface(self._client.endpoint),
                model=model,
                name=self.name,
                timeout_s=self._client.call_timeout_s,
            )
        return await self._store.addresses(large)

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
            self._capabilities = self._able()
        return self._model

    async def aclose(self) -> None:
        await self._client.aclose()
        if self._store is not None:
            await self._store.aclose()

    async def _streamed(self, body: bytes, headers: Mapping[str, str] | None) -> object:
        assembly = StreamAssembly()
        async with self._client.stream(_PATH, body, model=self.name, headers=headers) as chunks:
            async for chunk in chunks:
                if not isinstance(chunk, dict):
                    raise TransientError(f"{self.name}: a chunk is no JSON object", reason="bad_response")
                if chunk.get("error") or (chunk.get("code") and "choices" not in chunk):
                    return chunk
                assembly.add(chunk)
        return assembly.completion()
