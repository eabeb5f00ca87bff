"""The scorer of the sample clips: right records meet every bar, and each kind of error is counted as what it is."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.evals.sample_records import Scores, score, score_clip, words
from omnidetective.evals.sample_truth import ClipTruth, HeardSound, ShownText, SpokenText, TimeRange, Truth
from omnidetective.evidence import (
    Cut,
    Evidence,
    ShotEvidence,
    SoundEvent,
    SoundEvidence,
    Span,
    TextCard,
    TextEvidence,
)
from omnidetective.records import (
    CaptionRecord,
    Event,
    MediaFacts,
    Observation,
    Provenance,
    Quality,
    TranscriptLine,
    Usage,
)
from scripts.bench import samples

FILM = ClipTruth(
    id="film",
    file="film.mp4",
    sha256="0" * 64,
    modality="video",
    duration_s=20.0,
    width=640,
    height=360,
    has_audio=True,
    has_video=True,
    transcript=(
        SpokenText(start_s=2.0, end_s=5.0, text="Mr. Smith isn't ill-disposed.", language="en"),
        SpokenText(start_s=8.0, end_s=10.0, text="He left at five.", language="en"),
    ),
    cards=(
        ShownText(lines=("Platform 9", "Mind the gap"), start_s=0.0, end_s=4.0),
        ShownText(lines=("THE END",), start_s=15.0, end_s=20.0),
    ),
    cuts=(4.0, 15.0),
    silent=(TimeRange(start_s=10.0, end_s=15.0),),
    sounds=(HeardSound(start_s=2.0, end_s=5.0, label="speech"), HeardSound(start_s=15.0, end_s=20.0, label="music")),
)
PICTURE = ClipTruth(
    id="picture",
    file="picture.jpg",
    sha256="1" * 64,
    modality="image",
    has_audio=False,
    has_video=True,
    cards=(ShownText(lines=("OPEN 10:00",)),),
)
TRUTH = Truth(clips=(FILM, PICTURE))

FILM_TEXT = (
    TextCard(text="Platform 9", start_s=0.0, end_s=3.9),
    TextCard(text="Mind the gap", start_s=0.0, end_s=3.9),
    TextCard(text="THE END", start_s=15.2, end_s=20.0),
)
FILM_LINES = (
    TranscriptLine(start_s=2.1, end_s=5.2, text="mr smith isn’t ill disposed", language="en"),
    TranscriptLine(start_s=8.0, end_s=10.4, text="He left at five.", language="en"),
)
FILM_CAPTION = 'At 0.0 s, a card says "Platform 9" and "Mind the gap". At 15.2 s, "THE END".'
FILM_SOUND = SoundEvidence(
    loudness_lufs=-20.0,
    silent=(Span(start_s=10.5, end_s=15.0),),
    events=(
        SoundEvent(start_s=2.0, end_s=4.0, label="female speech, woman speaking", score=0.9),
        SoundEvent(start_s=15.0, end_s=20.0, label="music", score=0.9),
    ),
    classified=True,
)
FILM_CUTS = (Cut(time_s=4.04), Cut(time_s=15.0))


def observed(observer: str, data: Evidence) -> Observation:
    return Observation(id="o1", observer=observer, kind="instrument", question="?", answer="…", data=data)


def record(
    clip_id: str,
    *,
    caption: str = "",
    lines: tuple[TranscriptLine, ...] = (),
    text: tuple[TextCard, ...] = (),
    cuts: tuple[Cut, ...] | None = None,
    sound: SoundEvidence | None = None,
    events: tuple[Event, ...] = (),
) -> CaptionRecord:
    found = [observed("ocr", TextEvidence(cards=text, frames_read=3))]
    if cuts is not None:
        found.append(observed("shots", ShotEvidence(cuts=cuts, shots=(Span(start_s=0.0, end_s=20.0),))))
    if sound is not None:
        found.append(observed("sound", sound))
    return CaptionRecord(
        id=clip_id,
        outcome="accepted",
        input={"id": clip_id},
        media=MediaFacts(path="x", sha256="0" * 64, modality="video", has_audio=True, has_video=True),
        caption=caption,
        events=events,
        transcript=lines,
        observations=tuple(found),
        quality=Quality(verdict="accepted"),
        usage=Usage(),
        provenance=Provenance(
            omnidetective="0",
            workflow="w",
            models={},
            config_sha="0",
            prompts={},
            started_at="2026-01-01T00:00:00Z",
            seconds=1.5,
            stages={},
        ),
    )


def film(**changes: Any) -> CaptionRecord:
    right: dict[str, Any] = {
        "caption": FILM_CAPTION,
        "lines": FILM_LINES,
        "text": FILM_TEXT,
        "cuts": FILM_CUTS,
        "sound": FILM_SOUND,
        "events": (Event(start_s=15.0, end_s=20.05, text="The end.", modality="visual", evidence=("o1",)),),
    }
    return record("film", **{**right, **changes})


def picture(**changes: Any) -> CaptionRecord:
    right: dict[str, Any] = {"caption": 'A sign: "OPEN 10:00".', "text": (TextCard(text="OPEN 10:00"),)}
    return record("picture", **{**right, **changes})


def line(start_s: float, end_s: float, text: str) -> TranscriptLine:
    return TranscriptLine(start_s=start_s, end_s=end_s, text=text, language="en")


def at(start_s: float, end_s: float) -> tuple[Event, ...]:
    return (Event(start_s=start_s, end_s=end_s, text="It rains.", modality="visual", evidence=("o1",)),)


def test_right_records_meet_every_bar() -> None:
    scores = score(TRUTH, [picture(), film()])
    assert scores.missed == ()
    total = scores.total
    assert (total.words, total.word_errors) == (9, 0)
    assert (total.cards, total.cards_exact, total.cards_quoted, total.strange_text) == (3, 3, 3, 0)
    assert (total.cuts, total.cuts_found, total.false_cuts) == (2, 2, 0)
    assert (total.outside, total.false_speech) == (0, 0)
    assert (total.languages, total.languages_right) == (1, 1)
    assert (total.sounds, total.sounds_heard, total.false_sounds) == (2, 2, 0)
    assert total.silent_s == 5.0
    assert (total.silent_found_s, total.silent_false_s) == pytest.approx((4.5, 0.0))
    assert total.seconds == 3.0


FAULTS: dict[str, tuple[Callable[[], list[CaptionRecord]], dict[str, float], str]] = {
    "a word left out, one changed": (
        lambda: [film(lines=(line(2.1, 5.2, "Mister Smith isn't disposed"), FILM_LINES[1])), picture()],
        {"word_errors": 2},
        "word error rate 22.2%",
    ),
    "digits for words": (
        lambda: [film(lines=(FILM_LINES[0], line(8.0, 10.0, "he left at 5"))), picture()],
        {"word_errors": 1},
        "word error rate 11.1%",
    ),
    "nothing transcribed": (
        lambda: [film(lines=()), picture()],
        {"word_errors": 9, "languages_right": 0},
        "word error rate 100.0%",
    ),
    "a space lost in a card": (
        lambda: [film(text=(TextCard(text="Platform9", start_s=0.0, end_s=4.0), *FILM_TEXT[1:])), picture()],
        {"cards_exact": 2, "strange_text": 1},
        "2 of 3 text cards",
    ),
    "a card read while it is not shown": (
        lambda: [film(text=(*FILM_TEXT[:2], TextCard(text="THE END", start_s=5.0, end_s=9.0))), picture()],
        {"cards_exact": 2, "strange_text": 0},
        "2 of 3 text cards",
    ),
    "a card without a time in a video": (
        lambda: [film(text=(*FILM_TEXT[:2], TextCard(text="THE END"))), picture()],
        {"cards_exact": 2},
        "2 of 3 text cards",
    ),
    "nobody read the image": (lambda: [film(), picture(text=())], {"cards_exact": 2}, "2 of 3 text cards"),
    "a cut found too late": (
        lambda: [film(cuts=(Cut(time_s=4.21), FILM_CUTS[1])), picture()],
        {"cuts_found": 1, "false_cuts": 1},
        "1 of 2 cuts",
    ),
    "no shot detector": (lambda: [film(cuts=None), picture()], {"cuts_found": 0, "false_cuts": 0}, "0 of 2 cuts"),
    "an event after the end": (
        lambda: [film(events=at(19.0, 20.2)), picture()],
        {"outside": 1},
        "1 things reported after the end",
    ),
    "an anchor after the end": (
        lambda: [film(caption=f"{FILM_CAPTION} At 21 s, it rains."), picture()],
        {"outside": 1},
        "1 things reported after the end",
    ),
    "a time in an image": (
        lambda: [film(), picture(events=at(0.0, 1.0))],
        {"outside": 1},
        "1 things reported after the end",
    ),
    "a line that begins in the silence before": (
        lambda: [film(lines=(line(1.4, 5.0, "mr smith isn't ill disposed"), FILM_LINES[1])), picture()],
        {"false_speech": 1, "word_errors": 0},
        "1 transcript lines where nobody speaks",
    ),
    "a line that spans a pause": (
        lambda: [film(lines=(line(2.0, 10.0, "mr smith isn't ill disposed he left at five"),)), picture()],
        {"false_speech": 1, "word_errors": 0},
        "1 transcript lines where nobody speaks",
    ),
    "words for a picture": (
        lambda: [film(), picture(lines=(line(0.0, 0.1, "hello"),))],
        {"false_speech": 1, "word_errors": 1, "outside": 1},
        "1 transcript lines where nobody speaks",
    ),
    "no record": (
        lambda: [picture()],
        {"word_errors": 9, "cards_exact": 1, "cuts_found": 0, "sounds_heard": 0, "silent_found_s": 0.0},
        "no record for: film",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_counted_and_misses_its_bar(fault: str) -> None:
    make, counts, words_of_the_bar = FAULTS[fault]
    scores = score(TRUTH, make())
    assert {name: getattr(scores.total, name) for name in counts} == counts
    assert any(words_of_the_bar in text for text in scores.missed)


UNBARRED: dict[str, tuple[Callable[[], CaptionRecord], dict[str, float]]] = {
    "a cut where none is": (lambda: film(cuts=(*FILM_CUTS, Cut(time_s=17.0))), {"cuts_found": 2, "false_cuts": 1}),
    "two detections of one cut": (
        lambda: film(cuts=(Cut(time_s=3.9), Cut(time_s=4.1), FILM_CUTS[1])),
        {"cuts_found": 2, "false_cuts": 1},
    ),
    "a card that is not quoted": (lambda: film(caption="Platform 9, Mind the gap, the end."), {"cards_quoted": 1}),
    "a card with its lines joined": (
        lambda: film(text=(TextCard(text="Platform 9\nMind the gap", start_s=0.0, end_s=4.0), FILM_TEXT[2])),
        {"cards_exact": 2, "strange_text": 0},
    ),
    "text that nobody put there": (
        lambda: film(text=(*FILM_TEXT, TextCard(text="lIl", start_s=5.0, end_s=6.0))),
        {"cards_exact": 2, "strange_text": 1},
    ),
    "another language": (
        lambda: film(lines=tuple(item.model_copy(update={"language": "nl"}) for item in FILM_LINES)),
        {"languages_right": 0},
    ),
    "music not heard": (
        lambda: film(sound=FILM_SOUND.model_copy(update={"events": FILM_SOUND.events[:1]})),
        {"sounds_heard": 1},
    ),
    "silence where there is sound": (
        lambda: film(sound=FILM_SOUND.model_copy(update={"silent": (Span(start_s=8.0, end_s=11.0),)})),
        {"silent_found_s": 1.0, "silent_false_s": 2.0},
    ),
}


@pytest.mark.parametrize("fault", UNBARRED)
def test_what_has_no_bar_is_counted_all_the_same(fault: str) -> None:
    make, counts = UNBARRED[fault]
    result = score_clip(FILM, make())
    assert {name: getattr(result, name) for name in counts} == counts


def test_speech_and_music_are_false_in_a_clip_that_has_neither() -> None:
    assert score_clip(PICTURE, picture(sound=FILM_SOUND)).false_sounds == 2


def test_records_of_other_clips_are_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown clips.*film2"):
        score(TRUTH, [record("film2")])
    with pytest.raises(ValueError, match="same id"):
        score(TRUTH, [picture(), picture()])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mr. Smith — isn’t ILL-disposed!", ["mr", "smith", "isn't", "ill", "disposed"]),
        ("L'été, n° 12", ["l'été", "n", "12"]),
        ("'Quoted' words'", ["quoted", "words"]),
        ("…", []),
    ],
)
def test_only_case_and_punctuation_are_set_aside(text: str, expected: list[str]) -> None:
    assert words(text) == expected


WORDS = st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=12)


@given(said=WORDS, heard=WORDS)
def test_word_errors_are_those_of_jiwer(said: list[str], heard: list[str]) -> None:
    clip = FILM.model_copy(
        update={"transcript": (SpokenText(start_s=0.0, end_s=20.0, text=" ".join(said), language="en"),)}
    )
    result = score_clip(clip, film(lines=(line(0.0, 20.0, " ".join(heard)),)))
    assert result.word_error_rate == pytest.approx(jiwer.wer(" ".join(said), " ".join(heard)))


def write(folder: Path, *records: CaptionRecord) -> list[str]:
    truth, captions = folder / "truth.json", folder / "captions.jsonl"
    truth.write_text(TRUTH.to_text(), encoding="utf-8")
    captions.write_text("".join(item.to_line() + "\n" for item in records), encoding="utf-8")
    return [str(captions), "--truth", str(truth)]


def test_program_says_by_its_exit_status_whether_bars_are_met(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert samples.main(write(tmp_path, film(), picture())) == 0
    assert "all bars are met" in capsys.readouterr().out
    assert samples.main(write(tmp_path, film(events=at(0.0, 30.0)), picture())) == 1
    assert "missed: 1 things reported after the end of a clip" in capsys.readouterr().out
    assert samples.main([str(tmp_path / "none.jsonl")]) == 2
    assert "no such file" in capsys.readouterr().err
    (tmp_path / "captions.jsonl").write_text('{"id": "film"}\n', encoding="utf-8")
    assert samples.main([str(tmp_path / "captions.jsonl")]) == 2
    assert "no caption record" in capsys.readouterr().err


def test_tables_hold_every_clip_and_the_sum(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = write(tmp_path, picture())
    assert samples.main([*arguments, "--json"]) == 1
    scores = Scores.model_validate_json(capsys.readouterr().out)
    assert [clip.missing for clip in scores.clips] == [True, False]
    assert samples.main([*arguments, "--markdown"]) == 1
    rows = [row.strip("| ").split(" | ") for row in capsys.readouterr().out.splitlines() if row.startswith("| ")]
    assert rows[0] == ["clip", "film (no record)", "picture", "total"]
    assert ["word errors", "9/9 (100.0%)", "–", "9/9 (100.0%)"] in rows
    assert ["cuts found", "0/2", "–", "0/2"] in rows


def test_without_captions_the_program_is_run_first(tmp_path: Path) -> None:
    """A run that cannot begin ends the bench with status 2, not with a table of zeros."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"id": "film", "video": "film.mp4"}) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "scripts.bench.samples", "--input", str(rows), "--models", "no-such-models"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert "no-such-models" in done.stderr
    assert "error: the run ended with exit status 2, without a record or a failure" in done.stderr
    assert done.stdout == ""
