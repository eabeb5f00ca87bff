"""Stage: which domain a picture belongs to, and so which agents look at it (MetaCaptioner's CapFlow).

What costs nothing comes first: the input row, then the kind of the clip where that leaves no choice. Only then is the
router asked, a model; measurement takes its place where it is embedded, where the settings want it, and where it gives
no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from pydantic import JsonValue

from omnidetective.case import Case
from omnidetective.detective.conversation import shortened
from omnidetective.domains import Domain, Domains, load_domains
from omnidetective.errors import MediaError
from omnidetective.findings import Routing
from omnidetective.records import Modality
from omnidetective.settings import Settings
from omnidetective.stages.asking import NO_ANSWER
from omnidetective.stages.base import Stage, StageContext
from omnidetective.stages.measuring import measured
from omnidetective.stages.route_by_model import ROLE, RouterAnswer, asked_router
from omnidetective.stages.stillness import is_still

FIELD = "domain"
"""The key of an input row that names the domain."""

_WISH_CHARS = 60
_REASON_CHARS = 300
_KINDS: dict[Modality, str] = {"image": "image", "video": "video in which something moves", "audio": "sound recording"}


class Route(Stage):
    """Find the domain of a clip; once, also where the gate sends the clip back."""

    name: ClassVar[str] = "route"
    needs: ClassVar[frozenset[str]] = frozenset()
    adds: ClassVar[frozenset[str]] = frozenset({"routing"})

    def roles(self, settings: Settings) -> tuple[str, ...]:
        """The router, unless measurement decides.

        Raises:
            ConfigError: a domain is wrong. It is told where a missing role is told: before the first clip.
        """
        load_domains(settings.route.domains)
        return (ROLE,) if settings.route.by == "model" else ()

    async def __call__(self, case: Case, context: StageContext) -> Case:
        """Route the clip.

        Raises:
            MediaError: no domain is for clips of this kind.
            ProviderError: the router's call failed for a reason that the next would meet too.
        """
        if case.routing is not None:
            return case
        domains = load_domains(context.settings.route.domains)
        wish = _wish(case)
        wanted = domains.named(wish) if isinstance(wish, str) else None
        modality = case.clip.facts.modality
        if wanted is not None and modality in wanted.modalities:
            return replace(case, routing=_by_row(wanted))
        if modality == "video":
            case = await measured(case, context, only={"shots"})
        candidates = candidates_for(domains, modality, still=is_still(case))
        if wanted is not None and wanted in candidates:
            return replace(case, routing=_by_row(wanted))
        if not candidates:
            raise _not_for(domains, modality)
        if wish is not None:
            case = case.noted(_not_heeded(wish, wanted, domains, modality))
        if len(candidates) == 1:
            only = Routing(
                domain=candidates[0].name,
                confidence="high",
                by="kind",
                why=f"the only domain for a clip that is {_a(modality)}",
            )
            return replace(case, routing=only)
        if not case.clip.facts.has_video:
            raise MediaError(
                f"{len(candidates)} domains are for {modality} clips, and there is no picture that tells which",
                reason="no_video",
                hint=f"name one in the row: {FIELD} = {' or '.join(domain.name for domain in candidates)}",
            )
        return await _decided(case, context, candidates)


def _wish(case: Case) -> JsonValue:
    """What the row says; ``None`` where it says nothing."""
    wish = case.row.raw.get(FIELD)
    return None if isinstance(wish, str) and not wish.strip() else wish


def _by_row(domain: Domain) -> Routing:
    return Routing(domain=domain.name, confidence="high", by="row", why="the input row names it")


def candidates_for(domains: Domains, modality: Modality, *, still: bool = False) -> tuple[Domain, ...]:
    """The domains that a clip can belong to.

    Args:
        still: whether a video is one lasting picture: it can belong where images do.
    """
    kinds = {modality, "image"} if still and modality == "video" else {modality}
    return tuple(domain for domain in domains.values() if kinds & set(domain.modalities))


def _a(modality: Modality) -> str:
    kind = _KINDS[modality]
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _not_heeded(wish: JsonValue, wanted: Domain | None, domains: Domains, modality: Modality) -> str:
    if wanted is not None:
        kinds = " or ".join(wanted.modalities)
        return f"the row's {FIELD} {wanted.name!r} is for {kinds} clips, and this is {_a(modality)}: it was not heeded"
    said = shortened(" ".join(str(wish).split()), _WISH_CHARS)
    return f"the row's {FIELD} {said!r} is none that is known here{domains.near(said)}"


def _not_for(domains: Domains, modality: Modality) -> MediaError:
    pictures = ", ".join(name for name, domain in domains.items() if set(domain.modalities) & {"image", "video"})
    return MediaError(
        f"the clip is {_a(modality)}, and no domain is for such clips: there are {pictures}",
        reason="no_video" if modality == "audio" else "wrong_modality",
        hint="caption it with another workflow, such as omnidetective, or add a domain for it (route.domains)",
    )


async def _decided(case: Case, context: StageContext, candidates: Sequence[Domain]) -> Case:
    """The case with a choice between two domains or more."""
    if context.settings.route.by == "measurement" or context.cast.is_embedded(ROLE):
        return replace(case, routing=await _measured(case, context, candidates))
    router = context.cast.chat(ROLE)
    if not (router.capabilities.images and router.capabilities.text_prompt):
        remark = f"the domain was measured: {router.name}, the router, cannot be asked about a picture"
        return replace(case.noted(remark), routing=await _measured(case, context, candidates))
    try:
        answer = await asked_router(case, context, candidates)
    except NO_ANSWER as error:
        remark = f"the domain was measured: the router gave no answer: {error.message}"
        return replace(case.noted(remark), routing=await _measured(case, context, candidates))
    return replace(case, routing=await _by_model(answer, case, context, candidates))


async def _by_model(answer: RouterAnswer, case: Case, context: StageContext, candidates: Sequence[Domain]) -> Routing:
    """The router's answer. Where it is in doubt between one domain and nothing, what was measured is the other."""
    second = None if answer.second == answer.domain or answer.confidence == "high" else answer.second
    if second is None and answer.confidence == "low":
        other = await _measured(case, context, candidates)
        second = next((name for name in (other.domain, other.second) if name != answer.domain), None)
    why = shortened(" ".join(answer.reason.split()), _REASON_CHARS)
    return Routing(domain=answer.domain, second=second, confidence=answer.confidence, by="model", why=why)


async def _measured(case: Case, context: StageContext, candidates: Sequence[Domain]) -> Routing:
    from omnidetective.stages.route_by_measure import measured_routing

    return await measured_routing(case, context, candidates)
