"""``tables``: cells right, and false tables, on drawn pictures of known content."""

from __future__ import annotations

from collections.abc import Sequence

from omnidetective.evals.sample_truth import Truth
from omnidetective.page_evidence import TableEvidence
from scripts.bench.instruments.asking import Bench
from scripts.bench.instruments.films import Studio
from scripts.bench.instruments.rows import Row, of, share
from scripts.bench.samples import DATA
from tests.pictures import code, tables
from tests.pictures.tables import DrawnTable


async def measure(bench: Bench, truth: Truth, studio: Studio) -> list[Row]:
    """See the module."""
    drawn = []
    for n, table in enumerate(tables.DRAWN.values()):
        path = studio.folder / f"table-{n}.png"
        table.image.save(path)
        drawn.append((table, await bench.ask("tables", path, TableEvidence)))
    others = [await bench.ask("tables", DATA / "poster.jpg", TableEvidence)]
    pictures = [make() for make in tables.NO_TABLES.values()]
    pictures += [code.draw(language, code.THEMES["dark, numbered"]).image for language in code.LANGUAGES]
    for n, picture in enumerate(pictures):
        path = studio.folder / f"no-table-{n}.png"
        picture.save(path)
        others.append(await bench.ask("tables", path, TableEvidence))
    return [*on_tables(drawn), *on_others(others)]


def on_tables(answers: Sequence[tuple[DrawnTable, TableEvidence]]) -> list[Row]:
    """The rows for pictures of one table each; a cell is right in place and to the letter, but for spaces."""
    shapes = heads = cells = right = 0
    for drawn, found in answers:
        table = found.tables[0] if len(found.tables) == 1 else None
        shapes += table is not None and (table.rows, table.columns) == (len(drawn.rows), len(drawn.rows[0]))
        heads += table is not None and table.header_rows == drawn.header_rows
        read = {} if table is None else {(cell.row, cell.column): _bare(cell.text) for cell in table.cells}
        wanted = {(r, c): _bare(text) for r, row in enumerate(drawn.rows) for c, text in enumerate(row)}
        cells += len(wanted)
        # A field that a merged cell covers has no text of its own, and is no cell.
        right += sum(read.get(place, "") == text for place, text in wanted.items()) if read else 0
    return [
        Row("tables", "tables found, with all rows and columns", of(shapes, len(answers))),
        Row("tables", f"cells right, of {cells}", share(right, cells)),
        Row("tables", "number of rows that are the head", of(heads, len(answers))),
    ]


def on_others(answers: Sequence[TableEvidence]) -> list[Row]:
    """The row for pictures without a table: charts, windows, running text, code, a poster."""
    return [Row("tables", f"false tables in {len(answers)} pictures", str(sum(len(found.tables) for found in answers)))]


def _bare(text: str) -> str:
    return "".join(text.split())
