"""The text of pages: small print of a scan, each page by its number, small pictures as ever."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from observers.conftest import instrument, observe
from pictures import files

from omnidetective.embedded.text import TextModel
from omnidetective.embedded.text_regions import Region, merged
from omnidetective.evidence import TextEvidence
from omnidetective.observers.ocr import Ocr


def found(wanted: tuple[str, ...], read: list[str]) -> float:
    """Share of the words that were read, each as often as it is there."""
    return (Counter(wanted) & Counter(" ".join(read).split())).total() / len(wanted)


@pytest.mark.integration
async def test_the_small_print_of_a_scan_is_read(tmp_path: Path) -> None:
    """A4 at 300 dpi with three columns of 4-point print: made as small as a frame it is nearly lost."""
    sheet = files.sheet(font_px=16, columns=3, rows=3, step_px=900, title="Terms and Conditions")
    small = sheet.image.resize((905, 1280))
    small.save(tmp_path / "small.jpg", quality=85)
    before = [line.text for line in TextModel.shared(threads=1).read((tmp_path / "small.jpg").read_bytes())]
    sheet.image.save(tmp_path / "scan.png")
    answer = await observe(instrument(Ocr), tmp_path / "scan.png")
    assert isinstance(answer.data, TextEvidence)
    cards = answer.data.cards
    after = [card.text for card in cards]
    assert found(sheet.words, before) < 0.75
    assert found(sheet.words, after) > 0.97
    assert sum(len(text.split()) for text in after) <= 1.02 * len(sheet.words), "something was read twice"
    assert after[0] == "Terms and Conditions"
    assert all(card.box is not None and 0 <= card.box[0] < card.box[2] <= 1 and card.page is None for card in cards)


async def test_every_page_is_read_and_told_by_its_number(tmp_path: Path) -> None:
    pages = [files.plain(f"This is page {name}") for name in ("one", "two", "three")]
    path = files.break_page(files.tiff(tmp_path / "paper.tiff", pages, compression="tiff_lzw"), 2)
    answer = await observe(instrument(Ocr), path)
    assert isinstance(answer.data, TextEvidence)
    assert [(card.page, card.text) for card in answer.data.cards] == [
        (1, "This is page one"),
        (3, "This is page three"),
    ]
    assert answer.data.frames_read == 2
    assert "Page 2 cannot be read" in answer.answer
    assert "page 3, " in answer.answer
    some = await observe(instrument(Ocr, max_frames=1), path)
    assert "1 of 3 pages were not read" in some.answer or "2 of 3 pages were not read" in some.answer


def region(left: float, top: float, right: float, bottom: float, **cut: bool) -> Region:
    return Region(((left, top), (right, top), (right, bottom), (left, bottom)), **cut)


@pytest.mark.parametrize(
    ("tiled", "lines"),
    [
        # One line in two tiles, cut by both borders.
        ([region(10, 10, 600, 30, right_open=True), region(500, 11, 900, 31, left_open=True)], [(10, 10, 900, 31)]),
        # Three tiles in a row.
        (
            [
                region(10, 10, 600, 30, right_open=True),
                region(500, 10, 1100, 30, left_open=True, right_open=True),
                region(1000, 10, 1500, 30, left_open=True),
            ],
            [(10, 10, 1500, 30)],
        ),
        # A line that one tile has whole and the next a piece of.
        ([region(10, 10, 590, 30), region(500, 10, 590, 30, left_open=True)], [(10, 10, 590, 30)]),
        # Cut through by a border below: the upper half is a part of the line that the lower tile has.
        ([region(10, 90, 300, 100, bottom_open=True), region(10, 90, 300, 112)], [(10, 90, 300, 112)]),
        # Two columns side by side are two lines, also where one of them ends at a border.
        ([region(10, 10, 500, 30), region(520, 10, 900, 30, left_open=True)], [(10, 10, 500, 30), (520, 10, 900, 30)]),
    ],
)
def test_lines_that_borders_cut_are_joined_and_nothing_is_there_twice(
    tiled: list[Region], lines: list[tuple[float, float, float, float]]
) -> None:
    assert sorted(line.box for line in merged((), tiled, shared_px=100)) == lines


def test_large_lettering_is_taken_from_the_whole_picture() -> None:
    title = region(0, 0, 2000, 200)
    halves = [region(0, 0, 1000, 110, right_open=True, bottom_open=True), region(900, 0, 2000, 110, bottom_open=True)]
    small = region(100, 400, 500, 430)
    assert merged((title, small), [*halves, small], shared_px=100) == (title, small)
    assert merged((small,), [], shared_px=100) == (small,), "what only the whole picture shows is kept"
