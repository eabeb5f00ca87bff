"""The judge of a configuration, with everything that stands behind it, for as long as it is needed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

from omnidetective.config import Config
from omnidetective.errors import ConfigError
from omnidetective.evals.judge import Judge
from omnidetective.llm.cache import ResponseCache
from omnidetective.llm.cast import Cast
from omnidetective.llm.limits.bookkeeper import Bookkeeper
from omnidetective.llm.prices import prices_with
from omnidetective.prompts import PromptLibrary

ROLE = "judge"


@asynccontextmanager
async def judging(config: Config, *, spent_usd: Decimal = Decimal(0)) -> AsyncIterator[Judge]:
    """The judge; its connections and its cache are closed afterwards.

    Args:
        spent_usd: what was spent before of the cap on the cost.

    Raises:
        ConfigError: nobody can play the judge.
    """
    settings = config.settings
    cache = settings.cache
    cast = Cast(
        config.model_set,
        settings.retry,
        cache=ResponseCache(cache.path) if cache.enabled and cache.path is not None else None,
        permits=Bookkeeper.of(settings, spent_usd=spent_usd),
        limits=settings.limits,
        prices=prices_with(settings.prices),
    )
    try:
        if cast.is_embedded(ROLE):
            raise ConfigError(
                f"the model set {config.model_set.name!r} has no model that can judge",
                hint="name one with --models openai, dashscope, vllm, or a file that gives the role judge to a model",
            )
        cast.require(ROLE)
        yield Judge(cast.chat(ROLE), PromptLibrary(settings.prompts))
    finally:
        await cast.aclose()
