"""How far an output is: records, failures, rows that are left, and what it took. Pure.

From the lines of the files in one pass, also while a run writes; a few bytes are kept of each failure. Or from sums
that somebody else has made of the same lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from omnidetective.frozen import Sparse
from omnidetective.report.counting import Tally
from omnidetective.report.failing import FailureLine, RecordLine, Standing, views
from omnidetective.report.numbers import BadLine, Spending
from omnidetective.report.reading import why_unreadable
from omnidetective.report.spending import UsageCount


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
        in_flight: clips that are being done, or were when the run was killed; absent where that is not known.
        attempts: how often clips were begun, in all runs; absent where that is not known.
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
    in_flight: int | None = None
    attempts: int | None = None
    input: Rows | None = None
    spent: Spending | None = None


def status(
    lines: Iterable[bytes],
    failure_lines: Iterable[bytes] = (),
    rows: Rows | None = None,
) -> Status:
    """The numbers of an output.

    Args:
        lines: the lines of the output, each with its line break. A torn last line is passed over.
        failure_lines: the same of the failures. They are read first, so that a clip which is done meanwhile is not
            counted twice.
        rows: the rows of the input, if any.
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
    records = bad = 0
    first_bad: BadLine | None = None
    for number, _, record in views(lines, RecordLine):
        if isinstance(record, RecordLine):
            records += 1
            outcomes.add(record.outcome)
            failures.recovered(record.id)
            spending.add(record.usage)
        else:
            bad += 1
            first_bad = first_bad or BadLine(line_number=number, why=why_unreadable(record))
    standing = Counter(failures.values())
    return Status(
        records=records,
        outcomes=outcomes.result(),
        **_failures(standing),
        bad_lines=bad,
        bad_failure_lines=bad_failures,
        first_bad_line=first_bad,
        input=rows,
        spent=_spent(spending),
    )


def status_from_sums(
    *,
    outcomes: Mapping[str, int],
    failures: Mapping[tuple[str, bool], int],
    spent: Spending | None,
    in_flight: int,
    attempts: int,
    rows: Rows | None,
) -> Status:
    """The same numbers from sums.

    Args:
        outcomes: outcome → records.
        failures: reason and whether trying again can help → failures that stand.
        spent: what records and failures took; ``None`` where no line says.
        in_flight, attempts, rows: as in :class:`Status`.
    """
    records = Tally()
    for outcome, count in outcomes.items():
        records.add(outcome, count)
    return Status(
        records=sum(outcomes.values()),
        outcomes=records.result(),
        **_failures(failures),
        bad_lines=0,
        bad_failure_lines=0,
        in_flight=in_flight,
        attempts=attempts,
        input=rows,
        spent=spent,
    )


def _failures(standing: Mapping[tuple[str, bool], int]) -> dict[str, Any]:
    reasons = Tally()
    for (reason, _), count in standing.items():
        reasons.add(reason, count)
    return {
        "failures": sum(standing.values()),
        "retryable": sum(count for (_, can_help), count in standing.items() if can_help),
        "failure_reasons": reasons.result(),
    }


def _spent(spending: UsageCount) -> Spending | None:
    if (usage := spending.result()) is None:
        return None
    return Spending(**{name: getattr(usage, name) for name in Spending.model_fields})
