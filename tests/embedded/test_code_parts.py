"""The parts of the code reader that need no picture: any indentation comes back, and hostile text ends."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures.code import LANGUAGES

from omnidetective.embedded.code_languages import BY_NAME
from omnidetective.embedded.code_layout import code_texts, file_name, indentation, looks_like_code
from omnidetective.embedded.code_parsing import installed, parse
from omnidetective.embedded.code_reading import language_of
from omnidetective.embedded.placed_text import Placed

LETTER_PX = 12.0
STEP_PX = 30.0


def no_ink(line: Placed) -> list[bool]:
    """The box of a line is as wide as its ink."""
    return [True] * round(line.right - line.left)


def shown(text: str, *, left_px: float = 60.0, numbers: bool = False) -> list[Placed]:
    """Code as text recognition finds it: a line a row, nothing where it is empty."""
    placed = []
    for n, line in enumerate(text.split("\n")):
        top = 40 + STEP_PX * n
        if numbers:
            placed.append(Placed(str(n + 1), 4, top, 4 + LETTER_PX * 2, top + 20))
        if line.strip():
            indent = len(line) - len(line.lstrip())
            left = left_px + LETTER_PX * indent
            placed.append(Placed(line.strip(), left, top, left + LETTER_PX * len(line.strip()), top + 20))
    return placed


@st.composite
def programs(draw: st.DrawFn) -> str:
    """Lines of code with any indentation of one unit, and with empty lines between them."""
    unit = draw(st.sampled_from((2, 4)))
    levels = [0, *draw(st.lists(st.integers(0, 4), min_size=4, max_size=25)), 0]
    lines = []
    for n, level in enumerate(levels):
        lines.append(" " * (unit * level) + f"value_{n} = compute(value_{n}, {n})")
        # Two lines stand together somewhere: where none do, nobody could tell empty lines from wide ones.
        if draw(st.booleans()) and 0 < n < len(levels) - 1:
            lines.append("")
    return "\n".join(lines)


@given(programs(), st.booleans())
@settings(max_examples=100)
def test_indentation_and_empty_lines_come_back(text: str, numbers: bool) -> None:
    (code,) = code_texts(shown(text, numbers=numbers), no_ink)
    assert code.text == text


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.sampled_from((2, 4)), st.data())
def test_indentation_is_measured_right_though_letters_are_not(
    levels: list[int], unit: int, data: st.DataObject
) -> None:
    widths = [unit * level + data.draw(st.floats(-0.45, 0.45)) for level in levels]
    assert indentation(widths) == tuple(unit * level for level in levels)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_a_language_is_told_and_parses_without_broken_lines(language: str) -> None:
    if language not in installed():
        pytest.skip("its grammar is not installed")
    assert language_of(LANGUAGES[language], None, installed()) == language
    assert parse(LANGUAGES[language], BY_NAME[language]).broken_lines == ()


@pytest.mark.parametrize(
    ("language", "imports", "definitions"),
    [
        ("JavaScript", ("fs",), ["function countWords", "class Reader", "method constructor", "method total"]),
        ("TypeScript", ("./order",), ["interface Customer", "type Amount", "function total"]),
        ("Java", ("java.util.List",), ["class Basket", "method total"]),
        ("C", ("stdio.h",), ["function larger", "function main"]),
        ("C++", ("vector", "string"), ["namespace shop", "class Basket", "method add"]),
        ("C#", ("System", "System.Linq"), ["class Basket", "method Total"]),
        ("Go", ("fmt",), ["type Point", "method Sum", "function main"]),
        ("Rust", ("std::collections::HashMap",), ["struct Counter", "method add", "function main"]),
        ("Ruby", ("json",), ["class Basket", "method initialize", "method total"]),
        ("PHP", ("Shop\\Models\\Item",), ["class Basket", "method add"]),
        ("Bash", (), ["function copy_all"]),
    ],
)
def test_what_code_defines_and_imports(language: str, imports: tuple[str, ...], definitions: list[str]) -> None:
    if language not in installed():
        pytest.skip("its grammar is not installed")
    parsed = parse(LANGUAGES[language], BY_NAME[language])
    assert parsed.imports == imports
    assert [f"{found.kind} {found.name}" for found in parsed.definitions] == definitions


def test_prose_has_no_language() -> None:
    assert (
        language_of("The old mill stands at the end\nof the lane, where the river\nturns to the sea.", None, ()) is None
    )


def test_the_ending_of_a_file_helps_where_little_is_shown() -> None:
    text = "total = 0\nfor item in items:\n    total += item\nshow(total)"
    assert language_of(text, "sum.py", installed()) == "Python"


def test_of_several_tabs_no_file_is_named() -> None:
    assert file_name(["main.py"]) == "main.py"
    assert file_name(["src/main.py", "main.py x"]) == "main.py"
    assert file_name(["main.py", "shape.py"]) is None
    assert file_name(["Explorer", "3.5 km"]) is None


@pytest.mark.parametrize(
    "text", ["import math", "return a + b;", "#include <stdio.h>", "x => x + 1", "}", "<p>Hello</p>", "SELECT name"]
)
def test_lines_of_code_look_like_it(text: str) -> None:
    assert looks_like_code(text)


@pytest.mark.parametrize(
    "text", ["Sunday, 12 April 2026", "Opens 9:30 a.m. - Hall 4", "For the time being", "Import duties", "See page (3)"]
)
def test_lines_of_prose_do_not(text: str) -> None:
    assert not looks_like_code(text)


def test_thousands_of_lines_and_deep_nesting_end() -> None:
    lines = "\n".join(f"value_{n} = compute({n})" for n in range(6_000))
    (code,) = code_texts(shown(lines), no_ink)
    assert len(code.lines) <= 2_000
    assert parse("(" * 50_000, BY_NAME["Python"]).broken_lines == (1,)
