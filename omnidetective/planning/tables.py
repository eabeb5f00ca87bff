"""A plan → plain text for a terminal of 80 columns. Pure. Two digits: nothing here is known better."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from omnidetective.planning.plan import Clips, Media, Plan, PlannedCalls, PlannedTotal, Range
from omnidetective.report.layout import WIDTH, clean, many, table

_NAME: Final = 11
_DASH: Final = "–"


def plan_text(plan: Plan) -> str:
    """The whole plan."""
    lines = [*_head(plan)]
    if plan.calls and plan.total is not None:
        lines += ["", *_calls(plan, plan.calls, plan.total), "", *_sums(plan, plan.total)]
    elif plan.calls is not None and plan.clips.to_do:
        lines += ["", "No model is called, and nothing is spent: the embedded cast does all."]
    for note in plan.notes:
        lines += entry("note", note)
    return "\n".join(lines) + "\n"


def entry(name: str, text: str) -> list[str]:
    """A name and what belongs to it, over as many lines as it takes."""
    return textwrap.wrap(
        text, WIDTH, initial_indent=f"{name:<{_NAME}}", subsequent_indent=" " * _NAME, break_on_hyphens=False
    )


def rough(low: float, high: float) -> str:
    """A range of counts: ``"3"``, ``"12–72"``, ``"22k–350k"``."""
    ends = [count(low, up=False), count(high, up=True)]
    return ends[0] if ends[0] == ends[1] else _DASH.join(ends)


def count(value: float, *, up: bool) -> str:
    """A count with two digits, or as it is up to a thousand."""
    if value < 1000:
        return f"{math.ceil(value - 1e-9) if up else math.floor(value + 1e-9):,}"
    shown = _digits(value)
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if shown >= size:
            return f"{shown / size:.{1 if shown < 10 * size else 0}f}{letter}"
    return f"{shown:,.0f}"


def dollars(low: float, high: float) -> str:
    """A range of US dollars: ``"$0.05–$0.79"``."""
    ends = [_usd(low), _usd(high)]
    return ends[0] if ends[0] == ends[1] else _DASH.join(ends)


def lasting(low_s: float, high_s: float) -> str:
    """A range of time."""
    ends = [_time(low_s), _time(high_s)]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _time(seconds: float) -> str:
    size, unit = (1, "s") if seconds < 120 else (60, "min") if seconds < 7200 else (3600, "h")
    return f"{_digits(seconds / size):,.{1 if seconds / size < 10 else 0}f} {unit}".replace(".0 ", " ")


def _usd(value: float) -> str:
    shown = _digits(value)
    if 0 < shown < 0.001:
        return "<$0.001"
    if shown < 1 and shown:
        return f"${shown:.{2 if shown >= 0.1 else 3}f}"
    return f"${shown:,.{1 if 1 <= shown < 10 else 0}f}{'0' if 1 <= shown < 10 else ''}"


def _digits(value: float) -> float:
    return round(value, 1 - math.floor(math.log10(value))) if value > 0 else 0.0


def _head(plan: Plan) -> Iterator[str]:
    yield clean(f"Plan of a run · workflow {plan.workflow} · models {plan.model_set}", WIDTH)
    yield ""
    yield from entry("clips", clips_told(plan.clips))
    yield from entry("media", _media(plan.media, plan.clips))
    for problem in plan.problems:
        yield from entry("unusable", clean(f"{problem.where}: {problem.why}", 4 * WIDTH))
    if unseen := plan.clips.unusable - sum(p.where.startswith("line ") for p in plan.problems):
        yield from entry("", f"and {many(unseen, 'row')} more")
    found: dict[str, list[str]] = {}
    for model in plan.models:
        # Models that share a key or a server share what is wrong with it.
        state = "not ready" if model.ready is False else "ready" if model.ready else "unsure"
        hint = f" ({model.hint})" if model.hint else ""
        found.setdefault(f"{state}: {model.learnt}{hint}", []).append(model.model)
    for what, names in found.items():
        yield from entry("models", clean(f"{', '.join(dict.fromkeys(names))} · {what}", 6 * WIDTH))


def clips_told(clips: Clips) -> str:
    """How many rows there are, and what of them."""
    parts = [f"{clips.to_do:,} to do"]
    parts += [f"{clips.done:,} done already"] * bool(clips.done)
    parts += [f"{clips.failed_before:,} failed before and are left alone"] * bool(clips.failed_before)
    parts += [f"{clips.unusable:,} unusable"] * bool(clips.unusable)
    parts += [f"{clips.downloads:,} of those to do have to be downloaded"] * bool(clips.downloads)
    return f"{many(clips.rows, 'row')}: {', '.join(parts)}"


def _media(media: Media, clips: Clips) -> str:
    if not clips.to_do:
        return "nothing to do"
    parts = []
    if media.hours is not None and media.hours.high:
        parts.append(lasting(3600 * media.hours.low, 3600 * media.hours.high))
    if media.images is not None:
        images = rough(media.images.low, media.images.high)
        parts.append(f"{images} image{'' if images == '1' else 's'}")
    told = " and ".join(parts) or "unknown"
    if media.unreadable:
        told += f"; {media.unreadable:,} of {media.probed:,} clips that were looked at cannot be opened"
    return told


def _calls(plan: Plan, calls: Sequence[PlannedCalls], total: PlannedTotal) -> list[str]:
    rows = [[f"{one.stage:<12} {one.role}", *_numbers(one, one.cost_usd)] for one in calls]
    whole = _numbers(total, total.cost_usd if _priced(plan) else None)
    if plan.unpriced and _priced(plan):
        whole[-1] += "+"
    return table([f"{'STAGE':<12} ROLE", "CALLS", "PROMPT", "ANSWERS", "COST"], [*rows, ["all", *whole]])


def _numbers(one: PlannedCalls | PlannedTotal, cost: Range | None) -> list[str]:
    ranges = (one.calls, one.prompt_tokens, one.completion_tokens)
    told = [rough(each.low, each.high) for each in ranges]
    return [*told, "unknown" if cost is None else dollars(cost.low, cost.high)]


def _sums(plan: Plan, total: PlannedTotal) -> Iterator[str]:
    calls, cost = total.calls, total.cost_usd
    most = count(calls.most, up=True)
    yield from entry("calls", f"{rough(calls.low, calls.high)}, up to {most} where every answer has to be repaired")
    unpriced = ", ".join(plan.unpriced)
    if _priced(plan):
        told = f"{dollars(cost.low, cost.high)}, up to {dollars(cost.most, cost.most)} where every answer is repaired"
        told += f"; not in it, as the price is unknown: {unpriced}" * bool(unpriced)
    else:
        told = f"unknown, as the price is of {unpriced}"
    yield from entry("cost", told)
    if plan.wait_s is not None:
        waited = lasting(plan.wait_s.low, plan.wait_s.high)
        workers = f"{many(plan.num_workers, 'worker')} of {many(plan.concurrency, 'clip')} at once"
        yield from entry("waiting", f"{waited} for models, with {workers}; measuring on this machine comes on top")
    yield from entry("note", "how long answers get is guessed: `omnidetective estimate --pilot N` measures it")


def _priced(plan: Plan) -> bool:
    return any(one.cost_usd is not None for one in plan.calls or ())
