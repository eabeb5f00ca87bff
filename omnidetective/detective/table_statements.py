"""Statements on tables: their rows, cell by cell, under the names of their columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from omnidetective.case import Case
from omnidetective.detective.statements import Statement, number_name
from omnidetective.page_evidence import Table, TableEvidence

_MOST_ROWS = 20
_MOST_CHARS = 2_000


def tables(case: Case) -> Iterator[Statement]:
    """The tables, each once; of a long one the first rows, and that it is longer."""
    for observation, evidence in case.evidence(TableEvidence):
        for table in evidence.tables:
            yield Statement(None, None, _clause(table), "visual", (observation.id,), order=2)


def _clause(table: Table) -> str:
    fields = _fields(table)
    heads = [_head(fields[: table.header_rows], column) for column in range(table.columns)]
    body = fields[table.header_rows :]
    rows = [_row(row, heads if any(heads) else None) for row in body]
    told = _fitting([row for row in rows if row])
    left = len([row for row in rows if row]) - len(told)
    where = "" if table.page is None else f"on page {table.page}, "
    named = [head for head in heads if head]
    under = f" headed {_listed(named)}" if named else ""
    size = f"a table of {_counted(len(body), 'row')} and {_counted(table.columns, 'column')}{under} is shown"
    more = f"; {_counted(left, 'more row')} {'follows' if left == 1 else 'follow'}" if left else ""
    return f"{where}{size}: {'; '.join(told)}{more}" if told else f"{where}{size}"


def _fields(table: Table) -> list[list[str]]:
    """The text of each field; that of a merged cell stands in all that it fills side by side, and in its first row."""
    fields = [[""] * table.columns for _ in range(table.rows)]
    for cell in table.cells:
        depth = cell.row_span if cell.row >= table.header_rows else 1
        for row in range(cell.row, cell.row + depth):
            for column in range(cell.column, cell.column + cell.column_span):
                fields[row][column] = cell.text
    return fields


def _head(rows: Sequence[Sequence[str]], column: int) -> str:
    """The name of a column: what stands above it, from the top."""
    return " ".join(dict.fromkeys(row[column] for row in rows if row[column]))


def _row(row: Sequence[str], heads: Sequence[str] | None) -> str:
    """``North: Units sold 1,204, Revenue $48,160``; without heads the texts alone."""
    if heads is None:
        return ", ".join(text for text in row if text)
    named = [f"{head} {text}".strip() for head, text in zip(heads[1:], row[1:], strict=True) if text]
    label = row[0]
    return f"{label}: {', '.join(named)}" if label and named else label or ", ".join(named)


def _fitting(rows: Sequence[str]) -> list[str]:
    told: list[str] = []
    for row in rows[:_MOST_ROWS]:
        if told and sum(map(len, told)) + len(row) > _MOST_CHARS:
            break
        told.append(row[:_MOST_CHARS])
    return told


def _counted(count: int, what: str) -> str:
    return f"{number_name(count)} {what}{'s' if count != 1 else ''}"


def _listed(names: Sequence[str]) -> str:
    quoted = [f"“{name}”" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
