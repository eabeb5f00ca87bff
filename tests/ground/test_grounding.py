"""From a text to sentences that cite evidence."""

from __future__ import annotations

from typing import Literal

import pytest
from detective.cases import make_case, seen_by
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.evidence import Cut, ShotEvidence, Span, SpeechEvidence, SpeechSegment
from omnidetective.grounding import cited, content_words, holding, share_cited
from omnidetective.records import Event, Observation

SEEN = Observation(
    id="", observer="frame_captioner", kind="witness", question="?", answer="A brown dog runs across a wet lawn."
)
HEARD = seen_by(
    "asr",
    SpeechEvidence(segments=(SpeechSegment(start_s=3.2, end_s=4.9, text="Come here, Rex!"),)),
    answer="3.2–4.9 s: Come here, Rex!",
)
CUT = seen_by(
    "shots",
    ShotEvidence(cuts=(Cut(time_s=7.0),), shots=(Span(start_s=0, end_s=7), Span(start_s=7, end_s=20))),
    answer="One cut, at 7.0 s.",
)
CASE = make_case(SEEN, HEARD, CUT)
CAPTION = "At 0s, a brown dog runs over the wet lawn. At 3s, a man calls: “Come here, Rex!” A purple whale sings opera."


def told(text: str, start_s: float, end_s: float, modality: Literal["visual", "speech"], evidence: str) -> Event:
    return Event(start_s=start_s, end_s=end_s, text=text, modality=modality, evidence=(evidence,))


def test_each_sentence_cites_what_holds_its_words() -> None:
    events = cited(CAPTION, CASE)
    assert " ".join(event.text for event in events) == CAPTION
    assert [event.evidence for event in events] == [("o1",), ("o2",), ()]
    assert [event.start_s for event in events] == [0.0, 3.0, 3.0]
    assert [event.modality for event in events] == ["visual", "speech", "visual"]
    assert share_cited(events) == pytest.approx(2 / 3)


def test_a_new_version_keeps_what_its_sentences_cited() -> None:
    before = (
        told("At 0s, a brown dog runs over the wet lawn.", 0.4, 2.5, "visual", "o9"),
        told("At 3s, a man calls: “Come here, Rex!”", 3.2, 4.9, "speech", "o2"),
    )
    after = cited(
        "At 0s, a brown dog runs over the wet grass. At 5s, a man calls: “Come here, Rex!”", CASE, known=before
    )
    assert [(e.start_s, e.end_s, e.evidence) for e in after] == [(0.4, 2.5, ("o9",)), (5.0, None, ("o2",))]


def test_events_told_in_one_sentence_are_all_cited() -> None:
    events = (
        Event(start_s=0.0, text="a dog runs", modality="visual", evidence=("o1",)),
        Event(start_s=0.5, end_s=1.5, text="a whistle blows", modality="audio", evidence=("o4",)),
        Event(start_s=18.0, text="a dog runs", modality="visual", evidence=("o8",)),
    )
    (event,) = cited("At 0s, a dog runs while a whistle blows far away.", CASE, known=events)
    assert event.evidence == ("o1", "o4")
    assert (event.start_s, event.end_s) == (0.0, 1.5)


def test_what_a_finding_asked_for_is_cited_where_no_observation_holds_the_words() -> None:
    (event,) = cited("A violin plays softly.", CASE, trusted=("o7", "o7"))
    assert event.evidence == ("o7",)


def test_words_written_without_spaces_are_compared_too() -> None:
    seen = SEEN.model_copy(update={"answer": "一只棕色的狗在湿草地上奔跑。"})
    case = make_case(seen)
    (event,) = cited("一只狗在草地上奔跑。", case)
    assert event.evidence == ("o1",)
    (event,) = cited("鲸鱼在厨房里唱歌剧。", case)
    assert event.evidence == ()


def test_words_without_meaning_hold_nothing() -> None:
    assert content_words("It is shown there.") == frozenset()
    assert holding("It is there.", CASE.answers) == ()


@given(st.text(alphabet='Ab .!?“”"1At s,\n', max_size=200))
def test_nothing_of_a_text_is_lost_and_nothing_added(text: str) -> None:
    joined = " ".join(event.text for event in cited(text, CASE))
    assert "".join(joined.split()) == "".join(text.split())
