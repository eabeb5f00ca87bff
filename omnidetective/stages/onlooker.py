"""Models that a stage shows the clip to and takes at their word: annotators, and the agents of a domain.

Each is an observer for the time of one case: its time, its usage and its failures are dealt with as those of observers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from omnidetective.captions.sentences import split_sentences
from omnidetective.case import Case
from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import Span
from omnidetective.llm.base import ChatModel
from omnidetective.llm.messages import AudioPart, ChatRequest, ImagePart, Message
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverSpec, observation
from omnidetective.observers.witness import CUT_OFF, answer_of
from omnidetective.records import MediaFacts, Observation
from omnidetective.section import Shows
from omnidetective.stages import dossier
from omnidetective.stages.asking import Exhibit, exhibit
from omnidetective.stages.base import StageContext


def has_any_of(shows: Shows, facts: MediaFacts) -> bool:
    """Whether media of this kind have anything of what is to be shown: no sound in an image, no picture in a song."""
    return any(facts.has_video if what == "frames" else facts.has_audio for what in shows)


@dataclass(frozen=True, slots=True)
class Look:
    """What an onlooker is to be shown, and how long it may answer, in tokens of its model.

    ``tiles``: most tiles of a large picture, besides the whole.
    """

    shows: Shows
    fps: float
    max_frames: int
    max_tokens: int
    tiles: int = 0


@dataclass(frozen=True, slots=True)
class Senses:
    """What an onlooker really gets. ``words``: the recognised words as JSON, ``None`` where they are not given."""

    sees: bool
    hears: bool
    words: str | None

    @property
    def reads(self) -> bool:
        return self.words is not None


class Onlooker(ABC):
    """One model before one case.

    Attributes:
        withheld: what its settings asked for and it was not shown, in words, once it was asked.
    """

    def __init__(
        self, name: str, role: str, look: Look, *, description: str, case: Case, context: StageContext
    ) -> None:
        self.spec = ObserverSpec(
            name=name,
            kind="witness",
            modalities=("video", "audio", "image"),
            description=description,
            role=role,
        )
        self.withheld: tuple[str, ...] = ()
        self._role = role
        self._look = look
        self._case = case
        self._context = context

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        """Show the clip, and take what is said as it is.

        Raises:
            ObserverUnavailableError: nobody plays the role, its key is missing, or its model can be shown nothing.
            ContentFilterError: the provider refused the content.
            FormatError: the model wrote nothing.
            ProviderError: the call failed.
        """
        model = self._context.cast.chat(self._role)
        shown, words = await self._shown(model)
        request = ChatRequest(messages=self._messages(model, shown, words), max_tokens=self._look.max_tokens)
        return observation(self.spec, question, span, answer=await answer_of(model, request), model=model.name)

    @abstractmethod
    def brief(self, senses: Senses) -> tuple[str, str]:
        """What it is told before it is shown the clip, and after."""

    async def _shown(self, model: ChatModel) -> tuple[Exhibit, str | None]:
        """The media and the words that the model gets; what it does not get is kept in ``withheld``."""
        case = self._case
        shown = await exhibit(case, model, self._look, case.scope, tiles=self._look.tiles)
        withheld = list(shown.withheld)
        words: str | None = None
        if "transcript" in self._look.shows and case.clip.facts.has_audio:
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
                hint=f"give the role {self._role} to another model",
            )
        return shown, words

    def _messages(self, model: ChatModel, shown: Exhibit, words: str | None) -> tuple[Message, ...]:
        if not model.capabilities.text_prompt:
            return (Message.of("user", *(part for part in shown.media if not isinstance(part, str))),)
        sees = any(isinstance(part, ImagePart) for part in shown.media)
        hears = any(isinstance(part, AudioPart) for part in shown.media)
        system, task = self.brief(Senses(sees, hears, words))
        return Message.of("system", system), Message.of("user", *shown.media, task)


def observed(case: Case, name: str, answer: Observation, withheld: tuple[str, ...], *, what: str) -> Case:
    """The case with an onlooker's answer, and with what is to be said about it.

    Args:
        what: what its answer is called in remarks.
    """
    case = case.observed([answer]).noted(*(f"{name} was not shown everything: {why}" for why in withheld))
    if answer.error is None and answer.answer.endswith(CUT_OFF):
        case = case.noted(f"the {what} of {name} was cut off by its length limit")
    return case


def whole_sentences(answer: str) -> str:
    """An answer without the sentence in which its length limit cut it off."""
    text = answer.removesuffix(CUT_OFF)
    if text == answer:
        return answer
    sentences = split_sentences(text)
    return text[: sentences[-1].start].rstrip() if len(sentences) > 1 else text
