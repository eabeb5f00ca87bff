"""Stretches that are heard together, and what is kept of what was heard."""

from __future__ import annotations

import pytest
from omnidetective_whisperx.heard import HeardWord, Utterance
from omnidetective_whisperx.segments import held, segments
from omnidetective_whisperx.stretches import cut_between_words, stretches

from omnidetective.evidence import Span


def span(start_s: float, end_s: float) -> Span:
    return Span(start_s=start_s, end_s=end_s)


def said(*words: tuple[float, float, str], joint: str = " ") -> Utterance:
    heard = tuple(HeardWord(start_s=a, end_s=b, text=text, score=0.5) for a, b, text in words)
    text = joint.join(w.text for w in heard)
    return Utterance(start_s=words[0][0], end_s=words[-1][1], text=text, words=heard, joint=joint)


@pytest.mark.parametrize(
    ("aligned", "expected"), [(True, [(0.7, 7.3), (11.7, 13.3)]), (False, [(0.7, 3.3), (4.7, 7.3), (11.7, 13.3)])]
)
def test_voices_are_heard_together_over_a_pause_only_if_their_words_get_times(
    aligned: bool, expected: list[tuple[float, float]]
) -> None:
    voiced = [span(1, 3), span(5, 7), span(12, 13)] if not aligned else [span(1, 3), span(4.5, 7), span(12, 13)]
    found = list(stretches(voiced, span(0, 60), aligned=aligned))
    assert [(round(s.start_s, 1), round(s.end_s, 1)) for s in found] == expected


def test_no_stretch_is_longer_than_the_recogniser_s_window_and_none_is_lost() -> None:
    voiced = [span(600, 670.3), span(671, 690), span(690.5, 1199.9)]
    found = list(stretches(voiced, span(600, 1200), aligned=True))
    assert max(s.duration_s for s in found) < 30
    assert found[0].start_s == 600
    assert found[-1].end_s == 1200
    for voice in voiced:
        at_s = voice.start_s
        for stretch in found:
            if stretch.start_s <= at_s:
                at_s = max(at_s, stretch.end_s)
        assert at_s >= voice.end_s


def test_a_piece_ends_before_a_voice_that_goes_on() -> None:
    cut, inside = cut_between_words(span(0, 600), (span(10, 590), span(595, 600)))
    assert 590 < cut.end_s < 595
    assert inside == (span(10, 590),)
    assert cut_between_words(span(0, 600), ()) == (span(0, 600), ())
    everywhere = (span(0.2, 600),)
    assert cut_between_words(span(0, 600), everywhere) == (span(0, 600), everywhere)


def test_words_outside_every_voice_are_dropped_and_a_sentence_of_them_is_counted() -> None:
    voiced = [span(1, 2)]
    invented = said((5.0, 5.5, "Thanks"), (5.5, 6.0, "for"), (6.0, 6.5, "watching."))
    half = said((0.8, 1.4, "Hello"), (1.5, 2.2, "there"), (4.0, 4.2, "folks."))
    kept, dropped = held([invented, half], voiced)
    assert dropped == 1
    (found,) = kept
    assert found.text == "Hello there"
    assert (found.start_s, found.end_s) == (1.0, 2.0)


def test_a_whole_utterance_is_held_to_the_voices_that_it_touches() -> None:
    kept, dropped = held(
        [Utterance(start_s=0.7, end_s=7.3, text="words"), Utterance(start_s=20, end_s=21, text="invented")],
        [span(1, 3), span(5, 7)],
    )
    assert [(u.start_s, u.end_s) for u in kept] == [(1, 7)]
    assert dropped == 1
    assert held([said((1, 2, "word"))], [])[1] == 1


def test_a_pause_ends_a_segment() -> None:
    found = list(segments([said((1.0, 1.5, "one"), (1.6, 2.0, "two"), (2.7, 3.0, "three"))]))
    assert [(s.text, s.start_s, s.end_s) for s in found] == [("one two", 1.0, 2.0), ("three", 2.7, 3.0)]
    assert [w.text for w in found[0].words or ()] == ["one", "two"]


def test_languages_without_spaces_are_joined_without_them() -> None:
    found = list(segments([said((1.0, 1.2, "你"), (1.2, 1.4, "好"), (2.5, 2.7, "吗"), joint="")]))
    assert [s.text for s in found] == ["你好", "吗"]


def test_a_segment_is_never_without_length() -> None:
    (found,) = segments([said((1.0, 1.0, "a"))])
    assert found.end_s > found.start_s
