"""Sentences are whole, in order, and lose nothing."""

# ruff: noqa: E501 -- one case, one line

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.captions.sentences import count_tokens, split_sentences

PIECES = ("At 7s, ", "a man walks", ". ", "! ", "“", "” ", '"', "'", "… ", "3.5", "Dr. ", "U.S. ", "\n", "\n\n", "。", "「", "」",
          "He ", " ", "(", ")", "5.2s", "At 00:07, ", "**", "- ", "你好", "\u2028", "\t", "\x00", "e.g. ", "1. ")  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(max_size=80)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        (" \n ", []),
        ("A man walks", ["A man walks"]),
        ("A man walks. A dog barks.", ["A man walks.", "A dog barks."]),
        ("It lasts 3.5 hours. At 5.2s it ends.", ["It lasts 3.5 hours.", "At 5.2s it ends."]),
        ("Mr. Lee meets Dr. Ray. They talk.", ["Mr. Lee meets Dr. Ray.", "They talk."]),
        ("Fruit, e.g. Apples, approx. 5 of them, vs. Bread.", ["Fruit, e.g. Apples, approx. 5 of them, vs. Bread."]),
        ("The bus No. 5 stops. It waits.", ["The bus No. 5 stops.", "It waits."]),
        ("He shakes his head: no. 5 men leave." , ["He shakes his head: no. 5 men leave."]),
        ("He answers No. The dog barks.", ["He answers No.", "The dog barks."]),
        ("The U.S. Flag is up. J. K. Rowling waves.", ["The U.S. Flag is up.", "J. K. Rowling waves."]),
        ("This is in the U.S. At 7s, a car comes.", ["This is in the U.S.", "At 7s, a car comes."]),
        ("He says: “Wait. Come back. Now!” She runs.", ["He says: “Wait. Come back. Now!”", "She runs."]),
        ("“Stop!” he says. Then he goes.", ["“Stop!” he says.", "Then he goes."]),
        ("The sign reads “OPEN” The end.", ["The sign reads “OPEN” The end."]),
        ("He says “A. B”. She nods.", ["He says “A. B”.", "She nods."]),
        ('He says "Go. Now." She nods.', ['He says "Go. Now."', "She nods."]),
        ("He says “hello. At 7s, she leaves. It ends.", ["He says “hello.", "At 7s, she leaves.", "It ends."]),
        ("(He sits.) She stands!? Why… Because.", ["(He sits.)", "She stands!?", "Why…", "Because."]),
        ("It ends. “Bye,” she says.", ["It ends.", "“Bye,” she says."]),
        ("It ends. 12 men leave.", ["It ends.", "12 men leave."]),
        ("one line\n\nanother line", ["one line", "another line"]),
        ("Title\nThe man walks", ["Title", "The man walks"]),
        ("a line that was\nwrapped here", ["a line that was\nwrapped here"]),
        ("他走了。她来了！真的？", ["他走了。", "她来了！", "真的？"]),
        ("他说：「你好。」她说再见。", ["他说：「你好。」她说再见。"]),
        ("1. The man walks. 2. He sits.", ["1. The man walks.", "2. He sits."]),
    ],
)  # fmt: skip
def test_splitting(text: str, sentences: list[str]) -> None:
    assert [s.text for s in split_sentences(text)] == sentences


@given(texts)
def test_sentences_are_in_order_and_cover_the_text(text: str) -> None:
    position = 0
    for sentence in split_sentences(text):
        assert sentence.text == text[sentence.start : sentence.end] == sentence.text.strip() != ""
        assert text[position : sentence.start].strip() == "", "between sentences lies only space"
        assert sentence.start >= position
        position = sentence.end
    assert not text[position:].strip()


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("A man walks.", 4),
        ("don’t stop", 2),
        ("3.5 or 1,000 men", 4),
        ("At 7s,", 3),
        ("well-known", 3),
        ("你好，world", 4),
        ("ひらがな カタカナ 한국", 10),
        ("हिन्दी", 1),
        ("…!", 2),
    ],
)
def test_counting_tokens(text: str, tokens: int) -> None:
    assert count_tokens(text) == tokens


@given(texts, texts)
def test_token_counts_add_up_over_lines(a: str, b: str) -> None:
    assert count_tokens(f"{a}\n{b}") == count_tokens(a) + count_tokens(b)
