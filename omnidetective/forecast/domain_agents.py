"""The models among the agents that a clip may meet. Which domains it can be routed to is known; which it is, is not."""

from __future__ import annotations

from collections.abc import Sequence

from omnidetective.domains import Domain, load_domains
from omnidetective.forecast.calls import NOTHING, Size
from omnidetective.forecast.ground import Ground
from omnidetective.records import MediaFacts
from omnidetective.stages import ensemble
from omnidetective.stages.domain_agents import Agent, agents_of, lacking
from omnidetective.stages.onlooker import has_any_of

_ASR = "asr"


def domains_for(ground: Ground, facts: MediaFacts) -> tuple[Domain, ...]:
    """The domains that a clip can be routed to; of a video in which nothing moves, those of images."""
    known = load_domains(ground.settings.route.domains)
    kinds = ("video", "image") if facts.modality == "video" else (facts.modality,)
    return tuple(domain for domain in known.values() if set(kinds) & set(domain.modalities))


def models_of(domain: Domain, ground: Ground, facts: MediaFacts) -> tuple[Agent, ...]:
    """The agents of a domain that are models and can be asked about a clip of this kind."""
    if ground.cast.is_embedded(ensemble.ROLE):
        return ()
    return tuple(
        agent
        for agent in agents_of([domain])
        if agent.spec.kind != "tool"
        and ground.asks(agent.spec.role)
        and has_any_of(agent.spec.shows, facts)
        and not lacking(ground.can(agent.spec.role), agent.spec.shows)
    )


def listen(ground: Ground, facts: MediaFacts) -> bool:
    """Whether agents may want the words of a clip: a tool that recognises them, or a model that is shown them."""
    return facts.has_audio and any(
        agent.observer == _ASR or "transcript" in agent.shows
        for domain in domains_for(ground, facts)
        for agent in domain.agents.values()
    )


def guidelines(ground: Ground, facts: MediaFacts) -> Size:
    """How many of their answers become candidates."""
    return _of_one_or_two([_count(d, ground, facts, guideline=True) for d in domains_for(ground, facts)])


def reports(ground: Ground, facts: MediaFacts) -> Size:
    """How many of their answers are observations alone."""
    return _of_one_or_two([_count(d, ground, facts, guideline=False) for d in domains_for(ground, facts)])


def _count(domain: Domain, ground: Ground, facts: MediaFacts, *, guideline: bool) -> int:
    return sum((agent.spec.kind == "guideline") is guideline for agent in models_of(domain, ground, facts))


def _of_one_or_two(counts: Sequence[int]) -> Size:
    """From one domain with the fewest to two with the most."""
    return Size(min(counts), sum(sorted(counts)[-2:])) if counts else NOTHING
