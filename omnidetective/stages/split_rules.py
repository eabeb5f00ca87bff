"""The embedded integrator's split: each sentence goes to the attribute that its evidence measures.

No instrument measures actions, narrative or emotions: their captions stay absent rather than invented.
"""

from __future__ import annotations

from collections.abc import Sequence

from omnidetective.captions.quotes import find_quotes
from omnidetective.case import Case
from omnidetective.draft import Draft, Section
from omnidetective.evidence import (
    ColourEvidence,
    FaceEvidence,
    ShotEvidence,
    SoundEvidence,
    SpeechEvidence,
    TextEvidence,
)
from omnidetective.records import Attribute, Event
from omnidetective.stages.caption_lines import lines_of, with_lines


def split_by_rules(draft: Draft, case: Case, wanted: Sequence[Attribute]) -> dict[Attribute, str]:
    """The caption of each wanted attribute, made of the very sentences of the draft, anchors kept.

    Returns:
        Attributes in the order of ``wanted``; those that no sentence's evidence measures are left out.
    """
    captions: dict[Attribute, str] = {}
    for attribute in wanted:
        parts = [with_lines(section.text, _lines_of(section, attribute, case)) for section in draft.sections]
        if text := " ".join(part for part in parts if part):
            captions[attribute] = text
    return captions


def _lines_of(section: Section, attribute: Attribute, case: Case) -> set[int]:
    """The lines of a section that tell of an attribute: those that its events stand in."""
    lines = lines_of(section.text)
    kept: set[int] = set()
    start = 0
    for event in section.events:
        end = start + len(event.text)
        if attribute_of(event, case) == attribute:
            kept |= {n for n, line in enumerate(lines) if start < line.end and line.start < end}
        start = end + 1
    return kept


def attribute_of(event: Event, case: Case) -> Attribute | None:
    """What a sentence tells of, by the instruments that it cites; ``None`` where it cites none that has a field."""
    cited = [o.data for o in case.observations if o.id in event.evidence]
    quotes = find_quotes(event.text)
    if any(isinstance(data, SpeechEvidence) for data in cited) and event.modality == "speech":
        return "speech"
    if any(isinstance(data, TextEvidence) for data in cited) and quotes:
        return "objects"
    if any(isinstance(data, ShotEvidence) for data in cited):
        return "camera"
    if any(isinstance(data, FaceEvidence) for data in cited):
        return "characters"
    if any(isinstance(data, ColourEvidence) for data in cited):
        return "scene"
    if any(isinstance(data, (SoundEvidence, SpeechEvidence)) for data in cited) and event.modality == "audio":
        return "scene"
    # That a picture is a still one in portrait format is known from its file, whoever looked at it.
    still = case.clip.facts.modality == "image" and event.modality == "visual" and not quotes
    return "camera" if still and any(data is not None for data in cited) else None
