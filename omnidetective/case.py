"""The case: everything known about one clip while it is worked on. It only grows.

A stage takes a case and returns a new one with more in it; nothing that was observed is ever changed or removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from omnidetective.evidence import SpeechEvidence, SpeechSegment
from omnidetective.media.clip import Clip
from omnidetective.records import (
    Candidate,
    Event,
    InputRow,
    Observation,
    TrajectoryMessage,
    TranscriptLine,
    case_id,
)

E = TypeVar("E")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One clip under investigation.

    Attributes:
        observations: what came back from each inquiry, numbered ``o1``, ``o2``, … in the order they joined.
        candidates: whole captions that sources proposed.
        events: what happens, with the observations that show it; ``None`` until a stage says.
        caption: the best text so far; a later stage may put a better one in its place.
        trajectory: the detective's conversation.
        shortfalls: why the result is only partial, in words; empty when it is whole.
        remarks: what a stage dropped or corrected, in words.
    """

    row: InputRow
    clip: Clip
    observations: tuple[Observation, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    events: tuple[Event, ...] | None = None
    caption: str | None = None
    trajectory: tuple[TrajectoryMessage, ...] = ()
    shortfalls: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def observed(self, new: Iterable[Observation]) -> Case:
        """The case with more observations, each given its id."""
        known = len(self.observations)
        numbered = (o.model_copy(update={"id": case_id(n)}) for n, o in enumerate(new, start=known + 1))
        return replace(self, observations=(*self.observations, *numbered))

    def proposed(self, source: str, caption: str) -> Case:
        """The case with one more candidate."""
        return replace(self, candidates=(*self.candidates, Candidate(source=source, caption=caption)))

    @property
    def answers(self) -> tuple[Observation, ...]:
        """The observations that say something."""
        return tuple(o for o in self.observations if o.error is None)

    def evidence(self, kind: type[E]) -> Iterator[tuple[Observation, E]]:
        """All findings of one type, with the observations they came in."""
        for observation in self.answers:
            if isinstance(observation.data, kind):
                yield observation, observation.data

    def speech(self) -> tuple[tuple[SpeechSegment, str], ...] | None:
        """Speech in order of time, each with the id of its observation; ``None`` when nobody listened for it.

        A second listening to the same seconds adds only what the first did not hear.
        """
        heard: list[tuple[SpeechSegment, str]] = []
        listened = False
        for observation, evidence in self.evidence(SpeechEvidence):
            listened = True
            for segment in evidence.segments:
                if not any(segment.start_s < old.end_s and old.start_s < segment.end_s for old, _ in heard):
                    heard.append((segment, observation.id))
        return tuple(sorted(heard, key=lambda item: item[0].start_s)) if listened else None

    def transcript(self) -> tuple[TranscriptLine, ...] | None:
        """The speech as record lines; ``None`` when nobody listened for it."""
        speech = self.speech()
        if speech is None:
            return None
        return tuple(
            TranscriptLine(
                start_s=round(s.start_s, 3),
                end_s=round(s.end_s, 3),
                text=s.text,
                speaker=s.speaker,
                language=s.language,
            )
            for s, _ in speech
        )
