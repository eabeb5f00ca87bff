"""Marks that have no place in a caption are found; those that say nothing are taken out."""

# ruff: noqa: E501 -- one case, one line

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.captions.markup import find_marks, without_marks

PIECES = ("**", "*", "_", "`", "```", "# ", "- ", "1. ", "\n", "\n\n", "<b>", "</b>", "<", ">", "<|", "|>", "im_end", "[INST]", "<think>",
          "</think>", "\u200b", "\x00", "\u200d", "Sure! ", "Here is the caption: ", "I hope this helps. ", "a man", "“", "”", " ", ". ",
          "| ", "|---|", "[a](http://b)", "Caption:", "~~", "\ue000", "> ")  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text(max_size=60)

MARKS = [
    ("# Scene\nA man.", "markdown", "# ", "Scene\nA man."),
    ("- A man.\n* A dog.", "markdown", "- ", "A man.\nA dog."),
    ("1. A man.", "markdown", "1. ", "A man."),
    ("A **tall** man.", "markdown", "**", "A tall man."),
    ("A *tall* _man_.", "markdown", "*", "A tall man."),
    ("```text\nA man.\n```", "markdown", "```text", "A man."),
    ("A `man`.", "markdown", "`", "A man."),
    ("| a | b |\n|---|---|\n| c | d |", "markdown", "|---|---|", "a, b\n\nc, d"),
    ("See [a man](http://x.org/y).", "markdown", "[a man](http://x.org/y)", "See a man."),
    ("A <b>tall</b> man.<br/>", "html", "<b>", "A tall man."),
    ("A man.<|im_end|>", "token", "<|im_end|>", "A man."),
    ("[INST] A man.</s>", "token", "[INST]", "A man."),
    ("<think>Hm.</think> A man.", "token", "<think>Hm.</think>", "A man."),
    ("Hm. </think>A man.", "token", "Hm. </think>", "A man."),
    ("He says “yes<|im_end|>”.", "token", "<|im_end|>", "He says “yes”."),
    ("A\u200b man\ufffd.", "control", "\u200b", "A man."),
    ("He says “ye\x00s”.", "control", "\x00", "He says “yes”."),
    ("A \ue000man.", "control", "\ue000", "A man."),
    ("Here is the caption: A man.", "preamble", "Here is the caption: ", "A man."),
    ("Sure! Here’s a detailed description of the video:\n\nA man.", "preamble", "Sure! ", "A man."),
    ("**Refined caption:** A man.", "preamble", "**Refined caption:** ", "A man."),
    ("A man. I hope this helps! Let me know if you need more.", "preamble", "I hope this helps!", "A man."),
]


@pytest.mark.parametrize(("text", "kind", "snippet", "cleaned"), MARKS)
def test_marks_are_found_and_taken_out(text: str, kind: str, snippet: str, cleaned: str) -> None:
    assert (kind, snippet) in [(mark.kind, mark.snippet) for mark in find_marks(text)]
    assert without_marks(text) == cleaned
    assert find_marks(cleaned) == ()


@pytest.mark.parametrize(
    ("text", "kind", "snippet"),
    [
        ("He sings, according to the transcript.", "source", "according to the transcript"),
        ("The ASR says hello.", "source", "The ASR says"),
        ("Caption 2 mentions a dog.", "source", "Caption 2 mentions"),
        ("The frames show a dog.", "source", "The frames show"),
        ("A dog barks, as reported by the audio model.", "source", "as reported by the audio model"),
        ("A dog, says source A.", "source", "source A"),
        ("The observer notes rain.", "source", "The observer"),
        ("The witness reports rain.", "source", "The witness reports"),
        ("Both sources agree on the rain.", "source", "Both sources agree"),
        ("As an AI, it is hard to say.", "preamble", "As an AI"),
    ],
)
def test_talk_is_found_and_left_for_the_audit(text: str, kind: str, snippet: str) -> None:
    assert [(mark.kind, mark.snippet) for mark in find_marks(text)] == [(kind, snippet)]
    assert without_marks(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "At 0s, the text “CHAPTER 1” is shown at the top. At 5s, a voice says in English: “Good morning.”",
        "A witness in the courtroom points at the accused. The witness says “He did it.”",
        "A frame on the wall holds a photo. The frame shows a family.",
        "According to the police report, the detective lies. A caption at the bottom names him.",
        "The sign reads “**SALE** <b>now</b> # 1”. A voice says “according to the transcript, as an AI, sure!”",
        "5 * 3 * 2 is 30, M*A*S*H is on, and a 5* hotel has file_name_x at 3 < 4 > 2.",
        "او می\u200cخواهد 👨\u200d👩\u200d👧",
        "A tense debate: both candidates disagree on taxes.",
        "The composition draws the observer’s eye to the tower.",
        "This caption stays on screen.",
        "An answer comes: silence. The tram, No. 7 - the last - leaves.",
    ],
)
def test_content_is_no_mark(text: str) -> None:
    assert find_marks(text) == ()
    assert without_marks(text) == text


@given(texts)
def test_cleaning_is_idempotent_and_snippets_are_verbatim(text: str) -> None:
    once = without_marks(text)
    assert without_marks(once) == once
    assert all(mark.snippet in text for mark in find_marks(text))
    assert {mark.kind for mark in find_marks(once)} <= {"preamble", "source"}


@pytest.mark.parametrize(
    "text", ["<|" * 40 + "im_end" + "|>" * 40, "<b" * 40 + " x>" * 40, "*(" * 40 + "a" + ")*" * 40]
)
def test_deep_nesting_is_broken_up(text: str) -> None:
    once = without_marks(text)
    assert without_marks(once) == once
