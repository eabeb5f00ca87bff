"""What stands on a page: tables, charts and code, as instruments read them. Part of :mod:`omnidetective.evidence`.

A ``box`` is ``(left, top, right, bottom)`` as shares of the picture, 0…1. ``page`` counts from 1 and is absent for a
picture of one page. An empty tuple means *looked and found none*.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from omnidetective.frozen import Sparse

Box = tuple[float, float, float, float]


class TableCell(Sparse):
    """One cell, with the text that was read in it; ``row`` and ``column`` count from 0."""

    row: int = Field(ge=0)
    column: int = Field(ge=0)
    text: str
    row_span: int = Field(default=1, ge=1)
    column_span: int = Field(default=1, ge=1)


class Table(Sparse):
    """A grid of cells, in order of reading; an empty cell has empty text.

    ``ruled``: whether lines are drawn around its cells; else the grid is concluded from how the text stands.
    ``header_rows``: how many rows at its top head the columns, where that shows.
    """

    rows: int = Field(ge=1)
    columns: int = Field(ge=1)
    cells: tuple[TableCell, ...]
    header_rows: int = 0
    ruled: bool
    box: Box
    page: int | None = None


class TableEvidence(Sparse):
    """From the table reader: the tables of a picture, from top to bottom."""

    type: Literal["tables"] = "tables"
    tables: tuple[Table, ...]


class ChartPoint(Sparse):
    """One value of a chart.

    ``label`` is its category or its place on the horizontal axis, as it is written there; ``printed`` says whether the
    number itself stands in the picture. One that does not was measured against the axis: ``tolerance`` is by how much
    it may be off, in units of the axis.
    """

    series: str | None = None
    label: str | None = None
    value: float
    printed: bool
    tolerance: float | None = None


class Chart(Sparse):
    """A chart and its values. The values of a pie are shares in percent.

    Titles are as they were read; absent where none was found. ``unit`` is what stands with the numbers (``%``, ``$``).
    """

    kind: Literal["bars", "horizontal bars", "line", "pie", "scatter"]
    title: str | None = None
    x_title: str | None = None
    y_title: str | None = None
    unit: str | None = None
    points: tuple[ChartPoint, ...]
    box: Box
    page: int | None = None


class ChartEvidence(Sparse):
    """From the chart reader: the charts of a picture, from top to bottom."""

    type: Literal["charts"] = "charts"
    charts: tuple[Chart, ...]


class Definition(Sparse):
    """Something that code defines: a function, a class, a type; ``line`` counts from 1 within the code."""

    kind: str
    name: str
    line: int


class CodeBlock(Sparse):
    """Code in a picture, as it was read, with its indentation, and as a parser of its language understands it.

    ``broken_lines``: lines that the parser could not make sense of, misread ones among them. ``file`` is the name of a
    file that stands with it, in a tab or a title.
    """

    language: str
    text: str
    definitions: tuple[Definition, ...] = ()
    imports: tuple[str, ...] = ()
    comments: int = 0
    broken_lines: tuple[int, ...] = ()
    file: str | None = None
    box: Box
    page: int | None = None


class CodeEvidence(Sparse):
    """From the code reader: the code in a picture, from top to bottom."""

    type: Literal["code"] = "code"
    blocks: tuple[CodeBlock, ...]
