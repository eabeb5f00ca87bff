"""What the sample clips in ``data/`` hold: the schema of ``data/truth.json``.

The file is written by ``scripts/make_samples.py`` from what it put into each clip, not from what a model found in it.
Times are seconds from the start of the clip, ``[start_s, end_s)``; an image has none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import model_validator

from omnidetective.evidence import Span
from omnidetective.frozen import Frozen
from omnidetective.records import Modality

SILENCE_DBFS = -50.0
"""Silence is sound below this level (RMS of 10 ms) …"""
SILENCE_MIN_S = 1.0
"""… for at least this long."""
SoundLabel = Literal["speech", "music"]
SOUND_LABELS: tuple[SoundLabel, ...] = get_args(SoundLabel)


class TimeRange(Frozen):
    """Base of everything that lasts for a while."""

    start_s: float
    end_s: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not 0 <= self.start_s < self.end_s:
            raise ValueError(f"a time range must end after it starts, not {self.start_s}…{self.end_s} s")
        return self

    @property
    def span(self) -> Span:
        return Span(start_s=self.start_s, end_s=self.end_s)


class SpokenText(TimeRange):
    """One recording of a voice: from its first audible sound to its last, pauses between its sentences included.

    ``text`` is what is said, spelt as a careful writer would (``Mr.``, not ``mister``).
    """

    text: str
    language: Literal["en", "fr"]


class ShownText(Frozen):
    """One block of text in the picture. The times are those of its first frame and of the first frame without it."""

    lines: tuple[str, ...]
    start_s: float | None = None
    end_s: float | None = None

    @model_validator(mode="after")
    def _checked(self) -> Self:
        if not self.lines or any(not line or line != " ".join(line.split()) for line in self.lines):
            raise ValueError("a block of text has at least one line, and single spaces only")
        if (self.start_s is None) != (self.end_s is None):
            raise ValueError("a block of text has both times or none")
        return self

    @property
    def span(self) -> Span | None:
        if self.start_s is None or self.end_s is None:
            return None
        return Span(start_s=self.start_s, end_s=self.end_s)


class HeardSound(TimeRange):
    """A kind of sound, by a word that its AudioSet class has in its name, lower case."""

    label: SoundLabel


class ClipTruth(Frozen):
    """What one clip holds.

    An empty tuple means that there is none of it: ``cuts=()`` is one unbroken shot, ``cards=()`` no text at all.
    """

    id: str
    file: str
    sha256: str
    modality: Modality
    duration_s: float | None = None
    width: int | None = None
    height: int | None = None
    has_audio: bool
    has_video: bool
    transcript: tuple[SpokenText, ...] = ()
    cards: tuple[ShownText, ...] = ()
    cuts: tuple[float, ...] = ()
    silent: tuple[TimeRange, ...] = ()
    sounds: tuple[HeardSound, ...] = ()

    @model_validator(mode="after")
    def _inside(self) -> Self:
        if (self.duration_s is None) != (self.modality == "image"):
            raise ValueError("every clip but an image has a duration")
        ends = [item.end_s for item in (*self.transcript, *self.silent, *self.sounds)]
        ends += [card.end_s for card in self.cards if card.end_s is not None]
        if max((*ends, *self.cuts), default=0.0) > (self.duration_s or 0.0) + 1e-6:
            raise ValueError(f"{self.id}: something happens after the end of the clip")
        return self

    @property
    def has_speech(self) -> bool:
        return bool(self.transcript)


class Truth(Frozen):
    """The whole file."""

    schema_version: Literal[1] = 1
    clips: tuple[ClipTruth, ...]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a truth file.

        Raises:
            OSError: the file cannot be read.
            pydantic.ValidationError: it is not of this schema.
        """
        return cls.model_validate_json(path.read_bytes())

    def to_text(self) -> str:
        """The file's text: indented, and without the fields that a clip does not need."""
        return self.model_dump_json(indent=2, exclude_none=True) + "\n"
