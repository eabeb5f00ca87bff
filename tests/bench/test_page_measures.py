"""The bench of tables and code: right answers score full, and each kind of error is counted as what it is."""

from __future__ import annotations

from pictures.code import draw
from pictures.tables import DRAWN

from omnidetective.page_evidence import CodeBlock, CodeEvidence, Table, TableCell, TableEvidence
from scripts.bench.instruments import code, tables
from scripts.bench.instruments.rows import Row

DRAWN_TABLE = DRAWN["ruled"]
DRAWN_CODE = draw("Python")


def results(rows: list[Row]) -> list[str]:
    return [row.result for row in rows]


def found(wrong: int = 0, *, header_rows: int = 1) -> TableEvidence:
    cells = [
        TableCell(row=r, column=c, text=text) for r, row in enumerate(DRAWN_TABLE.rows) for c, text in enumerate(row)
    ]
    cells[:wrong] = [cell.model_copy(update={"text": "?"}) for cell in cells[:wrong]]
    made = Table(rows=5, columns=4, cells=tuple(cells), header_rows=header_rows, ruled=True, box=(0.0, 0.0, 1.0, 1.0))
    return TableEvidence(tables=(made,))


def read(language: str, text: str) -> CodeEvidence:
    return CodeEvidence(blocks=(CodeBlock(language=language, text=text, box=(0.0, 0.0, 1.0, 1.0)),))


def test_tables() -> None:
    assert results(tables.on_tables([(DRAWN_TABLE, found())])) == ["1 of 1", "100.0 %", "1 of 1"]
    assert results(tables.on_tables([(DRAWN_TABLE, found(5, header_rows=0))])) == ["1 of 1", "75.0 %", "0 of 1"]
    assert results(tables.on_tables([(DRAWN_TABLE, TableEvidence(tables=()))])) == ["0 of 1", "0.0 %", "0 of 1"]
    assert results(tables.on_others([found(), TableEvidence(tables=())])) == ["1"]


def test_code() -> None:
    right = read("Python", DRAWN_CODE.text)
    assert results(code.on_code([(DRAWN_CODE, right)])) == ["1 of 1", "100.0 %", "0"]
    half = "\n".join(DRAWN_CODE.text.split("\n")[:10])
    assert results(code.on_code([(DRAWN_CODE, read("Ruby", half))])) == ["0 of 1", "50.0 %", "0"]
    assert results(code.on_code([(DRAWN_CODE, CodeEvidence(blocks=()))])) == ["0 of 1", "0.0 %", "0"]
    assert results(code.on_others([right, CodeEvidence(blocks=())])) == ["1"]
