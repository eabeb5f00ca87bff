"""Quotations are found whatever their marks, and told apart by the words around them."""

# ruff: noqa: E501 -- one case, one line

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.captions.quotes import find_quotes

PIECES = (
    "“",
    "”",
    '"',
    "'",
    "’",
    "‘",
    "«",
    "»",
    "„",
    "「",
    "」",
    "『",
    "』",
    "says ",
    "text ",
    "word",
    " ",
    ". ",
    "\n\n",
    ", ",
    "5",
)
texts = st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(max_size=60)


@pytest.mark.parametrize(
    ("caption", "quotes"),
    [
        ("The sign reads “X”, and a man says “Y”.", [("X", "screen"), ("Y", "speech")]),
        ("Three lines of text are shown: “A”, “B” and “C”.", [("A", "screen"), ("B", "screen"), ("C", "screen")]),
        ("“A”, “B” and “C” are shown.", [("A", "screen"), ("B", "screen"), ("C", "screen")]),
        ("At 0s, the text “CHAPTER 1” is shown at the top.", [("CHAPTER 1", "screen")]),
        ("A voice says in French: “Bonjour.” At 7s, the speech goes on: “Oui.”", [("Bonjour.", "speech"), ("Oui.", "speech")]),
        ("“Hello,” he says.", [("Hello,", "speech")]),
        ("“Stop!” John shouts.", [("Stop!", "speech")]),
        ("“Where to?” the woman in the red dress asks.", [("Where to?", "speech")]),
        ("She says: “One.” “Two.”", [("One.", "speech"), ("Two.", "speech")]),
        ("“OPEN” appears on the screen.", [("OPEN", "screen")]),
        ("The words “Just do it” appear.", [("Just do it", "screen")]),
        ("A sign says “hi”.", [("hi", "screen")]),
        ("A man holding a sign says “hi”.", [("hi", "speech")]),
        ("A narrator reads “Once upon a time”.", [("Once upon a time", "speech")]),
        ("He wears a shirt that reads “NIKE”.", [("NIKE", "screen")]),
        ("She sings the lyrics “la la”.", [("la la", "speech")]),
        ("He is known as “Bear”.", [("Bear", "unclear")]),
        ('She says "it\'s the dancers\' night".', [("it's the dancers' night", "speech")]),
        ("«Oui» et „Ja“ et 「はい」 et 『是』", [("Oui", "unclear"), ("Ja", "unclear"), ("はい", "unclear"), ("是", "unclear")]),
        ("A poster with 'BIG SALE' on it.", [("BIG SALE", "screen")]),
        ("The dancers' shoes aren't from the '90s, rock 'n' roll isn't either.", []),
        ("A 5\" pipe and a 6' man.", []),
        ("He says “hello. At 3s, the sign reads “STOP”.", [("STOP", "screen")]),
        ('He says "hello. At 3s, the sign reads "STOP".', [("STOP", "screen")]),
        ("He says “hello.\n\nThe sign reads ”STOP.", []),
        ("He says “hello\" and leaves.", [("hello", "speech")]),
        ("Nothing: “ ” and “”.", []),
        ("He says “I read 「本」 today”.", [("I read 「本」 today", "speech")]),
    ],
)  # fmt: skip
def test_quotes(caption: str, quotes: list[tuple[str, str]]) -> None:
    assert [(quote.text, quote.kind) for quote in find_quotes(caption)] == quotes


@given(texts)
def test_quotes_stand_in_order_without_overlap(caption: str) -> None:
    position = 0
    for quote in find_quotes(caption):
        assert quote.start >= position
        assert quote.text == caption[quote.start + 1 : quote.end - 1].strip() != ""
        position = quote.end


@given(st.text(alphabet=st.characters(exclude_characters="“”\n\r\u2028\u2029"), min_size=1).filter(lambda s: s.strip()))
def test_what_stands_between_curly_marks_is_one_quote(text: str) -> None:
    quotes = [q.text for q in find_quotes(f"A voice says: “{text}”.") if q.kind == "speech"]
    assert quotes == [text.strip()]
