"""Routing by measurement: probabilities, confidence, signs of a user's own, and real files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from e2e.media_files import ffmpeg
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont
from stages.casting import playing

from omnidetective.case import Case
from omnidetective.domains import Domain, load_domains
from omnidetective.errors import ConfigError, ObserverUnavailableError
from omnidetective.findings import Routing
from omnidetective.media.intake import open_clip
from omnidetective.observers.base import ObserverContext
from omnidetective.observers.registry import ToolBox
from omnidetective.picture_signs import MEASURES
from omnidetective.rows import parse_row
from omnidetective.settings import MediaSettings
from omnidetective.stages import route_by_measure
from omnidetective.stages.route_by_measure import confidence_of, measured_routing, probabilities, routing_of

SHARE = st.floats(0, 1)
LEVELS = ("low", "medium", "high")
OWN = """\
name: {name}
title: Postage stamps
description: Stamps.
modalities: [image]
agents:
  ocr: {{kind: tool, observer: ocr}}
signs: {signs}
"""


def domain(name: str, signs: dict[str, float], words: tuple[str, ...] = ()) -> Domain:
    agents: dict[str, Any] = {"ocr": {"kind": "tool", "observer": "ocr"}}
    return Domain.model_validate(
        {
            "name": name,
            "title": name,
            "description": name,
            "modalities": ("image",),
            "agents": agents,
            "signs": signs,
            "words": words,
        }
    )


async def routing_of_file(path: Path, key: str = "image") -> Routing:
    row = parse_row({key: str(path)})
    async with playing({}) as play, open_clip(row, MediaSettings(), base_dir=path.parent) as clip:
        context = play.context
        toolbox = ToolBox(ObserverContext(context.cast, context.model_set, context.prompts, context.settings))
        try:
            context = replace(context, toolbox=toolbox)
            return await measured_routing(Case(row=row, clip=clip), context, list(load_domains(None).values()))
        finally:
            toolbox.close()


@given(st.fixed_dictionaries(dict.fromkeys(MEASURES, SHARE)), st.dictionaries(st.sampled_from(["code", "math"]), SHARE))
def test_probabilities_of_the_built_in_domains_add_up(measures: dict[str, float], words: dict[str, float]) -> None:
    domains = load_domains(None).of("image")
    likely = probabilities(domains, measures, words)
    assert sum(likely.values()) == pytest.approx(1)
    found = routing_of(domains, measures, words)
    assert likely[found.domain] == max(likely.values())
    assert found.second not in (None, found.domain)
    assert found.by == "measurement"
    assert found.why


@given(SHARE, SHARE, st.floats(0, 0.5))
def test_confidence_never_falls_as_the_first_domain_gains_on_the_second(a: float, b: float, more: float) -> None:
    second, first = sorted((a / 2, b))
    before = LEVELS.index(confidence_of(first, second))
    assert LEVELS.index(confidence_of(first + more, max(0.0, second - more))) >= before


def test_a_domain_without_signs_counts_by_nothing_and_words_raise_their_own() -> None:
    own = domain("stamps", {"words": 8.0}, ("postage",))
    plain = domain("plain", {})
    measures = dict.fromkeys(MEASURES, 0.5)
    assert probabilities([own, plain], measures, {}) == pytest.approx({"stamps": 0.5, "plain": 0.5})
    assert probabilities([own, plain], measures, {"stamps": 1.0})["stamps"] > 0.99


def test_one_candidate_is_sure_and_has_no_second() -> None:
    found = routing_of([domain("only", {"bias": -3.0})], dict.fromkeys(MEASURES, 0.0), {})
    assert (found.domain, found.second, found.confidence) == ("only", None, "high")


def test_a_sign_that_is_no_measure_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "stamps.yaml").write_text(OWN.format(name="stamps", signs="{text_shar: 2}"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"signs: .*text_shar.*did you mean text_share\?"):
        load_domains(tmp_path)


def test_signs_of_a_users_own_are_read(tmp_path: Path) -> None:
    (tmp_path / "stamps.yaml").write_text(OWN.format(name="stamps", signs="{ruled: 2, bias: -1}"), encoding="utf-8")
    assert load_domains(tmp_path)["stamps"].signs == {"ruled": 2.0, "bias": -1.0}


async def test_a_page_of_program_text_is_code_and_the_reason_can_be_checked(tmp_path: Path) -> None:
    image = Image.new("RGB", (900, 600), (30, 30, 30))
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(22)
    program = ["import os", "def total(values):", "    result = 0", "    for value in values:"]
    program += ["        result += value", "    return result", "print(total([1, 2, 3]))", "class Basket(object):"]
    program += ["    def add(self, item):", "        self.items.append(item)"]
    for n, text in enumerate(program):
        pen.text((40 + 10 * (len(text) - len(text.lstrip())), 30 + 50 * n), text.strip(), (220, 220, 170), font=font)
    image.save(tmp_path / "code.png")
    found = await routing_of_file(tmp_path / "code.png")
    assert found.domain == "code", found.why
    assert "look like program text" in found.why
    assert found.measures is not None
    assert found.measures.keys() == MEASURES.keys()


async def test_a_video_that_moves_is_video_and_one_that_stands_still_is_an_image(tmp_path: Path) -> None:
    size = "size=320x240:rate=10"
    ffmpeg("-f", "lavfi", "-i", f"testsrc2={size}", "-t", "3", str(tmp_path / "moves.mp4"))
    ffmpeg("-f", "lavfi", "-i", f"color=white:{size}", "-t", "3", str(tmp_path / "still.mp4"))
    moving = await routing_of_file(tmp_path / "moves.mp4", "video")
    assert (moving.domain, moving.confidence, moving.why) == ("video", "high", "the picture moves")
    assert (await routing_of_file(tmp_path / "still.mp4", "video")).domain != "video"


async def test_without_the_packages_that_read_text_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (64, 64), "white").save(tmp_path / "page.png")
    monkeypatch.setattr(route_by_measure, "PACKAGES", ("no_such_package",))
    with pytest.raises(ObserverUnavailableError) as missing:
        await routing_of_file(tmp_path / "page.png")
    assert missing.value.hint == "pip install 'omnidetective[local]'"
