"""Code in an image: its text with indentation, its language, what it defines; and quiet where there is none."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from observers.conftest import SAMPLES, instrument, observe
from pictures import code, tables
from pictures.code import DARK, LANGUAGES, LIGHT, THEMES, Theme, draw

from omnidetective.errors import ObserverUnavailableError
from omnidetective.observers.code import Code
from omnidetective.page_evidence import CodeBlock, CodeEvidence, Definition

RIGHT_LINES = 0.8
"""Share of lines that are right to the letter: recognition loses a lone bracket now and then."""
NEEDED = {"C#": "tree_sitter_c_sharp", "PHP": "tree_sitter_php", "Ruby": "tree_sitter_ruby", "SQL": "tree_sitter_sql"}
"""Grammars of the extra `code`."""


async def found(path: Path) -> tuple[CodeBlock, ...]:
    answer = await observe(instrument(Code), path)
    assert isinstance(answer.data, CodeEvidence)
    return answer.data.blocks


def right_lines(block: CodeBlock, text: str) -> float:
    """Share of the lines that are in their place to the letter, indentation included."""
    read, wanted = block.text.split("\n"), text.split("\n")
    return sum(a == b for a, b in zip(read, wanted, strict=False)) / max(len(read), len(wanted))


@pytest.mark.parametrize(("n", "language"), list(enumerate(sorted(LANGUAGES))))
async def test_the_language_and_nearly_all_lines_are_right(tmp_path: Path, n: int, language: str) -> None:
    if language in NEEDED and importlib.util.find_spec(NEEDED[language]) is None:
        pytest.skip("the extra code is not installed")
    drawn = draw(language, list(THEMES.values())[n % len(THEMES)])
    drawn.image.save(tmp_path / "code.png")
    (block,) = await found(tmp_path / "code.png")
    assert block.language == language
    assert right_lines(block, drawn.text) >= RIGHT_LINES, block.text


async def test_an_editor_is_read_with_its_file_and_without_the_numbers_of_lines(tmp_path: Path) -> None:
    drawn = draw("Python", DARK)
    drawn.image.save(tmp_path / "editor.png")
    answer = await observe(instrument(Code), tmp_path / "editor.png")
    assert isinstance(answer.data, CodeEvidence)
    (block,) = answer.data.blocks
    assert right_lines(block, drawn.text) >= 0.9
    assert (block.file, block.imports, block.comments, block.broken_lines) == (
        "main.py",
        ("math", "dataclasses"),
        1,
        (),
    )
    assert block.definitions == (
        Definition(kind="class", name="Shape", line=9),
        Definition(kind="method", name="area", line=13),
        Definition(kind="function", name="diagonal", line=17),
    )
    assert answer.answer.startswith("Python code of “main.py”, 20 lines:\nimport math\n")
    assert "It defines class Shape (line 9), method area (line 13), function diagonal (line 17)." in answer.answer


async def test_broken_lines_are_named_and_nothing_is_run(tmp_path: Path) -> None:
    text = LANGUAGES["Python"].replace("def area(self) -> float:", "def area(self -> float:")
    draw("Python", LIGHT, text=text).image.save(tmp_path / "broken.png")
    answer = await observe(instrument(Code), tmp_path / "broken.png")
    assert isinstance(answer.data, CodeEvidence)
    (block,) = answer.data.blocks
    assert "def area(self -> float:" in block.text
    assert block.broken_lines
    assert "A parser cannot make sense of line" in answer.answer


@pytest.mark.parametrize("name", sorted(tables.NO_TABLES))
async def test_text_charts_and_windows_are_no_code(tmp_path: Path, name: str) -> None:
    tables.NO_TABLES[name]().save(tmp_path / "none.png")
    assert await found(tmp_path / "none.png") == ()


@pytest.mark.parametrize("name", ["ruled", "no rules", "merged header"])
async def test_tables_are_no_code(tmp_path: Path, name: str) -> None:
    tables.DRAWN[name].image.save(tmp_path / "table.png")
    assert await found(tmp_path / "table.png") == ()


@pytest.mark.parametrize(
    "text",
    [
        "E = m c^2\na^2 + b^2 = c^2\nx = (-b + d) / (2a)\nd = b^2 - 4ac",
        "x = 3\ny = x + 4",
        "Dear Ms Fernandez,\n\nthank you for your letter (of 3 May).\nWe import tea; for details, see below.\n\nYours",
    ],
)
async def test_formulas_letters_and_too_little_are_no_code(tmp_path: Path, text: str) -> None:
    draw("Python", Theme(), text=text).image.save(tmp_path / "text.png")
    assert await found(tmp_path / "text.png") == ()


async def test_a_poster_is_no_code_and_that_is_told() -> None:
    answer = await observe(instrument(Code), SAMPLES / "poster.jpg")
    assert answer.data == CodeEvidence(blocks=())
    assert answer.answer == "No program text is seen."


async def test_a_language_whose_grammar_is_missing_is_named_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = frozenset(LANGUAGES) - set(NEEDED)
    monkeypatch.setattr("omnidetective.embedded.code_reading.installed", lambda: here)
    draw("C#").image.save(tmp_path / "code.png")
    answer = await observe(instrument(Code), tmp_path / "code.png")
    assert answer.data == CodeEvidence(blocks=())
    assert "There seems to be C#" in answer.answer
    assert "pip install 'omnidetective[code]'" in answer.answer


def test_without_the_parser_it_is_unavailable_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "omnidetective.embedded.inference.importlib.util.find_spec",
        lambda name: None if name == "tree_sitter" else find(name),
    )
    with pytest.raises(ObserverUnavailableError) as caught:
        instrument(Code)
    assert (caught.value.reason, caught.value.hint) == ("not_installed", "pip install 'omnidetective[local]'")


def test_the_pictures_are_of_one_width() -> None:
    """What the indentation is measured by: a letter takes one cell, whatever it is."""
    _, cell_px = code.cells(22)
    wide, narrow = (draw("Python", LIGHT, text=letter * 60).image.width for letter in "mi")
    assert wide == narrow
    assert wide >= 60 * cell_px
