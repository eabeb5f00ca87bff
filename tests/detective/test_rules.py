"""In which order the embedded detective asks, with a budget that does not suffice for all."""

from __future__ import annotations

import pytest
from detective.cases import make_case, seen_by

from omnidetective.detective.inquiry import Ask, Conclude, Standing, Told
from omnidetective.detective.rules import RuleDetective
from omnidetective.evidence import Cut, ShotEvidence, Span, TextEvidence
from omnidetective.observers.registry import ToolBox, fits
from omnidetective.prompts import PromptLibrary
from omnidetective.stage_settings import InvestigateSettings
from omnidetective.testing import stand_in_context

SHOTS = ShotEvidence(
    cuts=(Cut(time_s=10.0), Cut(time_s=11.0)),
    shots=(Span(start_s=0, end_s=10), Span(start_s=10, end_s=11), Span(start_s=11, end_s=20)),
)


@pytest.mark.parametrize(
    ("inquiries", "order"),
    [
        (10, ["asr", "ocr", "shots", "sound", "ocr", "faces", "colour", "metadata"]),
        (6, ["asr", "ocr", "shots", "sound", "ocr", "faces"]),
        (2, ["asr", "ocr"]),
    ],
)
async def test_the_most_useful_is_asked_first_and_the_header_of_the_file_last(inquiries: int, order: list[str]) -> None:
    listings = ToolBox(stand_in_context()).listings
    case = make_case()
    specs = [
        row.spec
        for row in listings
        if row.spec is not None and row.spec.kind == "instrument" and fits(row.spec, case.clip.facts)
    ]
    detective = RuleDetective(
        PromptLibrary(), case=case, observers=specs, settings=InvestigateSettings(inquiries=inquiries)
    )
    found = {"shots": SHOTS, "ocr": TextEvidence(cards=(), frames_read=9)}
    asked: list[str] = []
    while True:
        standing = Standing(inquiries_left=inquiries - len(asked))
        turn = await detective.decide(case, standing)
        if isinstance(turn, Conclude):
            break
        assert isinstance(turn, Ask)
        asked += [inquiry.observer for inquiry in turn.inquiries]
        before = len(case.observations)
        case = case.observed([seen_by(i.observer, found.get(i.observer), span=i.span) for i in turn.inquiries])
        detective.hear(tuple(Told(observation) for observation in case.observations[before:]), standing)
    assert asked == order
