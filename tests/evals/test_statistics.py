"""Scores and their intervals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.evals.statistics import mean_over_groups, ratio, score

_items = st.lists(
    st.tuples(st.integers(0, 5), st.integers(5, 9)).map(lambda t: (float(t[0]), float(t[1]))), min_size=1, max_size=30
)


@given(_items)
def test_the_value_lies_in_its_interval_and_the_order_of_items_does_not_matter(
    items: list[tuple[float, float]],
) -> None:
    found = score(items, ratio(0, 1), resamples=400)
    assert found.value == pytest.approx(sum(a for a, _ in items) / sum(b for _, b in items))
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.high <= 1
    assert min(a / b for a, b in items) - 1e-9 <= found.low
    assert found.high <= max(a / b for a, b in items) + 1e-9
    assert score(sorted(items), ratio(0, 1), resamples=10).value == pytest.approx(found.value)


def test_the_interval_of_a_proportion_is_the_known_one() -> None:
    """200 clips, 30 % right: the normal approximation says 0.3 ± 0.0635."""
    items = [(1.0, 1.0)] * 60 + [(0.0, 1.0)] * 140
    found = score(items, ratio(0, 1))
    assert found.low == pytest.approx(0.3 - 0.0635, abs=0.01)
    assert found.high == pytest.approx(0.3 + 0.0635, abs=0.01)


def test_nothing_to_divide_by() -> None:
    assert score([], ratio(0, 1)).value is None
    assert score([(1.0, 0.0)], ratio(0, 1)).value is None


def test_many_items_are_drawn_in_small_portions() -> None:
    """60,000 clips, half of them right: the normal approximation says 0.5 ± 0.0040."""
    items = [(1.0, 1.0), (0.0, 1.0)] * 30_000
    found = score(items, ratio(0, 1), resamples=200)
    assert found.low == pytest.approx(0.496, abs=0.001)
    assert found.high == pytest.approx(0.504, abs=0.001)


def test_scores_of_the_same_items_are_of_the_same_draws() -> None:
    """Right and wrong add up to one in each draw, so their intervals mirror each other."""
    items = [(1.0, 0.0, 1.0)] * 40 + [(0.0, 1.0, 1.0)] * 60
    right, wrong = score(items, ratio(0, 2)), score(items, ratio(1, 2))
    assert right.low is not None
    assert right.high is not None
    assert wrong.low == pytest.approx(1 - right.high)
    assert wrong.high == pytest.approx(1 - right.low)


_groups = st.lists(
    st.lists(st.tuples(st.integers(0, 4), st.floats(0, 5)), min_size=3, max_size=3), min_size=1, max_size=5
)


@given(_groups)
def test_the_mean_over_groups_leaves_out_groups_without_weight(items: list[list[tuple[int, float]]]) -> None:
    """Three groups of a weight and a sum, side by side."""
    totals = [(sum(one[g][0] for one in items), sum(one[g][1] for one in items)) for g in range(3)]
    means = [value / weight for weight, value in totals if weight]
    found = score([[float(x) for pair in one for x in pair] for one in items], mean_over_groups(1, width=2))
    assert found.value == (pytest.approx(sum(means) / len(means)) if means else None)
