"""A chat model whose calls are counted in the open usage scopes. It stands inside the retry layer: attempts count."""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal

from omnidetective.llm.base import ChatModel
from omnidetective.llm.digest import digest
from omnidetective.llm.messages import ChatReply, ChatRequest, TokenUsage
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
        cost = cost_of(reply.usage, self._price_of(self.name))
        count_call(self.name, tokens=reply.usage, cost_usd=cost, reported=reply.usage is not None)


def cost_of(usage: TokenUsage | None, price: Price | None) -> Decimal | None:
    """What an answered call cost in US dollars; ``None`` where it cost money and reported nothing, or has no price."""
    if price is None:
        return None
    if usage is None:
        return Decimal(0) if price.prompt == 0 and price.completion == 0 else None
    return price.of_tokens(usage)
