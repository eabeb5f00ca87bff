"""Alignment keeps the order and finds the greatest total similarity."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.captions.alignment import Match, align, plain, similarity

lists = st.lists(st.text(alphabet="abc", max_size=4), max_size=5)


def total(matches: tuple[Match, ...]) -> float:
    return sum(match.similarity for match in matches)


def brute_force(left: list[str], right: list[str], threshold: float) -> float:
    best = 0.0
    for size in range(1, min(len(left), len(right)) + 1):
        for rows in itertools.combinations(range(len(left)), size):
            for columns in itertools.combinations(range(len(right)), size):
                values = [similarity(left[i], right[j]) for i, j in zip(rows, columns, strict=True)]
                if all(value >= threshold for value in values):
                    best = max(best, sum(values))
    return best


def greedy(left: list[str], right: list[str], threshold: float) -> float:
    found, j = 0.0, 0
    for text in left:
        for k in range(j, len(right)):
            if similarity(text, right[k]) >= threshold:
                found, j = found + similarity(text, right[k]), k + 1
                break
    return found


def test_the_golden_vector() -> None:
    """BENCHMARKS §1.12."""
    matches = align(["hello there", "how are you", "fine"], ["hello there", "who are you"])
    assert [(m.left, m.right) for m in matches] == [(0, 0), (1, 1)]
    assert total(matches) == pytest.approx(1.8182, abs=1e-4)


@pytest.mark.parametrize(
    ("a", "b", "value"), [("", "", 1.0), ("", "ab", 0.0), ("abcd", "abcd", 1.0), ("abcd", "abxd", 0.75)]
)
def test_similarity(a: str, b: str, value: float) -> None:
    assert similarity(a, b) == pytest.approx(value)


@given(lists, lists, st.sampled_from([0.0, 0.5, 0.6, 1.0]))
def test_laws_of_alignment(left: list[str], right: list[str], threshold: float) -> None:
    matches = align(left, right, threshold=threshold)
    for before, after in itertools.pairwise(matches):
        assert before.left < after.left
        assert before.right < after.right
    for match in matches:
        assert match.similarity == pytest.approx(similarity(left[match.left], right[match.right]))
        assert match.similarity >= threshold
    assert total(matches) == pytest.approx(brute_force(left, right, threshold))
    assert total(matches) >= greedy(left, right, threshold) - 1e-9
    assert total(matches) == pytest.approx(total(align(right, left, threshold=threshold)))


_longer = st.lists(st.text(alphabet="ab c", max_size=20), max_size=8)


@given(_longer, _longer, st.sampled_from([0.3, 0.6, 0.8]))
def test_what_is_skipped_for_speed_changes_nothing(left: list[str], right: list[str], threshold: float) -> None:
    assert align(left, right, threshold=threshold) == align(left, right, threshold=threshold, similarity_of=similarity)


def test_just_at_the_threshold_is_a_pair() -> None:
    for length in range(5, 200, 5):  # 3 of 5 letters agree: 0.6
        texts = "x" * (length * 3 // 5)
        pair = align([texts + "a" * (length * 2 // 5)], [texts + "b" * (length * 2 // 5)], threshold=0.6)
        assert [match.similarity for match in pair] == [0.6]


def test_another_similarity_can_be_given() -> None:
    matches = align(["A", "B"], ["a", "b"], similarity_of=lambda a, b: float(a.lower() == b))
    assert matches == (Match(0, 0, 1.0), Match(1, 1, 1.0))


def test_equally_good_pairs_are_made_as_early_as_can_be() -> None:
    assert align(["x", "x"], ["x"]) == (Match(0, 0, 1.0),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don’t STOP—now!", "dont stop now"),
        ("  a \n b ", "a b"),
        ("你好，世界。", "你好世界"),
        ("ＦＵＬＬ ﬁne", "full fine"),
        ("हिन्दी!", "हिन्दी"),
        ("…", ""),
    ],
)
def test_plain_words(text: str, words: str) -> None:
    assert plain(text) == words
