"""Counting what audits found, before and after refining. Pure.

Rates are compared like with like. Where instruments alone looked at the refined caption, what the auditor had found
before is left out of the comparison, because nobody looked for it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from omnidetective.records import ATTRIBUTES
from omnidetective.report.counting import Tally, bounded
from omnidetective.report.numbers import Audit, AuditedAgain, AuditRates, Catch, Rates
from omnidetective.report.reading import AttributeAuditView, AuditSummaryView, FindingView, RecordView

_Found = Mapping[str, AttributeAuditView]


class AuditCount:
    """The audits of all records."""

    def __init__(self) -> None:
        self._judged = _AuditRates()
        self._instruments = _AuditRates()
        self._again: dict[str, tuple[_AuditRates, _AuditRates]] = {}
        self._findings, self._captions, self._left = Tally(), Tally(), Tally()
        self._unaudited = Tally()
        self._not_in_caption = self._overruled = 0

    def add(self, record: RecordView) -> None:
        """Count a record; one without an audit says nothing."""
        if record.audit is None:
            return
        summary = record.audit_summary or AuditSummaryView()
        self._not_in_caption += summary.not_in_caption
        self._overruled += summary.overruled
        for attribute in summary.unaudited:
            self._unaudited.add(attribute)
        judged = _judged(record.audit, summary)
        proven = _by_instruments(record.audit)
        self._instruments.add(proven)
        if judged:
            self._judged.add(record.audit, judged)
        checks = Tally()
        for finding in _findings(record.audit):
            if finding.check is not None:
                checks.add(finding.check)
        for check, times in checks.result().items():
            self._findings.add(check, times)
            self._captions.add(check)
        if record.audit_after is not None:
            for finding in _findings(record.audit_after):
                if finding.check is not None:
                    self._left.add(finding.check)
            self._add_again(record.audit, record.audit_after, summary.after_by or "unsaid", judged)

    def _add_again(self, before: _Found, after: _Found, by: str, judged: set[str]) -> None:
        if by == "full" and not judged:
            by = "instruments"  # "full" was asked for, and nobody plays the auditor
        rates = self._again.setdefault(bounded(by, self._again), (_AuditRates(), _AuditRates()))
        if by == "instruments":
            before, after = _by_instruments(before), _by_instruments(after)
        compared = judged & set(after) if by == "full" else None
        for side, found in zip(rates, (before, after), strict=True):
            side.add(found, compared)

    def result(self) -> Audit | None:
        """The numbers; ``None`` when no record was audited."""
        if not self._instruments.whole.captions:
            return None
        left = self._left.result()
        caught = self._findings.result()
        return Audit(
            judged=self._judged.result() if self._judged.whole.captions else None,
            instruments=self._instruments.result(),
            again={
                by: AuditedAgain(before=before.result(), after=after.result())
                for by, (before, after) in sorted(self._again.items())
            },
            catches={
                check: Catch(
                    findings=caught.get(check, 0),
                    captions=self._captions[check],
                    left=left.get(check, 0) if self._again else None,
                )
                for check in {**caught, **left}
            },
            not_in_caption=self._not_in_caption,
            overruled=self._overruled,
            unaudited=in_order(self._unaudited.result()),
        )


def in_order(attributes: Mapping[str, int]) -> dict[str, int]:
    """Counts by attribute, in the order in which attributes are always named; unknown ones last."""
    return {name: attributes[name] for name in sorted(attributes, key=attribute_order)}


def attribute_order(name: str) -> tuple[int, str]:
    """Where an attribute stands in a list."""
    return ([*ATTRIBUTES, name].index(name), name)


@dataclass(slots=True)
class _Rates:
    captions: int = 0
    no_error: int = 0
    no_missing: int = 0
    clean: int = 0

    def add(self, *, error: bool, missing: bool) -> None:
        self.captions += 1
        self.no_error += not error
        self.no_missing += not missing
        self.clean += not (error or missing)

    def result(self) -> Rates:
        return Rates(captions=self.captions, no_error=self.no_error, no_missing=self.no_missing, clean=self.clean)


@dataclass(slots=True)
class _AuditRates:
    whole: _Rates = field(default_factory=_Rates)
    by_attribute: dict[str, _Rates] = field(default_factory=dict)

    def add(self, found: _Found, judged: set[str] | None = None) -> None:
        """Count a caption; ``judged`` are the attributes that somebody looked at, all by default."""
        self.whole.add(error=any(a.errors for a in found.values()), missing=any(a.missing for a in found.values()))
        for name, attribute in found.items():
            if judged is None or name in judged:
                rates = self.by_attribute.setdefault(bounded(name, self.by_attribute), _Rates())
                rates.add(error=bool(attribute.errors), missing=bool(attribute.missing))

    def result(self) -> AuditRates:
        return AuditRates(
            **self.whole.result().model_dump(),
            by_attribute={
                name: self.by_attribute[name].result() for name in sorted(self.by_attribute, key=attribute_order)
            },
        )


def _judged(found: _Found, summary: AuditSummaryView) -> set[str]:
    """Attributes that an auditor judged; none where it was never called, because it is off or nobody plays it."""
    return set(found) - set(summary.unaudited) if summary.by == "full" else set()


def _findings(found: _Found) -> Iterable[FindingView]:
    for attribute in found.values():
        yield from attribute.errors
        yield from attribute.missing


def _by_instruments(found: _Found) -> _Found:
    return {
        name: AttributeAuditView(
            errors=tuple(f for f in attribute.errors if f.check is not None),
            missing=tuple(f for f in attribute.missing if f.check is not None),
        )
        for name, attribute in found.items()
    }
