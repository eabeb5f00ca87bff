"""The speech that was recognised, as a text in which the words of a quotation can be found."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from omnidetective.audit.stretch import best_stretch
from omnidetective.captions.alignment import plain
from omnidetective.case import Case
from omnidetective.evidence import SpeechEvidence, SpeechSegment

Recognised = tuple[SpeechSegment, str]
"""A segment, and the id of its observation."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Where some words were heard.

    Attributes:
        similarity: of the quoted and the recognised words, 0…1.
        words: the recognised words, in plain form.
        segments: those that hold them, in order of time.
        at: position in the transcript, for comparing the order.
    """

    similarity: float
    words: str
    segments: tuple[Recognised, ...]
    at: int

    @property
    def start_s(self) -> float:
        return self.segments[0][0].start_s

    @property
    def end_s(self) -> float:
        return max(segment.end_s for segment, _ in self.segments)

    @property
    def evidence(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(observation for _, observation in self.segments))


@dataclass(frozen=True, slots=True)
class Transcript:
    """Segments in order of time, and their plain words joined by spaces; ``starts`` are where each begins in them."""

    segments: tuple[Recognised, ...]
    text: str
    starts: tuple[int, ...]

    @classmethod
    def of(cls, segments: Iterable[Recognised]) -> Transcript:
        kept: list[Recognised] = []
        texts: list[str] = []
        starts: list[int] = []
        position = 0
        for segment in sorted(segments, key=lambda item: item[0].start_s):
            words = plain(segment[0].text)
            if words:
                kept.append(segment)
                texts.append(words)
                starts.append(position)
                position += len(words) + 1
        return cls(tuple(kept), " ".join(texts), tuple(starts))

    def between(self, start_s: float, end_s: float) -> Transcript:
        """What is said, wholly or in part, in these seconds."""
        return Transcript.of(item for item in self.segments if item[0].start_s <= end_s and item[0].end_s >= start_s)

    def find(self, words: str, *, at_least: float) -> Heard | None:
        """The stretch that fits plain words best: part of a segment, a whole one, or several in a row."""
        stretch = best_stretch(words, self.text, at_least=at_least)
        if stretch is None:
            return None
        first = bisect_right(self.starts, stretch.start) - 1
        last = max(first, bisect_right(self.starts, stretch.end - 1) - 1)
        return Heard(
            stretch.similarity,
            self.text[stretch.start : stretch.end],
            self.segments[first : last + 1],
            stretch.start,
        )

    def whole_segment(self, index: int, similarity: float) -> Heard:
        """One segment as the place of a quotation."""
        words = plain(self.segments[index][0].text)
        return Heard(similarity, words, self.segments[index : index + 1], self.starts[index])


def transcripts(case: Case) -> tuple[Transcript, ...]:
    """What was heard: all of it as one transcript, then each listening by itself where there were several.

    A second listening can have understood what the first did not. Empty when nobody listened.
    """
    speech = case.speech()
    if speech is None:
        return ()
    listenings = [[(s, o.id) for s in evidence.segments] for o, evidence in case.evidence(SpeechEvidence)]
    alone = listenings if len(listenings) > 1 else []
    return tuple(Transcript.of(segments) for segments in (speech, *alone))
