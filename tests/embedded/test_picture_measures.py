"""Measures of pictures: each tells what it says, of pictures drawn for it."""

from __future__ import annotations

import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from omnidetective.embedded.picture_measures import picture_measures, text_measures, told, words_share
from omnidetective.embedded.text import TextLine
from omnidetective.picture_signs import MEASURES

Colour = tuple[int, int, int]


def saved(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def plain(colour: Colour, size: tuple[int, int] = (320, 240)) -> Image.Image:
    return Image.new("RGB", size, colour)


def line(text: str, *, left: float = 0.1, top: float = 0.1, height: float = 0.03) -> TextLine:
    return TextLine(text, (left, top, min(1.0, left + 0.01 * len(text)), top + height), 0.99)


def test_a_white_page_is_white_and_flat() -> None:
    found = picture_measures(saved(plain((255, 255, 255), (600, 800))), ())
    assert (found["white"], found["flat"], found["top_colour"], found["page_shape"]) == (1, 1, 1, 1)
    assert found["dark"] == found["edges"] == found["saturation"] == found["text_share"] == 0


def test_noise_has_many_shades_and_colours_as_photographs_do() -> None:
    dice = random.Random(7)
    noise = Image.frombytes("RGB", (320, 240), dice.randbytes(320 * 240 * 3))
    found, flat = picture_measures(saved(noise), ()), picture_measures(saved(plain((10, 90, 200))), ())
    assert found["levels"] > 0.8 > 0.1 > flat["levels"]
    assert found["colours"] > flat["colours"]
    assert found["flat"] == 0


def test_a_disc_before_black_has_a_dark_border_and_grey_inside() -> None:
    image = plain((0, 0, 0))
    ImageDraw.Draw(image).ellipse((80, 40, 240, 200), fill=(130, 130, 130))
    found = picture_measures(saved(image), ())
    assert found["dark_border"] == 1
    assert 0.2 < found["mid_grey"] < 0.35


def test_rules_are_long_level_or_upright_lines() -> None:
    ruled, slanted = plain((255, 255, 255)), plain((255, 255, 255))
    for n in range(8):
        ImageDraw.Draw(ruled).line((0, 20 + 25 * n, 319, 20 + 25 * n), fill=(0, 0, 0), width=2)
        ImageDraw.Draw(slanted).line((0, 25 * n, 319, 90 + 25 * n), fill=(0, 0, 0), width=2)
    found, other = picture_measures(saved(ruled), ()), picture_measures(saved(slanted), ())
    assert found["ruled"] > 0.3 > other["ruled"]
    assert found["axis_edges"] > 0.9 > other["axis_edges"]


@given(
    st.integers(1, 400),
    st.integers(1, 400),
    st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255)),
    st.lists(st.text(min_size=1, max_size=60), max_size=5),
)
def test_every_measure_is_there_and_between_0_and_1(width: int, height: int, colour: Colour, texts: list[str]) -> None:
    lines = [line(text, top=0.1 * n) for n, text in enumerate(texts)]
    found = picture_measures(saved(plain(colour, (width, height))), lines)
    assert found.keys() == MEASURES.keys()
    assert all(0 <= value <= 1 for value in found.values())


def test_program_text_is_told_from_prose() -> None:
    program = ["def area(width, height):", "    return width * height", "for side in sides:", "print(area(side, 2))"]
    prose = ["The house stood on a hill above the town", "and nobody had lived there for many years."]
    code = text_measures([line(text, left=0.1 + 0.04 * (n % 2), top=0.05 * n) for n, text in enumerate(program)])
    book = text_measures([line(text, top=0.05 * n) for n, text in enumerate(prose)])
    assert code["code_lines"] == 0.75, "a bare return could be prose"
    assert book["code_lines"] == 0
    assert code["indented"] > book["indented"] == 0
    assert code["symbols"] > book["symbols"]
    assert book["long_lines"] == 1


def test_lines_under_each_other_are_a_column() -> None:
    under = text_measures([line("word", left=0.2, top=0.1 * n) for n in range(4)])
    apart = text_measures([line("word", left=0.2 * n, top=0.1 * n) for n in range(4)])
    assert (under["columns"], apart["columns"]) == (1, 0)


def test_words_are_found_whatever_their_case() -> None:
    lines = [line("Cancel"), line("A long sentence."), line("x"), line("y")]
    assert words_share(lines, [r"^cancel$"]) == 1
    assert words_share(lines, []) == words_share([], ["cancel"]) == 0


def test_what_is_told_can_be_checked_by_looking() -> None:
    page = picture_measures(saved(plain((255, 255, 255))), [line("one two three four five six seven eight nine")])
    assert "text covers 1% of the picture" in told(page)
    assert "100% are white" in told(page)
    assert told(picture_measures(saved(plain((0, 0, 0))), ())).startswith("no text was read")


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(OSError, match="cannot identify"):
        picture_measures(b"nothing", ())
