"""The agents of a clip's domains, asked all at once (MetaCaptioner's CapFlow): a way of the stage ``annotate``.

Guideline, perception and reasoning agents are models, each with a prompt of its own; tools are observers. None knows of
another: what a tool has measured reaches the one who merges, who can hold what the models say against it. A guideline's
answer is a candidate; where none answered, the other models' answers are, so that the clip is not lost.

Where rules play the agents, or the integrator, the tools alone are asked, and the candidate is written from what they
have measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from omnidetective.case import Case
from omnidetective.detective.rules import FIRST_QUESTIONS, OPEN_QUESTION
from omnidetective.detective.writer import write
from omnidetective.domains import load_domains
from omnidetective.errors import ObserverUnavailableError, OmnidetectiveError
from omnidetective.observers.ask import ask
from omnidetective.observers.base import Observer, ObserverSpec, failed_observation
from omnidetective.observers.guard import was_refused
from omnidetective.records import Observation
from omnidetective.stages.base import StageContext
from omnidetective.stages.domain_agents import Agent, agents_of, is_asked, lacking, routed, tells_of
from omnidetective.stages.listening import heard
from omnidetective.stages.measuring import unasked
from omnidetective.stages.onlooker import Look, Onlooker, Senses, has_any_of, observed, whole_sentences
from omnidetective.stages.sections import side_by_side

BY_RULES = "rules"
"""Source of the candidate that is written without a model."""


def has_models(context: StageContext) -> bool:
    """Whether the workflow routes clips that have a length to agents that are models."""
    return "route" in context.stages and any(
        is_asked(agent, context.cast)
        for domain in load_domains(context.settings.route.domains).values()
        for agent in domain.agents.values()
        if domain.modalities != ("image",)
    )


async def asked_by_domain(case: Case, context: StageContext) -> Case:
    """The case with what the agents of its domains say of it."""
    agents = agents_of(routed(case, context.settings))
    models = [a for a in agents if is_asked(a.spec, context.cast) and has_any_of(a.spec.shows, case.clip.facts)]
    if not models and "investigate" in context.stages:
        return case  # A detective works on the same clip: its caption says all that was measured.
    fit, failures = _able(models, case, context)
    if any("transcript" in agent.spec.shows for agent in fit):
        case = await heard(case, context)
    case = await _answered(case, context, agents, {agent.name: _Onlooking(agent, case, context) for agent in fit})
    case = case.observed(failures)
    if models:
        return case
    caption = write(case).caption
    return case.proposed(BY_RULES, caption) if caption else case


class _Onlooking(Onlooker):
    """One agent that is a model, before one case."""

    def __init__(self, agent: Agent, case: Case, context: StageContext) -> None:
        given, spec = context.settings.annotate, agent.spec
        look = Look(spec.shows, given.fps, given.max_frames, spec.max_tokens, tiles=spec.tiles)
        self._agent = agent
        self._prompt = context.prompts.get(spec.prompt or "")
        self.question = self._prompt.description
        super().__init__(agent.name, spec.role, look, description=self.question, case=case, context=context)

    def brief(self, senses: Senses) -> tuple[str, str]:
        facts, scope, prompts = self._case.clip.facts, self._case.scope, self._context.prompts
        common = prompts.get("capflow/agent").render(
            modality=facts.modality,
            sees=senses.sees,
            hears=senses.hears,
            reads=senses.reads,
            start_s=None if scope is None else round(scope.start_s, 2),
            end_s=None if scope is None else round(scope.end_s, 2),
            duration_s=round(self._case.clip.duration_s, 2),
        )
        own = self._prompt.render(
            modality=facts.modality,
            domains=[domain.title for domain in self._agent.domains],
            tells=tells_of(self._agent.domains),
            duration_s=round(self._case.clip.duration_s, 2),
        )
        task = prompts.get("capflow/task").render(modality=facts.modality, transcript=senses.words)
        return f"{common}\n\n{own}", task


@dataclass(frozen=True, slots=True)
class _Question:
    """One question to one observer: an agent's own, or a tool's."""

    observer: Observer
    text: str


def _able(models: Sequence[Agent], case: Case, context: StageContext) -> tuple[list[Agent], list[Observation]]:
    """The agents that can be asked, and one failure for each role whose model cannot."""
    fit: list[Agent] = []
    left_out: dict[tuple[str, str], tuple[OmnidetectiveError, list[str]]] = {}
    for agent in models:
        if (error := _unfit(agent, context)) is None:
            fit.append(agent)
        else:
            left_out.setdefault((agent.spec.role, error.message), (error, []))[1].append(agent.name)
    failures = []
    for (role, _), (error, names) in left_out.items():
        told = ObserverUnavailableError(
            f"{error.message}; not asked: {', '.join(names)}", reason=error.reason, hint=error.hint
        )
        spec = ObserverSpec(name=role, kind="witness", modalities=("video", "audio", "image"), description="")
        failures.append(failed_observation(spec, "What does this show?", case.scope, told))
    return fit, failures


def _unfit(agent: Agent, context: StageContext) -> OmnidetectiveError | None:
    """Why the model of an agent's role cannot be asked; nothing is sent to find out."""
    role = agent.spec.role
    try:
        model = context.cast.chat(role)
    except ObserverUnavailableError as error:
        return error
    if why := lacking(model.capabilities, agent.spec.shows):
        hint = f"give the role {role} to another model"
        return ObserverUnavailableError(f"{model.name} {why}", reason="unsupported_media", hint=hint)
    return None


async def _answered(case: Case, context: StageContext, agents: Sequence[Agent], models: dict[str, _Onlooking]) -> Case:
    """The case with the answers of models and tools, which are asked at the same time."""
    offered = {observer.spec.name: observer for observer in context.toolbox.offered(case.clip)}
    tools = dict.fromkeys((a.spec.observer or "", a.spec.question) for a in agents if a.spec.kind == "tool")
    questions = [_Question(cast("Observer", model), model.question) for model in models.values()]
    questions += [_Question(*one) for one in unasked(case, _put(tools, offered), case.scope)]
    limit_s = context.settings.investigate.observer_timeout_s

    async def put(question: _Question) -> Observation:
        return await ask(question.observer, case.clip, question.text, case.scope, timeout_s=limit_s)

    answers = await side_by_side(questions, put, at_once=max(1, len(questions)))
    told = dict(zip(models, answers, strict=False))
    for name, model in models.items():
        case = observed(case, name, told[name], model.withheld, what="answer")
    case = case.observed(answer for answer in answers[len(models) :] if not was_refused(answer))
    case = case.noted(*_missing(case, context, [name for name, _ in tools if name not in offered]))
    return _with_candidates(case, [agent for agent in agents if agent.name in models], told)


def _put(tools: Iterable[tuple[str, str | None]], offered: dict[str, Observer]) -> Iterator[tuple[Observer, str]]:
    """Each tool that is there, and what it is asked."""
    for name, own in tools:
        if name in offered:
            yield offered[name], own or FIRST_QUESTIONS.get(name, OPEN_QUESTION)


def _missing(case: Case, context: StageContext, names: Iterable[str]) -> Iterator[str]:
    """Remarks on tools that are not there. What the user does without on purpose is not told."""
    for name in dict.fromkeys(names):
        why = context.toolbox.missing(name, case.clip)
        if why is not None and not why.expected:
            yield f"the tool {name} was not asked: {why.message}"


def _with_candidates(case: Case, agents: Sequence[Agent], told: dict[str, Observation]) -> Case:
    answered = [agent for agent in agents if told[agent.name].error is None]
    guidelines = [agent for agent in answered if agent.spec.kind == "guideline"]
    for agent in guidelines or answered:
        case = case.proposed(agent.name, whole_sentences(told[agent.name].answer))
    return case
