"""The times that a question names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.evidence import Span
from omnidetective.observers.question_times import named_times

CLIP = Span(start_s=0.0, end_s=100.0)


def named(question: str, within: Span = CLIP) -> list[tuple[float, float]]:
    return [(round(span.start_s, 6), round(span.end_s, 6)) for span in named_times(question, within)]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is shown at 12.5 s?", [(12.0, 13.0)]),
        ("What is shown at 12.5s?", [(12.0, 13.0)]),
        ("At 12.5 seconds, what is shown?", [(12.0, 13.0)]),
        ("What does she hold at second 7?", [(6.5, 7.5)]),
        ("What happens at 0:42?", [(41.5, 42.5)]),
        ("What happens at 00:00:42.5?", [(42.0, 43.0)]),
        ("What happens at 1 min 5 s?", [(64.5, 65.5)]),
        ("第5秒有什么?", [(4.5, 5.5)]),
        ("What is at 5 秒?", [(4.5, 5.5)]),
        ("Who enters between 3 and 5 s?", [(3.0, 5.0)]),
        ("Who enters from 3 to 5 seconds?", [(3.0, 5.0)]),
        ("Who enters in 3-5 s, and who leaves in 8.5–10 s?", [(3.0, 5.0), (8.5, 10.0)]),
        ("Describe seconds 3 to 5.", [(3.0, 5.0)]),
        ("Describe 3 s to 5 s.", [(3.0, 5.0)]),
        ("Describe 0:42-0:50.", [(42.0, 50.0)]),
        ("Describe 1 to 1.5 min", [(60.0, 90.0)]),
        ("What is in the first seconds?", [(0.0, 3.0)]),
        ("What is in the first 10 seconds?", [(0.0, 10.0)]),
        ("How does it look at the beginning?", [(0.0, 3.0)]),
        ("What is in the opening shot?", [(0.0, 3.0)]),
        ("What is there at the end?", [(97.0, 100.0)]),
        ("What is there at the very end of the clip?", [(97.0, 100.0)]),
        ("What is in the last 5 s?", [(95.0, 100.0)]),
        ("What happens halfway?", [(48.5, 51.5)]),
        ("Compare 4 s, 8 s and the final frame.", [(3.5, 4.5), (7.5, 8.5), (97.0, 100.0)]),
        ("Is it the same at 0.2 s?", [(0.0, 0.7)]),
        # What is no time, or none of this clip.
        ("Are there 3 people?", []),
        ("Is it 16:9?", []),
        ("Between 3 and 5 people?", []),
        ("Is the hat from the 1990s?", []),
        ("What stands at the end of the street?", []),
        ("Does he wait for 10 s?", []),
        ("Does it blink every 2 seconds?", []),
        ("What is shown at 250 s?", []),
        ("What is shown at 12:30:00?", []),
        ("What is written on the 42nd door?", []),
        ("What is in version 1.2.3 s?", []),
        ("", []),
    ],
)
def test_named_times(question: str, expected: list[tuple[float, float]]) -> None:
    assert named(question) == expected


def test_first_and_last_are_those_of_the_span_and_times_those_of_the_clip() -> None:
    span = Span(start_s=40.0, end_s=50.0)
    assert named("What is there at the start, at 45 s, at 5 s and at the end?", span) == [
        (40.0, 43.0),
        (44.5, 45.5),
        (47.0, 50.0),
    ]
    assert named("And from 30 to 42 s?", span) == [(40.0, 42.0)]
    assert named("And in the last 60 seconds?", span) == [(40.0, 50.0)]


spans = st.tuples(st.floats(0, 1e5), st.floats(0.002, 1e4)).map(lambda s: Span(start_s=s[0], end_s=s[0] + s[1]))
WORDS = """
at between and from to the first last seconds s min 0:42 1:02:03 5 12.5 second - – end start middle halfway of clip
street for every 99999 0 . 3s 10:61 秒 final frame
"""
words = st.sampled_from(WORDS.split())
questions = st.one_of(st.text(max_size=80), st.lists(words, max_size=14).map(" ".join))


@given(questions, spans)
def test_what_is_named_is_never_outside_the_span(question: str, within: Span) -> None:
    for span in named_times(question, within):
        assert within.start_s <= span.start_s < span.end_s <= within.end_s


@given(st.integers(0, 999), st.integers(1, 1000))
def test_a_range_within_the_clip_is_named_as_it_is(a: int, length: int) -> None:
    start_s, end_s = a / 10, min(100.0, (a + length) / 10)
    for form in ("What happens between {} and {} s?", "In {}-{} seconds?", "And from {} s until {} s, please?"):
        assert named(form.format(start_s, end_s)) == [(start_s, end_s)]
