"""`omnidetective domains`: the domains as a user meets them."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.test_commands import omnidetective

HERBARIUM = """\
name: herbarium
title: Herbarium sheets
description: Pressed plants on paper.
modalities: [image, video]
boundaries: ["A living plant is `natural`."]
tells: [the name on the label]
agents:
  botanist: {kind: reasoning, prompt: capflow/general_reasoning, role: omni_llm}
  ocr: {kind: tool, observer: ocr}
  colour: {kind: tool, observer: colour}
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "herbarium.yaml").write_text(HERBARIUM)
    return folder


def test_the_list_names_every_domain_and_its_agents_by_kind() -> None:
    done = omnidetective("domains", "list")
    assert done.returncode == 0, done.stderr
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["NAME", "TITLE", "CLIPS", "AGENTS"]
    assert [row.split()[0] for row in rows] == [
        "aesthetic", "code", "document", "interface", "knowledge", "math", "medical", "natural", "video",
    ]  # fmt: skip
    (document,) = [row for row in rows if row.startswith("document")]
    assert "Infographic & document" in document
    assert "ocr" in document.partition("tool: ")[2]


@pytest.mark.parametrize("how", ["option", "setting", "file"])
def test_domains_of_ones_own_are_among_them(how: str, own: Path, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(f"route: {{domains: {own}}}\n")
    given = {
        "option": ("--domains", str(own)),
        "setting": ("--set", f"route.domains={own}"),
        "file": ("--config", str(tmp_path / "c.yaml")),
    }[how]
    done = omnidetective("domains", "list", *given)
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("herbarium")]
    assert "image,video" in row
    assert row.endswith("reasoning: botanist, tool: ocr colour")
    assert len(done.stdout.splitlines()) == 11


def test_show_tells_what_belongs_to_a_domain_and_who_looks_at_it(own: Path) -> None:
    done = omnidetective("domains", "show", "Herbarium Sheets", "--domains", str(own))
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "herbarium  Herbarium sheets, for image, video\n"
        "Pressed plants on paper.\n"
        "Where it ends:\n"
        "  A living plant is `natural`.\n"
        "What a caption tells:\n"
        "  the name on the label\n"
        "Agents:\n"
        "  botanist: reasoning, prompt capflow/general_reasoning, played by omni_llm\n"
        "  ocr: tool, the observer ocr\n"
        "  colour: tool, the observer colour\n"
    )


def test_every_built_in_domain_can_be_shown() -> None:
    done = omnidetective("domains", "show", "code")
    assert "is `code`, not `interface`" in done.stdout
    done = omnidetective("domains", "show", "video")
    assert "Where it ends" not in done.stdout, "there is only one domain of videos"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("domains", "show", "documnet"), "did you mean document?"),
        (("domains", "list", "--domains", "nowhere"), "nowhere is not a folder"),
        (("domains", "list", "--set", "route.domain=x"), "did you mean route.domains?"),
        (("domain", "list"), "Did you mean 'domains'?"),
    ],
)
def test_a_mistake_is_told_with_what_was_meant(arguments: tuple[str, ...], told: str) -> None:
    done = omnidetective(*arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
