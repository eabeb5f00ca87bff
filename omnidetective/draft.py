"""The caption while it is worked on: sentences that know their evidence, in sections that know their span.

A short clip has one section. A long one has a section for each segment, so that every stage can work on the segments
side by side; the text of the draft is always the whole caption.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from omnidetective.evidence import Span
from omnidetective.records import Event


@dataclass(frozen=True, slots=True)
class Section:
    """What the caption says of one segment.

    Attributes:
        span: the segment; ``None`` for the whole clip.
        events: one a sentence, in the order of the text.
    """

    span: Span | None
    events: tuple[Event, ...]

    @property
    def text(self) -> str:
        return " ".join(event.text for event in self.events)


@dataclass(frozen=True, slots=True)
class Draft:
    """A caption; ``sections`` are in order of time."""

    sections: tuple[Section, ...]

    @classmethod
    def of(cls, events: Sequence[Event], span: Span | None = None) -> Draft:
        """A draft of one section."""
        return cls((Section(span, tuple(events)),))

    @property
    def text(self) -> str:
        """The whole caption."""
        return " ".join(section.text for section in self.sections if section.events)

    @property
    def events(self) -> tuple[Event, ...]:
        """Every sentence with its time and evidence."""
        return tuple(event for section in self.sections for event in section.events)
