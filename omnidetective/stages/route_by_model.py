"""The router: a model that is shown the picture and names its domain.

Source: MetaCaptioner's CapFlow (a router with boundary rules and three levels of confidence). The rules are ours, see
``configs/capflow``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from omnidetective.case import Case
from omnidetective.domains import Domain, Domains
from omnidetective.llm.messages import ImagePart
from omnidetective.records import MediaFacts
from omnidetective.stages.asking import ask_role
from omnidetective.stages.base import StageContext
from omnidetective.stages.stillness import is_still

ROLE = "router"

FRAMES = 4
"""How many frames of a video in which something moves the router is shown."""

_PIXELS = 512 * 384
"""Of a picture that the router is shown: what something is can be told of a small picture, and a small one is cheap."""
_LONGEST_SIDE_PX = 1536


def _lower(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


class RouterAnswer(BaseModel):
    """The router's answer. The reason comes first, so that the domain follows from it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    reason: str = Field(default="", description="What the picture is and what decides, in one short sentence.")
    domain: str = Field(description="The name of the domain.")
    second: str | None = Field(default=None, description="The name of the next best domain; null where there is none.")
    confidence: Annotated[Literal["high", "medium", "low"], BeforeValidator(_lower)] = Field(
        description="high: no other domain could claim it; medium: one other could; low: two fit equally, or none does."
    )


def answer_form(domains: Sequence[Domain]) -> type[RouterAnswer]:
    """The form of an answer that names one of these domains, two at least."""
    return _answer_form(tuple((domain.name, domain.title) for domain in domains))


@lru_cache(maxsize=16)
def _answer_form(names_and_titles: tuple[tuple[str, str], ...]) -> type[RouterAnswer]:
    name = cast("Any", Literal)[tuple(name for name, _ in names_and_titles)]
    meant = BeforeValidator(partial(_meant, names_and_titles))
    fields = RouterAnswer.model_fields
    return create_model(
        "RoutedDomain",
        __base__=RouterAnswer,
        domain=(Annotated[name, meant], Field(description=fields["domain"].description)),
        second=(Annotated[name | None, meant], Field(default=None, description=fields["second"].description)),
    )


def _meant(names_and_titles: tuple[tuple[str, str], ...], value: Any) -> Any:
    """A title, or a name in another case, as the name; the rest as it is, which the form then refuses."""
    if not isinstance(value, str):
        return value
    if _lower(value) in ("", "none", "null"):
        return None
    wanted = Domains.plain(value)
    return next((n for n, title in names_and_titles if wanted in (Domains.plain(n), Domains.plain(title))), value)


async def asked_router(case: Case, context: StageContext, domains: Sequence[Domain]) -> RouterAnswer:
    """Show the picture to the router, and take its answer.

    Raises:
        ContentFilterError, ContextLengthError, FormatError: no answer, which leaves the clip its worth.
        MediaError: the clip cannot be read.
        ProviderError: the call failed.
    """
    shown = "image" if case.clip.facts.modality == "image" else "still" if is_still(case) else "video"
    frames = await case.clip.uniform_frames(
        FRAMES if shown == "video" else 1, longest_side_px=longest_side_px(case.clip.facts)
    )
    prompts = context.prompts
    return await ask_role(
        context,
        ROLE,
        answer_form(domains),
        system=prompts.get("capflow/router").render(domains=told(domains)),
        task=prompts.get("capflow/router_task").render(shown=shown),
        media=tuple(ImagePart(data=frame.jpeg, time_s=frame.time_s if shown == "video" else None) for frame in frames),
        max_tokens=context.settings.route.max_tokens,
    )


def told(domains: Sequence[Domain]) -> list[dict[str, Any]]:
    """What the router's prompt is given of domains."""
    return [
        domain.model_dump(mode="json", include={"name", "title", "description", "boundaries"}) for domain in domains
    ]


def longest_side_px(facts: MediaFacts) -> int:
    """The longer side of the picture as the router is shown it; a long page stays wide enough to be recognised."""
    width, height = facts.width or 4, facts.height or 3
    ratio = max(width, height) / max(1, min(width, height))
    return min(_LONGEST_SIDE_PX, round(math.sqrt(_PIXELS * ratio)))
