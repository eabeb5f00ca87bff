"""Awkward text takes time in step with its length; a megabyte takes seconds."""

# ruff: noqa: E501 -- one case, one line

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from omnidetective.captions.alignment import plain
from omnidetective.captions.anchors import anchor_faults, find_anchors
from omnidetective.captions.markup import find_marks, without_marks
from omnidetective.captions.moments import canonical_anchors
from omnidetective.captions.quotes import find_quotes
from omnidetective.captions.repetition import find_repetition, without_repetition
from omnidetective.captions.sentences import count_tokens, split_sentences

SIZE = 150_000
UNITS = (
    "a",
    " ",
    ". ",
    "“",
    '"',
    "At 3s, a man walks. ",
    "1:",
    "<",
    "* a",
    "\n ",
    "| ",
    "“a” ",
    "Sure! ",
    "\u0301\u0323",
    "\ud800",
    "他走在街上。",
)
FUNCTIONS: tuple[Callable[[str], object], ...] = (
    split_sentences, count_tokens, find_anchors, lambda t: anchor_faults(t, 100.0), lambda t: canonical_anchors(t, 100.0),
    find_quotes, find_repetition, without_repetition, find_marks, without_marks, plain,
)  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_time_grows_in_step_with_the_text(unit: str) -> None:
    """Quadratic work would take a hundred times as long; the wide margin is for a busy machine."""
    whole, tenth = unit * (SIZE // len(unit)), unit * (SIZE // 10 // len(unit))
    assert spent_s(whole) < 40 * spent_s(tenth) + 5.0


@pytest.mark.integration
def test_a_megabyte_of_everything() -> None:
    text = "\n\n".join(unit * (1_000_000 // len(UNITS) // len(unit)) for unit in UNITS)
    assert spent_s(text) < 60.0


def spent_s(text: str) -> float:
    start_s = time.process_time()
    for function in FUNCTIONS:
        function(text)
    return time.process_time() - start_s


def test_counts_grow_in_step_with_the_text() -> None:
    text = "At 3s, a man says “hi there”. **Now** he walks. "
    for n in (10, 1000, 10_000):
        assert len(split_sentences(text * n)) == 2 * n
        assert len(find_anchors(text * n)) == n
        assert len(find_quotes(text * n)) == n
        assert len(find_marks(text * n)) == 2 * n
        assert len(find_repetition(text * n)) == 1
