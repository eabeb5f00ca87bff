"""Numbers → plain text for a terminal of 80 columns. Pure.

What no record has is not shown. A share comes with its count; names out of the file are cleaned of everything that a
terminal would act on, and shortened to fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from omnidetective.report.comparison_tables import comparison_tables
from omnidetective.report.layout import (
    WIDTH,
    at_least,
    clean,
    compact,
    cost,
    duration,
    many,
    measures,
    percent,
    share,
    table,
)
from omnidetective.report.numbers import (
    Audit,
    AuditRates,
    Contradictions,
    Lengths,
    Presence,
    Rates,
    Refining,
    Score,
    Seconds,
    Spending,
    Spread,
    Statistics,
    Usage,
)

_AGAIN: Final = {
    "full": "Audit after refining, by the auditor and instruments",
    "instruments": "Audit after refining, by instruments alone (their findings before and after)",
    "unsaid": "Audit after refining",
}


def tables(numbers: Statistics) -> str:
    """All tables, with an empty line between two; no line is wider than 80 columns."""
    text = "\n\n".join("\n".join(lines) for lines in _sections(numbers) if lines) + "\n"
    return text if numbers.compared is None else f"{text}\n{comparison_tables(numbers.compared)}"


def _sections(numbers: Statistics) -> Iterator[list[str]]:
    yield _outcomes(numbers)
    yield _shares("REASONS OF REJECTION", numbers.rejections, numbers.outcomes.get("rejected", 0), "rejected")
    yield _shares("FIRST SHORTFALL", numbers.shortfalls, numbers.outcomes.get("partial", 0), "partial")
    yield _shares("REASONS OF FAILURE", numbers.failure_reasons, numbers.failures, "failed")
    if numbers.captions is not None:
        yield _lengths(numbers.captions)
    if numbers.scores:
        yield _scores(numbers.scores)
    if numbers.attributes is not None:
        yield _presence(numbers.attributes)
    if numbers.audit is not None:
        yield from _audit(numbers.audit)
    if numbers.refinement is not None:
        yield _refining(numbers.refinement)
    if numbers.contradictions is not None:
        yield _contradictions(numbers.contradictions)
    if numbers.usage is not None:
        yield from _usage(numbers.usage)
    if numbers.seconds is not None:
        yield _seconds(numbers.seconds)


def _outcomes(numbers: Statistics) -> list[str]:
    clips = numbers.records + numbers.failures
    title = f"{many(numbers.records, 'record')}, {many(numbers.failures, 'failure')}"
    if len(numbers.workflows) == 1:
        title += f" · workflow {clean(next(iter(numbers.workflows)), 40)}"
    lines = [title]
    if numbers.bad_lines:
        lines.append(f"{many(numbers.bad_lines, 'line')} left out, as no record can be read there:")
        lines += [clean(f"  line {bad.line_number}: {bad.why}", WIDTH) for bad in numbers.first_bad_lines]
        if more := numbers.bad_lines - len(numbers.first_bad_lines):
            lines.append(f"  and {more:,} more")
    if numbers.bad_failure_lines:
        lines.append(f"{many(numbers.bad_failure_lines, 'line')} of the failures cannot be read")
    if numbers.outcomes:
        lines += ["", *_shares("OUTCOME", numbers.outcomes, clips, "clips")]
    if len(numbers.workflows) > 1:
        lines += ["", *_shares("WORKFLOW", numbers.workflows, numbers.records, "records")]
    return lines


def _shares(title: str, counts: Mapping[str, int], of: int, what: str) -> list[str]:
    return table([title, what.upper()], ([name, share(count, of)] for name, count in counts.items()))


def _lengths(captions: Lengths) -> list[str]:
    rows = [
        ("words", captions.words),
        ("tokens", captions.tokens),
        ("anchors", captions.anchors),
        ("words a minute of clip", captions.words_per_minute),
        ("anchors a minute of clip", captions.anchors_per_minute),
    ]
    return table(
        ["CAPTIONS HAVE", "10TH PERCENTILE", "MEDIAN", "90TH PERCENTILE"],
        ([name, *measures(s.p10, s.median, s.p90)] for name, s in rows if s is not None),
    )


def _scores(scores: Mapping[str, Score]) -> list[str]:
    lines = table(
        ["SCORE", "CAPTIONS", "MEAN", "10TH PERCENTILE", "MEDIAN", "90TH PERCENTILE"],
        (
            [name, f"{s.count:,}", *measures(s.mean, s.p10, s.median, s.p90)]
            for name, s in scores.items()
            if name != "tokens"  # those of all captions stand above
        ),
    )
    for name, score in scores.items():
        if score.distribution is not None:
            lines += ["", *_shares(name.upper(), score.distribution, score.count, "captions")]
    return lines


def _presence(attributes: Presence) -> list[str]:
    return _shares("ATTRIBUTE PRESENT", attributes.by_attribute, attributes.captions, "captions")


def _audit(audit: Audit) -> Iterator[list[str]]:
    if audit.judged is not None:
        yield [
            "Audit before refining, by the auditor and instruments",
            *_rates([("all", audit.judged)], audit.judged.by_attribute),
        ]
    elif not audit.again:
        yield ["Audit, by instruments alone", *_rates([("all", audit.instruments)], audit.instruments.by_attribute)]
    for by, again in audit.again.items():
        rows: list[tuple[str, Rates]] = [("all, before", again.before), ("all, after", again.after)]
        yield [_AGAIN.get(by, f"Audit after refining, by {clean(by, 40)}"), *_rates(rows, _after(again.after))]
    yield table(
        ["CAUGHT BY INSTRUMENTS", "FINDINGS", "IN CAPTIONS", "LEFT AFTER REFINING"],
        (
            [name, f"{c.findings:,}", f"{c.captions:,}", "" if c.left is None else f"{c.left:,}"]
            for name, c in audit.catches.items()
        ),
    )
    if audit.not_in_caption or audit.overruled:
        yield table(
            ["FINDINGS DROPPED", "FINDINGS"],
            [
                ["what they quote is not in the caption", f"{audit.not_in_caption:,}"],
                ["overruled by an instrument", f"{audit.overruled:,}"],
            ],
        )
    yield _shares("NOT JUDGED BY AN AUDITOR", audit.unaudited, audit.instruments.captions, "captions")


def _after(rates: AuditRates) -> Mapping[str, Rates]:
    return {f"{name}, after": one for name, one in rates.by_attribute.items()}


def _rates(rows: Iterable[tuple[str, Rates]], by_attribute: Mapping[str, Rates]) -> list[str]:
    return table(
        ["ATTRIBUTE", "CAPTIONS", "NO-ERROR", "NO-MISSING", "CLEAN"],
        (
            [
                name,
                compact(r.captions),
                *(f"{percent(n, r.captions)} ({compact(n)})" for n in (r.no_error, r.no_missing, r.clean)),
            ]
            for name, r in (*rows, *by_attribute.items())
        ),
    )


def _refining(refining: Refining) -> list[str]:
    return table(
        ["REFINING", many(refining.captions, "CAPTION", plural="CAPTIONS")],
        [
            ["refined version taken", share(refining.applied, refining.captions)],
            ["a version refused by the guard", share(refining.refused, refining.captions)],
            ["refusals", f"{refining.refusals:,}"],
            ["errors mended", f"{refining.fixed_errors:,}"],
            ["missing things filled in", f"{refining.filled_missing:,}"],
            ["forbidden things dropped", f"{refining.dropped_forbidden:,}"],
            ["times adjusted", f"{refining.timestamp_adjustments:,}"],
        ],
    )


def _contradictions(found: Contradictions) -> list[str]:
    rows = [[f"settled by {by.replace('_', ' ')}", share(times, found.found)] for by, times in found.settled.items()]
    rows.append(["open", share(found.open, found.found)])
    return table([f"CONTRADICTIONS, IN {many(found.captions, 'CAPTION', plural='CAPTIONS')}", "FOUND"], rows)


def _usage(usage: Usage) -> Iterator[list[str]]:
    sides: list[Spending] = [usage] if usage.on_failures is None else [usage, usage.on_failures]
    rows = (
        ("calls", [f"{side.calls:,}" for side in sides]),
        ("calls answered by the cache", [f"{side.cached_calls:,}" for side in sides]),
        ("failed attempts", [f"{side.failed_attempts:,}" for side in sides]),
        ("prompt tokens", [at_least(f"{side.prompt_tokens:,}", side) for side in sides]),
        ("completion tokens", [at_least(f"{side.completion_tokens:,}", side) for side in sides]),
        ("cost", [cost(side) for side in sides]),
    )
    yield table(["USAGE", "ALL CLIPS", "FAILED CLIPS"][: 1 + len(sides)], ([name, *cells] for name, cells in rows))
    for title, parts in (("STAGE", usage.by_stage), ("ROLE", usage.by_role), ("MODEL", usage.by_model)):
        yield _spending(title, parts)


def _spending(title: str, parts: Mapping[str, Spending]) -> list[str]:
    return table(
        [title, "CALLS", "CACHED", "FAILED", "PROMPT", "COMPLETION", "COST"],
        (
            [
                name,
                *(compact(count) for count in (s.calls, s.cached_calls, s.failed_attempts)),
                *(at_least(compact(tokens), s) for tokens in (s.prompt_tokens, s.completion_tokens)),
                cost(s),
            ]
            for name, s in parts.items()
        ),
    )


def _seconds(seconds: Seconds) -> list[str]:
    def row(name: str, spread: Spread) -> list[str]:
        return [name, *measures(spread.median, spread.p90)]

    lines = table(
        ["SECONDS", "MEDIAN", "90TH PERCENTILE"],
        [row("whole clip", seconds.clip), *(row(name, spread) for name, spread in seconds.by_stage.items())],
    )
    return [*lines, f"all clips together are {duration(seconds.media_s)} long"] if seconds.media_s else lines
