"""The bench of instruments: right answers score full, and each kind of error is counted as what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnidetective.evals.sample_truth import ClipTruth, HeardSound, ShownText, SpokenText, TimeRange
from omnidetective.evidence import (
    CameraMove,
    Colour,
    ColourEvidence,
    Cut,
    FaceCount,
    Fade,
    Level,
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
from scripts.bench import observers
from scripts.bench.instruments import colours, containers, editing, people, screen_text, sounds, speech
from scripts.bench.instruments.asking import Bench
from scripts.bench.instruments.films import Film, Studio
from scripts.bench.instruments.rows import Row, markdown, mean, share

TRUTH = ClipTruth(
    id="film",
    file="film.mp4",
    sha256="0" * 64,
    modality="video",
    duration_s=20.0,
    has_audio=True,
    has_video=True,
    transcript=(SpokenText(start_s=2.0, end_s=6.0, text="Mind the gap, please.", language="en"),),
    cards=(ShownText(lines=("Platform 9", "Mind the gap"), start_s=1.0, end_s=4.0),),
    silent=(TimeRange(start_s=10.0, end_s=14.0),),
    sounds=(HeardSound(start_s=2.0, end_s=6.0, label="speech"),),
)


def results(rows: list[Row]) -> list[str]:
    return [row.result for row in rows]


def said(*segments: tuple[float, float, str]) -> list[tuple[ClipTruth, SpeechEvidence]]:
    made = tuple(SpeechSegment(start_s=a, end_s=b, text=text, language="en") for a, b, text in segments)
    return [(TRUTH, SpeechEvidence(segments=made))]


def test_speech() -> None:
    right = speech.on_samples(said((2.0, 6.0, "mind the gap please")))
    assert results(right) == ["0 wrong (0.0 %)", "1 of 1", "100.0 %", "100.0 %", "0"]
    half = speech.on_samples(said((2.0, 4.0, "Mind the cap"), (12.0, 14.0, "thank you")))
    assert results(half) == ["3 wrong (75.0 %)", "1 of 1", "50.0 %", "50.0 %", "1"]
    assert results(speech.on_samples(said())) == ["4 wrong (100.0 %)", "0 of 1", "0.0 %", "–", "0"]


def test_text_on_screen() -> None:
    def read(*cards: tuple[str, float, float]) -> list[str]:
        made = tuple(TextCard(text=text, start_s=a, end_s=b) for text, a, b in cards)
        return results(screen_text.on_samples([(TRUTH, TextEvidence(cards=made, frames_read=9))]))

    exact = ["100.0 %", "100.0 %", "1 of 1", "2", "0.00 s (at most 0.00 s)", "0.00 s (at most 0.00 s)"]
    assert read(("Platform 9", 1.0, 4.0), ("Mind the gap", 1.0, 4.0)) == exact
    assert read(("Platform 9\nMind the gap", 1.0, 4.0)) == exact
    twice = (("Platform 9", 1.5, 4.0), ("Mind the gap", 1.5, 2.0), ("Mind the gap", 2.0, 4.25))
    late = ["100.0 %", "88.9 %", "1 of 1", "3", "0.50 s (at most 0.50 s)", "0.25 s (at most 0.25 s)"]
    assert read(*twice, ("EXIT", 8.0, 9.0)) == late
    assert read(("Platform 9", 8.0, 9.0)) == ["0.0 %", "0.0 %", "0 of 1", "0", "–", "–"]


def shots(**found: object) -> ShotEvidence:
    return ShotEvidence.model_validate({"cuts": (), "shots": (Span(start_s=0.0, end_s=4.0),), **found})


def test_cuts() -> None:
    film = Film(path=Path("x"), cuts=(1.0, 2.0, 3.0))
    found = shots(cuts=(Cut(time_s=1.02), Cut(time_s=2.0), Cut(time_s=3.5)))
    uncut = [(Film(path=Path("y")), shots(cuts=(Cut(time_s=1.0),)))]
    assert results(editing.on_cuts([(film, found)], uncut=uncut)) == ["2 of 3", "0.010 s (at most 0.020 s)", "1", "1"]


def test_fades() -> None:
    film = Film(path=Path("x"), fades=(Fade(start_s=1.0, end_s=2.0, kind="out"),))

    def told(*fades: Fade) -> list[str]:
        return results(editing.on_fades([(film, shots(fades=fades))]))

    assert told(Fade(start_s=1.1, end_s=2.1, kind="out")) == ["1 of 1", "0.10 s (at most 0.10 s)", "0"]
    assert told(Fade(start_s=1.0, end_s=2.0, kind="in")) == ["0 of 1", "–", "1"]
    assert told(Fade(start_s=1.6, end_s=2.0, kind="out")) == ["0 of 1", "–", "1"]
    assert told() == ["0 of 1", "–", "0"]


def test_camera() -> None:
    def move(motion: str, start_s: float = 0.0, end_s: float = 4.0) -> CameraMove:
        return CameraMove.model_validate({"start_s": start_s, "end_s": end_s, "motion": motion})

    wanted = [Film(path=Path("x"), camera=(move(motion),)) for motion in ("pan left", "tilt up", "zoom in", "static")]
    right = [(film, shots(camera=film.camera)) for film in wanted]
    assert results(editing.on_moves(right)) == ["1 of 1", "1 of 1", "1 of 1", "1 of 1", "0 of 4"]
    mirrored = [move("pan right"), move("tilt up", 0.0, 1.9), move("zoom in", 1.0, 4.0), move("pan left")]
    wrong = [(film, shots(camera=(told,))) for film, told in zip(wanted, mirrored, strict=True)]
    assert results(editing.on_moves(wrong)) == ["0 of 1", "0 of 1", "1 of 1", "0 of 1", "2 of 4"]


def test_sound() -> None:
    def heard(silent: tuple[Span, ...], *events: SoundEvent) -> list[str]:
        evidence = SoundEvidence(silent=silent, events=events, classified=True)
        return results(sounds.on_samples([(TRUTH, evidence)]))

    voice = SoundEvent(start_s=2.0, end_s=6.0, label="speech", score=0.9)
    assert heard((Span(start_s=10.0, end_s=14.0),), voice) == ["100.0 %", "0.0 s", "0.0 s", "1 of 1", "0"]
    music = SoundEvent(start_s=0.0, end_s=6.0, label="music", score=0.9)
    found = heard((Span(start_s=9.0, end_s=12.0), Span(start_s=1.0, end_s=1.5)), music)
    assert found == ["40.0 %", "2.0 s", "1.0 s", "0 of 1", "1"]
    deaf = sounds.on_samples([(TRUTH, SoundEvidence(silent=()))])
    assert deaf[-1].result == "no classifier here"


def test_onsets_and_levels() -> None:
    def onsets(*times_s: float) -> list[str]:
        return results(sounds.on_onsets(SoundEvidence(silent=(), onsets_s=times_s)))

    assert onsets(*sounds.ONSETS_S) == ["7 of 7", "0.000 s (at most 0.000 s)", "0"]
    assert onsets(1.05, 2.0, 9.5) == ["1 of 7", "0.050 s (at most 0.050 s)", "2"]
    steps = [Level(start_s=float(n), end_s=n + 1.0, lufs=-40.0 if n < 5 else -20.5) for n in range(10)]
    assert results(sounds.on_levels(steps)) == ["19.5 dB"]
    assert results(sounds.on_levels([])) == ["no levels"]


def test_faces() -> None:
    true = [FaceCount(start_s=2.0 * n, end_s=2.0 * n + 2.0, faces=count) for n, count in enumerate(people.COUNTS)]
    assert results(people.on_counts(true)) == ["100.0 %"]
    assert results(people.on_counts([FaceCount(start_s=0.0, end_s=10.0, faces=1)])) == ["40.0 %"]
    assert results(people.on_counts([])) == ["0.0 %"]


def test_colours() -> None:
    def look(name: str, value: str, brightness: float, part: float = 1.0) -> ColourEvidence:
        return ColourEvidence(looks=(Look(brightness=brightness, colours=(Colour(name=name, hex=value, share=part),)),))

    assert results(colours.on_plain([("gray", look("grey", "#808080", 128 / 255))])) == [
        "1 of 1",
        "0 (at most 0)",
        "0.00 (at most 0.00)",
    ]
    assert results(colours.on_plain([("red", look("brown", "#c01810", 0.9))]))[:2] == ["0 of 1", "16 (at most 16)"]
    assert results(colours.on_plain([("red", ColourEvidence(looks=()))])) == ["0 of 1", "–", "–"]
    assert results(colours.on_mixed([(0.75, look("blue", "#1840c8", 0.3, 0.7))])) == ["0.05 (at most 0.05)"]


def test_metadata() -> None:
    right = MetadataEvidence(facts=dict(containers.FACTS), tags={k.upper(): v for k, v in containers.TAGS.items()})
    assert results(containers.on_tagged(right)) == ["7 of 7", "3 of 3"]
    wrong = MetadataEvidence(facts={"fps": 25.0}, tags={"title": "Harbour"})
    assert results(containers.on_tagged(wrong)) == ["0 of 7", "0 of 3"]


def test_the_table() -> None:
    rows = [Row("asr", "one", "1"), Row("asr", "two", "2"), Row("ocr", "one", "3")]
    assert markdown(rows).splitlines()[2:] == ["| `asr` | one | 1 |", "|  | two | 2 |", "| `ocr` | one | 3 |"]
    assert (share(0, 0), mean([], "s"), mean([1.0, 3.0], "dB", 1)) == ("–", "–", "2.0 dB (at most 3.0 dB)")


def test_an_instrument_that_is_not_there_has_a_row_that_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(observers.MEASURES, "abacus", _ask_the_abacus)
    assert observers.main(["abacus"]) == 2
    assert "| `abacus` | – | no such observer here |" in capsys.readouterr().out


async def _ask_the_abacus(bench: Bench, truth: object, studio: Studio) -> list[Row]:
    await bench.ask("abacus", studio.folder / "clip.mp4", SpeechEvidence)
    return []


@pytest.mark.integration
def test_a_real_measure_of_a_real_instrument(capsys: pytest.CaptureFixture[str]) -> None:
    assert observers.main(["shots"]) == 0
    table = capsys.readouterr().out
    assert "| `shots` | cuts found, on the samples and on an edited clip | 16 of 16 |" in table
    assert "false cuts in them | 0 |" in table
    assert "of one processor |" in table
