"""An evaluation as people read it. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from omnidetective.evals.result import NOBODY, Evaluation, Row, Table, Unjudged
from omnidetective.evals.statistics import Score
from omnidetective.report.layout import WIDTH, clean, many, table, width

_MOST_NAMED = 5
_WIDTH = 60
_MOST_OF_A_REASON = 300


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
    cells = [(row, [_cell(row, column, one.digits) for column in one.columns]) for row in one.rows]
    lines = table(
        header, [(row.name, f"{row.n:,}", *(" ".join(part).rstrip() for part in found)) for row, found in cells]
    )
    names = {row.name for row in one.rows}
    if any(width(line) > WIDTH or line in names for line in lines):
        both = [
            (name, n, *(part[line] for part in found))
            for row, found in cells
            for line, (name, n) in enumerate(((row.name, f"{row.n:,}"), ("", "")))
        ]
        lines = table(header, both, lines=2)
    yield from lines
    for paragraph in one.note.splitlines():
        yield from _wrapped(paragraph)


def _wrapped(text: str, *, indent: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _cell(row: Row, column: str, digits: int) -> tuple[str, str]:
    """A score, and its interval: on one line, or under it where that is too wide."""
    found = row.scores.get(column, Score())
    if found.value is None:
        return "–", ""
    value = f"{found.value:z.{digits}f}"
    if found.low is None or found.high is None:
        return value, ""
    low, high = f"{found.low:z.{digits}f}", f"{found.high:z.{digits}f}"
    return value, f"[{low}{', ' if low.startswith('-') else '–'}{high}]"


def _not_judged(result: Evaluation) -> Iterator[str]:
    drawn = any(score.low is not None for one in result.tables for row in one.rows for score in row.scores.values())
    interval = "; in brackets the 95 % interval over clips" if drawn else ""
    yield f"{result.judged:,} of {many(result.items, 'item')} judged{interval}"
    by_reason: dict[str, list[Unjudged]] = {}
    for one in result.unjudged:
        by_reason.setdefault(one.reason, []).append(one)
    for reason, items in by_reason.items():
        named = ", ".join(clean(one.item, _WIDTH) for one in items[:_MOST_NAMED])
        more = f" and {len(items) - _MOST_NAMED:,} more" if len(items) > _MOST_NAMED else ""
        again = "; the same command asks for them again" if reason == "unfinished" else ""
        yield from _wrapped(f"{reason.replace('_', ' ')}: {len(items):,} ({named}{more}){again}")
        if first := next((one.why for one in items if one.why), ""):
            yield from _wrapped(f"such as: {clean(' '.join(first.split()), _MOST_OF_A_REASON)}", indent="  ")
    if result.unused_captions:
        verb = "belongs" if result.unused_captions == 1 else "belong"
        yield f"{many(result.unused_captions, 'caption')} of {result.captions} {verb} to no item"
    if result.judge == NOBODY:
        return
    usage = result.usage
    cost = "unknown" if usage.cost_usd is None else f"${usage.cost_usd:.4f}"
    yield from _wrapped(
        f"{many(usage.calls, 'call')} ({usage.cached_calls:,} answered from the cache), "
        f"{usage.prompt_tokens:,} + {usage.completion_tokens:,} tokens, cost {cost}"
    )
