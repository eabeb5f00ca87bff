"""The agents of one or two domains as they are asked together, and whether everything that they name is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from omnidetective.case import Case
from omnidetective.domains import AGENT_INPUTS, AgentSpec, Domain, load_domains
from omnidetective.embedded.inference import require_packages
from omnidetective.embedded.text import PACKAGES
from omnidetective.errors import ConfigError, ObserverUnavailableError, PromptError
from omnidetective.llm.base import Capabilities
from omnidetective.llm.cast import Cast
from omnidetective.nearest import did_you_mean
from omnidetective.prompts import PromptLibrary
from omnidetective.section import Shows
from omnidetective.settings import Settings

_INTEGRATOR = "integrator"


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent, and the domains that it is asked for: both, where both have the same one under the same name."""

    name: str
    spec: AgentSpec
    domains: tuple[Domain, ...]


def routed(case: Case, settings: Settings) -> tuple[Domain, ...]:
    """The domains that a clip was routed to; none where nobody routed it."""
    if case.routing is None:
        return ()
    known = load_domains(settings.route.domains)
    return tuple(known[name] for name in case.routing.domains)


def agents_of(domains: Iterable[Domain]) -> tuple[Agent, ...]:
    """The agents of all these domains, each once.

    Agents of the same name that differ are all asked: a later one is named ``<domain>_<name>``.
    """
    agents: dict[str, Agent] = {}
    for domain in domains:
        for name, spec in domain.agents.items():
            there = agents.get(name)
            if there is not None and there.spec == spec:
                agents[name] = replace(there, domains=(*there.domains, domain))
            else:
                own = name if there is None else f"{domain.name}_{name}"
                agents[own] = Agent(own, spec, (domain,))
    return tuple(agents.values())


def tells_of(domains: Iterable[Domain]) -> list[str]:
    """What a caption of these domains must tell, each point once."""
    return list(dict.fromkeys(point for domain in domains for point in domain.tells))


def is_asked(spec: AgentSpec, cast: Cast) -> bool:
    """Whether a model is asked for an agent. Where the integrator is embedded, nobody could merge what models write."""
    return spec.kind != "tool" and not cast.is_embedded(_INTEGRATOR) and not cast.is_embedded(spec.role)


def lacking(can: Capabilities, shows: Shows) -> str:
    """Why a model with these capabilities can do nothing for an agent, in words; empty where it can."""
    if not can.text_prompt:
        return "takes no instructions"
    if ("frames" in shows and can.images) or ("audio" in shows and can.audio) or "transcript" in shows:
        return ""
    return " and ".join(f"takes no {'images' if what == 'frames' else 'sound'}" for what in shows)


def check_agents(settings: Settings, prompts: PromptLibrary, cast: Cast) -> None:
    """Refuse to begin where an agent of a domain could not be asked, before anything is paid for.

    A server that was not asked for its model yet is left for the first clip.

    Raises:
        ConfigError: a domain file is wrong, nobody can play an agent, or domains are to be found by measurement and
            the packages that read a picture's text are not installed.
        PromptError: an agent names a prompt that is not there or is none for agents, or no agent names a prompt that
            the user has added.
    """
    named = list(_named(settings))
    for domain, name, agent in named:
        if agent.prompt is not None:
            _check_prompt(agent.prompt, f"the agent {name} of the domain {domain.name}", prompts)
    used = {agent.prompt for _, _, agent in named if agent.prompt is not None}
    if unused := sorted(prompts.added - used):
        path, like = prompts.get(unused[0]).path, {prompt.name for prompt in prompts} - prompts.added
        raise PromptError(
            f"{path} replaces no prompt, and no agent of a domain names it{did_you_mean(unused[0], like)}",
            hint=f"name it in a domain, or its file after the prompt that it is to replace ({unused[0]} is neither)",
        )
    for _, _, agent in named:
        if is_asked(agent, cast):
            _check_player(agent, cast)
    if settings.route.by == "measurement" or cast.is_embedded("router"):
        _check_measurement()


def _named(settings: Settings) -> Iterator[tuple[Domain, str, AgentSpec]]:
    for domain in load_domains(settings.route.domains).values():
        for name, agent in domain.agents.items():
            yield domain, name, agent


def _check_measurement() -> None:
    try:
        require_packages(*PACKAGES)
    except ObserverUnavailableError as error:
        raise ConfigError(f"domains cannot be found by measurement: {error.message}", hint=error.hint) from error


def _check_prompt(name: str, whose: str, prompts: PromptLibrary) -> None:
    try:
        prompt = prompts.get(name)
    except PromptError as error:
        raise PromptError(f"{whose}: {error.message}", hint=error.hint) from None
    if set(prompt.inputs) != set(AGENT_INPUTS):
        raise PromptError(
            f"{whose}: {name} is no prompt of an agent",
            hint=f"prompts of agents are given {', '.join(AGENT_INPUTS)}, and nothing else",
        )


def _check_player(agent: AgentSpec, cast: Cast) -> None:
    cast.require(agent.role)
    model = cast.chat(agent.role)
    if not model.name.endswith(":?") and (why := lacking(model.capabilities, agent.shows)):
        raise ConfigError(
            f"{model.name} plays the role {agent.role}, and {why}",
            hint="give the role to another model; where it does, say so under `capabilities` in the model set",
        )
