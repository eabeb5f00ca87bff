"""Text that a statement on a table or on code tells already, by where it stands."""

from __future__ import annotations

from omnidetective.case import Case
from omnidetective.evidence import TextCard
from omnidetective.page_evidence import Box, CodeEvidence, TableEvidence


def told_by_place(card: TextCard, case: Case) -> bool:
    """Whether text of an image stands in a table or in code, or names the file that code is told to be from."""
    if card.box is None or card.start_s is not None:
        return False
    tables = [table for _, evidence in case.evidence(TableEvidence) for table in evidence.tables]
    blocks = [block for _, evidence in case.evidence(CodeEvidence) for block in evidence.blocks]
    if any(block.file == card.text for block in blocks):
        return True
    places = [(table.page, table.box) for table in tables] + [(block.page, block.box) for block in blocks]
    return any(card.page == page and _inside(card.box, box) for page, box in places)


def _inside(inner: Box, outer: Box) -> bool:
    """Whether the middle of a box is in another."""
    across, down = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    return outer[0] <= across <= outer[2] and outer[1] <= down <= outer[3]
