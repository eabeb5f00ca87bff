"""Chat models behind DashScope's native SDK, for the models and the large uploads that only it serves.

The SDK's conversation classes upload whatever looks like a file: in a user's message, every ``text``, ``image``,
``audio`` and ``video`` value that begins with ``file://`` or is the path of an existing file is read and sent to OSS
(``dashscope.utils.oss_utils.check_and_upload_local``). A question or an answer may well be such a string. So those
classes are not used: calls go through the layer under them, which has no such step, and nothing is uploaded but media
parts too large to travel inline, which are bytes that this program holds, never paths.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from omnidetective.errors import BadRequestError
from omnidetective.llm.base import Capabilities
from omnidetective.llm.capabilities import built_in_capabilities, check
from omnidetective.llm.dashscope_outcomes import NativeAssembly, raise_for_chunk
from omnidetective.llm.dashscope_session import OwnSession, error_in_session
from omnidetective.llm.dashscope_store import RESOLVE, TemporaryStore
from omnidetective.llm.dashscope_wire import data_uri, media_parts, to_messages, to_parameters
from omnidetective.llm.endpoint import Endpoint
from omnidetective.llm.messages import ChatReply, ChatRequest

MAX_INLINE_BYTES = 10_000_000
"""Largest media part that travels in the body, after base64 (DashScope: under 10 MB)."""


class DashScopeChat:
    """A chat model behind the native interface.

    Args:
        call_timeout_s: time for one call.
        overrides: capabilities that are stronger than ``configs/capabilities.yaml``.
        parameters: extra parameters of every call.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        model: str,
        call_timeout_s: float,
        overrides: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._model = model
        self._call_timeout_s = call_timeout_s
        self._parameters = dict(parameters or {})
        self._capabilities = built_in_capabilities().of(self.name, overrides)
        self._session = OwnSession()
        self._store = TemporaryStore(endpoint, model=model, name=self.name, timeout_s=call_timeout_s)

    @property
    def name(self) -> str:
        return f"dashscope:{self._model}"

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def complete(self, request: ChatRequest) -> ChatReply:
        """See :class:`~omnidetective.llm.base.ChatModel`."""
        # What is too large for the body is uploaded: the limit of a part does not hold here.
        check(request, self._capabilities.model_copy(update={"max_part_bytes": None}), model=self.name)
        started = time.monotonic()
        uploaded = await self._upload_large(request)
        try:
            return await self._call(request, uploaded, started)
        except Exception as error:  # noqa: BLE001 - the border to the SDK: each failure becomes one of ours
            ours = error_in_session(error, endpoint=self._endpoint, model=self.name)
            if isinstance(ours, BadRequestError):
                self._store.forget(uploaded)
            raise ours from None

    async def aclose(self) -> None:
        await self._session.aclose()
        await self._store.aclose()

    async def _call(self, request: ChatRequest, uploaded: Mapping[str, str], started: float) -> ChatReply:
        from dashscope.client.base_api import BaseAioApi

        _silence_sdk()
        stream = self._capabilities.must_stream
        parameters = to_parameters(request, capabilities=self._capabilities, parameters=self._parameters)
        messages = to_messages(
            request,
            capabilities=self._capabilities,
            address=lambda part: uploaded.get(part.sha256) or data_uri(part),
        )
        call: Any = BaseAioApi.call  # its annotations know neither streams nor numbers
        response = await call(
            model=self._model,
            input={"messages": messages},
            task_group="aigc",
            task="multimodal-generation",
            function="generation",
            api_key=self._endpoint.api_key,
            base_address=self._endpoint.base_url,
            session=self._session.open(),
            request_timeout=self._call_timeout_s,
            headers=dict(RESOLVE) if uploaded else {},
            stream=stream,
            **({"incremental_output": True} if stream else {}),
            **parameters,
        )
        assembly = NativeAssembly()
        if stream:
            async for chunk in response:
                raise_for_chunk(chunk, endpoint=self._endpoint, model=self.name)
                assembly.add(chunk)
        else:
            raise_for_chunk(response, endpoint=self._endpoint, model=self.name)
            assembly.add(response)
        return assembly.reply(endpoint=self._endpoint, model=self.name, seconds=time.monotonic() - started)

    async def _upload_large(self, request: ChatRequest) -> dict[str, str]:
        """Addresses of the parts that are too large for the body, by their hash."""
        return await self._store.addresses(
            part for part in media_parts(request) if 4 * ((len(part.data) + 2) // 3) >= MAX_INLINE_BYTES
        )


def _silence_sdk() -> None:
    # It logs whole errors with tracebacks and the provider's words; the retry layer says the same without them.
    logging.getLogger("dashscope").setLevel(logging.CRITICAL + 1)
