"""Collapse is found and cut; what people repeat on purpose is not."""

# ruff: noqa: E501 -- one case, one line

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.captions.repetition import SNIPPET_CHARS, find_repetition, has_collapsed, without_repetition

LEAD = "A quiet street lies in the morning sun, with shops on both sides and a tram far away. "


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("the man walks and " * 8 + "the man", [("the man walks and", 8, "loop")]),
        ("He laughs: “" + "ha " * 30 + "”", [("ha", 30, "loop")]),
        (LEAD + "哈" * 30, [("哈", 30, "loop")]),
        ("他走在街上。" * 10, [("他走在街上", 10, "loop")]),
        (LEAD + "!" * 60, [("!", 60, "loop")]),
        (LEAD + "hahaha" * 20, [("ha", 60, "loop")]),
        (LEAD * 3, [(LEAD.strip().rstrip("."), 3, "loop")]),
        ("He opens the old red door. A dog barks. " * 2 + "He opens the old red door.", [("He opens the old red door.", 3, "sentence")]),
        ("".join(f"At {n}s, he opens the old red door. " for n in range(7)), []),  # seven doors, or seven times
        (
            "".join(f"At {n}s, he opens the old red door. Rain {n}. " for n in range(8)),
            [("At 0s, he opens the old red door.", 8, "sentence")],
        ),
        ("At 1s, he opens the old red door. Rain. " * 3, [("At 1s, he opens the old red door. Rain", 3, "loop")]),
    ],
)  # fmt: skip
def test_repetition(text: str, found: list[tuple[str, int, str]]) -> None:
    assert [(r.snippet, r.times, r.kind) for r in find_repetition(text)] == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        LEAD,
        "He shouts “no no no”.",
        "She laughs: “ha ha ha ha ha ha ha”.",
        "They sing: “We will rock you, we will rock you! We will rock you!”",
        "He says “Oh, I love you so, my only one”, and again “Oh, I love you so, my only one”.",
        "He walks. Rain. He walks. Sun. He walks.",
        "A prompt shows “1000000000000”.",
        "Aaaaaaaaaaaaaaah, he screams.",
        "笑声：“哈哈哈哈哈哈”。",
    ],
)
def test_what_people_repeat_is_left_alone(text: str) -> None:
    assert find_repetition(text) == ()
    assert not has_collapsed(text)
    assert without_repetition(text) == text


@pytest.mark.parametrize(
    ("text", "collapsed"),
    [
        (LEAD + "The man walks and " * 20, True),
        (LEAD * 2 + "The dog barks loudly at " * 4 + "The dog bar", True),
        ("He laughs: “" + "ha " * 14 + "”. " + " ".join(f"Then {n} dogs come by." for n in range(40)), False),
    ],
)
def test_collapse(text: str, collapsed: bool) -> None:
    assert has_collapsed(text) is collapsed


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("He sits. " + "The man walks on and " * 9 + "stops.", "He sits. The man walks on and stops."),
        ("ha " * 30 + "ha.", "ha."),
        ("He opens the old red door. Rain. " * 3 + "End.", "He opens the old red door. Rain. Rain. Rain. End."),
        (
            "".join(f"At {n}s, he opens the old red door. Rain {n}. " for n in range(8)),
            "At 0s, he opens the old red door. " + " ".join(f"Rain {n}." for n in range(8)) + " ",
        ),
    ],
)  # fmt: skip
def test_each_is_kept_once(text: str, cleaned: str) -> None:
    assert without_repetition(text) == cleaned


@given(st.lists(st.sampled_from(["one", "two", "red", "dog"]), min_size=1, max_size=12), st.integers(14, 40))
def test_any_run_said_over_and_over_is_found_and_cut(unit: list[str], times: int) -> None:
    text = LEAD + " ".join(unit * times)
    loops = find_repetition(text)
    assert loops
    assert all(r.snippet in text and len(r.snippet) <= SNIPPET_CHARS for r in loops)
    assert has_collapsed(text)
    assert find_repetition(without_repetition(text)) == ()
