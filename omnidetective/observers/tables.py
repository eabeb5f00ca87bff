"""Instrument: the tables of an image, cell by cell."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from omnidetective.embedded.inference import infer, require_packages
from omnidetective.embedded.models import embedded_models
from omnidetective.embedded.table_reading import read_tables
from omnidetective.embedded.text import PACKAGES
from omnidetective.evidence import Span
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec, observation
from omnidetective.observers.page_picture import page_picture
from omnidetective.observers.page_text import page_text
from omnidetective.page_evidence import Table, TableEvidence
from omnidetective.records import Observation

MODEL = "embedded:pp-ocrv6"

_MOST_CHARS = 20_000
"""Of an answer; the evidence holds all cells."""


class TablesSettings(ObserverSettings):
    """Settings of `tables`."""


class Tables:
    """Finds tables and reads them."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="tables",
        kind="instrument",
        modalities=("image",),
        needs="video",
        description=(
            "Reads the tables of an image: rows and columns, the text of each cell, merged cells, and which rows are "
            "the head. A table without lines is found only where its columns stand plainly apart. It reads all that "
            "there are, whatever is asked, and says nothing of charts or of text outside tables; a cell that text "
            "recognition misses is empty. One question is enough."
        ),
        attributes=("objects", "narrative"),
        settings=TablesSettings,
        cost="0.5 to 3 s of one processor where the text of the image was not read before, else 0.1 s",
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, TablesSettings)
        require_packages(*PACKAGES)
        self._models = embedded_models(num_workers=context.settings.num_workers)

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        tables: list[Table] = []
        pages = clip.facts.pages
        for page in range(1, (pages or 1) + 1):
            lines = await page_text(clip, self._models, page=page)
            jpeg = await page_picture(clip, page=page)
            tables += await infer(partial(read_tables, jpeg, lines, page=page if pages else None))
        evidence = TableEvidence(tables=tuple(tables))
        return observation(self.spec, question, span, answer=_describe(evidence), data=evidence, model=MODEL)


def _describe(evidence: TableEvidence) -> str:
    if not evidence.tables:
        return "No table is seen."
    count = len(evidence.tables)
    lines = [f"{count} table{'s' if count != 1 else ''}:"]
    for number, table in enumerate(evidence.tables, 1):
        where = "" if table.page is None else f" on page {table.page}"
        ruled = "with lines" if table.ruled else "without lines around its cells"
        heads = "no head" if not table.header_rows else f"{table.header_rows} of the rows are its head"
        lines.append(f"Table {number}{where}: {table.rows} rows, {table.columns} columns, {ruled}, {heads}.")
        lines += [f"| {' | '.join(row)} |" for row in _rows(table)]
    told = "\n".join(lines)
    return told if len(told) <= _MOST_CHARS else f"{told[:_MOST_CHARS]}\n… (shortened: the evidence holds all cells)"


def _rows(table: Table) -> list[list[str]]:
    """The text of each field; a merged cell has its text in each field that it fills."""
    fields = [[""] * table.columns for _ in range(table.rows)]
    for cell in table.cells:
        for row in range(cell.row, cell.row + cell.row_span):
            for column in range(cell.column, cell.column + cell.column_span):
                fields[row][column] = cell.text
    return fields
