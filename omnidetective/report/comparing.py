"""The same tokens at other prices: what a run would have cost if all of its calls had gone to another model. Pure.

Records say how many tokens of a prompt there were, and not how many of them were cached or sound. So all are priced in
full, as text. What is paid by the minute of sound has no tokens, and is no part of what would be paid elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import Final
from urllib.parse import urlsplit

from omnidetective.errors import ConfigError
from omnidetective.llm.endpoint import OWN_ADDRESS
from omnidetective.llm.messages import TokenUsage
from omnidetective.llm.prices import Price, PriceTable
from omnidetective.report.numbers import Compared, Comparison, Spending, Usage

_RUNS_HERE: Final = ("embedded:", "scripted:")
_FOUR: Final = Decimal("0.0001")


def compared_price(name: str, prices: PriceTable) -> tuple[str, Price]:
    """The row that tokens are priced on, and the host that it is for.

    The provider's own address is asked for first; where no row is for that, the last row of the model at any host.

    Args:
        name: ``provider:model``.

    Raises:
        ConfigError: no row is for this model, or none that prices tokens.
    """
    if name.startswith(_RUNS_HERE):
        raise ConfigError(f"{name} runs here and has no price", hint="compare with a model that is paid by token")
    rows = [row for row in prices.rows if row.fits(name)]
    provider = name.partition(":")[0]
    own = next((urlsplit(url).hostname or "" for dialect, url in OWN_ADDRESS.items() if dialect == provider), "")
    here = [row for row in rows if row.serves(own)] if own else []
    if not rows:
        raise ConfigError(f"no price of {name} is known", hint=_nearest(name, prices))
    row = (here or rows)[-1]
    if row.prompt is None or row.completion is None:
        raise ConfigError(
            f"{name} is paid by the minute of sound: tokens cannot be priced on it",
            hint="compare with a model that is paid by token",
        )
    return own if here else row.host, row


def comparison(name: str, host: str, price: Price, usage: Usage) -> Comparison:
    """What was spent, beside what the same tokens would cost; the whole, and by stage and role."""
    assert price.prompt is not None
    assert price.completion is not None
    return Comparison(
        **dict(_compared(usage, price)),
        model=name,
        host=host,
        prompt_usd=price.prompt,
        completion_usd=price.completion,
        price_date=price.date.isoformat(),
        price_source=price.source,
        sound_has_another_price=price.audio_prompt is not None,
        holds_up_to_tokens=price.max_prompt_tokens,
        by_stage=_parts(usage.by_stage, price),
        by_role=_parts(usage.by_role, price),
    )


def _parts(parts: Mapping[str, Spending], price: Price) -> dict[str, Compared]:
    return {name: _compared(spent, price) for name, spent in parts.items()}


def _compared(spent: Spending, price: Price) -> Compared:
    plain = price.model_copy(update={"audio_prompt": None, "cached_prompt": None, "max_prompt_tokens": None})
    there = plain.of_tokens(TokenUsage(prompt_tokens=spent.prompt_tokens, completion_tokens=spent.completion_tokens))
    assert there is not None
    # A ratio to nothing, of nothing, or of what is known in part only would say something that nobody knows.
    meant = spent.cost_usd is not None and spent.cost_usd > 0 and there > 0 and not spent.unreported
    return Compared(
        unreported=spent.unreported,
        prompt_tokens=spent.prompt_tokens,
        completion_tokens=spent.completion_tokens,
        cost_usd=spent.cost_usd,
        known_cost_usd=spent.known_cost_usd,
        there_usd=there,
        times_as_dear=_share(there, spent.cost_usd) if meant and spent.cost_usd else None,
        share_saved=_share(there - spent.cost_usd, there) if meant and spent.cost_usd else None,
    )


def _share(part: Decimal, of: Decimal) -> float:
    return float((part / of).quantize(_FOUR))


def _nearest(name: str, prices: PriceTable) -> str:
    known = sorted({row.match for row in prices.rows if row.prompt is not None})
    near = get_close_matches(name, known, n=1, cutoff=0.0)
    return f"the nearest with a price is {near[0]}; prices of your own: --prices FILE" if near else "give --prices FILE"
