"""How often ``annotate`` asks agents of domains: from those of the cheapest domain to those of the two dearest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import reduce
from operator import add

from omnidetective.domains import Domain
from omnidetective.forecast.calls import NOTHING, Bounds, Expected, Question, exactly
from omnidetective.forecast.domain_agents import domains_for, listen, models_of
from omnidetective.forecast.lengths import report_of
from omnidetective.forecast.listening import by_transcriber, is_served
from omnidetective.forecast.piece import Piece
from omnidetective.stages.domain_agents import Agent, tells_of

_STAGE = "annotate"


def asked_by_domain(piece: Piece) -> Iterator[Expected]:
    """The calls of the agents that a clip may meet; two domains are asked where the router is not sure."""
    ground, facts = piece.ground, piece.facts
    if listen(ground, facts) and is_served(ground, facts):
        yield by_transcriber(ground, _STAGE, piece.part_s, parts=piece.parts)
    domains = [_by_role(domain, piece) for domain in domains_for(ground, facts)]
    for role in dict.fromkeys(role for domain in domains for role in domain):
        yield _one_or_two([domain.get(role) for domain in domains])


def _by_role(domain: Domain, piece: Piece) -> dict[str, Expected]:
    """Role → all calls to it about a clip of this domain."""
    agents = models_of(domain, piece.ground, piece.facts)
    # They are asked side by side: what they wait is counted once.
    share = piece.waves / piece.parts / max(1, len(agents))
    sums: dict[str, Expected] = {}
    for agent in agents:
        one, role = _asked(agent, domain, piece).waiting(share), agent.spec.role
        sums[role] = sums[role] + one if role in sums else one
    return sums


def _asked(agent: Agent, domain: Domain, piece: Piece) -> Expected:
    """One agent, about every part of a clip."""
    ground, facts, settings, spec = piece.ground, piece.facts, piece.ground.settings.annotate, agent.spec
    shown = ground.shown(
        facts,
        spec.role,
        spec.shows,
        fps=settings.fps,
        max_frames=settings.max_frames,
        part_s=piece.part_s,
        tiles=spec.tiles,
    )
    reads = "transcript" in spec.shows and piece.hears_words
    words = ground.text(
        "capflow/agent",
        modality=facts.modality,
        sees=shown.images > 0,
        hears=shown.sound_s > 0,
        reads=reads,
        start_s=0.0 if piece.parts > 1 else None,
        end_s=round(piece.part_s, 2),
        duration_s=round(facts.duration_s or 0.0, 2),
    ).plus(
        ground.text(
            spec.prompt or "",
            modality=facts.modality,
            domains=[domain.title],
            tells=tells_of([domain]),
            duration_s=round(facts.duration_s or 0.0, 2),
        ),
        ground.text("capflow/task"),
        piece.lengths.transcript if reads else NOTHING,
    )
    answer = report_of(piece.part_s).at_most(spec.max_tokens)
    question = Question(words.plus(exactly(shown.media)), answer, exactly(shown.sound))
    asked = 1 if shown.media or reads else 0
    return ground.expected(_STAGE, spec.role, question, low=asked * piece.parts, high=asked * piece.parts)


def _one_or_two(each: Iterable[Expected | None]) -> Expected:
    """Calls to one role: the fewest that a domain makes, and the most that two make. ``None``: a domain makes none."""
    domains = list(each)
    some = [one for one in domains if one is not None]
    costs = [one.cost_usd for one in some]
    none = [Bounds()] * (len(domains) - len(some))
    return replace(
        reduce(add, some),
        calls=_from_one_to_two([*none, *(one.calls for one in some)]),
        prompt=_from_one_to_two([*none, *(one.prompt for one in some)]),
        completion=_from_one_to_two([*none, *(one.completion for one in some)]),
        cost_usd=None if None in costs else _from_one_to_two([*none, *(cost for cost in costs if cost is not None)]),
        in_row_s=_from_one_to_two([*none, *(one.in_row_s for one in some)]),
    )


def _from_one_to_two(domains: Iterable[Bounds]) -> Bounds:
    some = tuple(domains)
    return Bounds(
        min(one.low for one in some),
        sum(sorted(one.high for one in some)[-2:]),
        sum(sorted(one.most for one in some)[-2:]),
    )
