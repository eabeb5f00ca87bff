"""Prompts are files: declared inputs, strict rendering, fingerprints, replacements."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from omnidetective.errors import PromptError
from omnidetective.prompts import PromptLibrary, prompts_used, read_prompt

FRONT = "---\nversion: 2\nrole: detective\ndescription: d\ninputs:\n  who: a name\n---\n"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_prompt_is_rendered_with_exactly_its_inputs(tmp_path: Path) -> None:
    prompt = read_prompt(write(tmp_path, "p", FRONT + "Hello {{ who }}."), "p")
    assert prompt.render(who="you") == "Hello you."
    with pytest.raises(PromptError, match="needs who"):
        prompt.render()
    with pytest.raises(PromptError, match="does not take whom"):
        prompt.render(who="you", whom="me")


def test_what_is_put_in_is_never_read_as_a_template(tmp_path: Path) -> None:
    prompt = read_prompt(write(tmp_path, "p", FRONT + "{{ who }}"), "p")
    assert prompt.render(who="{{ 7 * 7 }} {% raw %}") == "{{ 7 * 7 }} {% raw %}"


def test_a_template_cannot_reach_into_python(tmp_path: Path) -> None:
    prompt = read_prompt(write(tmp_path, "p", FRONT + "{{ who.__class__.__mro__ }}"), "p")
    with pytest.raises(PromptError):
        prompt.render(who="x")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no front matter", "broken"),
        (FRONT + "{{ somebody }}", "somebody"),
        (FRONT + "{{ who", "broken"),
        (FRONT.replace("role:", "roll:"), "broken"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str, told: str) -> None:
    path = write(tmp_path, "p", text)
    with pytest.raises(PromptError, match=told) as caught:
        read_prompt(path, "p")
    assert str(path) in str(caught.value)


def test_the_fingerprint_follows_the_text(tmp_path: Path) -> None:
    one = read_prompt(write(tmp_path, "a", FRONT + "x"), "p").fingerprint
    other = read_prompt(write(tmp_path, "b", FRONT + "y"), "p").fingerprint
    assert one != other
    assert one.startswith("2+")


def test_a_replacement_takes_the_place_of_its_namesake_only(tmp_path: Path) -> None:
    write(tmp_path, "detective/inquire", FRONT.replace("  who: a name\n", "").replace("inputs:\n", "") + "Mine.")
    library = PromptLibrary(tmp_path)
    assert library.get("detective/inquire").render() == "Mine."
    assert library.get("detective/conclude").render() == PromptLibrary().get("detective/conclude").render()


def test_a_replacement_of_nothing_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "detective/inquir", FRONT + "{{ who }}")
    with pytest.raises(PromptError, match="replaces no prompt"):
        PromptLibrary(tmp_path)


def test_a_replacement_cannot_ask_for_what_it_is_not_given(tmp_path: Path) -> None:
    write(tmp_path, "detective/inquire", FRONT + "{{ who }}")
    with pytest.raises(PromptError, match="who"):
        PromptLibrary(tmp_path)


def test_a_replacement_may_use_less_than_it_is_given(tmp_path: Path) -> None:
    text = FRONT.replace("  who: a name\n", "").replace("inputs:\n", "inputs: {}\n") + "Short."
    write(tmp_path, "witness/audio_llm", text)
    prompt = PromptLibrary(tmp_path).get("witness/audio_llm")
    assert prompt.render(modality="audio", start_s=None, end_s=None, duration_s=3) == "Short."


def test_which_prompts_were_rendered_is_noted() -> None:
    library = PromptLibrary()
    noted: dict[str, str] = {}
    with prompts_used(noted):
        library.get("detective/inquire").render()
    library.get("detective/conclude").render()
    assert noted == {"detective/inquire": library.get("detective/inquire").fingerprint}


class Sample(str):
    """A value that a template can print, walk through, and take parts of, whatever its input is declared to be."""

    def __iter__(self) -> Iterator[Any]:
        yield Sample("part")

    def __getitem__(self, key: Any) -> Any:
        return Sample(f"part {key}")

    def __getattr__(self, name: str) -> Any:
        return Sample(name)

    def items(self) -> list[tuple[Any, Any]]:
        return [(Sample("key"), Sample("value"))]


@pytest.mark.parametrize("name", [prompt.name for prompt in PromptLibrary()])
def test_every_built_in_prompt_renders_from_its_declared_inputs(name: str) -> None:
    prompt = PromptLibrary().get(name)
    text = prompt.render(**{key: Sample(key) for key in prompt.inputs})
    assert text
    assert "{{" not in text
