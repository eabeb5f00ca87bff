"""What can be found out about models without paying: which keys are there, which servers answer."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable

from omnidetective.config import Config
from omnidetective.errors import OmnidetectiveError
from omnidetective.frozen import Sparse
from omnidetective.llm.cast import Cast


class ModelCheck(Sparse):
    """A model of the cast.

    Attributes:
        model: ``provider:model``.
        roles: what it plays.
        ready: null where nothing can be said for free.
        learnt: what was seen, or what is wrong; ``hint``: what to do about it.
    """

    model: str
    roles: tuple[str, ...]
    ready: bool | None
    learnt: str
    hint: str = ""


async def check_models(config: Config, roles: Iterable[str]) -> tuple[ModelCheck, ...]:
    """Look at the models of some roles, each once: at most the server's list of models is asked for, which is free."""
    model_set = config.model_set
    by_key: dict[str, list[str]] = {}
    for role in dict.fromkeys(roles):
        if (spec := model_set.spec(role)) is not None and spec.provider != "embedded":
            by_key.setdefault(model_set.key(role), []).append(role)
    cast = Cast(model_set, config.settings.retry, environ=os.environ)
    try:
        # A role of the set is asked about: one that falls to the detective's model has no name of its own.
        asked = {key: next((role for role, own in model_set.roles.items() if own == key), "") for key in by_key}
        return tuple(await asyncio.gather(*(_check(cast, asked[k], tuple(by_key[k])) for k in by_key)))
    finally:
        await cast.aclose()


async def _check(cast: Cast, role: str, roles: tuple[str, ...]) -> ModelCheck:
    try:
        found = await cast.probe(role)
    except OmnidetectiveError as error:
        return ModelCheck(model="?", roles=roles, ready=False, learnt=error.message, hint=error.hint)
    return ModelCheck(model=found.name, roles=roles, ready=found.ready, learnt=found.learnt, hint=found.hint)
