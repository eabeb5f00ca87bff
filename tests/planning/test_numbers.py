"""The laws that plans rest on."""

from __future__ import annotations

from itertools import pairwise
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.forecast.clip import segment_counts
from omnidetective.planning.scaling import scaled
from omnidetective.planning.survey import EvenSample
from omnidetective.planning.tables import count, dollars, lasting, rough
from omnidetective.records import InputRow
from omnidetective.segments import segment_at


@given(
    duration_s=st.floats(1, 3600),
    max_s=st.floats(5, 120),
    cuts=st.lists(st.floats(0, 3600), max_size=60),
    silences=st.lists(st.floats(0, 3600), max_size=20),
)
def test_wherever_the_cuts_are_a_clip_has_as_many_segments_as_foreseen(
    duration_s: float, max_s: float, cuts: list[float], silences: list[float]
) -> None:
    fewest, most = segment_counts(duration_s, max_s)
    assert fewest <= len(segment_at(duration_s, max_s, best=cuts, good=silences)) <= most


@given(rows=st.integers(0, 500), wanted=st.integers(1, 60))
def test_a_sample_is_even_and_as_large_as_it_can_be(rows: int, wanted: int) -> None:
    sample = EvenSample(wanted)
    for n in range(rows):
        sample.add(InputRow(id=str(n), media="x", raw={}))
    chosen = [int(row.id) for row in sample.rows]
    assert len(chosen) == min(rows, wanted)
    assert chosen == sorted(set(chosen))
    # Nowhere is a gap of more than four times the mean one, at the ends included.
    edges = [-1, *chosen, rows]
    assert all(b - a <= 4 * rows / len(chosen) + 1 for a, b in pairwise(edges) if chosen)


@given(sizes=st.lists(st.floats(0.1, 1000), min_size=2, max_size=20), rate=st.floats(0, 100), left=st.floats(0, 1e6))
def test_what_is_in_proportion_is_foreseen_exactly(sizes: list[float], rate: float, left: float) -> None:
    foreseen = scaled([rate * size for size in sizes], sizes, left)
    assert isclose(foreseen.expected, rate * left, rel_tol=1e-6, abs_tol=1e-6)
    assert foreseen.low is not None
    assert foreseen.high is not None
    assert isclose(foreseen.low, foreseen.high, rel_tol=1e-4, abs_tol=1e-4)


def test_one_clip_gives_no_range_and_unlike_clips_give_a_wide_one() -> None:
    assert scaled([3.0], [1.0], 10.0).low is None
    near, far = scaled([1.0, 1.1, 0.9], [1.0] * 3, 100.0), scaled([0.1, 2.8, 0.1], [1.0] * 3, 100.0)
    assert near.low is not None
    assert far.high is not None
    assert near.low > 75
    assert far.low == 0.0
    assert far.high > 200


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        (rough(12, 72), "12–72"),
        (rough(3, 3), "3"),
        (rough(22_450, 346_800), "22k–350k"),
        (rough(999.6, 1_049_000), "999–1.0M"),
        (count(0, up=True), "0"),
        (dollars(0, 0), "$0"),
        (dollars(0.0542, 0.794), "$0.054–$0.79"),
        (dollars(1.23, 12.3), "$1.20–$12"),
        (dollars(9.96, 1234), "$10–$1,200"),
        (dollars(0.00002, 0.0031), "<$0.001–$0.003"),
        (lasting(14, 828), "14 s to 14 min"),
        (lasting(7300, 73000), "2 h to 20 h"),
    ],
)
def test_numbers_have_the_digits_that_are_known(shown: str, wanted: str) -> None:
    assert shown == wanted
