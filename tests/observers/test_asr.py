"""Speech on real recordings, and silence, noise and music in which nothing is said."""

from __future__ import annotations

import re
import time
import zlib
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st
from observers.conftest import SAMPLES, Film, context, instrument, observe
from servers.faulty_openai import FaultyOpenAI, body
from servers.studio import quick

from omnidetective.errors import ObserverUnavailableError, TransientError
from omnidetective.evidence import Span, SpeechEvidence, SpeechSegment, Word
from omnidetective.llm.cast import Cast
from omnidetective.llm.messages import AudioPart
from omnidetective.llm.transcriber import Hearing
from omnidetective.model_sets import ModelSet
from omnidetective.observers.asr import Asr, _cut_between_words
from omnidetective.observers.base import Observer, ObserverContext
from omnidetective.observers.faint_voice import _sorted_out, is_sure
from omnidetective.prompts import PromptLibrary

READING = (
    "And Mr. John Dashwood had then leisure to consider how much there might be prudently in his power to do for them. "
    "He was not an ill-disposed young man, unless to be rather cold hearted and rather selfish is to be ill-disposed."
)
VOICES = ((4.33, 11.39), (12.6, 15.59), (16.8, 21.95))


def plain(text: str) -> str:
    return " ".join(re.findall(r"[\w']+", text.lower().replace("-", " ")))


def speech(observation: Any) -> SpeechEvidence:
    assert isinstance(observation.data, SpeechEvidence)
    return observation.data


@pytest.mark.weights
async def test_read_speech_is_transcribed_with_times_and_language(whisper: Path) -> None:
    answer = await observe(instrument(Asr), SAMPLES / "reading.mp4")
    heard = speech(answer)
    assert jiwer.wer(plain(READING), plain(" ".join(s.text for s in heard.segments))) <= 0.05
    assert heard.language == "en"
    assert {s.language for s in heard.segments} == {"en"}
    for segment in heard.segments:
        assert any(start - 0.3 <= segment.start_s < segment.end_s <= end + 0.3 for start, end in VOICES), segment
    assert len({next(n for n, v in enumerate(VOICES) if s.start_s < v[1]) for s in heard.segments}) == 3
    assert answer.model == "embedded:whisper-base"
    assert "John Dashwood" in answer.answer
    assert "language en" in answer.answer


@pytest.mark.weights
async def test_a_span_is_told_in_the_times_of_the_clip(whisper: Path) -> None:
    heard = speech(await observe(instrument(Asr), SAMPLES / "reading.mp4", (11.8, 16.2)))
    assert plain(" ".join(s.text for s in heard.segments)) == "he was not an ill disposed young man"
    assert heard.segments[0].start_s == pytest.approx(12.8, abs=0.3)
    assert heard.segments[-1].end_s == pytest.approx(15.5, abs=0.3)
    assert all(11.8 <= voice.start_s < voice.end_s <= 16.2 for voice in heard.voiced)


@pytest.mark.weights
async def test_another_language_is_recognised(whisper: Path) -> None:
    heard = speech(await observe(instrument(Asr), SAMPLES / "messagerie.mp4", (10.0, 15.5)))
    assert heard.language == "fr"
    assert "numéro de téléphone" in " ".join(s.text for s in heard.segments)


@pytest.mark.weights
async def test_music_is_no_speech(whisper: Path) -> None:
    answer = await observe(instrument(Asr), SAMPLES / "mountains.mkv")
    assert speech(answer) == SpeechEvidence(segments=(), voiced=(), gated=True, dropped=0)
    assert answer.answer.startswith("No speech is heard in 0.00–10.00 s")


@pytest.mark.weights
@pytest.mark.parametrize(
    "source",
    ["anullsrc=r=16000:d=6", "anoisesrc=d=6:a=0.3:c=pink:r=16000", "sine=f=440:d=6", "anoisesrc=d=6:a=0.001:r=16000"],
    ids=["silence", "noise", "tone", "hiss"],
)
async def test_no_words_are_invented(whisper: Path, film: Film, source: str) -> None:
    path = film(f"{source[:9]}{len(source)}.wav", "-f", "lavfi", "-i", source)
    heard = speech(await observe(instrument(Asr), path))
    assert heard.segments == ()
    assert heard.voiced == ()


@pytest.mark.weights
async def test_when_time_is_up_the_rest_is_named_and_not_taken_for_silence(
    whisper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    observer = instrument(Asr, context("investigate.observer_timeout_s=0.000001"))
    answer = await observe(observer, SAMPLES / "reading.mp4")
    heard = speech(answer)
    assert heard.segments == ()
    assert len(heard.voiced) >= 3
    assert "The time was up" in answer.answer
    assert "No speech" not in answer.answer


@pytest.mark.weights
async def test_words_have_times_of_their_own(whisper: Path) -> None:
    heard = speech(await observe(instrument(Asr), SAMPLES / "reading.mp4", (11.8, 16.2)))
    [segment] = heard.segments
    words = segment.words or ()
    assert plain(" ".join(word.text for word in words)) == plain(segment.text)
    assert [word.text for word in words][-1] == "man.", "a mark belongs to the word before it"
    assert all(a.start_s <= a.end_s <= b.start_s + 0.01 for a, b in pairwise(words))
    assert (words[0].start_s, words[-1].end_s) == (segment.start_s, segment.end_s)
    assert all(word.score is not None and 0 < word.score <= 1 for word in words)


def quiet(film: Film, name: str, *filters: str) -> Path:
    return film(name, "-i", str(SAMPLES / "reading.mp4"), "-vn", *filters, "-c:a", "pcm_s16le")


@pytest.mark.weights
async def test_speech_that_is_far_too_quiet_for_the_voice_detector_is_found(whisper: Path, film: Film) -> None:
    path = quiet(film, "whispered.wav", "-af", "volume=-57dB")
    heard = speech(await observe(instrument(Asr), path))
    assert jiwer.wer(plain(READING), plain(" ".join(s.text for s in heard.segments))) <= 0.2
    found_s = sum(voice.overlap_s(Span(start_s=a, end_s=b)) for voice in heard.voiced for a, b in VOICES)
    assert found_s >= 0.8 * sum(b - a for a, b in VOICES)
    assert all(a.end_s <= b.start_s for a, b in pairwise(heard.voiced))
    for segment in heard.segments:
        assert any(start - 0.3 <= segment.start_s < segment.end_s <= end + 0.3 for start, end in VOICES), segment


@pytest.mark.weights
async def test_a_quiet_voice_after_loud_music_is_found(whisper: Path, film: Film) -> None:
    """Ten seconds of music, then the first sentence 55 dB down."""
    parts = "[0:a]aresample=16000,pan=mono|c0=c0[m];[1:a]aresample=16000,pan=mono|c0=c0,atrim=3:12,volume=-55dB[s]"
    path = film(
        "music_then_whisper.wav",
        *("-i", str(SAMPLES / "mountains.mkv"), "-i", str(SAMPLES / "reading.mp4")),
        *("-filter_complex", f"{parts};[m][s]concat=n=2:v=0:a=1[o]", "-map", "[o]", "-c:a", "pcm_s16le"),
    )
    heard = speech(await observe(instrument(Asr), path))
    assert "John Dashwood had then leisure to consider" in " ".join(s.text for s in heard.segments)
    assert heard.segments[0].start_s == pytest.approx(11.5, abs=0.5)
    assert all(voice.start_s > 10 for voice in heard.voiced)


@pytest.mark.weights
@pytest.mark.integration
async def test_speech_buried_in_noise_is_found(whisper: Path, film: Film) -> None:
    noise = "anoisesrc=c=pink:r=48000:a=0.03:s=3:d=24[n];[0:a][n]amix=inputs=2:duration=first:normalize=0"
    path = quiet(film, "buried.wav", "-filter_complex", noise)
    heard = speech(await observe(instrument(Asr), path))
    assert jiwer.wer(plain(READING), plain(" ".join(s.text for s in heard.segments))) <= 0.35


@pytest.mark.weights
@pytest.mark.parametrize(
    "filters",
    [
        ("-i", str(SAMPLES / "mountains.mkv"), "-vn", "-af", "volume=-50dB"),
        ("-ss", "16", "-i", str(SAMPLES / "on_hold.mp3"), "-af", "volume=-55dB"),
        ("-f", "lavfi", "-i", "anoisesrc=d=20:a=0.0005:r=16000:s=1"),
        ("-f", "lavfi", "-i", "anoisesrc=d=20:a=0.002:c=brown:r=16000:s=1"),
    ],
    ids=["music", "tune", "hiss", "rumble"],
)
async def test_nothing_is_invented_in_what_is_quiet(whisper: Path, film: Film, filters: tuple[str, ...]) -> None:
    path = film(f"quiet{zlib.crc32(repr(filters).encode())}.wav", *filters, "-c:a", "pcm_s16le")
    assert speech(await observe(instrument(Asr), path)).segments == ()


@given(
    st.lists(st.tuples(st.floats(0, 50), st.floats(0.2, 5)), max_size=6),
    st.lists(st.tuples(st.floats(0, 50), st.floats(0.05, 5)), max_size=6),
)
def test_faint_voices_lengthen_others_or_stand_apart(
    sure: list[tuple[float, float]], faint: list[tuple[float, float]]
) -> None:
    known: list[Span] = []
    for start_s, length_s in sorted(sure):
        if not known or start_s > known[-1].end_s:
            known.append(Span(start_s=start_s, end_s=start_s + length_s))
    found = [Span(start_s=start_s, end_s=start_s + length_s) for start_s, length_s in faint]
    voices = _sorted_out(known, found)
    both = sorted([*voices.sure, *voices.faint], key=lambda voice: voice.start_s)
    assert all(a.end_s <= b.start_s for a, b in pairwise(both))
    assert all(any(v.start_s <= k.start_s and k.end_s <= v.end_s for v in voices.sure) for k in known)
    assert len(voices.sure) <= len(known)
    assert all(voice.duration_s >= 0.6 for voice in voices.faint)
    if not found:
        assert voices == (tuple(known), ())


@pytest.mark.parametrize(
    ("text", "score", "sure"),
    [("two words", 0.6, True), ("two words", 0.59, False), ("one", 0.99, False), ("two words", None, False)],
)
def test_words_of_a_faint_voice_must_be_sure(text: str, score: float | None, sure: bool) -> None:
    assert is_sure(SpeechSegment(start_s=0, end_s=1, text=text, score=score)) == sure


def test_without_weights_it_is_unavailable_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIDETECTIVE_CACHE", str(tmp_path))
    with pytest.raises(ObserverUnavailableError) as caught:
        instrument(Asr)
    assert (caught.value.reason, caught.value.hint) == ("no_weights", "omnidetective weights pull whisper-base")


def test_without_the_packages_it_is_unavailable_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnidetective.embedded.inference.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ObserverUnavailableError) as caught:
        instrument(Asr)
    assert (caught.value.reason, caught.value.hint) == ("not_installed", "pip install 'omnidetective[local]'")


def test_a_long_recording_is_cut_where_nobody_speaks() -> None:
    piece = Span(start_s=0.0, end_s=600.0)
    voices = (Span(start_s=10.0, end_s=590.0), Span(start_s=595.0, end_s=600.0))
    cut, inside = _cut_between_words(piece, voices)
    assert 590.0 < cut.end_s < 595.0
    assert inside == voices[:1]
    everywhere = (Span(start_s=0.2, end_s=600.0),)
    assert _cut_between_words(piece, everywhere) == (piece, everywhere)
    assert _cut_between_words(piece, voices[:1]) == (piece, voices[:1])


class Stenographer:
    """A served recogniser that writes down the length of what it was sent, and words where it is told to."""

    name = "openai:stenographer"

    def __init__(
        self, *segments: SpeechSegment, error: Exception | None = None, hearing: Hearing | None = None
    ) -> None:
        self.sent: list[AudioPart] = []
        self.hearing = hearing or Hearing()
        self._segments = segments
        self._error = error

    async def transcribe(self, audio: AudioPart, *, language: str | None = None) -> SpeechEvidence:
        self.sent.append(audio)
        if self._error is not None:
            raise self._error
        everything = SpeechSegment(start_s=0.0, end_s=audio.duration_s, text=f"words in {language}")
        return SpeechEvidence(segments=self._segments or (everything,))


def served(stenographer: Stenographer, **settings: Any) -> Observer:
    played = cast("Any", SimpleNamespace(transcriber=lambda role: stenographer))
    return instrument(Asr, context(cast=played), engine="openai", **settings)


async def test_a_served_recogniser_hears_only_voices_and_its_times_are_held_to_them() -> None:
    stenographer = Stenographer()
    answer = await observe(served(stenographer, language="en"), SAMPLES / "reading.mp4")
    heard = speech(answer)
    assert sum(part.duration_s for part in stenographer.sent) < 20, "pauses are not paid for"
    assert [s.text for s in heard.segments] == ["words in en"] * len(stenographer.sent)
    assert heard.segments[0].start_s == pytest.approx(4.5, abs=0.3)
    assert heard.segments[-1].end_s == pytest.approx(21.9, abs=0.3)
    assert answer.model == "openai:stenographer"


async def test_a_served_recogniser_is_sent_no_music_and_no_silence() -> None:
    stenographer = Stenographer()
    answer = await observe(served(stenographer), SAMPLES / "mountains.mkv")
    assert stenographer.sent == []
    assert answer.answer.startswith("No speech is heard")


async def test_what_a_served_recogniser_puts_into_a_pause_is_dropped() -> None:
    stenographer = Stenographer(
        SpeechSegment(start_s=0.5, end_s=2.0, text="real"), SpeechSegment(start_s=9.0, end_s=9.5, text="made up")
    )
    heard = speech(await observe(served(stenographer), SAMPLES / "reading.mp4", (0.0, 12.0)))
    assert [s.text for s in heard.segments] == ["real"]
    assert heard.dropped == 1


async def test_a_failing_call_is_the_observation_s_error() -> None:
    observer = served(Stenographer(error=TransientError("the server is down")))
    with pytest.raises(AssertionError, match="the server is down"):
        await observe(observer, SAMPLES / "reading.mp4")


async def test_a_served_recogniser_works_without_the_voice_detector(
    film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omnidetective.observers.asr.PACKAGES", ("no_such_package",))
    stenographer = Stenographer()
    path = film("four_minutes.mp3", "-f", "lavfi", "-i", "sine=f=300:d=250", "-b:a", "32k")
    started = time.monotonic()
    heard = speech(await observe(served(stenographer), path))
    assert time.monotonic() - started < 20
    assert [round(part.duration_s) for part in stenographer.sent] == [125, 125]
    assert [(round(s.start_s), round(s.end_s)) for s in heard.segments] == [(0, 125), (125, 250)]


def spoken(start_s: float, end_s: float, text: str, **more: Any) -> SpeechSegment:
    return SpeechSegment(start_s=start_s, end_s=end_s, text=text, **more)


async def test_who_tells_speakers_apart_hears_the_conversation_in_one_piece() -> None:
    lines = (spoken(0.2, 6.5, "first", speaker="S1"), spoken(8.5, 17.0, "second", speaker="S2"))
    stenographer = Stenographer(*lines, hearing=Hearing(speakers=True, longest_s=1200))
    answer = await observe(served(stenographer), SAMPLES / "reading.mp4")
    [part] = stenographer.sent
    assert part.duration_s == pytest.approx(21.9 - 4.6 + 0.6, abs=0.3), "from the first voice to the last"
    heard = speech(answer)
    assert [(s.speaker, s.text) for s in heard.segments] == [("S1", "first"), ("S2", "second")]
    assert "2 voices" in answer.answer
    assert re.search(r"- 4\.\d\d–10\.\d\d s, S1: “first”", answer.answer)


async def test_labels_of_two_pieces_are_not_those_of_the_same_voices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnidetective.observers.asr._PIECE_S", 12.0)
    stenographer = Stenographer(spoken(0.3, 2.0, "words", speaker="S1"), hearing=Hearing(speakers=True, longest_s=12.0))
    answer = await observe(served(stenographer), SAMPLES / "reading.mp4")
    assert len(stenographer.sent) == 2
    assert [s.speaker for s in speech(answer).segments] == [None, None]
    assert "Who speaks is not told" in answer.answer


async def test_pieces_are_heard_together_as_far_as_a_recogniser_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnidetective.observers.asr._PIECE_S", 12.0)
    stenographer = Stenographer(spoken(0.3, 2.0, "words", speaker="S1"), hearing=Hearing(speakers=True, longest_s=30.0))
    heard = speech(await observe(served(stenographer), SAMPLES / "reading.mp4"))
    assert len(stenographer.sent) == 1
    assert [s.speaker for s in heard.segments] == ["S1"]


async def test_words_of_a_served_recogniser_are_moved_and_held_to_voices() -> None:
    """The stretch that is sent begins at about 4.34 s; a voice is active from 4.64 to 11.16 s."""
    words = (
        Word(start_s=0.0, end_s=0.6, text="And"),
        Word(start_s=0.6, end_s=1.0, text="Mr."),
        Word(start_s=7.6, end_s=8.0, text="(music)"),
    )
    stenographer = Stenographer(spoken(0.0, 8.0, "And Mr. (music)", words=words))
    [segment] = speech(await observe(served(stenographer), SAMPLES / "reading.mp4", (0.0, 11.9))).segments
    assert segment.text == "And Mr."
    assert [(w.text, round(w.start_s, 1), round(w.end_s, 1)) for w in segment.words or ()] == [
        ("And", 4.6, 4.9),
        ("Mr.", 4.9, 5.3),
    ]


async def test_a_segment_whose_words_all_lie_in_a_pause_is_dropped() -> None:
    words = (Word(start_s=9.0, end_s=9.5, text="thanks"),)
    stenographer = Stenographer(spoken(0.0, 9.5, "thanks", words=words))
    heard = speech(await observe(served(stenographer), SAMPLES / "reading.mp4", (0.0, 12.0)))
    assert heard.segments == ()
    assert heard.dropped == 1


async def test_the_endpoint_s_words_over_http() -> None:
    rows = [{"start": 0.3, "end": 3.0, "text": " He was not", "avg_logprob": -0.1}]
    words = [{"word": w, "start": s, "end": s + 0.4} for w, s in (("He", 0.3), ("was", 0.8), ("not", 1.2))]
    answer = {"text": "He was not", "language": "english", "duration": 3.0, "segments": rows, "words": words}
    async with FaultyOpenAI([body(answer)]) as server:
        models = {"ears": {"provider": "openai", "model": "whisper-1", "base_url": server.base_url}}
        played = ModelSet.model_validate({"name": "t", "description": "", "models": models, "roles": {"asr": "ears"}})
        ears = Cast(played, quick(), environ={})
        given = ObserverContext(ears, played, PromptLibrary(), context().settings)
        observation = await observe(instrument(Asr, given), SAMPLES / "reading.mp4", (11.8, 16.2))
        await ears.aclose()
    heard = speech(observation)
    assert (heard.language, observation.model) == ("en", "openai:whisper-1")
    [segment] = heard.segments
    assert [word.text for word in segment.words or ()] == ["He", "was", "not"]
    assert segment.words is not None
    assert segment.words[0].start_s == pytest.approx(12.8, abs=0.2)


@pytest.mark.parametrize(("engine", "provider"), [("dashscope", "openai"), ("openai", "dashscope")])
def test_an_engine_that_does_not_fit_the_model_says_what_to_do(engine: str, provider: str) -> None:
    models = {"ears": {"provider": provider, "model": "fun-asr"}}
    played = ModelSet.model_validate({"name": "t", "description": "", "models": models, "roles": {"asr": "ears"}})
    given = ObserverContext(Cast(played, quick(), environ={}), played, PromptLibrary(), context().settings)
    with pytest.raises(ObserverUnavailableError) as caught:
        instrument(Asr, given, engine=engine)
    assert caught.value.reason == "no_model"
    assert "dashscope" in caught.value.hint
