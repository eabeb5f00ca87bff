"""A comparison of prices → plain text for a terminal of 80 columns. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Final

from omnidetective.report.layout import WIDTH, clean, compact, cost, dollars, table
from omnidetective.report.numbers import Compared, Comparison

NOTE: Final = (
    "The very same tokens at another price: another model counts text, pictures and sound as other numbers of tokens "
    "and answers at other lengths. Prompts are priced in full and as text; what of them was cached or sound is not "
    "known from records. What is paid by the minute of sound counts as spent and not there. A model of price 0 still "
    "costs the machine that it runs on."
)
_HEADER: Final = ("PROMPT", "COMPLETION", "SPENT", "THERE", "TIMES", "SAVED")


def comparison_tables(comparisons: Sequence[Comparison]) -> str:
    """The tables of all compared models, and under them what such numbers cannot say."""
    sections = [lines for one in comparisons for lines in _sections(one) if lines]
    return "\n\n".join("\n".join(lines) for lines in [*sections, wrap(NOTE, WIDTH)]) + "\n"


def _sections(one: Comparison) -> Iterator[list[str]]:
    said = (
        f"COMPARED WITH {one.model} at {one.host}: ${one.prompt_usd} for a million prompt tokens, "
        f"${one.completion_usd} completion ({one.price_date})."
    )
    if one.sound_has_another_price:
        said += " Sound in prompts costs more there."
    if one.holds_up_to_tokens is not None:
        said += f" The price holds for prompts of up to {one.holds_up_to_tokens:,} tokens."
    yield [clean(line, WIDTH) for line in wrap(said, WIDTH, break_on_hyphens=False)]
    yield _rows("ALL", {"all clips": one})
    yield _rows("ROLE", one.by_role)
    yield _rows("STAGE", one.by_stage)


def _rows(title: str, parts: Mapping[str, Compared]) -> list[str]:
    return table([title, *_HEADER], ([name, *_row(part)] for name, part in parts.items()))


def _row(part: Compared) -> Iterator[str]:
    more = "+" if part.unreported else ""
    yield f"{compact(part.prompt_tokens)}{more}"
    yield f"{compact(part.completion_tokens)}{more}"
    yield cost(part)
    if not (part.prompt_tokens or part.completion_tokens):
        yield "–"
    else:
        yield f"{dollars(part.there_usd)}{more}"
    yield "–" if part.times_as_dear is None else f"{part.times_as_dear:,.{1 if part.times_as_dear >= 10 else 2}f}x"
    yield "–" if part.share_saved is None else f"{100 * part.share_saved:,.1f} %"
