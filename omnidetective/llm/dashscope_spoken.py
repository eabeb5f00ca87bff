"""From what DashScope's recognisers answer to speech with times. Pure.

Sentences with times in milliseconds, their words with punctuation apart, and numbers of speakers where they were asked
for. Sources: https://help.aliyun.com/en/model-studio/fun-asr-recorded-speech-recognition-http-api (tasks) and
https://www.alibabacloud.com/help/en/model-studio/non-real-time-speech-recognition-for-fun-asr-flash (calls).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from omnidetective.evidence import SpeechEvidence, SpeechSegment, Word
from omnidetective.language_names import language_code
from omnidetective.llm.spoken import Speakers, held, number, one_segment

_NOTHING_SAID = ("ASR_RESPONSE_HAVE_NO_WORDS", "SUCCESS_WITH_NO_VALID_FRAGMENT")


def says_nothing(words: object) -> bool:
    """Whether an error stands for sound in which nobody speaks: DashScope reports that as a failure."""
    return any(code in str(words) for code in _NOTHING_SAID)


class Sentences:
    """Takes the events of one streamed answer, in order: each tells of one sentence, the text is all that was said."""

    def __init__(self) -> None:
        self._sentences: dict[object, Mapping[str, Any]] = {}
        self._text = ""

    def add(self, event: Mapping[str, Any]) -> None:
        """Takes one event."""
        place = _place(event)
        rows = place.get("sentences")
        for row in (*(rows if isinstance(rows, list) else ()), place.get("sentence")):
            if isinstance(row, Mapping):
                # What is told of a sentence again, as it goes on, replaces what was told before.
                self._sentences[row.get("sentence_id", row.get("begin_time"))] = row
        if isinstance(text := place.get("text"), str):
            self._text = text

    def speech(self, duration_s: float, language: str | None) -> SpeechEvidence:
        """What was said."""
        if not self._sentences:
            return one_segment(self._text, duration_s, language)
        return speech_of_sentences(self._sentences.values(), duration_s, language=language)


def holds_transcript(event: Mapping[str, Any]) -> bool:
    """Whether an event tells anything of a transcript, be it that nothing was said."""
    return any(key in _place(event) for key in ("text", "sentence", "sentences"))


def _place(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where the transcript is: the ``output``, or an ``output`` within it (both have been seen)."""
    output = event.get("output")
    inner = output.get("output") if isinstance(output, Mapping) else None
    place = inner if isinstance(inner, Mapping) else output
    return place if isinstance(place, Mapping) else {}


def speech_of_result(result: object, duration_s: float, *, language: str | None = None) -> SpeechEvidence:
    """The speech in the file that a task leaves behind, of its first channel."""
    transcripts = result.get("transcripts") if isinstance(result, Mapping) else None
    first = transcripts[0] if isinstance(transcripts, list) and transcripts else None
    if not isinstance(first, Mapping):
        return SpeechEvidence(segments=(), language=language)
    rows = first.get("sentences")
    if not isinstance(rows, list):
        return one_segment(str(first.get("text") or ""), duration_s, language)
    return speech_of_sentences((row for row in rows if isinstance(row, Mapping)), duration_s, language=language)


def speech_of_sentences(
    rows: Iterable[Mapping[str, Any]], duration_s: float, *, language: str | None
) -> SpeechEvidence:
    """Sentences as segments; those without words or times are dropped and counted."""
    speakers = Speakers()
    segments: list[SpeechSegment] = []
    dropped = 0
    for row in rows:
        times, text = _times(row, duration_s), row.get("text")
        if times is None or not isinstance(text, str) or not text.strip():
            dropped += 1
            continue
        said = row.get("language")
        segments.append(
            SpeechSegment(
                start_s=times[0],
                end_s=times[1],
                text=text.strip(),
                language=(language_code(said) if isinstance(said, str) else None) or language,
                speaker=speakers.label(row.get("speaker_id")),
                words=_words(row.get("words"), duration_s) or None,
            )
        )
    return SpeechEvidence(segments=tuple(segments), language=language, dropped=dropped)


def _words(rows: object, duration_s: float) -> tuple[Word, ...]:
    words: list[Word] = []
    for row in rows if isinstance(rows, list) else []:
        times = _times(row, duration_s) if isinstance(row, Mapping) else None
        text = row.get("text") if isinstance(row, Mapping) else None
        if times is not None and isinstance(text, str) and text.strip():
            closing = row.get("punctuation")
            mark = closing.strip() if isinstance(closing, str) else ""
            words.append(Word(start_s=times[0], end_s=times[1], text=text.strip() + mark))
    return tuple(words)


def _times(row: Mapping[str, Any], duration_s: float) -> tuple[float, float] | None:
    begin, end = number(row.get("begin_time")), number(row.get("end_time"))
    return None if begin is None or end is None else held(begin / 1000, end / 1000, duration_s)
