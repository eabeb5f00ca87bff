"""The numbers of a file of records.

What no record has is absent. Counts are of captions unless a name says otherwise.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import PlainSerializer

from omnidetective.frozen import Sparse
from omnidetective.records import Cost

Dollars = Annotated[Decimal, PlainSerializer(float, return_type=float)]


class BadLine(Sparse):
    """A line that is no record; lines count from 1."""

    line_number: int
    why: str


class Spread(Sparse):
    """How a quantity is spread over ``count`` values. Each value was rounded to three significant digits."""

    count: int
    mean: float
    p10: float
    median: float
    p90: float


class Score(Spread):
    """A score of the gate. ``distribution`` counts captions by range (of a share) or by mark (1 to 5, or 1 to 3)."""

    distribution: dict[str, int] | None = None


class Rates(Sparse):
    """Of ``captions``, how many have no error, nothing missing, and neither (the stage analysis of ASID)."""

    captions: int
    no_error: int
    no_missing: int
    clean: int


class AuditRates(Rates):
    """The same for whole captions, and attribute by attribute over the captions where the attribute was judged."""

    by_attribute: dict[str, Rates]


class AuditedAgain(Sparse):
    """The same captions, judged by the same observers, before and after refining."""

    before: AuditRates
    after: AuditRates


class Catch(Sparse):
    """What one instrument check caught: findings, captions that have any, and findings left after refining.

    ``left`` is absent where no caption was audited again.
    """

    findings: int
    captions: int
    left: int | None = None


class Audit(Sparse):
    """What the audits found.

    Attributes:
        judged: captions that an auditor, a model, judged before refining: all findings.
        instruments: every audited caption before refining: findings of instruments alone.
        again: who audited the refined caption → rates on both sides. ``full``: all findings. ``instruments``: theirs
            alone, on both sides. ``unsaid``: the record does not say who.
        catches: instrument check → what it caught.
        not_in_caption, overruled: findings that were dropped.
        unaudited: attribute → captions in which no auditor judged it.
    """

    judged: AuditRates | None = None
    instruments: AuditRates
    again: dict[str, AuditedAgain]
    catches: dict[str, Catch]
    not_in_caption: int
    overruled: int
    unaudited: dict[str, int]


class Refining(Sparse):
    """What refining did. ``refused`` captions had a version sent back by the guard, ``refusals`` times in all."""

    captions: int
    applied: int
    refused: int
    refusals: int
    fixed_errors: int
    filled_missing: int
    dropped_forbidden: int
    timestamp_adjustments: int


class Contradictions(Sparse):
    """Contradictions between observers, in ``captions`` captions. ``settled`` → how many, by who settled them."""

    captions: int
    found: int
    settled: dict[str, int]
    open: int


class Lengths(Sparse):
    """How long captions are. Tokens are words, numbers and punctuation marks; minutes are those of the clip."""

    words: Spread
    tokens: Spread
    anchors: Spread
    words_per_minute: Spread | None = None
    anchors_per_minute: Spread | None = None


class Presence(Sparse):
    """Of ``captions`` that were split, how many have text for each attribute."""

    captions: int
    by_attribute: dict[str, int]


class Spending(Sparse):
    """Calls, tokens and US dollars. ``cost_usd`` is null as soon as a part is unknown; ``known_cost_usd`` is the rest.

    ``unreported`` calls did not say how many tokens they took.
    """

    calls: int
    cached_calls: int
    failed_attempts: int
    unreported: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: Cost
    known_cost_usd: Dollars


class Usage(Spending):
    """All that was spent, on records and on failures, and the same by stage, role and model."""

    on_failures: Spending | None = None
    by_stage: dict[str, Spending]
    by_role: dict[str, Spending]
    by_model: dict[str, Spending]


class Compared(Sparse):
    """Tokens, what they have cost, and what the very same tokens would cost at another price, in US dollars.

    Attributes:
        unreported: calls that did not say how many tokens they took; with any, the tokens and ``there_usd`` are lower
            limits.
        cost_usd: null as soon as a part is unknown; ``known_cost_usd`` is the rest.
        there_usd: at the other price.
        times_as_dear: ``there_usd`` over ``cost_usd``; absent where the cost is not known, or nothing was paid.
        share_saved: of ``there_usd``, 0…1; negative where more was spent than would be there. Absent like the other.
    """

    unreported: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: Cost
    known_cost_usd: Dollars
    there_usd: Dollars
    times_as_dear: float | None = None
    share_saved: float | None = None


class Comparison(Compared):
    """All tokens at the price of one other model, and the same by stage and role.

    Attributes:
        model: ``provider:model``; ``host`` is who serves it at this price.
        prompt_usd, completion_usd: for a million tokens, as of ``price_date``.
        sound_has_another_price: sound in prompts costs something else there; here all is priced as text.
        holds_up_to_tokens: the price is for prompts of up to so many tokens.
    """

    model: str
    host: str
    prompt_usd: Dollars
    completion_usd: Dollars
    price_date: str
    price_source: str
    sound_has_another_price: bool
    holds_up_to_tokens: int | None = None
    by_stage: dict[str, Compared]
    by_role: dict[str, Compared]


class Seconds(Sparse):
    """Wall time: of a whole clip, and of its stages; ``media_s`` is the length of all clips together."""

    clip: Spread
    by_stage: dict[str, Spread]
    media_s: float


class Statistics(Sparse):
    """Everything.

    Attributes:
        records, failures: clips with and without a record.
        bad_lines: lines of the output that are no record; ``first_bad_lines`` are the first of them.
        bad_failure_lines: lines of the failures that are no failure.
        outcomes: outcome → clips, failures included.
        failure_reasons: reason code → clips without a record.
        rejections: reason code → rejected captions; one caption can have several.
        shortfalls: first words of the first shortfall → partial captions.
        workflows: workflow → records.
        compared: what the same tokens would cost elsewhere, where that was asked for.
    """

    records: int
    failures: int
    bad_lines: int
    first_bad_lines: tuple[BadLine, ...]
    bad_failure_lines: int
    outcomes: dict[str, int]
    failure_reasons: dict[str, int]
    rejections: dict[str, int]
    shortfalls: dict[str, int]
    workflows: dict[str, int]
    captions: Lengths | None = None
    scores: dict[str, Score]
    attributes: Presence | None = None
    audit: Audit | None = None
    refinement: Refining | None = None
    contradictions: Contradictions | None = None
    usage: Usage | None = None
    compared: tuple[Comparison, ...] | None = None
    seconds: Seconds | None = None
