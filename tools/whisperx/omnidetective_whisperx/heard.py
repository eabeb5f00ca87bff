"""What was heard, before it becomes evidence. Times in seconds: first of the samples, then of the clip."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HeardWord:
    """One word, or one character of a language that is written without spaces.

    Attributes:
        score: how well the sound fits the word, 0…1.
        speaker: the diarization's own label.
    """

    start_s: float
    end_s: float
    text: str
    score: float | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Utterance:
    """A sentence, or a whole stretch of voice where words have no times.

    Attributes:
        words: empty where no alignment model was at hand.
        joint: what stands between two words: a space, or nothing.
        score: mean probability of the words as the recogniser sees it, 0…1.
        speaker: the diarization's own label of who says most of it.
    """

    start_s: float
    end_s: float
    text: str
    words: tuple[HeardWord, ...] = ()
    joint: str = " "
    language: str | None = None
    score: float | None = None
    speaker: str | None = None
