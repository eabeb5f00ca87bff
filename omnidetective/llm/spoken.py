"""From what recognisers answer to speech with times: segments, their words, speakers and language. Pure.

Knows the forms of the ``/audio/transcriptions`` endpoint, as OpenAI serves them and as others do
(https://developers.openai.com/api/reference/resources/audio): ``verbose_json``, whose words are beside its segments or
inside them; ``diarized_json``; ``json``; and text. Times are held to the sound that was sent, and segments that the
recogniser itself takes for guesses are dropped and counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from omnidetective.evidence import SpeechEvidence, SpeechSegment, Word
from omnidetective.language_names import language_code

# Whisper's own rules for a segment that it made up, in silence or in a loop (openai/whisper, transcribe.py).
_MAX_NO_SPEECH_PROB = 0.6
_MIN_LOGPROB = -1.0
_MAX_COMPRESSION_RATIO = 2.4
_SPLIT_PAUSE_S = 0.6
"""A pause between words that ends a segment, where the recogniser gives words alone."""
_WITHOUT_SPACES = frozenset({"zh", "yue", "ja", "th", "lo", "km", "my", "bo"})


class Speakers:
    """Labels for the voices of one recording, ``S1``, ``S2``, … in the order in which they are first heard."""

    def __init__(self) -> None:
        self._labels: dict[str, str] = {}

    def label(self, said: object) -> str | None:
        """The label of a voice as the recogniser calls it; ``None`` where it does not tell voices apart."""
        if said is None or said == "" or isinstance(said, (Mapping, list)):
            return None
        return self._labels.setdefault(str(said), f"S{len(self._labels) + 1}")


def speech_of(answer: object, duration_s: float, *, language: str | None = None) -> SpeechEvidence:
    """The speech in an answer.

    Args:
        answer: text, or a mapping that has a ``text``.
        duration_s: of the sound that was sent.
        language: what was asked for; what the answer names is stronger.
    """
    if isinstance(answer, str):
        return one_segment(answer, duration_s, language)
    assert isinstance(answer, Mapping), "checked by the caller"
    said = answer.get("language")
    language = (language_code(said) if isinstance(said, str) else None) or language
    rows = answer.get("segments")
    words = words_of(answer.get("words"), duration_s)
    if not isinstance(rows, list) or (not rows and words):
        if not words:
            return one_segment(str(answer.get("text") or ""), duration_s, language)
        return SpeechEvidence(segments=_of_words(words, str(answer.get("text") or ""), language), language=language)
    speakers = Speakers()
    read = [_segment(row, duration_s, language, speakers) if isinstance(row, Mapping) else None for row in rows]
    placed = _with_words([segment for segment in read if segment is not None], words)
    believed = [not _is_a_guess(row) for row, segment in zip(rows, read, strict=True) if segment is not None]
    segments = tuple(segment for segment, kept in zip(placed, believed, strict=True) if kept)
    return SpeechEvidence(segments=segments, language=language, dropped=len(rows) - len(segments))


def one_segment(text: str, duration_s: float, language: str | None) -> SpeechEvidence:
    """An answer without times: one segment over the whole of the sound; none where nothing is said."""
    words = text.strip()
    segment = SpeechSegment(start_s=0.0, end_s=duration_s, text=words, language=language)
    return SpeechEvidence(segments=(segment,) if words else (), language=language)


def text_of(words: Iterable[Word], language: str | None) -> str:
    """Words as running text."""
    return ("" if language in _WITHOUT_SPACES else " ").join(word.text for word in words)


def words_of(rows: object, duration_s: float) -> tuple[Word, ...]:
    """Words with their times, of those rows that have both, in order of time."""
    found = [_word(row, duration_s) for row in rows] if isinstance(rows, list) else []
    return tuple(sorted((word for word in found if word is not None), key=lambda word: (word.start_s, word.end_s)))


def held(start_s: object, end_s: object, duration_s: float) -> tuple[float, float] | None:
    """Times inside the sound that was sent; ``None`` where they are no times, or lie outside it."""
    start, end = number(start_s), number(end_s)
    if start is None or end is None:
        return None
    start, end = max(0.0, min(start, duration_s)), max(0.0, min(end, duration_s))
    return (start, end) if end > start else None


def number(value: object) -> float | None:
    """A finite number, or ``None``."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def _segment(
    row: Mapping[str, Any], duration_s: float, language: str | None, speakers: Speakers
) -> SpeechSegment | None:
    times, text = held(row.get("start"), row.get("end"), duration_s), row.get("text")
    if times is None or not isinstance(text, str) or not text.strip():
        return None
    logprob = number(row.get("avg_logprob"))
    return SpeechSegment(
        start_s=times[0],
        end_s=times[1],
        text=text.strip(),
        language=language,
        speaker=speakers.label(row.get("speaker")),
        score=None if logprob is None else min(1.0, math.exp(logprob)),
        words=words_of(row.get("words"), duration_s) or None,
    )


def _word(row: object, duration_s: float) -> Word | None:
    if not isinstance(row, Mapping):
        return None
    text = row.get("word", row.get("text"))
    start, end = number(row.get("start")), number(row.get("end"))
    if not isinstance(text, str) or not text.strip() or start is None or end is None:
        return None
    start = max(0.0, min(start, duration_s))
    score = number(row.get("probability", row.get("score")))
    return Word(
        start_s=start,
        end_s=max(start, min(end, duration_s)),
        text=text.strip(),
        score=None if score is None else max(0.0, min(1.0, score)),
    )


def _with_words(segments: Sequence[SpeechSegment], words: Sequence[Word]) -> tuple[SpeechSegment, ...]:
    """Each word in the segment that its middle lies in, or lies next to."""
    if not segments or not words:
        return tuple(segments)
    mine: dict[int, list[Word]] = {}
    for word in words:
        middle_s = (word.start_s + word.end_s) / 2
        nearest = min(range(len(segments)), key=lambda n: _distance_s(segments[n], middle_s))
        mine.setdefault(nearest, []).append(word)
    return tuple(
        segment.model_copy(update={"words": tuple(mine[n])}) if n in mine else segment
        for n, segment in enumerate(segments)
    )


def _distance_s(segment: SpeechSegment, time_s: float) -> float:
    return max(segment.start_s - time_s, time_s - segment.end_s, 0.0)


def _of_words(words: Sequence[Word], text: str, language: str | None) -> tuple[SpeechSegment, ...]:
    groups = list(_groups(words))
    return tuple(
        SpeechSegment(
            start_s=group[0].start_s,
            end_s=max(group[-1].end_s, group[0].start_s + 0.02),
            # The whole text has the punctuation that single words lack.
            text=text.strip() if len(groups) == 1 and text.strip() else text_of(group, language),
            language=language,
            words=tuple(group),
        )
        for group in groups
    )


def _groups(words: Iterable[Word]) -> Iterator[list[Word]]:
    group: list[Word] = []
    for word in words:
        if group and word.start_s - group[-1].end_s >= _SPLIT_PAUSE_S:
            yield group
            group = []
        group.append(word)
    if group:
        yield group


def _is_a_guess(row: Mapping[str, Any]) -> bool:
    no_speech = number(row.get("no_speech_prob")) or 0.0
    logprob = number(row.get("avg_logprob")) or 0.0
    ratio = number(row.get("compression_ratio")) or 0.0
    return (no_speech > _MAX_NO_SPEECH_PROB and logprob < _MIN_LOGPROB) or ratio > _MAX_COMPRESSION_RATIO
