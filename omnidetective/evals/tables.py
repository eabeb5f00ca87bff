"""An evaluation as people read it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from omnidetective.evals.result import NOBODY, Evaluation, Row, Table
from omnidetective.evals.statistics import Score
from omnidetective.report.layout import clean, many, table

_MOST_NAMED = 5
_WIDTH = 60


def tables(result: Evaluation) -> str:
    """The tables, then what was not judged, then what it cost."""
    lines = [f"{result.benchmark}{f' ({result.variant})' if result.variant else ''}, judged by {result.judge}"]
    if result.chosen is not None and result.runs is not None:
        lines.append(f"run {result.chosen + 1} of {len(result.runs)}, the median")
    for one in result.tables:
        lines += ["", *_table(one)]
    lines += ["", *_not_judged(result)]
    return "\n".join(lines) + "\n"


def _table(one: Table) -> Iterator[str]:
    yield one.title
    header = ("", "n", *one.columns)
    rows = [(row.name, f"{row.n:,}", *(_cell(row, column, one.digits) for column in one.columns)) for row in one.rows]
    yield from table(header, rows)
    if one.note:
        yield one.note


def _cell(row: Row, column: str, digits: int) -> str:
    found = row.scores.get(column, Score())
    if found.value is None:
        return "–"
    text = f"{found.value:.{digits}f}"
    if found.low is None or found.high is None:
        return text
    return f"{text} [{found.low:.{digits}f}–{found.high:.{digits}f}]"


def _not_judged(result: Evaluation) -> Iterator[str]:
    drawn = any(score.low is not None for one in result.tables for row in one.rows for score in row.scores.values())
    interval = "; in brackets the 95 % interval over clips" if drawn else ""
    yield f"{result.judged:,} of {many(result.items, 'item')} judged{interval}"
    by_reason: dict[str, list[str]] = {}
    for one in result.unjudged:
        by_reason.setdefault(one.reason, []).append(one.item)
    for reason, items in by_reason.items():
        named = ", ".join(clean(item, _WIDTH) for item in items[:_MOST_NAMED])
        more = f" and {len(items) - _MOST_NAMED:,} more" if len(items) > _MOST_NAMED else ""
        yield f"{reason.replace('_', ' ')}: {len(items):,} ({named}{more})"
    if result.unused_captions:
        verb = "belongs" if result.unused_captions == 1 else "belong"
        yield f"{many(result.unused_captions, 'caption')} of {result.captions} {verb} to no item"
    if result.judge == NOBODY:
        return
    usage = result.usage
    cost = "unknown" if usage.cost_usd is None else f"${usage.cost_usd:.4f}"
    yield (
        f"{many(usage.calls, 'call')} ({usage.cached_calls:,} answered from the cache), "
        f"{usage.prompt_tokens:,} + {usage.completion_tokens:,} tokens, cost {cost}"
    )
