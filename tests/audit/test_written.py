"""The law of the instrument audit: a caption that says only what was measured has no finding."""

from __future__ import annotations

import itertools

from audit.claims import asr, clip, filmed, ocr, shots, sound
from detective.cases import make_case, seen_by
from hypothesis import example, given, settings
from hypothesis import strategies as st

from omnidetective.audit.finding import WHY_CHARS
from omnidetective.audit.inspection import inspect
from omnidetective.case import Case
from omnidetective.detective.writer import write
from omnidetective.evidence import (
    CameraMove,
    Colour,
    ColourEvidence,
    Cut,
    FaceCount,
    FaceEvidence,
    Fade,
    Look,
    ShotEvidence,
    SoundEvent,
    SoundEvidence,
    Span,
    SpeechEvidence,
    SpeechSegment,
    TextCard,
    TextEvidence,
)
from omnidetective.records import Observation

LENGTH_S = 20.0

times = st.floats(0, 19.5, allow_nan=False).map(lambda t: round(t, 2))
scores = st.none() | st.floats(0.3, 1).map(lambda s: round(s, 3))
said_words = st.sampled_from(
    ["yes", "no", "well", "don’t", "rock 'n' roll", "the", "music", "plays", "cut to", "At 5s,", "Mr. Smith", "30",
     "everybody", "listen", "to me!", "now?", "silent", "camera pans", "no no no no", "thank you.", "“quoted”", '"so"',
     "…", "thirty",
     "Straße", "你好", "世界", "naïve", "3.5", "it’s 8:30 p.m.", "*", "voice", "according to the transcript"]
)  # fmt: skip
said = st.lists(said_words, min_size=1, max_size=9).map(" ".join)
shown = st.one_of(
    said,
    st.text(alphabet="ABC xyz019.,:!?&%-'#*_/€你é", min_size=1, max_size=24)
    .map(lambda t: " ".join(t.split()))
    .filter(bool),
    st.sampled_from(
        ["5s:", "00:12", "# TOP", "**SALE**", "a shot", "MUSIC PLAYS", "The scene cuts to", "1. One", '5" pipe']
    ),
)
labels = st.sampled_from(
    ["music", "speech", "singing", "dog", "bell", "applause", "background music", "vocal music", "silence", "chatter",
     "telephone bell ringing", "hubbub, speech noise, speech babble", "male speech, man speaking", "wind",
     "video game music", "whispering",
     "narration, monologue", "inside, small room", "sound effect", "guitar", "explosion"]
)  # fmt: skip
MOTIONS = ("static", "pan left", "pan right", "tilt up", "tilt down", "zoom in", "zoom out", "unsteady")
languages = st.sampled_from([None, "en", "fr", "zh"])
looks = st.none() | st.tuples(st.floats(0, 9), st.floats(10, 20)).map(lambda t: Span(start_s=t[0], end_s=t[1]))


@st.composite
def speeches(draw: st.DrawFn) -> Observation:
    segments = []
    start_s = 0.0
    for pause_s, length_s, text in draw(st.lists(st.tuples(st.floats(0, 5), st.floats(0.3, 5), said), max_size=6)):
        start_s = round(start_s + pause_s, 2)
        if start_s >= LENGTH_S - 0.1:
            break
        end_s = min(LENGTH_S, round(start_s + length_s, 2))
        segments.append(
            SpeechSegment(start_s=start_s, end_s=end_s, text=text, language=draw(languages), score=draw(scores))
        )
        start_s = end_s
    voiced = tuple(Span(start_s=s.start_s, end_s=s.end_s) for s in segments) if draw(st.booleans()) else ()
    return seen_by("asr", SpeechEvidence(segments=tuple(segments), voiced=voiced, language="en"), span=draw(looks))


@st.composite
def texts(draw: st.DrawFn) -> Observation:
    cards = []
    for start_s, length_s, text, score in draw(st.lists(st.tuples(times, st.floats(0, 10), shown, scores), max_size=6)):
        end_s = min(LENGTH_S, start_s + length_s)
        box = (0.1, 0.1, 0.4, 0.2) if draw(st.booleans()) else None
        cards.append(TextCard(text=text, start_s=start_s, end_s=end_s, box=box, score=score))
    ordered = tuple(sorted(cards, key=lambda card: card.start_s or 0.0))
    return seen_by("ocr", TextEvidence(cards=ordered, frames_read=9), span=draw(looks))


@st.composite
def shot_lists(draw: st.DrawFn) -> Observation:
    cuts = sorted(set(draw(st.lists(times.filter(lambda t: t > 0.2), max_size=12))))
    spans = tuple(Span(start_s=a, end_s=b) for a, b in itertools.pairwise([0.0, *cuts, LENGTH_S]))
    still = draw(st.sampled_from([None, True, False]))
    edges = sorted({0.0, LENGTH_S, *draw(st.lists(times, max_size=8))})
    pieces = [(a, b, draw(st.sampled_from([*MOTIONS, None]))) for a, b in itertools.pairwise(edges)]
    kinds = st.sampled_from(["in", "out", "dissolve"])
    data = ShotEvidence(
        cuts=tuple(Cut(time_s=t) for t in cuts),
        shots=spans,
        still=still,
        fades=tuple(Fade(start_s=a, end_s=b, kind=draw(kinds)) for a, b, motion in pieces if motion is None),
        camera=tuple(CameraMove(start_s=a, end_s=b, motion=motion) for a, b, motion in pieces if motion is not None),
    )
    return seen_by("shots", data, span=draw(looks))


@st.composite
def pictures(draw: st.DrawFn) -> Observation:
    """Faces, or colours and light."""
    edges = sorted({0.0, LENGTH_S, *draw(st.lists(times, max_size=9))})
    if draw(st.booleans()):
        counts = tuple(
            FaceCount(start_s=a, end_s=b, faces=draw(st.integers(0, 3))) for a, b in itertools.pairwise(edges)
        )
        return seen_by("faces", FaceEvidence(counts=counts, frames_read=9), span=draw(looks))
    colours = st.sampled_from(
        [(Colour(name="red", hex="#ff0000", share=0.7),), (), (Colour(name="dark blue", hex="#000060", share=1.0),)]
    )
    seen = tuple(
        Look(start_s=a, end_s=b, brightness=draw(st.sampled_from([0.05, 0.5, 0.95])), colours=draw(colours))
        for a, b in itertools.pairwise(edges)
    )
    return seen_by("colour", ColourEvidence(looks=seen), span=draw(looks))


@st.composite
def sounds(draw: st.DrawFn) -> Observation:
    """Sounds and silences that go together: nothing is heard in a silence."""
    edges = sorted(set(draw(st.lists(times, max_size=8))))
    silent, events = [], []
    for a, b in itertools.pairwise([0.0, *edges, LENGTH_S]):
        if b - a < 0.3:
            continue
        if draw(st.booleans()):
            silent.append(Span(start_s=a, end_s=b))
            continue
        for label in draw(st.lists(labels, max_size=2)):
            events.append(SoundEvent(start_s=a, end_s=b, label=label, score=draw(st.floats(0.4, 1))))
    classified = bool(events) or draw(st.booleans())
    loudness_lufs = None if not events and draw(st.booleans()) else -20.0
    data = SoundEvidence(loudness_lufs=loudness_lufs, silent=tuple(silent), events=tuple(events), classified=classified)
    return seen_by("sound", data, span=draw(looks))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    observations = [
        observation
        for kind in (shot_lists(), texts(), pictures(), speeches(), sounds())
        for observation in draw(st.lists(kind, max_size=2))
    ]
    modality = draw(st.sampled_from(["video", "video", "audio", "image"]))
    if modality == "audio":
        return make_case(*(o for o in observations if o.observer in ("asr", "sound")), modality="audio")
    if modality == "image":
        cards = [
            TextCard(text=text, score=score) for text, score in draw(st.lists(st.tuples(shown, scores), max_size=4))
        ]
        return make_case(seen_by("ocr", TextEvidence(cards=tuple(cards), frames_read=1)), modality="image")
    if draw(st.booleans()):
        return make_case(
            *(o for o in observations if o.observer in ("ocr", "shots", "faces", "colour")), has_audio=False
        )
    return make_case(*observations, duration_s=LENGTH_S)


@settings(max_examples=400, deadline=None)
@given(cases())
@example(clip(asr((1, 2, "Thank you."), (3, 4, "Thank you."), (5, 6, "Thank you."), (7, 8, "Thank you."), score=0.5)))
@example(clip(ocr(*((t, t + 1, "OPEN DAILY") for t in range(0, 18, 3)))))
@example(clip(shots(*range(1, 19))))
@example(clip(filmed(*((t, t + 1, "pan left") for t in range(18)))))
@example(clip(sound(*((t, t + 1, "telephone bell ringing") for t in range(0, 18, 4)))))
@example(clip(asr((0, 9, "no " * 40)), ocr((0, 3, "**SALE** <b>now</b>"))))
@example(clip(shots(still=True), ocr((0, 3, "no " * 12))))
def test_what_the_embedded_writer_writes_has_no_finding(case: Case) -> None:
    caption = write(case).caption
    assert inspect(caption, case).findings == (), caption


@st.composite
def captions(draw: st.DrawFn) -> str:
    pieces = st.sampled_from(
        ["At 3s, ", "At 30s, ", "At 3s, ", "[00:07] ", "At 4.5s, ", "a man says “hello there my friend” ", "“", "”",
         "a sign reads “EXIT ONLY” ", "music plays. ", "the scene cuts to a kitchen. ", "**", "<br>", '"x y z" ',
         "This 90-second video ", "a voice narrates. ", "“你好” ", "He walks on and on. ", "\n", "ﬁn ", "İ ", "no ",
         "in one continuous take ", "The video is silent throughout. ", "The camera pans left. ",
         "the screen fades out "]
    )  # fmt: skip
    return draw(st.lists(pieces | st.text(max_size=4), max_size=25).map("".join))


@settings(max_examples=300, deadline=None)
@given(captions(), cases())
def test_every_error_quotes_the_caption_and_gives_a_short_reason(caption: str, case: Case) -> None:
    inspection = inspect(caption, case)
    known = {observation.id for observation in case.observations}
    for finding in inspection.findings:
        assert finding.snippet
        assert finding.kind == "missing" or finding.snippet in caption
        assert 0 < len(finding.why) <= WHY_CHARS
        assert set(finding.evidence) <= known
    assert len(set(inspection.findings)) == len(inspection.findings)
    assert all(caption[c.start : c.end] == c.snippet and c.snippet for c in inspection.confirmed)
