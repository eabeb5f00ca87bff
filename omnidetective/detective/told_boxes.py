"""Text that a statement on a table, a chart or code tells already, by where it stands."""

from __future__ import annotations

import re

from omnidetective.case import Case
from omnidetective.evidence import TextCard
from omnidetective.page_evidence import Box, ChartEvidence, CodeEvidence, TableEvidence

_BARE_NUMBER = re.compile(r"[-+−–]?[$€£¥]?\s?\d[\d.,\s]*(?:e[-+]?\d+)?\s?(?:%|[kKmMbB]|°[CF]?)?")
_UPRIGHT = 1.5
"""So many times as high as it is wide is a line of text that stands upright."""
_BESIDE = 0.1
"""How far beside a chart the title of its axis can stand, as a share of the picture."""


def told_by_place(card: TextCard, case: Case) -> bool:
    """Whether text of an image stands in a table or in code, or names the file that code is told to be from.

    In a chart these are the bare numbers, which are its values and the marks of its axes, and what stands upright: the
    chart reader has read that turned.
    """
    if card.box is None or card.start_s is not None:
        return False
    tables = [table for _, evidence in case.evidence(TableEvidence) for table in evidence.tables]
    blocks = [block for _, evidence in case.evidence(CodeEvidence) for block in evidence.blocks]
    if any(block.file == card.text for block in blocks):
        return True
    places = [(table.page, table.box) for table in tables] + [(block.page, block.box) for block in blocks]
    if any(card.page == page and _inside(card.box, box) for page, box in places):
        return True
    charts = [chart for _, evidence in case.evidence(ChartEvidence) for chart in evidence.charts]
    boxes = [chart.box for chart in charts if chart.page == card.page]
    if _is_upright(card.box, case):
        return any(_inside(card.box, _with_sides(box)) for box in boxes)
    return _BARE_NUMBER.fullmatch(card.text.strip()) is not None and any(_inside(card.box, box) for box in boxes)


def _with_sides(box: Box) -> Box:
    """A chart with the titles of its upright axes."""
    return (box[0] - _BESIDE, box[1], box[2] + _BESIDE, box[3])


def _is_upright(box: Box, case: Case) -> bool:
    facts = case.clip.facts
    across, down = (box[2] - box[0]) * (facts.width or 1), (box[3] - box[1]) * (facts.height or 1)
    return down > _UPRIGHT * across


def _inside(inner: Box, outer: Box) -> bool:
    """Whether the middle of a box is in another."""
    across, down = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    return outer[0] <= across <= outer[2] and outer[1] <= down <= outer[3]
