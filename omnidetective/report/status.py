"""How far an output is: records, failures, rows that are left, and what it took. Pure.

One pass, also while a run writes. A few bytes are kept of each failure, and of each record where rows are compared
with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from omnidetective.evidence import Sparse
from omnidetective.records import FailureRecord, InputRow
from omnidetective.report.counting import Tally
from omnidetective.report.failing import FailureLine, RecordLine, Standing, views
from omnidetective.report.numbers import BadLine, Spending
from omnidetective.report.reading import why_unreadable
from omnidetective.report.spending import UsageCount

_DUPLICATE: Final = "duplicate_id"


class Rows(Sparse):
    """The rows of an input, each counted once.

    Attributes:
        rows: all of them.
        done: rows whose clip has a record.
        failed: rows whose clip has failed and has none.
        left: rows whose clip has neither: those to do, and those being done now.
        duplicates: rows with the id of an earlier row. They are not done.
        unusable: other rows that say nothing usable.
    """

    rows: int
    done: int
    failed: int
    left: int
    duplicates: int
    unusable: int


class Status(Sparse):
    """The numbers.

    Attributes:
        records: clips with a record; ``outcomes`` → how many of them.
        failures: clips without a record, and faults of rows; ``failure_reasons``: reason code → how many of them.
        retryable: failures that can be tried again without a change by the user.
        bad_lines, bad_failure_lines: lines that are no record, no failure; ``first_bad_line`` is of the output.
        input: the rows; absent where no input was given.
        spent: calls, tokens and cost of records and failures; absent where no line says any.
    """

    records: int
    outcomes: dict[str, int]
    failures: int
    retryable: int
    failure_reasons: dict[str, int]
    bad_lines: int
    bad_failure_lines: int
    first_bad_line: BadLine | None = None
    input: Rows | None = None
    spent: Spending | None = None


def status(
    lines: Iterable[bytes],
    failure_lines: Iterable[bytes] = (),
    rows: Iterable[InputRow | FailureRecord] | None = None,
) -> Status:
    """The numbers of an output.

    Args:
        lines: the lines of the output, each with its line break. A torn last line is passed over.
        failure_lines: the same of the failures. They are read first, so that a clip which is done meanwhile is not
            counted twice.
        rows: the rows of the input, read last; a row that cannot be used as a failure.
    """
    failures: Standing[tuple[str, bool]] = Standing()
    pairs: dict[tuple[str, bool], tuple[str, bool]] = {}  # each is kept once
    spending = UsageCount()
    bad_failures = 0
    for _, _, failure in views(failure_lines, FailureLine):
        if isinstance(failure, FailureLine):
            pair = (failure.error.reason, failure.error.retryable)
            failures.add(failure, pairs.setdefault(pair, pair))
            spending.add(failure.usage)
        else:
            bad_failures += 1
    outcomes = Tally()
    done: set[int] = set()
    records = bad = 0
    first_bad: BadLine | None = None
    for number, _, record in views(lines, RecordLine):
        if isinstance(record, RecordLine):
            records += 1
            outcomes.add(record.outcome)
            failures.recovered(record.id)
            spending.add(record.usage)
            if rows is not None:
                done.add(hash(record.id))
        else:
            bad += 1
            first_bad = first_bad or BadLine(line_number=number, why=why_unreadable(record))
    reasons = Tally()
    standing = retryable = 0
    for reason, can_help in failures.values():
        standing += 1
        retryable += can_help
        reasons.add(reason)
    return Status(
        records=records,
        outcomes=outcomes.result(),
        failures=standing,
        retryable=retryable,
        failure_reasons=reasons.result(),
        bad_lines=bad,
        bad_failure_lines=bad_failures,
        first_bad_line=first_bad,
        input=None if rows is None else _rows(rows, done, failures),
        spent=_spent(spending),
    )


def _rows(rows: Iterable[InputRow | FailureRecord], done: set[int], failures: Standing[tuple[str, bool]]) -> Rows:
    counts = Tally()
    for row in rows:
        if isinstance(row, FailureRecord):
            counts.add("duplicates" if row.error.reason == _DUPLICATE else "unusable")
        elif hash(row.id) in done:
            counts.add("done")
        else:
            counts.add("failed" if failures.holds(row.id) else "left")
    parts = {name: counts[name] for name in Rows.model_fields if name != "rows"}
    return Rows(rows=sum(parts.values()), **parts)


def _spent(spending: UsageCount) -> Spending | None:
    if (usage := spending.result()) is None:
        return None
    return Spending(**{name: getattr(usage, name) for name in Spending.model_fields})
