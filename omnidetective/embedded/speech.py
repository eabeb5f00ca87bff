"""Words: Whisper by faster-whisper, held to where a voice is active.

Whisper is made to write, and writes also where nobody speaks: words in silence and in music, a word at 0 s whose voice
begins at 6 s, loops. So it hears only the stretches in which the voice detector found somebody, its words keep only
times inside them, and what it was guessing at is dropped and counted. One temperature (0): the fallback to others is
three times as slow, and loops.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnidetective.embedded.inference import load_once
from omnidetective.embedded.voice import RATE_HZ
from omnidetective.evidence import Span, SpeechSegment, Word

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Whisper sees windows of 30 s. Stretches that lie close together share one, for the sake of context; over long pauses
# it loses words at the seams (measured), so those are heard apart.
_WINDOW_S = 28.0
_LONGEST_PAUSE_S = 2.0
_MARGIN_S = 0.3
"""Sound around a stretch that is heard with it, as Whisper cuts off words at the very edge."""

# Whisper's own limits for a window that it was guessing at (openai/whisper, transcribe.py).
_LEAST_LOGPROB = -1.0
_MOST_COMPRESSION = 2.4
_MOST_NO_SPEECH = 0.6
_LEAST_LOGPROB_WITHOUT_SPEECH = -0.5
_LEAST_SCORE = 0.35
"""Mean probability of the words of one segment, as the limits above are for whole windows."""

_FAR_FROM_VOICE_S = 0.5
"""A word whose times lie further than this from every voice was not spoken."""
_SPLIT_PAUSE_S = 0.6
"""A pause that ends a segment."""
_EARLY_END_S = 0.6
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？")
_SURE_OF_LANGUAGE = 0.5
_WEIGHT_OF_SURE = 10.0
_ENOUGH_VOICE_S = 2.0
"""Voice from which a language can be told."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was understood.

    Attributes:
        dropped: segments thrown away because no voice was active there or the recogniser was guessing.
        heard_to_s: up to where there was time to listen; the end of the sound when all of it was heard.
    """

    segments: tuple[SpeechSegment, ...]
    dropped: int
    heard_to_s: float


@dataclass(frozen=True, slots=True)
class _Language:
    """What the recogniser is set to, and what is said of it: nothing, where it is only a guess."""

    code: str
    told: str | None


@dataclass(frozen=True, slots=True)
class _Word:
    start_s: float
    end_s: float
    text: str
    score: float
    closes: bool = False


class SpeechModel:
    """A Whisper model in CTranslate2's form."""

    def __init__(self, folder: Path, *, threads: int, at_once: int = 1) -> None:
        """Load it.

        Args:
            folder: with ``model.bin``, ``config.json``, ``tokenizer.json`` and the vocabulary.
            threads: for each window that is heard.
            at_once: windows that are heard at the same time, where several threads call; the weights are shared.
        """
        from faster_whisper import WhisperModel

        # int8: same words as float32 on read speech, a third faster, a quarter of the memory.
        self._model = WhisperModel(
            str(folder),
            device="cpu",
            compute_type="int8",
            cpu_threads=threads,
            num_workers=at_once,
            local_files_only=True,
        )

    @classmethod
    def shared(cls, folder: Path, *, threads: int, at_once: int = 1) -> SpeechModel:
        """The one model of this process for this folder."""
        return load_once(("whisper", folder, threads, at_once), lambda: cls(folder, threads=threads, at_once=at_once))

    def transcribe(
        self,
        samples: NDArray[np.float32],
        voiced: Sequence[Span],
        *,
        language: str | None = None,
        offset_s: float = 0.0,
        deadline: float = float("inf"),
        stop: threading.Event | None = None,
    ) -> Transcript:
        """Write down what is said. Blocking; seconds of work for a minute of speech.

        Args:
            samples: mono, 16 kHz, -1…1.
            voiced: where a voice is active (``find_voice``), in the times that the result is to have.
            language: ISO 639-1 code; found out for each stretch by default.
            offset_s: time of the first sample.
            deadline: on ``time.monotonic()``; no stretch is begun after it.
            stop: ends the work between two stretches when it is set.
        """
        end_s = offset_s + samples.size / RATE_HZ
        groups = list(group(voiced))
        known = _Language(language, language) if language is not None else None
        languages = self._languages(samples, groups, offset_s) if known is None else [known] * len(groups)
        segments: list[SpeechSegment] = []
        dropped = 0
        for stretch, spoken in zip(groups, languages, strict=True):
            if time.monotonic() > deadline or (stop is not None and stop.is_set()):
                return Transcript(tuple(segments), dropped, stretch[0].start_s)
            start_s = max(offset_s, stretch[0].start_s - _MARGIN_S)
            part = _cut(samples, start_s - offset_s, min(end_s, stretch[-1].end_s + _MARGIN_S) - offset_s)
            found, lost = self._hear(part, stretch, spoken, start_s)
            segments += found
            dropped += lost
        return Transcript(tuple(segments), dropped, end_s)

    def _hear(
        self, part: NDArray[np.float32], voiced: Sequence[Span], language: _Language, start_s: float
    ) -> tuple[list[SpeechSegment], int]:
        windows, _ = self._model.transcribe(
            part,
            language=language.code,
            temperature=0.0,
            beam_size=5,
            condition_on_previous_text=False,
            word_timestamps=True,
        )
        words: list[_Word] = []
        dropped = 0
        for found in windows:
            held = () if _is_a_guess(found) else tuple(_held(found.words or (), start_s, voiced))
            dropped += not held
            words += held
        pieces = [_segment(piece, language=language.told) for piece in _pieces(words, voiced)]
        segments = [piece for piece in pieces if piece is not None]
        return segments, dropped + len(pieces) - len(segments)

    def _languages(
        self, samples: NDArray[np.float32], groups: Sequence[Sequence[Span]], offset_s: float
    ) -> list[_Language]:
        """The language of each stretch; where one is too short to tell, it is taken to be that of the rest."""
        import numpy as np

        if not self._model.model.is_multilingual or not groups:
            return [_Language("en", "en")] * len(groups)
        told: list[str | None] = []
        amount: dict[str, float] = {}
        for stretch in groups:
            voice_s = sum(span.duration_s for span in stretch)
            heard = np.concatenate([_cut(samples, s.start_s - offset_s, s.end_s - offset_s) for s in stretch])
            code, sureness, _ = self._model.detect_language(heard)
            sure = sureness >= _SURE_OF_LANGUAGE and voice_s >= _ENOUGH_VOICE_S
            told.append(code if sure else None)
            amount[code] = amount.get(code, 0.0) + voice_s * sureness * (_WEIGHT_OF_SURE if sure else 1.0)
        main = max(amount, key=lambda code: amount[code])
        rest = _Language(main, main if main in told else None)
        return [rest if code is None else _Language(code, code) for code in told]


def group(voiced: Iterable[Span]) -> Iterator[list[Span]]:
    """Put stretches of voice together that fit into one window of the recogniser and lie close to each other."""
    current: list[Span] = []
    for span in voiced:
        if current and (
            span.end_s - current[0].start_s > _WINDOW_S or span.start_s - current[-1].end_s > _LONGEST_PAUSE_S
        ):
            yield current
            current = []
        current.append(span)
    if current:
        yield current


def _is_a_guess(window: Any) -> bool:
    if window.avg_logprob < _LEAST_LOGPROB or window.compression_ratio > _MOST_COMPRESSION:
        return True
    return bool(window.no_speech_prob > _MOST_NO_SPEECH and window.avg_logprob < _LEAST_LOGPROB_WITHOUT_SPEECH)


def _held(words: Iterable[Any], start_s: float, voiced: Sequence[Span]) -> Iterator[_Word]:
    """The words of a window that were spoken; the last one is marked as an end where it closes a sentence."""
    found = [word for word in words if word.word]
    for n, word in enumerate(found, start=1):
        closes = n == len(found) and word.word.rstrip().endswith(_SENTENCE_ENDS)
        held = _hold(_Word(start_s + word.start, start_s + word.end, word.word, word.probability, closes), voiced)
        if held is not None:
            yield held


def _hold(word: _Word, voiced: Sequence[Span]) -> _Word | None:
    """The word with its times inside the voice that it lies in or next to; ``None`` when there is none."""
    voice = _voice_of(word, voiced)
    if max(voice.start_s - word.end_s, word.start_s - voice.end_s) > _FAR_FROM_VOICE_S:
        return None
    start_s = min(max(word.start_s, voice.start_s), voice.end_s)
    return replace(word, start_s=start_s, end_s=max(min(word.end_s, voice.end_s), start_s))


def _voice_of(word: _Word, voiced: Sequence[Span]) -> Span:
    return max(voiced, key=lambda span: min(span.end_s, word.end_s) - max(span.start_s, word.start_s))


def _pieces(words: Sequence[_Word], voiced: Sequence[Span]) -> Iterator[list[_Word]]:
    """Words cut at pauses and at the ends of sentences that Whisper marked.

    Whisper's times end early by some tenths of a second: the last word of a voice lasts as long as the voice.
    """
    piece: list[_Word] = []
    for n, word in enumerate(words):
        following = words[n + 1] if n + 1 < len(words) else None
        voice = _voice_of(word, voiced)
        if (following is None or following.start_s >= voice.end_s) and voice.end_s - word.end_s <= _EARLY_END_S:
            word = replace(word, end_s=voice.end_s)
        piece.append(word)
        if following is None or word.closes or following.start_s - word.end_s >= _SPLIT_PAUSE_S:
            yield piece
            piece = []


def _segment(words: Sequence[_Word], *, language: str | None) -> SpeechSegment | None:
    text = "".join(word.text for word in words).strip()
    score = sum(word.score for word in words) / len(words)
    if not any(c.isalnum() for c in text) or score < _LEAST_SCORE:
        return None
    start_s = round(words[0].start_s, 2)
    end_s = round(max(words[-1].end_s, words[0].start_s + 0.02), 2)
    return SpeechSegment(
        start_s=start_s,
        end_s=end_s,
        text=text,
        language=language,
        score=round(score, 3),
        words=tuple(_told(words)),
    )


def _told(tokens: Sequence[_Word]) -> Iterator[Word]:
    """The words as they are told: a mark of its own, which is no word, belongs to the word before it."""
    told: list[_Word] = []
    for token in tokens:
        if told and not any(c.isalnum() for c in token.text):
            told[-1] = replace(told[-1], text=told[-1].text + token.text.strip(), end_s=token.end_s)
        else:
            told.append(token)
    for word in told:
        times = round(word.start_s, 2), round(word.end_s, 2)
        yield Word(start_s=times[0], end_s=times[1], text=word.text.strip(), score=round(word.score, 3))


def _cut(samples: NDArray[np.float32], start_s: float, end_s: float) -> NDArray[np.float32]:
    return samples[max(0, round(start_s * RATE_HZ)) : max(0, round(end_s * RATE_HZ))]
