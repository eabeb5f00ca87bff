"""What an evaluation has found: tables of scores, what could not be judged, and how it came about."""

from __future__ import annotations

from pydantic import JsonValue

from omnidetective.evals.statistics import Score
from omnidetective.frozen import Sparse
from omnidetective.records import Usage

NOBODY = "nobody"
"""The judge of answers that need none."""


class Row(Sparse):
    """One line of a table: a group of items (``overall``, a domain, a type of question)."""

    name: str
    n: int
    scores: dict[str, Score]


class Table(Sparse):
    """A table as papers print it.

    ``columns`` are the names of the scores in their order; ``digits`` how many decimals are shown. ``note`` says how it
    was counted, where that is a choice.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    digits: int = 1
    note: str = ""


class Unjudged(Sparse):
    """An item without a verdict."""

    item: str
    reason: str
    why: str = ""


class Evaluation(Sparse):
    """The result of one evaluation.

    ``items`` is all that the benchmark holds, ``judged`` how many have a verdict; the rest is in ``unjudged``, by name.
    ``runs`` are the tables of every run of the judge where there were several; ``chosen`` tells which is ``tables``.
    """

    benchmark: str
    variant: str
    judge: str
    tokens: str
    captions: str
    captions_sha256: str
    data: str
    data_sha256: str
    items: int
    judged: int
    unjudged: tuple[Unjudged, ...]
    unused_captions: int
    tables: tuple[Table, ...]
    runs: tuple[tuple[Table, ...], ...] | None = None
    chosen: int | None = None
    usage: Usage
    prompts: dict[str, str]
    omnidetective: str
    started_at: str
    seconds: float


class ItemLine(Sparse):
    """One line of ``<output stem>.items.jsonl``: an item and its verdict, or why it has none."""

    item: str
    run: int = 0
    verdict: JsonValue = None
    reason: str | None = None
    why: str | None = None
