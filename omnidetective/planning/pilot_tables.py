"""A pilot → plain text for a terminal of 80 columns. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from omnidetective.planning.pilot import Account, Pilot
from omnidetective.planning.scaling import Foreseen
from omnidetective.planning.tables import clips_told, count, dollars, entry, lasting, rough
from omnidetective.report.layout import WIDTH, clean, many, table

_SECONDS = "S A CLIP"


def pilot_text(pilot: Pilot) -> str:
    """What was measured, and what follows from it."""
    lines = [f"Pilot · {pilot.recorded:,} of {many(pilot.chosen, 'clip')} captioned", ""]
    lines += entry("records", clean(pilot.output, 4 * WIDTH))
    lines += entry("clips", clips_told(pilot.clips))
    lines += entry(
        "media",
        f"{_media(pilot.media_s, pilot.images)} in the pilot, {_media(pilot.left_s, pilot.left_images)} still to do",
    )
    total = pilot.total
    if total is not None:
        lines += ["", "What the pilot took, and what the clips that are left will take"]
        lines += ["", *_table("STAGE", (*pilot.by_stage, total))]
        if total.taken.calls:
            lines += ["", *_table("ROLE", pilot.by_role), "", *_table("MODEL", pilot.by_model)]
        lines += ["", *entry("cost", _money(pilot, total))]
    if pilot.run_s is not None:
        lines += entry("time", f"{lasting(*_ends(pilot.run_s))} for what is left, with the same workers")
    if pilot.cached_calls:
        lines += entry(
            "note",
            f"{many(pilot.cached_calls, 'answer')} of the pilot came from the cache: what they "
            "cost is not in the numbers",
        )
    for note in pilot.notes:
        lines += entry("note", note)
    return "\n".join(lines) + "\n"


def _table(title: str, accounts: Sequence[Account]) -> list[str]:
    timed = [_SECONDS] if title == "STAGE" else []
    header = [title, *timed, "CALLS", "COST", "CALLS LEFT", "TOKENS LEFT", "COST LEFT"]
    return table(header, ([one.name, *_seconds(one)[: len(timed)], *_numbers(one)] for one in accounts))


def _seconds(one: Account) -> list[str]:
    return ["" if one.seconds is None else f"{one.seconds:.1f}"]


def _numbers(one: Account) -> list[str]:
    taken = one.taken
    return [
        count(taken.calls, up=True),
        "unknown" if taken.cost_usd is None else dollars(taken.cost_usd, taken.cost_usd),
        _counted(one.calls),
        _counted(one.prompt_tokens.plus(one.completion_tokens)),
        "unknown" if one.cost_usd is None else dollars(*_ends(one.cost_usd)),
    ]


def _counted(amount: Foreseen) -> str:
    return rough(*_ends(amount))


def _ends(amount: Foreseen) -> tuple[float, float]:
    if amount.low is None or amount.high is None:
        return amount.expected, amount.expected
    return amount.low, amount.high


def _money(pilot: Pilot, total: Account) -> str:
    if not total.taken.calls:
        return "nothing: the pilot called no model"
    if total.cost_usd is None:
        known = sum(model.cost_usd.expected for model in pilot.by_model if model.cost_usd is not None)
        unpriced = ", ".join(model.name for model in pilot.by_model if model.cost_usd is None)
        least = f"at least about {dollars(known, known)}" if known else "unknown"
        return clean(f"{least}; the price is unknown of {unpriced}", 4 * WIDTH)
    told = f"about {dollars(total.cost_usd.expected, total.cost_usd.expected)}"
    if total.cost_usd.low is None:
        return told
    return f"{told}, in 9 of 10 cases {dollars(*_ends(total.cost_usd))}"


def _media(seconds: float, images: float) -> str:
    told = [lasting(seconds, seconds)] if seconds or not images else []
    told += [f"{rough(images, images)} image{'' if round(images) == 1 else 's'}"] if images else []
    return " and ".join(told)
