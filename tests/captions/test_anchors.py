"""Anchors are found in every form models write, judged, and put into the one form."""

# ruff: noqa: E501 -- one case, one line

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.captions.anchors import anchor_faults, anchor_text, find_anchors
from omnidetective.captions.moments import canonical_anchors, moments

PIECES = ("At 7s, ", "at 7s, ", "At 3-5s, ", "[00:07] ", "(7s) ", "[5s]", "From 3s to 5s, ", "0:07 - ", "7s: ", "At 7.5s, ", "and ",
          "At 9 seconds, ", "At second 7 ", "a man walks", "The dog", ". ", "; ", "“", "”", '"', "\n", " ", "**", "- ", ", ", "At 99s, ",
          "the ", "At ", "3s", ":", "A ")  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
durations = st.none() | st.floats(min_value=0.1, max_value=100)

FORMS = [
    ("At 7s, a man walks.", "At 7s,", 7.0, "canonical"),
    ("It begins. At 0s, a man walks.", "At 0s,", 0.0, "canonical"),
    ("He runs, and at 7s, he stops.", "at 7s,", 7.0, "canonical"),
    ("At 7.5s, a man walks.", "At 7.5s,", 7.5, "decimal"),
    ("At 3-5s, a man walks.", "At 3-5s,", 3.0, "range"),
    ("At 3s–5s, a man walks.", "At 3s–5s,", 3.0, "range"),
    ("From 3s to 5s, a man walks.", "From 3s to 5s,", 3.0, "range"),
    ("Between 3 and 5 seconds, a man walks.", "Between 3 and 5 seconds,", 3.0, "range"),
    ("[3s-5s] A man walks.", "[3s-5s]", 3.0, "range"),
    ("- [00:07 - 00:09]: A man walks.", "[00:07 - 00:09]:", 7.0, "range"),
    ("0-5s: A man walks.", "0-5s:", 0.0, "range"),
    ("At 7 s a man walks.", "At 7 s", 7.0, "other"),
    ("At 07s, a man walks.", "At 07s,", 7.0, "other"),
    ("It ends. at 7s, a man walks.", "at 7s,", 7.0, "other"),
    ("At 7 seconds, a man walks.", "At 7 seconds,", 7.0, "other"),
    ("At around 7 seconds, a man walks.", "At around 7 seconds,", 7.0, "other"),
    ("At the 7-second mark, a man walks.", "At the 7-second mark,", 7.0, "other"),
    ("At second 7 a man walks.", "At second 7", 7.0, "other"),
    ("At 00:07, a man walks.", "At 00:07,", 7.0, "other"),
    ("[00:07] A man walks.", "[00:07]", 7.0, "other"),
    ("(7s) A man walks.", "(7s)", 7.0, "other"),
    ("0:07 - A man walks.", "0:07 -", 7.0, "other"),
    ("At 1:02, a man walks.", "At 1:02,", 62.0, "other"),
    ("At 1:00:02, a man walks.", "At 1:00:02,", 3602.0, "other"),
]

NO_ANCHORS = [
    "He holds it for 7s, then rests.",
    "This is a 7-second video.",
    "The clip is 7s long.",
    "A voice says “At 7s, be there.”",
    'A voice says "At 7s, be there."',
    "At 7, the child goes to school.",
    "At 12:30 p.m., the bell rings.",
    "At 7-second intervals, a light flashes.",
    "12:30 is on the clock.",
    "He stops at 7s on the track.",
    "The man walks (7s).",
    "Cuts come at 3s, 5s and 9s.",
]


@pytest.mark.parametrize(("text", "anchor", "time_s", "form"), FORMS)
def test_forms(text: str, anchor: str, time_s: float, form: str) -> None:
    (found,) = find_anchors(text)
    assert (found.text, found.time_s, found.form) == (anchor, time_s, form)
    assert text[found.start : found.end] == found.text


@pytest.mark.parametrize("text", NO_ANCHORS)
def test_times_that_are_no_anchors(text: str) -> None:
    assert find_anchors(text) == ()
    assert canonical_anchors(text, 60.0).text == text


@pytest.mark.parametrize(
    ("text", "duration_s", "faults"),
    [
        ("At 0s, a. At 3s, b.", 10.0, []),
        ("At 9s, a.", 9.5, []),
        ("At 0s, a.", 0.3, []),
        ("At 9s, a.", 9.0, [("outside", "At 9s,")]),
        ("At 0s, a.", None, [("outside", "At 0s,")]),
        ("At 3-5s, a.", 10.0, [("range", "At 3-5s,")]),
        ("At 3.5s, a.", 10.0, [("decimal", "At 3.5s,")]),
        ("[00:03] A.", 10.0, [("malformed", "[00:03]")]),
        ("At 3s, a. At 3s, b.", 10.0, [("duplicate", "At 3s,")]),
        ("At 5s, a. At 3s, b.", 10.0, [("out_of_order", "At 3s,")]),
        ("At 5s, a. At 3s, b. At 5s, c.", 10.0, [("out_of_order", "At 3s,"), ("duplicate", "At 5s,")]),
        ("At 99s, a. At 3s, b.", 10.0, [("outside", "At 99s,")]),
        ("At 12-14s, a.", 10.0, [("range", "At 12-14s,"), ("outside", "At 12-14s,")]),
    ],
)
def test_faults(text: str, duration_s: float | None, faults: list[tuple[str, str]]) -> None:
    assert [(fault.kind, fault.snippet) for fault in anchor_faults(text, duration_s)] == faults


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        ("At 7.9s, he sits.", "At 7s, he sits."),
        ("At 3-5s, he sits.", "At 3s, he sits."),
        ("[00:07] The man sits.", "At 7s, the man sits."),
        ("[00:07] John sits.", "At 7s, John sits."),
        ("[00:07]John sits.", "At 7s, John sits."),
        ("He runs, and at 7 seconds, he stops.", "He runs, and at 7s, he stops."),
        ("At 3s, a. At 3s, a dog barks. At 4s, b.", "At 3s, a. A dog barks. At 4s, b."),
        ("At 3s, a. At 3.7s, a dog barks.", "At 3s, a. A dog barks."),
        ("At 3s, a; at 3s, a dog barks.", "At 3s, a; a dog barks."),
        ("At 5s, a. At 3s, b.", "At 5s, a. At 3s, b."),
        ("At 3s, a. At 99.5s, b.", "At 3s, a. At 99.5s, b."),
    ],
)
def test_repair_of_form(text: str, repaired: str) -> None:
    assert canonical_anchors(text, 10.0).text == repaired


def test_adjustments_are_said_in_words() -> None:
    made = canonical_anchors("At 3-5s, he sits. At 3s, she stands.", 10.0).adjustments
    assert made == ("“At 3-5s,” became “At 3s,”", "“At 3s,” was taken out: it repeats the second before it")


def test_an_image_has_no_time() -> None:
    assert canonical_anchors("[00:07] A man.", None).text == "[00:07] A man."
    taken_out = canonical_anchors("At 0s, a man sits. At 3s, he reads.", None)
    assert taken_out.text == "A man sits. He reads."
    assert taken_out.adjustments[0] == "“At 0s,” was taken out: an image has no time"


@given(texts, durations)
def test_repair_is_idempotent_and_keeps_what_is_said(text: str, duration_s: float | None) -> None:
    once = canonical_anchors(text, duration_s)
    again = canonical_anchors(once.text, duration_s)
    assert again.text == once.text
    assert again.adjustments == ()
    assert (once.text == text) == (not once.adjustments)
    assert words(once.text).count("dog") == words(text).count("dog")
    assert words(once.text).count("walks") == words(text).count("walks")


def words(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalpha())


@given(st.lists(st.integers(0, 59), unique=True, min_size=1))
def test_a_caption_in_form_is_left_alone(seconds: list[int]) -> None:
    text = "It begins. " + " ".join(f"{anchor_text(s)} the picture changes {s} times." for s in sorted(seconds))
    assert canonical_anchors(text, 60.0).text == text
    assert anchor_faults(text, 60.0) == ()
    assert [m.second for m in moments(text)] == [None, *sorted(seconds)]


@given(texts)
def test_moments_cover_the_text(text: str) -> None:
    position = 0
    for moment in moments(text):
        assert text[moment.start : moment.end] == moment.text
        assert not text[position : moment.start].strip()
        position = moment.end
    assert not text[position:].strip()
