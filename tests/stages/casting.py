"""A cast over HTTP for the tests of stages and workflows: every role is a model of its own name at one scripted server.

async with playing({"integrator": replies({"sentences": […]})}) as play:
    case = await Ensemble()(case, play.context)
    assert play.calls("integrator") == 1
    assert "transcript" in play.prompt("integrator")
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from servers.faulty_openai import Behaviour, FaultyOpenAI, Seen, says
from servers.studio import quick

from omnidetective.llm.cache import ResponseCache
from omnidetective.llm.cast import Cast
from omnidetective.media.clip import Clip
from omnidetective.model_sets import ModelSet
from omnidetective.observers.base import Observer
from omnidetective.observers.registry import ToolBox
from omnidetective.prompts import PromptLibrary
from omnidetective.settings import Settings
from omnidetective.stages.base import StageContext

ROLES = (
    "detective",
    "integrator",
    "verifier",
    "auditor",
    "refiner",
    "judge",
    "audio_llm",
    "frame_captioner",
    "omni_llm",
)
SENSES = {"images": True, "audio": True, "audio_formats": ["wav", "mp3"]}

Part = Sequence[Behaviour] | Callable[[Seen], Behaviour]
"""What a role says: one behaviour a call, the last one again and again; or a function of the request."""


def replies(*values: Any) -> list[Behaviour]:
    """One reply after the other: a text as it is, anything else as JSON."""
    return [says(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)) for value in values]


def model_set(
    base_url: str, roles: Iterable[str] = ROLES, *, capabilities: Mapping[str, Any] | None = None
) -> ModelSet:
    """A model set whose roles are models of the same name at one address."""
    return ModelSet.model_validate(
        {
            "name": "played",
            "description": "Roles of a test.",
            "models": {
                role: {
                    "provider": "openai",
                    "model": role,
                    "base_url": base_url,
                    "capabilities": SENSES,
                }
                for role in roles
            },
            "roles": {role: role for role in roles},
        }
    )


@dataclass
class Play:
    """A running server and what its roles were asked."""

    server: FaultyOpenAI
    context: StageContext

    def seen(self, role: str) -> list[Seen]:
        return [seen for seen in self.server.seen if seen.body.get("model") == role]

    def calls(self, role: str) -> int:
        return len(self.seen(role))

    def prompt(self, role: str, call: int = -1) -> str:
        """All text that a role was sent in one call."""
        texts = []
        for message in self.seen(role)[call].body["messages"]:
            content = message["content"]
            parts = [{"text": content}] if isinstance(content, str) else content
            texts += [part["text"] for part in parts if "text" in part]
        return "\n".join(texts)


@dataclass(frozen=True)
class Box:
    """A tool box of given observers."""

    observers: tuple[Observer, ...] = ()

    def offered(self, clip: Clip) -> tuple[Observer, ...]:
        return self.observers

    def out_of_order(self, clip: Clip) -> dict[str, Any]:
        return {}


@asynccontextmanager
async def playing(
    parts: Mapping[str, Part],
    *,
    roles: Iterable[str] | None = None,
    observers: Sequence[Observer] = (),
    settings: Mapping[str, Any] | None = None,
) -> AsyncIterator[Play]:
    """A stage context whose roles say what ``parts`` says.

    Args:
        roles: who is cast; by default who has a part. A role without a part that is asked fails the test's call.
        settings: as in a configuration file.
    """
    calls: dict[str, int] = {}

    def script(seen: Seen) -> Behaviour:
        role = str(seen.body["model"])
        part = parts[role]
        if callable(part):
            return part(seen)
        calls[role] = calls.get(role, 0) + 1
        return part[min(calls[role], len(part)) - 1]

    async with FaultyOpenAI(script) as server:
        cast_of_all = model_set(server.base_url, parts if roles is None else roles)
        whole = Settings.model_validate({"retry": quick().model_dump(), **(settings or {})})
        cache = None if whole.cache.path is None else ResponseCache(whole.cache.path)
        players = Cast(cast_of_all, whole.retry, cache=cache, environ={})
        context = StageContext(
            settings=whole,
            model_set=cast_of_all,
            cast=players,
            toolbox=cast("ToolBox", Box(tuple(observers))),
            prompts=PromptLibrary(whole.prompts),
        )
        try:
            yield Play(server, context)
        finally:
            await players.aclose()
