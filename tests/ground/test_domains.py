"""Domains are data: what a file must be, how a user may call a domain, and that the built-in rules agree."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.domains import Domains, load_domains
from omnidetective.errors import ConfigError

BUILT_IN = load_domains(None)
TOOL = {"kind": "tool", "observer": "ocr"}


def write(folder: Path, name: str, /, **fields: Any) -> Path:
    data = {
        "name": name,
        "title": name.title(),
        "description": "Pictures.",
        "modalities": ["image"],
        "agents": {"ocr": TOOL},
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(data | fields))
    return path


# The built-in ones ------------------------------------------------------------------------------------------------


def test_there_are_the_nine_of_the_paper() -> None:
    titles = {
        "Natural", "Structure & math", "Infographic & document", "Medical & bio-imaging", "UI & interaction",
        "Code & programming", "Knowledge & education", "Synthetic & aesthetic", "Video & temporal",
    }  # fmt: skip
    assert {domain.title for domain in BUILT_IN.values()} == titles
    assert [domain.name for domain in BUILT_IN.of("video")] == ["video"]
    assert len(BUILT_IN.of("image")) == 8
    assert BUILT_IN.of("audio") == ()


def _others(name: str) -> set[str]:
    """The domains that the rules of one speak of."""
    return {other for rule in BUILT_IN[name].boundaries for other in re.findall(r"`(\w+)`", rule)} - {name}


@pytest.mark.parametrize("name", [domain.name for domain in BUILT_IN.of("image")])
def test_a_rule_stands_with_each_domain_that_it_is_about(name: str) -> None:
    others = _others(name)
    assert others
    assert others <= set(BUILT_IN), "a rule speaks of a domain that there is not"
    assert [other for other in others if name not in _others(other)] == []


# How they are called ----------------------------------------------------------------------------------------------


@given(name=st.sampled_from(sorted(BUILT_IN)), title=st.booleans(), data=st.data())
def test_case_marks_and_ands_do_not_matter(name: str, title: bool, data: st.DataObject) -> None:
    called = BUILT_IN[name].title if title else name
    spelt = called.replace("&", data.draw(st.sampled_from(["&", "and", "AND", "+", "/", ""])))
    spelt = spelt.replace(" ", data.draw(st.sampled_from([" ", "_", "-", "  "])))
    spelt = "".join(data.draw(st.sampled_from([c.upper(), c.lower()])) for c in spelt)
    found = BUILT_IN.named(f" {spelt}\n")
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("text", ["", " ", "&", "and", "---", "codes", "nat", "none of them"])
def test_what_is_no_name_means_no_domain(text: str) -> None:
    assert BUILT_IN.named(text) is None


def test_letters_within_a_word_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, "brand", title="Brands")
    mine = load_domains(tmp_path)
    assert mine.named("br") is None
    assert mine["brand"] is mine.named("BRAND")


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("documnt", "; did you mean document?"),
        ("Infographics", "; did you mean document?"),
        ("bio imaging", "; did you mean medical?"),
        ("education", "; did you mean knowledge?"),
        ("Vidoe", "; did you mean video?"),
        ("qqqq", ""),
        ("", ""),
    ],
)
def test_the_nearest_is_found_by_name_and_by_the_words_of_the_title(text: str, near: str) -> None:
    assert BUILT_IN.near(text) == near


# A folder of the user's own ---------------------------------------------------------------------------------------


def test_a_folder_adds_and_replaces(tmp_path: Path) -> None:
    write(tmp_path, "herbarium")
    write(tmp_path, "natural", title="Photographs", modalities=["image", "video"]).rename(tmp_path / "natural.yml")
    (tmp_path / "notes.txt").write_text("not a domain")
    mine = load_domains(tmp_path)
    assert set(mine) == {*BUILT_IN, "herbarium"}
    assert list(mine) == sorted(mine)
    assert mine["natural"].title == "Photographs"
    assert [domain.name for domain in mine.of("video")] == ["natural", "video"]
    assert load_domains(None)["natural"].title == "Natural"


BROKEN: dict[str, tuple[dict[str, Any] | str, str]] = {
    "no YAML": ("name: [", "cannot read the domain in"),
    "no UTF-8": ("\udcff", "cannot read the domain in"),
    "empty": ("", "the file: "),
    "a list": ("- a\n- b\n", "the file: "),
    "another name": ({"name": "other"}, "name the file other.yaml"),
    "an unknown key": ({"boundary": []}, "unknown key 'boundary'; did you mean boundaries?"),
    "an unknown key of an agent": ({"agents": {"a": {**TOOL, "promt": "x"}}}, "'agents.a.promt'; did you mean prompt?"),
    "no modality": ({"modalities": []}, "modalities"),
    "a modality that is none": ({"modalities": ["picture"]}, "modalities.0"),
    "no agent": ({"agents": {}}, "agents"),
    "a tool with a prompt": (
        {"agents": {"a": {**TOOL, "prompt": "capflow/x"}}},
        "a tool names an observer and no prompt",
    ),
    "a model without a prompt": (
        {"agents": {"a": {"kind": "reasoning"}}},
        "a reasoning agent names a prompt and no observer",
    ),
    "a pattern that is none": ({"words": ["("]}, "'(' is no regular expression"),
    "the title of another": ({"title": "NATURAL"}, "cannot be told apart: both go by 'natural'"),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_wrong_file_is_named_with_what_is_wrong(broken: tuple[dict[str, Any] | str, str], tmp_path: Path) -> None:
    content, told = broken
    path = write(tmp_path, "mine", **(content if isinstance(content, dict) else {}))
    if isinstance(content, str):
        path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError) as caught:
        load_domains(tmp_path)
    assert told in str(caught.value)
    assert "mine" in str(caught.value)


def test_two_files_for_one_domain_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "mine").rename(tmp_path / "mine.yml")
    write(tmp_path, "mine", description="Other pictures.")
    with pytest.raises(ConfigError, match="cannot be told apart"):
        load_domains(tmp_path)


def test_a_name_in_another_case_replaces_nothing(tmp_path: Path) -> None:
    write(tmp_path, "Code", title="My code")
    with pytest.raises(ConfigError, match=r"name the file code\.yaml to replace that domain"):
        load_domains(tmp_path)


def test_a_folder_without_a_domain_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no domain"):
        load_domains(tmp_path)
    with pytest.raises(ConfigError, match="is not a folder"):
        load_domains(tmp_path / "nowhere")


def test_all_domains_come_in_the_order_of_their_names() -> None:
    assert list(Domains(reversed(tuple(BUILT_IN.values())))) == sorted(BUILT_IN)
