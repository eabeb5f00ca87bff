"""Stage: annotators caption the whole clip side by side, none knowing of another.

Each is a role of the cast and is shown a part of the clip: the whole of it, its frames alone, its sound alone, the
recognised words with their times. What it writes joins the case twice: as a candidate, and as an observation, so that
the merged caption can cite it. One that fails leaves its failure among the observations.

A clip that was routed is looked at by the agents of its domain instead: see :mod:`.annotate_by_domain`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import ClassVar, cast

from omnidetective.case import Case
from omnidetective.detective.inquiry import possible_attributes
from omnidetective.errors import ObserverUnavailableError
from omnidetective.observers.ask import ask
from omnidetective.observers.base import Observer, ObserverSpec, failed_observation
from omnidetective.records import Attribute, Observation
from omnidetective.stage_settings import AnnotatorSettings
from omnidetective.stages import dossier
from omnidetective.stages.annotate_by_domain import asked_by_domain, has_models
from omnidetective.stages.annotate_by_rules import proposed_by_rules, transcript_caption
from omnidetective.stages.base import Stage, StageContext
from omnidetective.stages.listening import heard
from omnidetective.stages.onlooker import Look, Onlooker, Senses, has_any_of, observed, whole_sentences

QUESTION = "What does this contain, told as one whole caption in order of time?"
"""What the record says that an annotator was asked; how it was asked is in ``prompts/annotate``."""

_TRANSCRIPT_ROLE = "asr"


class Annotate(Stage):
    """The annotators of the workflow, all at once."""

    name: ClassVar[str] = "annotate"
    needs: ClassVar[frozenset[str]] = frozenset()
    adds: ClassVar[frozenset[str]] = frozenset({"observations", "candidates"})

    def by_segment(self, context: StageContext) -> bool:
        """A model sees a long clip better piece by piece; instruments measure as well at any length."""
        return has_models(context) or any(_is_chat(annotator, context) for annotator in _enabled(context).values())

    async def __call__(self, case: Case, context: StageContext) -> Case:
        if case.routing is not None:
            return await asked_by_domain(case, context)
        here = {name: a for name, a in _enabled(context).items() if has_any_of(a.shows, case.clip.facts)}
        if context.cast.is_embedded("integrator"):
            return await proposed_by_rules(case, context, here)
        if any("transcript" in a.shows and (_is_transcript(a) or _is_chat(a, context)) for a in here.values()):
            case = await heard(case, context)
        return await _proposed(case, context, here)


async def _proposed(case: Case, context: StageContext, annotators: Mapping[str, AnnotatorSettings]) -> Case:
    chats = {
        name: _Annotator(name, settings, case, context)
        for name, settings in annotators.items()
        if _is_chat(settings, context) and not _without_words(settings, case)
    }
    limit_s = context.settings.investigate.observer_timeout_s
    # Observers are classes with one spec, annotators are as many as the user names; in all else they are observers.
    answers = await asyncio.gather(
        *(
            ask(
                cast("Observer", a),
                case.clip,
                QUESTION,
                case.scope,
                timeout_s=limit_s,
            )
            for a in chats.values()
        )
    )
    told = dict(zip(chats, answers, strict=True))
    before = case
    for name, settings in annotators.items():
        if name in told:
            case = _joined(case, name, told[name], chats[name].withheld)
        elif _is_transcript(settings):
            case = _with_transcript(case, name, before, context)
    return case


def _joined(case: Case, name: str, answer: Observation, withheld: tuple[str, ...]) -> Case:
    case = observed(case, name, answer, withheld, what="caption")
    return case if answer.error is not None else case.proposed(name, whole_sentences(answer.answer))


def _with_transcript(case: Case, name: str, before: Case, context: StageContext) -> Case:
    """The transcript as a candidate. Silence is no failure; a recogniser that is missing or broken is."""
    if before.speech() is None:
        asked = any(o.observer == _TRANSCRIPT_ROLE for o in before.observations)
        missing = context.toolbox.out_of_order(case.clip).get(_TRANSCRIPT_ROLE)
        if asked or missing is None or missing.expected:
            return case  # its own failure stands among the observations, or nobody wanted it to listen
        error = ObserverUnavailableError(missing.message, reason=missing.reason, hint=missing.hint)
        spec = ObserverSpec(name=name, kind="witness", modalities=("video", "audio"), description="The transcript.")
        return case.observed([failed_observation(spec, QUESTION, case.scope, error)])
    caption = transcript_caption(before)
    return case.proposed(name, caption) if caption else case


def _enabled(context: StageContext) -> Mapping[str, AnnotatorSettings]:
    return {name: a for name, a in context.settings.annotate.annotators.items() if a.enabled}


def _is_transcript(annotator: AnnotatorSettings) -> bool:
    return annotator.role == _TRANSCRIPT_ROLE


def _is_chat(annotator: AnnotatorSettings, context: StageContext) -> bool:
    """Whether a chat model plays it. Where the integrator is embedded, nobody could merge what a model writes."""
    players = context.cast
    return (
        not _is_transcript(annotator)
        and not players.is_embedded("integrator")
        and players.is_played(annotator.role)
        and not players.is_embedded(annotator.role)
    )


def _without_words(annotator: AnnotatorSettings, case: Case) -> bool:
    """Whether it would be shown the words alone, and somebody listened and heard none."""
    return set(annotator.shows) == {"transcript"} and dossier.transcript(case, span=case.scope) == "[]"


def _tellable(attributes: Iterable[Attribute], *, sees: bool, speech: bool) -> list[Attribute]:
    """The attributes that somebody can tell who is shown this much."""
    hidden = set() if sees else {"objects", "camera"}
    return [a for a in attributes if a not in hidden and (speech or a != "speech")]


class _Annotator(Onlooker):
    """One annotator before one case."""

    def __init__(self, name: str, settings: AnnotatorSettings, case: Case, context: StageContext) -> None:
        given = context.settings.annotate
        look = Look(settings.shows, given.fps, given.max_frames, given.max_tokens, tiles=given.tiles)
        description = "Captions the whole clip."
        super().__init__(name, settings.role, look, description=description, case=case, context=context)

    def brief(self, senses: Senses) -> tuple[str, str]:
        facts, scope, prompts = self._case.clip.facts, self._case.scope, self._context.prompts
        system = prompts.get("annotate/system").render(
            modality=facts.modality,
            attributes=_tellable(
                possible_attributes(self._case), sees=senses.sees, speech=senses.hears or senses.reads
            ),
            sees=senses.sees,
            hears=senses.hears,
            reads=senses.reads,
            start_s=None if scope is None else round(scope.start_s, 2),
            end_s=None if scope is None else round(scope.end_s, 2),
            duration_s=round(self._case.clip.duration_s, 2),
        )
        task = prompts.get("annotate/task").render(modality=facts.modality, transcript=senses.words)
        return system, task
