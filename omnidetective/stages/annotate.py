"""Stage: annotators caption the whole clip side by side, none knowing of another.

Each is a role of the cast and is shown a part of the clip: the whole of it, its frames alone, its sound alone, the
recognised words with their times. What it writes joins the case twice: as a candidate, and as an observation, so that
the merged caption can cite it. One that fails leaves its failure among the observations.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

from omnidetective.captions.sentences import split_sentences
from omnidetective.case import Case
from omnidetective.detective.inquiry import possible_attributes
from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import Span
from omnidetective.llm.base import ChatModel
from omnidetective.llm.messages import AudioPart, ChatRequest, ImagePart, Message
from omnidetective.media.clip import Clip
from omnidetective.observers.ask import ask
from omnidetective.observers.base import Observer, ObserverSpec, failed_observation, observation
from omnidetective.observers.witness import CUT_OFF, answer_of
from omnidetective.records import Attribute, MediaFacts, Observation
from omnidetective.section import Shows
from omnidetective.stage_settings import AnnotatorSettings
from omnidetective.stages import dossier
from omnidetective.stages.annotate_by_rules import proposed_by_rules, transcript_caption
from omnidetective.stages.asking import Exhibit, exhibit
from omnidetective.stages.base import Stage, StageContext
from omnidetective.stages.listening import heard

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
        return any(_is_chat(annotator, context) for annotator in _enabled(context).values())

    async def __call__(self, case: Case, context: StageContext) -> Case:
        here = {name: a for name, a in _enabled(context).items() if in_clip(a.shows, case)}
        if context.cast.is_embedded("integrator"):
            return await proposed_by_rules(case, context, here)
        if any("transcript" in a.shows and (_is_transcript(a) or _is_chat(a, context)) for a in here.values()):
            case = await heard(case, context)
        return await _proposed(case, context, here)


def in_clip(shows: Shows, case: Case) -> bool:
    """Whether the clip has anything of what is to be shown: there is no sound in an image, no picture in a song."""
    return has_any_of(shows, case.clip.facts)


def has_any_of(shows: Shows, facts: MediaFacts) -> bool:
    """Whether media of this kind have anything of what is to be shown."""
    return any(facts.has_video if what == "frames" else facts.has_audio for what in shows)


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
    case = case.observed([answer]).noted(*(f"{name} was not shown everything: {why}" for why in withheld))
    if answer.error is not None:
        return case
    if answer.answer.endswith(CUT_OFF):
        case = case.noted(f"the caption of {name} was cut off by its length limit")
    return case.proposed(name, _whole_sentences(answer.answer))


def _whole_sentences(answer: str) -> str:
    """An answer without the sentence in which its length limit cut it off."""
    text = answer.removesuffix(CUT_OFF)
    if text == answer:
        return answer
    sentences = split_sentences(text)
    return text[: sentences[-1].start].rstrip() if len(sentences) > 1 else text


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


@dataclass(frozen=True, slots=True)
class _Look:
    shows: Shows
    fps: float
    max_frames: int


class _Annotator:
    """One annotator before one case, as an observer: its time, its usage and its failures are dealt with as theirs."""

    def __init__(self, name: str, settings: AnnotatorSettings, case: Case, context: StageContext) -> None:
        self.spec = ObserverSpec(
            name=name,
            kind="witness",
            modalities=("video", "audio", "image"),
            description="Captions the whole clip.",
            role=settings.role,
        )
        self.withheld: tuple[str, ...] = ()
        self._settings = settings
        self._case = case
        self._context = context

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        """Show the clip, and take the caption as it is.

        Raises:
            ObserverUnavailableError: nobody plays the role, its key is missing, or its model can be shown nothing.
            ContentFilterError: the provider refused the content.
            FormatError: the model wrote nothing.
            ProviderError: the call failed.
        """
        model = self._context.cast.chat(self._settings.role)
        shown, words = await self._shown(model)
        messages = self._messages(model, shown, words)
        request = ChatRequest(messages=messages, max_tokens=self._context.settings.annotate.max_tokens)
        return observation(self.spec, question, span, answer=await answer_of(model, request), model=model.name)

    async def _shown(self, model: ChatModel) -> tuple[Exhibit, str | None]:
        """The media and the words that the model gets; what it does not get is kept in ``withheld``."""
        case, settings = self._case, self._context.settings.annotate
        look = _Look(self._settings.shows, settings.fps, settings.max_frames)
        shown = await exhibit(case, model, look, case.scope, tiles=settings.tiles)
        withheld = list(shown.withheld)
        words: str | None = None
        if "transcript" in look.shows and case.clip.facts.has_audio:
            if not model.capabilities.text_prompt:
                withheld.append(f"{model.name} takes no text")
            elif case.speech() is None:
                withheld.append("nobody listened for the words")
            else:
                words = dossier.transcript(case, span=case.scope)
        self.withheld = tuple(withheld)
        if not shown.media and words is None:
            raise ObserverUnavailableError(
                "; ".join(withheld) or "there is nothing to show",
                reason="unsupported_media",
                hint=f"give the role {self._settings.role} to another model",
            )
        return shown, words

    def _messages(self, model: ChatModel, shown: Exhibit, words: str | None) -> tuple[Message, ...]:
        if not model.capabilities.text_prompt:
            return (Message.of("user", *(part for part in shown.media if not isinstance(part, str))),)
        facts, scope, prompts = self._case.clip.facts, self._case.scope, self._context.prompts
        sees = any(isinstance(part, ImagePart) for part in shown.media)
        hears = any(isinstance(part, AudioPart) for part in shown.media)
        system = prompts.get("annotate/system").render(
            modality=facts.modality,
            attributes=_tellable(possible_attributes(self._case), sees=sees, speech=hears or words is not None),
            sees=sees,
            hears=hears,
            reads=words is not None,
            start_s=None if scope is None else round(scope.start_s, 2),
            end_s=None if scope is None else round(scope.end_s, 2),
            duration_s=round(self._case.clip.duration_s, 2),
        )
        task = prompts.get("annotate/task").render(modality=facts.modality, transcript=words)
        return Message.of("system", system), Message.of("user", *shown.media, task)
