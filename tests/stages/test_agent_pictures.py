"""A picture of every kind with known facts: the real OCR reads them, models say the rest, the caption holds both."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest
from pictures import art, formula, knowledge, medical, page, photo, screen
from PIL import Image
from servers import faulty_openai as play_it
from stages.casting import playing

from omnidetective.case import Case
from omnidetective.config import load_config
from omnidetective.evidence import TextEvidence
from omnidetective.findings import Routing
from omnidetective.llm.cast import Cast
from omnidetective.media.intake import open_clip
from omnidetective.observers.base import ObserverContext
from omnidetective.observers.registry import ToolBox
from omnidetective.rows import parse_row
from omnidetective.settings import MediaSettings
from omnidetective.stages.annotate import Annotate
from omnidetective.stages.ensemble import Ensemble


class Drawn(Protocol):
    """A picture, and what is written in it."""

    @property
    def image(self) -> Image.Image: ...
    @property
    def texts(self) -> tuple[str, ...]: ...


DRAWN: dict[str, Callable[[], Drawn]] = {
    "document": page.page,
    "natural": photo.photo,
    "interface": screen.screen,
    "math": formula.formula,
    "medical": medical.radiograph,
    "knowledge": knowledge.diagram,
    "aesthetic": art.illustration,
}


def merges(seen: play_it.Seen) -> play_it.Behaviour:
    """An integrator that tells the text which was measured, as its prompt gives it, and the guideline's caption."""
    said = str(seen.body["messages"][-1]["content"])
    start = said.index("The observations:\n") + len("The observations:\n")
    told, _ = json.JSONDecoder().raw_decode(said[start:])
    read = next(o for o in told if o["of"] == "ocr")
    texts = [line.split("“", 1)[1].rpartition("”")[0] for line in read["answer"].splitlines() if "“" in line]
    sentences = [{"text": "A picture is shown."}]
    sentences += [{"text": f"It reads “{text}”.", "evidence": [read["id"]]} for text in texts]
    return play_it.says(json.dumps({"sentences": sentences}, ensure_ascii=False))


@pytest.mark.parametrize("domain", DRAWN)
async def test_the_text_in_the_picture_is_the_text_in_the_caption(domain: str, tmp_path: Path) -> None:
    drawn = DRAWN[domain]()
    drawn.image.save(tmp_path / "drawn.png")
    row = parse_row({"path": "drawn.png"})
    routing = Routing(domain=domain, confidence="high", by="row")
    parts = {"agent": lambda seen: play_it.says("A picture is shown."), "integrator": merges}
    async with playing(parts) as play:
        toolbox = ToolBox(
            ObserverContext(play.context.cast, play.context.model_set, play.context.prompts, play.context.settings)
        )
        context = replace(play.context, toolbox=toolbox)
        try:
            async with open_clip(row, MediaSettings(), base_dir=tmp_path) as clip:
                case = await Annotate()(Case(row=row, clip=clip, routing=routing), context)
            case = await Ensemble()(case, context)
        finally:
            await toolbox.aclose()
    ((_, read),) = case.evidence(TextEvidence)
    assert set(drawn.texts) <= {card.text for card in read.cards}
    assert all(f"“{text}”" in (case.caption or "") for text in drawn.texts)
    told = [event for event in case.draft.events if "It reads" in event.text] if case.draft else []
    assert all(event.evidence for event in told)
    assert [o.observer for o in case.observations if o.error] == []


async def test_without_models_the_caption_is_what_the_tools_read(tmp_path: Path) -> None:
    drawn = page.page()
    drawn.image.save(tmp_path / "page.png")
    row = parse_row({"path": "page.png"})
    local = load_config(environ={}).model_set
    async with playing({}, roles=("agent",)) as play:
        players = Cast(local, play.context.settings.retry, environ={})
        toolbox = ToolBox(ObserverContext(players, local, play.context.prompts, play.context.settings))
        context = replace(play.context, cast=players, model_set=local, toolbox=toolbox)
        try:
            async with open_clip(row, MediaSettings(), base_dir=tmp_path) as clip:
                routing = Routing(domain="document", confidence="high", by="measurement")
                case = await Annotate()(Case(row=row, clip=clip, routing=routing), context)
            case = await Ensemble()(case, context)
        finally:
            await toolbox.aclose()
    assert {o.observer for o in case.observations} <= {"ocr", "tables", "charts"}
    assert all(number in (case.caption or "") for number in drawn.numbers)
