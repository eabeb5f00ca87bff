"""The embedded detective: the same protocol, played by rules over what the instruments measured.

First the instruments look at the whole clip. Then denser looks go where the first ones left something: a voice that
nobody transcribed, a short shot that text recognition may have skipped, a stretch of sound that is neither speech nor
silence. It ends when nothing is left that would be worth a question.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from omnidetective.case import Case
from omnidetective.detective.conversation import calls_of, conclusion_call, results, trajectory
from omnidetective.detective.inquiry import Ask, Conclude, Inquiry, Standing, Told, Turn
from omnidetective.detective.writer import write
from omnidetective.evidence import ShotEvidence, SoundEvidence, Span, SpeechEvidence, TextEvidence
from omnidetective.llm.messages import Message, TextPart
from omnidetective.observers.base import ObserverSpec
from omnidetective.prompts import PromptLibrary
from omnidetective.records import ToolCall, TrajectoryMessage
from omnidetective.stage_settings import InvestigateSettings

FIRST_QUESTIONS = {
    "asr": "What is said, when, and in which language?",
    "ocr": "Which text is shown, where, and from when to when?",
    "tables": "Which tables are there, and what stands in their cells?",
    "code": "Which program text is shown, in which language, and what does it define?",
    "charts": "Which charts are shown, and which values do they have?",
    "shots": "Where are the cuts and fades, does anything move within the shots, and what does the camera do?",
    "faces": "How many faces are seen at once, and when?",
    "colour": "Which colours fill the picture, how bright is it, and when does that change?",
    "metadata": "What does the file say of itself?",
    "sound": "How loud is it, where is silence, and which kinds of sound are heard?",
}
"""What each built-in instrument is asked about a whole clip."""
_LATER = ("tables", "charts", "code", "faces", "colour", "metadata")
"""Asked about the whole clip when the others have answered, after the denser looks: most useful first."""
OPEN_QUESTION = "What can be observed, in detail and in order of time?"

_UNHEARD_S = 1.0
"""Shortest stretch of voice without words that is listened to again."""
_SHORT_SHOT_S = 1.5
"""Shots shorter than this can fall between the frames of the first reading."""
_UNKNOWN_SOUND_S = 3.0
"""Shortest stretch of sound without speech that is listened to on its own."""


class RuleDetective:
    """Plays one investigation by rules, without a model."""

    def __init__(
        self, prompts: PromptLibrary, *, case: Case, observers: Iterable[ObserverSpec], settings: InvestigateSettings
    ) -> None:
        self._specs = {spec.name: spec for spec in observers}
        self._settings = settings
        self._asked: set[tuple[str, str, tuple[float, float] | None]] = set()
        self._calls: tuple[ToolCall, ...] = ()
        self._made = 0
        facts = case.clip.facts
        length = f", {facts.duration_s:.2f} s" if facts.duration_s is not None else ""
        brief = prompts.get("detective/rules").render(modality=facts.modality, observers=sorted(self._specs))
        self._messages = [
            Message.of("system", brief),
            Message.of("user", f"The clip: {facts.modality}{length}."),
        ]

    @property
    def conversation(self) -> tuple[TrajectoryMessage, ...]:
        return trajectory(self._messages)

    def hear(self, told: tuple[Told, ...], standing: Standing) -> None:
        self._messages += results(told, self._calls, standing, answer_chars=self._settings.answer_chars)

    async def decide(self, case: Case, standing: Standing) -> Turn:
        """The next questions that the rules ask for, or the caption of what was measured."""
        if not standing.must_conclude:
            wanted = [inquiry for inquiry in self._wanted(case) if inquiry.key not in self._asked]
            turn = tuple(wanted[: min(self._settings.per_turn, standing.inquiries_left)])
            if turn:
                self._asked.update(inquiry.key for inquiry in turn)
                self._say(calls_of(turn, first=self._made))
                return Ask(turn)
        account = write(case)
        arguments = {"caption": account.caption, "events": [e.model_dump(mode="json") for e in account.events]}
        self._say((conclusion_call(arguments, number=self._made),))
        return Conclude(caption=account.caption, events=account.events, final=True)

    def _say(self, calls: tuple[ToolCall, ...]) -> None:
        self._calls = calls
        self._made += len(calls)
        self._messages.append(Message(role="assistant", parts=(TextPart(text=""),), tool_calls=calls))

    def _wanted(self, case: Case) -> Iterator[Inquiry]:
        first = [self._first(name) for name in self._specs if name not in _LATER]
        yield from first
        if "asr" in self._specs:
            for span in _not_yet_alone(case, "asr", unheard_voices(case)):
                yield Inquiry("asr", "A voice is active here: which words can be made out?", span, ("speech",))
        if "ocr" in self._specs:
            for span in _not_yet_alone(case, "ocr", short_shots(case)):
                yield Inquiry("ocr", "Which text does this short shot show?", span, ("objects",))
        if "sound" in self._specs:
            for span in _not_yet_alone(case, "sound", unknown_sounds(case)):
                yield Inquiry("sound", "Which kinds of sound are heard here, apart from speech?", span, ("scene",))
        if all(inquiry.key in self._asked for inquiry in first):
            yield from (self._first(name) for name in _LATER if name in self._specs)

    def _first(self, name: str) -> Inquiry:
        return Inquiry(name, FIRST_QUESTIONS.get(name, OPEN_QUESTION), None, self._specs[name].attributes)


def _not_yet_alone(case: Case, observer: str, spans: Iterable[Span]) -> Iterator[Span]:
    """The spans that the observer was not asked about on their own before."""
    asked = [o.span for o in case.observations if o.observer == observer and o.span is not None]
    for span in spans:
        if not any(span.overlap_s(old) > 0.5 * span.duration_s for old in asked):
            yield span


def unheard_voices(case: Case) -> Iterator[Span]:
    """Where voice activity was measured and no words were transcribed."""
    for _, evidence in case.evidence(SpeechEvidence):
        spoken = [Span(start_s=s.start_s, end_s=s.end_s) for s in evidence.segments if s.end_s > s.start_s]
        for voiced in evidence.voiced:
            yield from (gap for gap in without(voiced, spoken) if gap.duration_s >= _UNHEARD_S)


def short_shots(case: Case) -> Iterator[Span]:
    """Short shots in which no text was read."""
    read = [
        Span(start_s=card.start_s, end_s=card.end_s)
        for _, evidence in case.evidence(TextEvidence)
        for card in evidence.cards
        if card.start_s is not None and card.end_s is not None and card.end_s > card.start_s
    ]
    for _, evidence in case.evidence(ShotEvidence):
        for shot in evidence.shots:
            if shot.duration_s < _SHORT_SHOT_S and not any(shot.overlap_s(span) > 0 for span in read):
                yield shot


def unknown_sounds(case: Case) -> Iterator[Span]:
    """Stretches that are neither silent nor spoken in, in a clip that has speech: there the speech hides them."""
    speech = case.speech()
    if not speech or case.clip.whole is None:
        return
    spoken = [Span(start_s=s.start_s, end_s=s.end_s) for s, _ in speech if s.end_s > s.start_s]
    for _, evidence in case.evidence(SoundEvidence):
        if not evidence.classified:
            continue
        for gap in without(case.clip.whole, [*spoken, *evidence.silent]):
            if gap.duration_s >= _UNKNOWN_SOUND_S:
                yield gap


def without(span: Span, taken: Iterable[Span]) -> Iterator[Span]:
    """What is left of a span when others are taken out of it, in order."""
    at = span.start_s
    for other in sorted(taken, key=lambda s: s.start_s):
        if other.end_s <= at or other.start_s >= span.end_s:
            continue
        if other.start_s > at:
            yield Span(start_s=at, end_s=other.start_s)
        at = max(at, other.end_s)
    if at < span.end_s:
        yield Span(start_s=at, end_s=span.end_s)
