"""What every layer around a chat model passes through: its name, its capabilities, its end."""

from __future__ import annotations

from omnidetective.llm.base import Capabilities, ChatModel


class WrappedChat:
    """A chat model inside another; the outer one says what happens around a call."""

    def __init__(self, inner: ChatModel) -> None:
        self.inner = inner

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    async def aclose(self) -> None:
        await self.inner.aclose()
