"""Check "figures": a number that a caption gives to a label of a chart or table is held against what was read there.

Only plain sentences are judged: one label, one number, nothing that compares or counts. A number that stands anywhere
in the picture, or that follows from the values by one step of arithmetic, is never called wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from omnidetective.audit.finding import Confirmation, Finding, Inspection, clipped
from omnidetective.audit.reading import Piece, Reading
from omnidetective.case import Case
from omnidetective.embedded.chart_numbers import Number, numbers_in, read_number
from omnidetective.embedded.chart_told import figure
from omnidetective.evidence import TextEvidence
from omnidetective.page_evidence import ChartEvidence, TableEvidence

CHECK = "figures"
_MOST_LABELS = 400
_MOST_COMPARED = 60
_COUNT_UP_TO = 12
_YEARS = (1000, 2200)
_HEDGED_SHARE = 0.12
_SHARE = 0.005
_WORDS = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_POWERS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_NOT_PLAIN = re.compile(
    r"\b(?:not|never|no|nor|without|unlike|if|would|could|should|may|might|than|above|below|over|under|between|"
    r"exceed\w*|least|most|every|each|per|times|twice|double|half|third|quarter|combined|total|average|mean|median|"
    r"difference|gap|sum|range|rank\w*|top|first|second|page|figure|target|goal|before|after|until|since|both)\b"
    r"|n't\b|[<>≤≥~≈±]",
    re.IGNORECASE,
)
_HEDGED = re.compile(
    r"\b(?:about|around|roughly|approximately|nearly|almost|some|circa|close\s+to|just)\b", re.IGNORECASE
)
_COUNTED = re.compile(
    r"\s*(?:bars?|lines?|slices?|series|categor\w+|columns?|rows?|points?|labels?|regions?|ticks?|colou?rs?|"
    r"years?|quarters?|months?|weeks?|days?|hours?|minutes?|seconds?|px|pixels?)\b",
    re.IGNORECASE,
)
_POWER_WORD = re.compile(rf"\s*-?\s*({'|'.join(_WORDS)})s?\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Value:
    """A value of a label, by how much it may be off, and in which series or column it stands."""

    value: float
    tolerance: float
    power: float
    series: str
    evidence: str
    printed: bool


Labels = dict[str, list[_Value]]


def check(reading: Reading) -> Inspection:
    """Numbers that contradict the values of the label that their sentence is about."""
    labels = _labels(reading.case)
    shown = _numbers_shown(reading.case)
    if not labels or shown is None or len(labels) > _MOST_LABELS:
        return Inspection()
    names = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(labels, key=len, reverse=True)))})(?!\w)")
    findings: list[Finding] = []
    confirmed: list[Confirmation] = []
    for piece in reading.pieces:
        found = _one_statement(piece, names)
        if found is None:
            continue
        label, number = found
        values = labels[label[0]]
        start, end = min(label.start(), number.start), max(label.end(), number.end)
        where = (piece.start + start, piece.start + end)
        stated = _stated(number, piece.text)
        near = [value for value in values if _is(stated, value, piece.text)]
        if near:
            ids = tuple(dict.fromkeys(value.evidence for value in near))
            confirmed.append(reading.bears_out(CHECK, "objects", where, ids))
        elif not _counts_or_dates(number, piece.text) and not _follows(stated, values, labels, shown, number):
            ids = tuple(dict.fromkeys(value.evidence for value in values))
            why = f"the picture gives {label[0]} {_read(values)}, not {piece.text[number.start : number.end].strip()}"
            snippet = reading.caption[slice(*where)]
            findings.append(Finding(CHECK, "objects", "error", snippet, clipped(why), ids))
    return Inspection(tuple(findings), tuple(confirmed))


def _one_statement(piece: Piece, names: re.Pattern[str]) -> tuple[re.Match[str], Number] | None:
    """The only label of a sentence and its only number; None where it says more, or is not plain."""
    text = piece.text
    labels = list(names.finditer(text))
    if len({label[0] for label in labels}) != 1 or _NOT_PLAIN.search(text):
        return None
    spans = [label.span() for label in labels]
    numbers = [n for n in numbers_in(text) if not any(a < n.end and n.start < b for a, b in spans)]
    if len(numbers) != 1 or re.search(r"\d", _without(text, [*spans, (numbers[0].start, numbers[0].end)])):
        return None
    return labels[0], numbers[0]


def _without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _labels(case: Case) -> Labels:
    """The values of every label of charts and tables."""
    labels: Labels = {}
    for observation, charts in case.evidence(ChartEvidence):
        for chart in charts.charts:
            power = _POWERS.get((chart.unit or "")[-1:].lower(), 1.0)
            for point in chart.points:
                if point.label and _may_name(point.label):
                    value = _Value(
                        point.value, point.tolerance or 0.0, power, point.series or "", observation.id, point.printed
                    )
                    labels.setdefault(point.label, []).append(value)
    for observation, tables in case.evidence(TableEvidence):
        for table in tables.tables:
            heads = {cell.row: cell.text.strip() for cell in table.cells if cell.column == 0}
            for cell in table.cells:
                number = read_number(cell.text)
                head = heads.get(cell.row, "")
                if number is not None and cell.column > 0 and cell.row >= table.header_rows and _may_name(head):
                    value = _Value(number.amount, 0.0, number.power, str(cell.column), observation.id, True)
                    labels.setdefault(head, []).append(value)
    return labels


def _may_name(label: str) -> bool:
    """Whether a label can be told from other words: not a lone letter, and no number but a year."""
    text = label.strip()
    number = read_number(text)
    if number is not None:
        return text.isdigit() and _YEARS[0] <= number.amount <= _YEARS[1]
    return len(text) >= 2 and any(c.isalpha() for c in text)


def _numbers_shown(case: Case) -> tuple[float, ...] | None:
    """Every number that was read anywhere in the picture; None where nobody read its text."""
    texts: list[str] = []
    looked = False
    for _, evidence in case.evidence(TextEvidence):
        looked = True
        texts += [card.text for card in evidence.cards]
    for _, tables in case.evidence(TableEvidence):
        texts += [cell.text for table in tables.tables for cell in table.cells]
    if not looked:
        return None
    return tuple(dict.fromkeys(v for text in texts for n in numbers_in(text) for v in (abs(n.amount), abs(n.value))))


def _stated(number: Number, text: str) -> tuple[tuple[float, float], ...]:
    """What a number may mean, each with half a unit of its last digit."""
    half = 0.5 * 10.0**-number.decimals
    word = _POWER_WORD.match(text[number.end :])
    powers = {1.0, number.power, number.power * (_WORDS[word[1].lower()] if word else 1.0)}
    return tuple((number.amount * power, half * power) for power in sorted(powers))


def _is(stated: Iterable[tuple[float, float]], value: _Value, text: str) -> bool:
    """Whether a number is a value, as exactly as both are known."""
    hedged = _HEDGED_SHARE * abs(value.value) if _HEDGED.search(text) else 0.0
    off = max(value.tolerance * 1.5, hedged, _SHARE * abs(value.value))
    return any(
        abs(abs(number) - abs(value.value) * power)
        <= max(off * power, half if not value.printed else 0.0, half * 0.999)
        for number, half in stated
        for power in {1.0, value.power}
    )


def _counts_or_dates(number: Number, text: str) -> bool:
    """Whether a number may be a count, a year or a place in an order."""
    whole = number.decimals == 0 and not number.unit and not number.letters
    if whole and (abs(number.amount) <= _COUNT_UP_TO or _YEARS[0] <= number.amount <= _YEARS[1]):
        return True
    return bool(_COUNTED.match(text[number.end :]))


def _follows(
    stated: Sequence[tuple[float, float]],
    values: Sequence[_Value],
    labels: Labels,
    shown: Sequence[float],
    number: Number,
) -> bool:
    """Whether a number stands in the picture, or follows from the values of its label and those beside them."""
    for amount, half in stated:
        if any(abs(abs(amount) - other) <= 1e-9 * max(1.0, other) for other in shown):
            return True
        for result, off in _derived(values, labels):
            if abs(abs(amount) - abs(result)) <= max(half, off, _SHARE * abs(result)):
                return True
    return False


def _derived(values: Sequence[_Value], labels: Labels) -> Iterator[tuple[float, float]]:
    """Differences, sums, ratios and shares of the values of one label and of others, with how far each may be off."""
    every = [value for found in labels.values() for value in found]
    totals = {series: [v for v in every if v.series == series] for series in {v.series for v in values}}
    for value in values:
        beside = totals[value.series]
        whole, off = sum(v.value for v in beside), sum(v.tolerance for v in beside)
        if whole:
            yield 100 * value.value / whole, 100 * (value.tolerance + off * abs(value.value / whole)) / abs(whole)
        for other in [v for v in (*beside, *values) if v is not value][:_MOST_COMPARED]:
            both = value.tolerance + other.tolerance
            yield value.value - other.value, both
            yield value.value + other.value, both
            for a, b in ((value, other), (other, value)):
                if b.value:
                    ratio = a.value / b.value
                    loose = (a.tolerance + abs(ratio) * b.tolerance) / abs(b.value)
                    yield ratio, loose
                    yield 100 * ratio, 100 * loose
                    yield 100 * (ratio - 1), 100 * loose
    if len(values) > 1:
        yield sum(v.value for v in values), sum(v.tolerance for v in values)
        yield sum(v.value for v in values) / len(values), max(v.tolerance for v in values)


def _read(values: Sequence[_Value]) -> str:
    told = [f"{'' if value.printed else 'about '}{figure(value.value)}" for value in values[:4]]
    return " or ".join(told) + (" and others" if len(values) > 4 else "")
