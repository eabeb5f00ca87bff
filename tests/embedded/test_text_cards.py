"""Readings of frames become cards; parts of a line become the line."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from omnidetective.embedded.text import TextLine, in_reading_order, join_parts
from omnidetective.embedded.text_cards import Reading, track_cards

TOP, BOTTOM = (0.2, 0.1, 0.8, 0.2), (0.2, 0.8, 0.8, 0.9)


def readings(*seen: list[tuple[str, float, tuple[float, float, float, float]]], every_s: float = 0.5) -> list[Reading]:
    return [
        Reading(
            n * every_s, max(0.0, (n - 1) * every_s), tuple(TextLine(text, box, score) for text, score, box in lines)
        )
        for n, lines in enumerate(seen)
    ]


def told(found: list[Reading]) -> list[tuple[str, int, int]]:
    return [(track.text, track.first, track.last) for track in track_cards(found)]


def test_a_card_that_stays_is_one_entry_with_its_best_reading() -> None:
    seen = [[("Chapter Ome", 0.85, TOP)], [("Chapter One", 0.99, TOP)], [("Chapter One", 0.97, TOP)], []]
    (card,) = track_cards(readings(*seen))
    assert (card.text, card.first, card.last, card.score) == ("Chapter One", 0, 2, 0.99)


def test_an_unsure_reading_of_the_same_letters_is_the_same_card() -> None:
    seen = [[("Sense and Sensibilit", 0.8, TOP)], [("Sense and Sensibility", 0.99, TOP)]]
    assert told(readings(*seen)) == [("Sense and Sensibility", 0, 1)]


def test_sure_readings_that_differ_are_two_cards() -> None:
    seen = [[("I am here", 0.99, TOP)], [("I am there", 0.98, TOP)]]
    assert told(readings(*seen)) == [("I am here", 0, 0), ("I am there", 1, 1)]


def test_a_digit_makes_another_card_however_unsure() -> None:
    seen = [[("Episode 1 of 9", 0.7, TOP)], [("Episode 2 of 9", 0.99, TOP)]]
    assert told(readings(*seen)) == [("Episode 1 of 9", 0, 0), ("Episode 2 of 9", 1, 1)]


def test_a_slip_between_two_equal_readings_is_no_card() -> None:
    seen = [[("it is all saw", 0.99, TOP)], [("it is alt saw", 0.97, TOP)], [("it is all saw", 0.98, TOP)], []]
    assert told(readings(*seen)) == [("it is all saw", 0, 2)]


def test_a_card_overlooked_once_goes_on_and_one_that_comes_back_later_is_new() -> None:
    card = [("EXIT", 0.99, TOP)]
    assert told(readings(card, [], card)) == [("EXIT", 0, 2)]
    assert told(readings(card, [], [], card)) == [("EXIT", 0, 0), ("EXIT", 3, 3)]


def test_equal_texts_in_two_places_are_two_cards() -> None:
    seen = [("SALE", 0.99, TOP), ("SALE", 0.99, BOTTOM)]
    assert told(readings(seen, seen)) == [("SALE", 0, 1), ("SALE", 0, 1)]


def test_text_that_rolls_is_one_card() -> None:
    steps = [[("Directed by Jane", 0.99, (0.2, y, 0.8, y + 0.05))] for y in (0.9, 0.6, 0.3, 0.0)]
    assert told(readings(*steps)) == [("Directed by Jane", 0, 3)]


def test_a_letter_that_texture_makes_once_is_no_card() -> None:
    title = ("A title", 0.99, TOP)
    assert told(readings([title], [title, ("D", 0.88, BOTTOM)], [title])) == [("A title", 0, 2)]
    assert told(readings([("D", 0.99, BOTTOM)])) == [("D", 0, 0)]


@given(st.lists(st.lists(st.sampled_from(["one", "two", "three", "four"]), unique=True, max_size=4), max_size=8))
def test_every_sure_word_that_was_read_is_in_a_card_that_covers_it(seen: list[list[str]]) -> None:
    places = {word: (0.1, n * 0.2, 0.9, n * 0.2 + 0.1) for n, word in enumerate(("one", "two", "three", "four"))}
    tracks = track_cards(readings(*([(word, 0.99, places[word]) for word in words] for words in seen)))
    for n, words in enumerate(seen):
        for word in words:
            assert sum(track.text == word and track.first <= n <= track.last for track in tracks) == 1
    assert all(track.text in seen[track.first] and track.text in seen[track.last] for track in tracks)


def test_words_with_a_wide_space_between_them_are_one_line() -> None:
    parts = [TextLine("ONLY", (0.40, 0.10, 0.60, 0.15), 0.9), TextLine("EXIT", (0.18, 0.10, 0.38, 0.15), 1.0)]
    (line,) = join_parts(parts, aspect=16 / 9)
    assert line.text == "EXIT ONLY"
    assert line.box == (0.18, 0.10, 0.60, 0.15)


def test_columns_and_lines_of_other_sizes_stay_apart() -> None:
    table = [TextLine("Monday", (0.1, 0.1, 0.3, 0.15), 1.0), TextLine("9:00", (0.5, 0.1, 0.6, 0.15), 1.0)]
    assert len(join_parts(table, aspect=16 / 9)) == 2
    sizes = [TextLine("BIG", (0.1, 0.1, 0.3, 0.3), 1.0), TextLine("small", (0.31, 0.2, 0.4, 0.24), 1.0)]
    assert len(join_parts(sizes, aspect=16 / 9)) == 2


@given(st.randoms(use_true_random=False))
def test_reading_order_does_not_depend_on_the_order_of_finding(shuffled: random.Random) -> None:
    lines = [TextLine(f"{row}{column}", (column / 3, row / 5, column / 3 + 0.2, row / 5 + 0.1), 1.0)
             for row in range(4) for column in range(3)]  # fmt: skip
    mixed = lines[:]
    shuffled.shuffle(mixed)
    assert in_reading_order(mixed) == tuple(lines)


def test_signs_that_look_alike_make_no_other_card_however_sure() -> None:
    seen = [[("Chapter One", 0.99, TOP)], [("Chapter 0ne", 0.97, TOP)], [("Chapter 0ne", 0.97, TOP)]]
    assert told(readings(*seen)) == [("Chapter One", 0, 2)]


def test_rolling_credits_are_one_card_a_line_and_end_where_they_are_last() -> None:
    def rolled(n: int) -> list[tuple[str, float, tuple[float, float, float, float]]]:
        director = "DIRECTED 8Y" if n == 1 else "DIRECTED BY"
        lines = [(director, 0.9 - 0.2 * n), ("A. N. Other", 1.1 - 0.2 * n)]
        return [(text, 0.97, (0.3, y, 0.7, y + 0.08)) for text, y in lines if 0 <= y < 0.95]

    tracks = track_cards(readings(*(rolled(n) for n in range(7)), every_s=1.0))
    assert [(track.text, track.first, track.last) for track in tracks] == [("DIRECTED BY", 0, 4), ("A. N. Other", 1, 5)]
    assert (round(tracks[0].first_box[1], 2), round(tracks[0].last_box[1], 2)) == (0.9, 0.1)


NEWS = "Breaking news: the mayor of Little Wenlock resigned today after a long dispute about a bridge of stone"


@given(st.integers(3, 12), st.integers(38, 60), st.integers(0, 2))
def test_running_text_is_put_together_again(step: int, shown: int, torn: int) -> None:
    strip = (0.0, 0.9, 1.0, 0.97)
    seen = []
    for start in range(0, len(NEWS) - shown + step, step):
        part = NEWS[start : start + shown]
        # What the edges of the picture cut through is read as something else.
        part = part[:-torn] + "~" * torn if torn and start + shown < len(NEWS) else part
        seen.append([(part, 0.95, strip)])
    (card,) = track_cards(readings(*seen, every_s=1.0))
    assert card.text == NEWS
    assert (card.first, card.last) == (0, len(seen) - 1)


def test_two_wide_lines_in_one_place_are_no_running_text() -> None:
    wide = (0.1, 0.8, 0.9, 0.9)
    one, other = "the first of the two sentences", "the second of the two sentences"
    assert told(readings([(one, 0.99, wide)], [(other, 0.99, wide)])) == [(one, 0, 0), (other, 1, 1)]
