"""Records → numbers, in one pass and without keeping a record. Pure.

Memory does not grow with the number of records; of failures, a few bytes each are kept until the record of the same
clip turns up.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from itertools import takewhile
from typing import Final

from omnidetective.report.audits import AuditCount, in_order
from omnidetective.report.counting import Histogram, Tally, bounded
from omnidetective.report.failing import FailureLine, Standing, views
from omnidetective.report.measures import LengthCount, ScoreCount
from omnidetective.report.numbers import BadLine, Contradictions, Presence, Refining, Seconds, Statistics
from omnidetective.report.reading import RecordView, RefinementView, why_unreadable
from omnidetective.report.spending import UsageCount

FIRST_BAD_LINES: Final = 5
_CODE: Final = re.compile(r"[a-z_]+: ")
_FIRST_WORDS: Final = 4
_WHAT_WAS_DONE: Final = ("refusals", "fixed_errors", "filled_missing", "dropped_forbidden", "timestamp_adjustments")

_Why = tuple[str, str]
"""Outcome and reason code of a failure."""


def statistics(lines: Iterable[bytes], failure_lines: Iterable[bytes] = ()) -> Statistics:
    """The numbers of an output and its failures.

    Args:
        lines: the lines of the output, each with its line break. A last line without one is being written, or was
            torn off: it counts where it is whole, and is passed over where it is not.
        failure_lines: the same of the failures beside it. The last failure of a clip counts, and none of a clip that
            has a record; they are read first, so that a clip which is done meanwhile is not counted twice.
    """
    failures: Standing[_Why] = Standing()
    known: dict[_Why, _Why] = {}  # each pair is kept once
    spending = UsageCount()
    bad_failures = 0
    for _, _, failure in views(failure_lines, FailureLine):
        if isinstance(failure, FailureLine):
            why = (failure.outcome, failure.error.reason)
            failures.add(failure, known.setdefault(why, why))
            spending.add(failure.usage, failed=True)
        else:
            bad_failures += 1
    records = _RecordCount()
    bad = 0
    first_bad: list[BadLine] = []
    for number, _, record in views(lines, RecordView):
        if isinstance(record, RecordView):
            records.add(record)
            failures.recovered(record.id)
            spending.add(record.usage)
        else:
            bad += 1
            if len(first_bad) < FIRST_BAD_LINES:
                first_bad.append(BadLine(line_number=number, why=why_unreadable(record)))
    failed, reasons = Tally(), Tally()
    for outcome, reason in failures.values():
        failed.add(outcome)
        reasons.add(reason)
    for outcome, times in failed.result().items():
        records.outcomes.add(outcome, times)
    return Statistics(
        records=records.number,
        failures=sum(failed.result().values()),
        bad_lines=bad,
        first_bad_lines=tuple(first_bad),
        bad_failure_lines=bad_failures,
        outcomes=records.outcomes.result(),
        failure_reasons=reasons.result(),
        rejections=records.rejections.result(),
        shortfalls=records.shortfalls.result(),
        workflows=records.workflows.result(),
        captions=records.lengths.result(),
        scores=records.scores.result(),
        attributes=records.attributes_present(),
        audit=records.audits.result(),
        refinement=records.refining.result(),
        contradictions=records.contradictions(),
        usage=spending.result(),
        seconds=records.seconds(),
    )


def _first_words(shortfall: str) -> str:
    """What kind of shortfall it is: the words before a colon, and of those the first few."""
    words = shortfall[:200].partition(":")[0].split()
    return " ".join(words[:_FIRST_WORDS]) + " …" * (len(words) > _FIRST_WORDS)


class _RecordCount:
    """What all records say together."""

    def __init__(self) -> None:
        self.number = 0
        self.outcomes, self.rejections, self.shortfalls, self.workflows = Tally(), Tally(), Tally(), Tally()
        self.lengths, self.scores, self.audits, self.refining = LengthCount(), ScoreCount(), AuditCount(), _Refining()
        self._split, self._present = 0, Tally()
        self._disputed, self._settled, self._open = 0, Tally(), 0
        self._clip_s, self._stages_s, self._media_s = Histogram(), dict[str, Histogram](), 0.0

    def add(self, record: RecordView) -> None:
        self.number += 1
        self.outcomes.add(record.outcome)
        if record.provenance.workflow is not None:
            self.workflows.add(record.provenance.workflow)
        self._add_reasons(record.outcome, record.quality.reasons)
        self.lengths.add(record.caption, record.media.duration_s)
        self.scores.add(record.quality.scores)
        if record.attributes is not None:
            self._split += 1
            for name, text in record.attributes.items():
                self._present.add(name, bool(text.strip()))
        self.audits.add(record)
        if record.refinement is not None:
            self.refining.add(record.refinement)
        self._disputed += bool(record.contradictions)
        for contradiction in record.contradictions:
            if contradiction.settled_by is None:
                self._open += 1
            else:
                self._settled.add(contradiction.settled_by)
        if record.provenance.seconds is not None:
            self._clip_s.add(record.provenance.seconds)
        for stage, seconds in record.provenance.stages.items():
            self._stages_s.setdefault(bounded(stage, self._stages_s), Histogram()).add(seconds)
        self._media_s += record.media.duration_s or 0.0

    def _add_reasons(self, outcome: str, reasons: tuple[str, ...]) -> None:
        if outcome == "rejected":
            for code in {reason.partition(":")[0] for reason in takewhile(_CODE.match, reasons)}:
                self.rejections.add(code)
        elif outcome == "partial" and reasons:
            # Only the first is a shortfall for sure: what was dropped or corrected on the way follows.
            self.shortfalls.add(_first_words(reasons[0]))

    def attributes_present(self) -> Presence | None:
        if not self._split:
            return None
        return Presence(captions=self._split, by_attribute=in_order(self._present.result()))

    def contradictions(self) -> Contradictions | None:
        if not self._disputed:
            return None
        settled = self._settled.result()
        found = sum(settled.values()) + self._open
        return Contradictions(captions=self._disputed, found=found, settled=settled, open=self._open)

    def seconds(self) -> Seconds | None:
        clip = self._clip_s.result()
        if clip is None:
            return None
        stages = {name: spread for name, one in self._stages_s.items() if (spread := one.result()) is not None}
        return Seconds(clip=clip, by_stage=stages, media_s=round(self._media_s, 3))


class _Refining:
    """What refining did."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, refinement: RefinementView) -> None:
        self._counts["captions"] += 1
        self._counts["applied"] += refinement.applied
        self._counts["refused"] += bool(refinement.refusals)
        for name in _WHAT_WAS_DONE:
            self._counts[name] += len(getattr(refinement, name))

    def result(self) -> Refining | None:
        if not self._counts["captions"]:
            return None
        return Refining(**{name: self._counts[name] for name in Refining.model_fields})
