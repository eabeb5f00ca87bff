"""Tables of an image: every cell in its row and column, read by the real recogniser; and quiet where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from observers.conftest import SAMPLES, instrument, observe
from pictures import code, tables
from pictures.tables import DrawnTable, beside, draw

from omnidetective.errors import ObserverUnavailableError
from omnidetective.observers.tables import Tables
from omnidetective.page_evidence import Table, TableEvidence


async def found(path: Path) -> tuple[Table, ...]:
    answer = await observe(instrument(Tables), path)
    assert isinstance(answer.data, TableEvidence)
    return answer.data.tables


def without_spaces(text: str) -> str:
    """Recognition may read `+12%` for `+12 %`; a space is no part of what a cell tells."""
    return "".join(text.split())


def texts(table: Table) -> dict[tuple[int, int], str]:
    return {(cell.row, cell.column): without_spaces(cell.text) for cell in table.cells}


def drawn_texts(drawn: DrawnTable) -> dict[tuple[int, int], str]:
    covered = {
        (r, c)
        for (row, column), (down, across) in drawn.spans.items()
        for r in range(row, row + down)
        for c in range(column, column + across)
        if (r, c) != (row, column)
    }
    return {
        (r, c): without_spaces(text)
        for r, row in enumerate(drawn.rows)
        for c, text in enumerate(row)
        if (r, c) not in covered
    }


@pytest.mark.parametrize("name", sorted(tables.DRAWN))
async def test_every_cell_is_read_in_its_row_and_column(tmp_path: Path, name: str) -> None:
    drawn = tables.DRAWN[name]
    drawn.image.save(tmp_path / "table.png")
    (table,) = await found(tmp_path / "table.png")
    assert texts(table) == drawn_texts(drawn)
    assert (table.rows, table.columns) == (len(drawn.rows), len(drawn.rows[0]))
    assert (table.header_rows, table.ruled) == (drawn.header_rows, drawn.ruled)
    spans = {(c.row, c.column): (c.row_span, c.column_span) for c in table.cells if c.row_span * c.column_span > 1}
    assert spans == dict(drawn.spans)
    assert table.box == pytest.approx(drawn.box, abs=0.06)


async def test_two_tables_are_two_from_top_to_bottom(tmp_path: Path) -> None:
    first, second = draw(tables.SALES), draw(tables.PLANETS, tables.Style(rules="none", gap_px=70))
    beside(first, second, below=True).save(tmp_path / "two.png")
    read = await found(tmp_path / "two.png")
    assert [texts(table) for table in read] == [drawn_texts(first), drawn_texts(second)]
    assert read[0].box[3] <= read[1].box[1]


@pytest.mark.parametrize("name", sorted(tables.NO_TABLES))
async def test_what_only_looks_like_a_table_is_none(tmp_path: Path, name: str) -> None:
    tables.NO_TABLES[name]().save(tmp_path / "none.png")
    assert await found(tmp_path / "none.png") == ()


@pytest.mark.parametrize("language", ["Python", "JSON", "SQL"])
async def test_code_with_numbered_lines_is_no_table(tmp_path: Path, language: str) -> None:
    code.draw(language, code.THEMES["dark, numbered"]).image.save(tmp_path / "code.png")
    assert await found(tmp_path / "code.png") == ()


async def test_a_poster_is_no_table_and_that_is_told() -> None:
    answer = await observe(instrument(Tables), SAMPLES / "poster.jpg")
    assert answer.data == TableEvidence(tables=())
    assert answer.answer == "No table is seen."


async def test_the_answer_tells_rows_in_words(tmp_path: Path) -> None:
    tables.DRAWN["merged header"].image.save(tmp_path / "planets.png")
    answer = await observe(instrument(Tables), tmp_path / "planets.png")
    assert answer.answer == (
        "1 table:\n"
        "Table 1: 4 rows, 3 columns, with lines, 2 of the rows are its head.\n"
        "| Planet | Facts | Facts |\n"
        "| Planet | Moons | Day |\n"
        "| Mars | 2 | 24.6 |\n"
        "| Jupiter | 95 | 9.9 |"
    )


def test_without_the_packages_it_is_unavailable_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnidetective.embedded.inference.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ObserverUnavailableError) as caught:
        instrument(Tables)
    assert (caught.value.reason, caught.value.hint) == ("not_installed", "pip install 'omnidetective[local]'")
