"""A chat model whose calls are counted in the open usage scopes. It stands inside the retry layer: attempts count."""

from __future__ import annotations

import logging
from collections.abc import Callable

from omnidetective.llm.base import ChatModel
from omnidetective.llm.digest import digest
from omnidetective.llm.messages import ChatReply, ChatRequest
from omnidetective.llm.prices import Price
from omnidetective.llm.usage import count_call, count_failed_attempt
from omnidetective.llm.wrapped import WrappedChat

log = logging.getLogger(__name__)


class Metered(WrappedChat):
    """Counts calls, tokens, cost and failed attempts; a cancelled attempt is a failed one."""

    def __init__(self, inner: ChatModel, price_of: Callable[[str], Price | None]) -> None:
        super().__init__(inner)
        self._price_of = price_of

    async def complete(self, request: ChatRequest) -> ChatReply:
        """See :class:`~omnidetective.llm.base.ChatModel`."""
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s: %s", self.name, digest(request))
        try:
            reply = await self.inner.complete(request)
        except BaseException:
            count_failed_attempt(self.name)
            raise
        self._count(reply)
        return reply

    def _count(self, reply: ChatReply) -> None:
        price = self._price_of(self.name)
        free = price is not None and price.prompt == 0 and price.completion == 0
        if reply.usage is None:
            # A call that cost money and reported nothing makes the sum unknown.
            count_call(self.name, tokens=None, cost_usd=price.prompt if price and free else None, reported=False)
        else:
            cost = price.of_tokens(reply.usage) if price else None
            count_call(self.name, tokens=reply.usage, cost_usd=cost)
