"""What is foreseen of the agents of domains holds for what they are really asked, whatever the domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from e2e.media_files import video
from forecast.test_truth import prompt_tokens
from pictures.page import page
from PIL import Image
from servers import faulty_openai as play_it
from stages.casting import Play, playing

from omnidetective.case import Case
from omnidetective.domains import load_domains
from omnidetective.findings import Routing
from omnidetective.forecast.calls import Expected, joined
from omnidetective.forecast.ground import Ground
from omnidetective.forecast.piece import Piece
from omnidetective.forecast.stages import FORECASTS
from omnidetective.media.intake import open_clip
from omnidetective.observers.base import ObserverContext
from omnidetective.observers.registry import ToolBox
from omnidetective.records import MediaFacts
from omnidetective.rows import parse_row
from omnidetective.settings import MediaSettings
from omnidetective.stages.annotate import Annotate
from omnidetective.stages.base import Stage, StageContext
from omnidetective.stages.ensemble import Ensemble
from omnidetective.stages.plan import StagePlan

OFF = {"observers": {name: {"enabled": False} for name in ("ocr", "asr", "shots", "sound", "faces", "colour")}}
IMAGES = [domain.name for domain in load_domains(None).of("image")]


class Given(Stage):
    """Stands where a clip is routed."""

    name: ClassVar[str] = "route"
    needs: ClassVar[frozenset[str]] = frozenset()
    adds: ClassVar[frozenset[str]] = frozenset({"routing"})

    async def __call__(self, case: Case, context: StageContext) -> Case:
        return case


def foreseen(play: Play, facts: MediaFacts, toolbox: ToolBox) -> Mapping[tuple[str, str], Expected]:
    """What a workflow of three steps will ask, by stage and role."""
    context = play.context
    plan = StagePlan(((Given(),), (Annotate(),), (Ensemble(),)))
    hosts = dict.fromkeys((*context.model_set.roles, "agent"), "")
    piece = Piece(
        Ground(context.settings, context.cast, toolbox, context.prompts, plan, hosts), facts, 1, facts.duration_s or 0.0
    )
    expected = joined([*FORECASTS["annotate"](piece), *FORECASTS["ensemble"](piece)])
    return {(one.stage, one.role): one for one in expected}


def long_enough(seen: play_it.Seen) -> play_it.Behaviour:
    if seen.body["model"] == "integrator":
        return play_it.says('{"sentences": [{"text": "A page is shown."}]}')
    return play_it.says("A page is shown, with a title and five lines. " * 12)


async def asked(path: Path, routing: Routing) -> None:
    """Take a clip through the stages, and hold what was asked against what was foreseen."""
    row = parse_row({"path": str(path)})
    parts: dict[str, Any] = {"agent": long_enough, "integrator": long_enough}
    async with playing(parts, settings=OFF) as play, open_clip(row, MediaSettings(), base_dir=path.parent) as clip:
        context = play.context
        toolbox = ToolBox(ObserverContext(context.cast, context.model_set, context.prompts, context.settings))
        context = replace(context, toolbox=toolbox)
        expected = foreseen(play, clip.facts, toolbox)
        assert play.server.calls == 0
        case = Case(row=row, clip=clip, routing=routing)
        for stage in (Annotate(), Ensemble()):
            case = await stage(case, context)
        agents, integrator = expected["annotate", "agent"], expected["ensemble", "integrator"]
        assert agents.calls.low <= play.calls("agent") <= agents.calls.high
        tokens = sum(prompt_tokens(seen, 0.0) for seen in play.seen("agent"))
        assert agents.prompt.low <= tokens <= agents.prompt.high
        assert integrator.prompt.low <= prompt_tokens(play.seen("integrator")[0], 0.0) <= integrator.prompt.high
        toolbox.close()


@pytest.mark.parametrize("domain", IMAGES)
async def test_an_image_of_any_domain(domain: str, tmp_path: Path) -> None:
    page().image.save(tmp_path / "page.png")
    await asked(tmp_path / "page.png", Routing(domain=domain, confidence="high", by="row"))


async def test_an_image_of_two_domains(tmp_path: Path) -> None:
    page().image.save(tmp_path / "page.png")
    await asked(tmp_path / "page.png", Routing(domain="math", second="code", confidence="low", by="model"))


async def test_a_video(tmp_path: Path) -> None:
    path = video(tmp_path / "film.mp4", seconds=3)
    await asked(path, Routing(domain="video", confidence="high", by="kind"))


async def test_the_bounds_are_those_of_the_cheapest_domain_and_of_the_two_dearest(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "dot.png")
    row = parse_row({"path": str(tmp_path / "dot.png")})
    counts = sorted(
        sum(agent.kind != "tool" for agent in domain.agents.values()) for domain in load_domains(None).of("image")
    )
    async with playing({"agent": long_enough, "integrator": long_enough}, settings=OFF) as play:
        toolbox = ToolBox(
            ObserverContext(play.context.cast, play.context.model_set, play.context.prompts, play.context.settings)
        )
        async with open_clip(row, MediaSettings(), base_dir=tmp_path) as clip:
            calls = foreseen(play, clip.facts, toolbox)["annotate", "agent"].calls
        toolbox.close()
    assert (calls.low, calls.high) == (counts[0], sum(counts[-2:]))
