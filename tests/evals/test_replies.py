"""Replies of judges, fuzzed: no crash, and nothing that was not said."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from omnidetective.evals.replies import answer_in, objects, whole_number

_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
_objects = st.dictionaries(st.sampled_from(["a", "b", "score", "pred"]), _values, min_size=1, max_size=4)
_prose = st.text(alphabet=st.characters(blacklist_characters="{}[]`\"'<>"), max_size=40)


@given(_objects, _prose, _prose, st.sampled_from(["{}", "```json\n{}\n```", "```\n{}\n```", "<think>x</think>{}"]))
def test_an_object_is_found_in_its_packaging(value: dict[str, Any], before: str, after: str, form: str) -> None:
    reply = f"{before}\n{form.replace('{}', json.dumps(value))}\n{after}"
    assert next(objects(reply), None) == value


@given(_objects)
@example({"a": {",]": None}})
@example({"a": '",}'})
def test_python_and_trailing_commas_are_read_too(value: dict[str, Any]) -> None:
    assert value in list(objects(f"Sure! {value!r} Done."))
    assert value in list(objects(json.dumps(value)[:-1] + ",}"))


@given(st.text(max_size=300))
def test_anything_may_come(reply: str) -> None:
    for found in objects(reply):
        assert isinstance(found, dict)
    answer_in(reply, lambda found: found.get("score"))


def _points(found: dict[str, Any]) -> int | None:
    return whole_number(found.get("score"))


@given(st.lists(st.integers(0, 5), max_size=4), _prose)
def test_who_says_different_things_says_nothing(points: list[int], between: str) -> None:
    reply = between.join(json.dumps({"score": one}) for one in points)
    assert answer_in(reply, _points) == (points[0] if len(set(points)) == 1 else None)


def test_an_example_and_the_inside_of_an_object_are_no_answer() -> None:
    assert answer_in('The form is {"score": 5}. So: {"score": 2}', _points) is None
    assert answer_in('{"analysis": {"score": 1}, "score": 2,}', _points) == 2
    assert answer_in('{"analysis": {"score": 1}, "sco', _points) is None
    assert answer_in('{"score": 1, "score": 2}', _points) is None
    assert answer_in('<think>{"score": 5}?</think>{"score": 2}', _points) == 2
    assert answer_in("Is it {'score': 4}? No:\n```\n{'score': 2}\n```", _points) == 2
    assert answer_in('{"score": 2}\n```json\n{"score": 2}\n```', _points) == 2


@given(st.text(max_size=20))
def test_numbers_are_what_stands_there(text: str) -> None:
    number = whole_number(text)
    if number is not None:
        assert int(text.strip().replace(",", "")) == number


def test_no_number_is_made_of_something_else() -> None:
    assert [whole_number(value) for value in (True, None, [3], 3.5, float("inf"), "3.5", "three", "٣")] == [None] * 8
    assert [whole_number(value) for value in (3, "3", " 3 ", 3.0, "1,200", "-1")] == [3, 3, 3, 3, 1200, -1]


def test_nesting_without_end_and_endless_text() -> None:
    assert list(objects("{" * 100_000)) == []
    assert list(objects("[" * 100_000)) == []
    assert list(objects('{"a": 1}' + " " * 300_000)) == []
    assert list(objects('{a"' + '\\"' * 95_000 + "}")) == []
