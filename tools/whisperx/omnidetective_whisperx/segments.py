"""From utterances to evidence: held to where a voice is active, cut at pauses and where the speaker changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from omnidetective.evidence import Span, SpeechSegment, Word
from omnidetective_whisperx.heard import HeardWord, Utterance

_FAR_FROM_VOICE_S = 0.5
"""A word whose times lie further than this from every voice was not spoken."""
_SPLIT_PAUSE_S = 0.6
"""A pause that ends a segment."""
_LEAST_S = 0.02


def held(utterances: Iterable[Utterance], voiced: Sequence[Span]) -> tuple[list[Utterance], int]:
    """What was spoken where a voice is active, with its times inside that voice, and how many utterances were not."""
    kept: list[Utterance] = []
    dropped = 0
    for said in utterances:
        found = _hold_words(said, voiced) if said.words else _hold_whole(said, voiced)
        if found is None:
            dropped += 1
        else:
            kept.append(found)
    return kept, dropped


def segments(utterances: Iterable[Utterance]) -> Iterator[SpeechSegment]:
    """The segments in order, with speakers named S1, S2 … in the order in which they are heard first."""
    labels: dict[str, str] = {}
    for said in sorted(utterances, key=lambda u: u.start_s):
        for part in _parts(said):
            speaker = part.words[0].speaker if part.words else part.speaker
            yield _segment(part, None if speaker is None else labels.setdefault(speaker, f"S{len(labels) + 1}"))


def _hold_whole(said: Utterance, voiced: Sequence[Span]) -> Utterance | None:
    inside = [v for v in voiced if v.start_s < said.end_s and said.start_s < v.end_s]
    if not inside:
        return None
    start_s, end_s = max(said.start_s, inside[0].start_s), min(said.end_s, inside[-1].end_s)
    return replace(said, start_s=start_s, end_s=end_s)


def _hold_words(said: Utterance, voiced: Sequence[Span]) -> Utterance | None:
    words = tuple(word for word in (_hold(word, voiced) for word in said.words) if word is not None)
    if not any(c.isalnum() for word in words for c in word.text):
        return None
    text = said.text if len(words) == len(said.words) else said.joint.join(word.text for word in words)
    return replace(said, start_s=words[0].start_s, end_s=max(w.end_s for w in words), text=text, words=words)


def _hold(word: HeardWord, voiced: Sequence[Span]) -> HeardWord | None:
    if not voiced:
        return None
    voice = max(voiced, key=lambda v: min(v.end_s, word.end_s) - max(v.start_s, word.start_s))
    if max(voice.start_s - word.end_s, word.start_s - voice.end_s) > _FAR_FROM_VOICE_S:
        return None
    start_s = min(max(word.start_s, voice.start_s), voice.end_s)
    return replace(word, start_s=start_s, end_s=max(min(word.end_s, voice.end_s), start_s))


def _parts(said: Utterance) -> Iterator[Utterance]:
    part: list[HeardWord] = []
    for word in said.words:
        if part and (word.start_s - part[-1].end_s >= _SPLIT_PAUSE_S or word.speaker != part[-1].speaker):
            yield _part(said, part)
            part = []
        part.append(word)
    if part and len(part) < len(said.words):
        yield _part(said, part)
    else:
        yield said


def _part(said: Utterance, words: Sequence[HeardWord]) -> Utterance:
    text = said.joint.join(word.text for word in words)
    end_s = max(word.end_s for word in words)
    return replace(said, start_s=words[0].start_s, end_s=end_s, text=text, words=tuple(words))


def _segment(said: Utterance, speaker: str | None) -> SpeechSegment:
    start_s = round(said.start_s, 2)
    words = tuple(
        Word(start_s=round(w.start_s, 2), end_s=round(w.end_s, 2), text=w.text, score=w.score) for w in said.words
    )
    return SpeechSegment(
        start_s=start_s,
        end_s=max(round(said.end_s, 2), round(start_s + _LEAST_S, 2)),
        text=said.text,
        language=said.language,
        speaker=speaker,
        score=said.score,
        words=words or None,
    )
