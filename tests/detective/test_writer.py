"""The embedded writer says what was measured, in order, with anchors, and nothing else."""

from __future__ import annotations

import itertools
import re

import pytest
from detective.cases import make_case, seen_by
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.case import Case
from omnidetective.detective.writer import write
from omnidetective.evidence import (
    CameraMove,
    Colour,
    ColourEvidence,
    Cut,
    Evidence,
    FaceCount,
    FaceEvidence,
    Fade,
    Look,
    MetadataEvidence,
    ShotEvidence,
    SoundEvent,
    SoundEvidence,
    Span,
    SpeechEvidence,
    SpeechSegment,
    TextCard,
    TextEvidence,
)


def shots(*times: float, length_s: float = 20.0, still: bool | None = False) -> ShotEvidence:
    edges = [0.0, *times, length_s]
    spans = tuple(Span(start_s=a, end_s=b) for a, b in itertools.pairwise(edges))
    return ShotEvidence(cuts=tuple(Cut(time_s=t) for t in times), shots=spans, still=still)


def spoken(*segments: tuple[float, float, str], language: str = "en", score: float = 0.9) -> SpeechEvidence:
    return SpeechEvidence(
        segments=tuple(
            SpeechSegment(start_s=a, end_s=b, text=text, language=language, score=score) for a, b, text in segments
        ),
        language=language,
    )


def anchors(caption: str) -> list[int]:
    return [int(n) for n in re.findall(r"At (\d+)s,", caption)]


def test_a_video_with_everything_reads_in_order_of_time() -> None:
    title = TextCard(text="CHAPTER 1", start_s=0.5, end_s=3.0, box=(0.3, 0.05, 0.7, 0.2), score=0.99)
    music = SoundEvent(start_s=15.5, end_s=19.0, label="music", score=0.95)
    quiet = Span(start_s=12.0, end_s=15.0)
    case = make_case(
        seen_by("shots", shots(4.0, 9.5)),
        seen_by("asr", spoken((5.2, 7.0, "Good morning, everyone."), (7.4, 9.0, "Sit down."))),
        seen_by("ocr", TextEvidence(cards=(title,), frames_read=9)),
        seen_by("sound", SoundEvidence(loudness_lufs=-20.0, silent=(quiet,), classified=True, events=(music,))),
    )
    assert write(case).caption == (
        "This 20-second landscape video is made of three shots. "
        "At 0s, the text “CHAPTER 1” is shown at the top. "
        "At 4s, the picture cuts to the second shot. "
        "At 5s, a voice says in English: “Good morning, everyone.” "
        "At 7s, the speech goes on: “Sit down.” "
        "At 9s, the picture cuts to the third shot. "
        "At 12s, the sound falls silent. "
        "At 15s, music plays."
    )


def test_every_sentence_is_an_event_that_cites_what_showed_it() -> None:
    case = make_case(seen_by("shots", shots(4.0)), seen_by("asr", spoken((5.0, 6.0, "Hello."))))
    account = write(case)
    assert " ".join(event.text for event in account.events) == account.caption
    assert all(event.evidence for event in account.events)
    assert {i for event in account.events for i in event.evidence} <= {o.id for o in case.observations}


@pytest.mark.parametrize(
    ("evidence", "hedged"),
    [
        (SoundEvidence(loudness_lufs=-20, silent=(), classified=True,
                       events=(SoundEvent(start_s=1, end_s=3, label="telephone bell ringing", score=0.45),)),
         "what sounds like telephone bell ringing is heard"),
        (spoken((1.0, 2.0, "Maybe this"), score=0.4), "a voice seems to say in English: “Maybe this”"),
        (TextEvidence(cards=(TextCard(text="EX1T", start_s=1, end_s=2, score=0.5),), frames_read=1),
         "the text “EX1T” seems to be shown"),
    ],
)  # fmt: skip
def test_what_is_unsure_is_hedged(evidence: Evidence, hedged: str) -> None:
    assert hedged in write(make_case(seen_by("x", evidence))).caption


def test_silence_and_absence_are_said_only_where_they_were_measured() -> None:
    silent = SoundEvidence(loudness_lufs=None, silent=(Span(start_s=0, end_s=20),))
    assert "silent throughout" in write(make_case(seen_by("sound", silent))).caption
    loud = SoundEvidence(loudness_lufs=-14.0, silent=(), classified=False)
    heard = write(make_case(seen_by("sound", loud), seen_by("asr", spoken()))).caption
    assert "No speech is heard." in heard
    assert "speech" not in write(make_case(seen_by("sound", loud))).caption


def test_speech_named_by_the_sound_classifier_alone_is_left_to_speech_recognition() -> None:
    classified = SoundEvidence(
        loudness_lufs=-20,
        silent=(),
        classified=True,
        events=(SoundEvent(start_s=1, end_s=9, label="speech", score=0.9),),
    )
    assert "speech is heard" not in write(
        make_case(seen_by("sound", classified), seen_by("asr", spoken()))
    ).caption.replace("No speech is heard", "")
    assert "speech is heard" in write(make_case(seen_by("sound", classified))).caption


def test_text_that_comes_with_a_cut_comes_at_the_cut() -> None:
    card = TextCard(text="PART 2", start_s=9.96, end_s=12.0)
    case = make_case(seen_by("shots", shots(10.0)), seen_by("ocr", TextEvidence(cards=(card,), frames_read=1)))
    assert "At 10s, the picture cuts to the second shot. The text “PART 2” is shown." in write(case).caption


def test_an_image_has_no_anchor_and_no_times() -> None:
    card = TextCard(text="OPEN DAILY", box=(0.0, 0.7, 0.3, 0.95), score=0.98)
    case = make_case(seen_by("ocr", TextEvidence(cards=(card,), frames_read=1)), modality="image")
    account = write(case)
    assert account.caption == "This is a landscape still image. The text “OPEN DAILY” is shown in the lower left."
    assert all(event.start_s is None for event in account.events)


def test_the_same_card_seen_twice_is_said_once_and_cites_both() -> None:
    first = TextEvidence(cards=(TextCard(text="SALE", start_s=2.0, end_s=4.0),), frames_read=4)
    closer = TextEvidence(cards=(TextCard(text="SALE", start_s=1.8, end_s=4.1),), frames_read=9)
    account = write(make_case(seen_by("ocr", first), seen_by("ocr", closer, span=Span(start_s=1, end_s=5))))
    (event,) = [e for e in account.events if "SALE" in e.text]
    assert event.evidence == ("o1", "o2")
    assert event.start_s == 1.8


def test_two_languages_are_both_named() -> None:
    evidence = SpeechEvidence(
        segments=(
            SpeechSegment(start_s=1, end_s=2, text="Hello.", language="en"),
            SpeechSegment(start_s=2.5, end_s=4, text="Bonjour.", language="fr"),
        )
    )
    caption = write(make_case(seen_by("asr", evidence))).caption
    assert "in English: “Hello.”" in caption
    assert "in French: “Bonjour.”" in caption


times = st.floats(0, 19.9, allow_nan=False)
scores = st.none() | st.floats(0, 1)
words = st.text(alphabet="abc XYZ.!?“”'", min_size=1).filter(str.strip)


labels = st.sampled_from(["music", "dog", "bell, ding"])


@st.composite
def cases(draw: st.DrawFn) -> Case:
    cards = [
        TextCard(text=text, start_s=start_s, end_s=max(start_s, end_s), score=score)
        for start_s, end_s, text, score in draw(st.lists(st.tuples(times, times, words, scores), max_size=5))
    ]
    said = [(t, min(20.0, t + 1), text) for t, text in draw(st.lists(st.tuples(times, words), max_size=5))]
    events = [
        SoundEvent(start_s=start_s, end_s=max(start_s, end_s) + 0.1, label=label, score=score or 0.0)
        for start_s, end_s, label, score in draw(st.lists(st.tuples(times, times, labels, scores), max_size=5))
    ]
    cut_times = sorted(set(draw(st.lists(st.floats(0.5, 19.5), max_size=4))))
    return make_case(
        seen_by("shots", shots(*cut_times)),
        seen_by("ocr", TextEvidence(cards=tuple(cards), frames_read=1)),
        seen_by("asr", spoken(*said)),
        seen_by("sound", SoundEvidence(loudness_lufs=-20, silent=(), classified=True, events=tuple(events))),
    )


@given(cases())
def test_anchors_increase_and_stay_inside_the_clip_whatever_was_seen(case: Case) -> None:
    account = write(case)
    found = [n for event in account.events for n in anchors(event.text[:8])]
    assert found == sorted(set(found))
    assert all(0 <= n < 20 for n in found)
    assert all(event.start_s is None or 0 <= event.start_s <= 20 for event in account.events)
    assert all(event.evidence for event in account.events)


@given(cases())
def test_quotes_are_verbatim(case: Case) -> None:
    caption = write(case).caption
    for segment, _ in case.speech() or ():
        assert segment.text.strip() in caption
    for _, evidence in case.evidence(TextEvidence):
        for card in evidence.cards:
            assert card.text in caption


def test_another_voice_is_told_where_voices_are_told_apart() -> None:
    lines = (
        (1.0, 2.0, "How much?", "S1"),
        (2.2, 3.0, "Five.", "S2"),
        (3.2, 4.0, "Pounds.", "S2"),
        (4.1, 5.0, "Oh.", "S1"),
    )
    evidence = SpeechEvidence(
        segments=tuple(
            SpeechSegment(start_s=a, end_s=b, text=text, language="en", speaker=speaker, score=0.9)
            for a, b, text, speaker in lines
        ),
        language="en",
    )
    caption = write(make_case(seen_by("asr", evidence))).caption
    assert "a voice says in English: “How much?”" in caption
    assert "another voice says: “Five.”" in caption
    assert "the speech goes on: “Pounds.”" in caption
    assert "another voice says: “Oh.”" in caption
    # The labels of two listenings are not of the same voices.
    twice = write(make_case(seen_by("asr", evidence), seen_by("asr", evidence))).caption
    assert "another voice" not in twice


def test_the_end_of_a_silence_is_told_where_nothing_else_says_what_sets_in() -> None:
    quiet = Span(start_s=5.0, end_s=9.0)
    sound = SoundEvidence(loudness_lufs=-20.0, silent=(quiet,), onsets_s=(2.0, 9.02))
    assert (
        "At 5s, the sound falls silent. At 9s, the sound sets in." in write(make_case(seen_by("sound", sound))).caption
    )
    talk = seen_by("asr", spoken((9.3, 11.0, "Hello.")))
    assert "sets in" not in write(make_case(seen_by("sound", sound), talk)).caption
    music = SoundEvent(start_s=9.0, end_s=12.0, label="music", score=0.95)
    known = sound.model_copy(update={"events": (music,), "classified": True})
    assert "sets in" not in write(make_case(seen_by("sound", known))).caption
    fades = sound.model_copy(update={"onsets_s": (2.0,)})
    assert "sets in" not in write(make_case(seen_by("sound", fades))).caption


def test_the_picture_as_a_whole_is_told_where_it_is_certain_and_strikes() -> None:
    seen = ShotEvidence(
        cuts=(Cut(time_s=12.0),),
        shots=(Span(start_s=0, end_s=6.5), Span(start_s=6.5, end_s=12), Span(start_s=12, end_s=20)),
        still=False,
        fades=(Fade(start_s=6, end_s=7, kind="dissolve"), Fade(start_s=18, end_s=20, kind="out")),
        camera=(
            CameraMove(start_s=0, end_s=6, motion="pan left"),
            CameraMove(start_s=7, end_s=12, motion="static"),
            CameraMove(start_s=12, end_s=12.5, motion="zoom in"),
        ),
    )
    counts = (FaceCount(start_s=0, end_s=7, faces=0), FaceCount(start_s=7, end_s=12, faces=2),
              FaceCount(start_s=12, end_s=13, faces=3), FaceCount(start_s=13, end_s=20, faces=0))  # fmt: skip
    red, grey = Colour(name="red", hex="#d01020", share=0.7), Colour(name="grey", hex="#808080", share=0.4)
    looks = (Look(start_s=0, end_s=12, brightness=0.5, colours=(grey,)),
             Look(start_s=12, end_s=20, brightness=0.5, colours=(red,)))  # fmt: skip
    case = make_case(
        seen_by("shots", seen),
        seen_by("faces", FaceEvidence(counts=counts, frames_read=20)),
        seen_by("colour", ColourEvidence(looks=looks)),
        seen_by("metadata", MetadataEvidence(facts={"container": "MP4"}, tags={"title": "A dog"})),
    )
    assert write(case).caption == (
        "This 20-second landscape video is made of three shots. "
        "At 0s, the view moves to the left. "
        "At 6s, the picture dissolves into the second shot. "
        "At 7s, two faces are seen. "
        "At 12s, the picture cuts to the third shot. Red dominates the picture. "
        "At 18s, the picture fades out."
    )


def test_what_holds_from_beginning_to_end_has_no_time() -> None:
    still = shots().model_copy(update={"camera": (CameraMove(start_s=0, end_s=20, motion="static"),)})
    face = FaceEvidence(counts=(FaceCount(start_s=0, end_s=20, faces=1),), frames_read=20)
    black = Look(start_s=0, end_s=20, brightness=0.02, colours=(Colour(name="black", hex="#000000", share=0.95),))
    case = make_case(seen_by("shots", still), seen_by("faces", face), seen_by("colour", ColourEvidence(looks=(black,))))
    assert write(case).caption == (
        "This 20-second landscape video is made of a single shot, and the camera stands still. One face is seen. "
        "Black fills the picture."
    )
