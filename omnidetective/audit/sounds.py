"""Check "sound": what a caption says can be heard is held against sound track, silence, voice and kinds of sound.

Only plain assertions count. A clause that denies or hedges, and what may only be seen (somebody talks, plays a
guitar), is left alone: a false alarm is worse than a miss.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from omnidetective.audit import sound_words
from omnidetective.audit.finding import Confirmation, Finding, Inspection, clipped
from omnidetective.audit.reading import OFF_S, Piece, Reading, looked_at
from omnidetective.evidence import SoundEvent, SoundEvidence, Span, SpeechEvidence
from omnidetective.grounding import content_words
from omnidetective.records import Attribute

CHECK = "sound"
_SHORTEST_SILENCE_S = 2.0
"""A shorter silence may be a pause between the sounds of a moment."""
_TOO_SHORT_S = 0.5
"""Shorter sounds have no loudness, silent or not."""
_EDGE_S = 0.25
_MOSTLY = 0.5

_CLAUSE_END = re.compile(r";|—|,?\s+(?:but|while|whereas|although|though)\b", re.IGNORECASE)
_KINDS: tuple[tuple[Literal["music", "speech", "sound"], re.Pattern[str]], ...] = (
    ("music", re.compile(sound_words.MUSIC, re.IGNORECASE)),
    ("speech", re.compile(sound_words.SPEECH, re.IGNORECASE)),
    ("sound", re.compile(sound_words.HEARD, re.IGNORECASE)),
    ("sound", re.compile(sound_words.OTHER, re.IGNORECASE)),
)
_MUSIC_NOUN = re.compile(sound_words.MUSIC_NOUN, re.IGNORECASE)
_VOICE_NOUN = re.compile(sound_words.VOICE_NOUNS, re.IGNORECASE)
_DENIED = re.compile(sound_words.DENIED, re.IGNORECASE)
_ANOTHER_TIME = re.compile(sound_words.HERE_AND_NOW, re.IGNORECASE)
_ALL_SILENT = re.compile(sound_words.SILENT_THROUGHOUT, re.IGNORECASE)
_LABEL_WORD = re.compile(r"[a-z-]+")


@dataclass(frozen=True, slots=True)
class _Claim:
    """Something said to sound; ``start`` and ``end`` in the caption; ``clause`` with quotations blanked out."""

    kind: Literal["music", "speech", "sound"]
    start: int
    end: int
    clause: str
    window: Span | None


def check(reading: Reading) -> Inspection:
    """Sounds asserted where there are none, and silence asserted where there is sound."""
    findings: list[Finding] = []
    confirmed: list[Confirmation] = []
    for piece in reading.pieces:
        if (finding := _silence_denied(piece, reading)) is not None:
            findings.append(finding)
        for claim in _claims(piece, reading):
            evidence = _borne_out(claim, reading, off_s=0.0)
            silence = None if evidence else _silent(claim, reading)
            if not evidence and silence is None:
                evidence = _borne_out(claim, reading, off_s=OFF_S)
            if evidence:
                confirmed.append(reading.bears_out(CHECK, "scene", (claim.start, claim.end), evidence))
            elif (refuted := silence or _unheard(claim, reading)) is not None:
                findings.append(_error(claim, *refuted, reading))
    return Inspection(tuple(findings), tuple(confirmed))


def _claims(piece: Piece, reading: Reading) -> Iterator[_Claim]:
    """One claim a clause: the first thing in it that is told as sounding."""
    for start, clause in _clauses(piece.words):
        if _DENIED.search(clause) or _ANOTHER_TIME.search(clause):
            continue
        found = [(kind, match) for kind, pattern in _KINDS if (match := pattern.search(clause))]
        if not found:
            continue
        kind, match = found[0]
        if kind == "sound":
            kind = "music" if _MUSIC_NOUN.search(clause) else "speech" if _VOICE_NOUN.search(clause) else "sound"
        # The snippet is the words up to the one that makes it a claim: "soft piano music is heard".
        head = len(clause[: match.start()]) - len(clause[: match.start()].rstrip(" "))
        begin = _phrase_start(clause, match.start() - head if match[0][:1].isalpha() else match.start())
        yield _Claim(
            kind, piece.start + start + begin, piece.start + start + match.end(), clause, reading.window(piece)
        )


def _phrase_start(clause: str, end: int) -> int:
    """Where the phrase begins that ends at a position: after the last sign or quotation, at most seven words back."""
    head = clause[:end]
    boundary = max((m.end() for m in re.finditer(r"[,:()\[\]]|\s{3,}|\band\b", head)), default=0)
    starts = [m.start() + boundary for m in re.finditer(r"\S+", head[boundary:])]
    return starts[-7:][0] if starts else end + len(clause[end:]) - len(clause[end:].lstrip())


def _clauses(words: str) -> Iterator[tuple[int, str]]:
    position = 0
    for match in _CLAUSE_END.finditer(words):
        yield position, words[position : match.start()]
        position = match.end()
    yield position, words[position:]


def _error(claim: _Claim, why: str, evidence: tuple[str, ...], reading: Reading) -> Finding:
    attribute: Attribute = "speech" if claim.kind == "speech" else "scene"
    return Finding(CHECK, attribute, "error", reading.caption[claim.start : claim.end], clipped(why), evidence)


def _borne_out(claim: _Claim, reading: Reading, *, off_s: float) -> tuple[str, ...]:
    """The observations that heard what is claimed, at its moment or at most so many seconds off."""
    case = reading.case
    ids: dict[str, None] = {}
    told = content_words(claim.clause)
    for observation, evidence in case.evidence(SoundEvidence):
        for event in evidence.events:
            if _near(event.start_s, event.end_s, claim.window, off_s) and _is_about(event, claim, told):
                ids[observation.id] = None
    if claim.kind == "speech":
        for observation, speech in case.evidence(SpeechEvidence):
            voices = [(voice.start_s, voice.end_s) for voice in speech.voiced]
            voices += [(segment.start_s, segment.end_s) for segment in speech.segments]
            if any(_near(start_s, end_s, claim.window, off_s) for start_s, end_s in voices):
                ids[observation.id] = None
    return tuple(ids)


def _is_about(event: SoundEvent, claim: _Claim, told: frozenset[str]) -> bool:
    if claim.kind == "music" and _is_music(event):
        return True
    if claim.kind == "speech" and event.label in sound_words.VOICE_LABELS - {"music", "song"}:
        return True
    return bool(content_words(event.label) & told)


def _is_music(event: SoundEvent) -> bool:
    return not sound_words.MUSIC_WORDS.isdisjoint(_LABEL_WORD.findall(event.label))


def _near(start_s: float, end_s: float, window: Span | None, off_s: float) -> bool:
    return window is None or (start_s <= window.end_s + off_s and end_s >= window.start_s - off_s)


def _silent(claim: _Claim, reading: Reading) -> tuple[str, tuple[str, ...]] | None:
    """Why nothing can be heard at the moment, and the observation that shows it."""
    if not reading.case.clip.facts.has_audio:
        return "the file has no sound track", ()
    silence = _silence(reading, claim.window)
    if silence is None:
        return None
    span, observation = silence
    return f"the sound track is silent from {span.start_s:.1f} to {span.end_s:.1f} s", (observation,)


def _unheard(claim: _Claim, reading: Reading) -> tuple[str, tuple[str, ...]] | None:
    """Why no such sound was there, though others may be, and the observations that show it."""
    case, window = reading.case, claim.window
    if claim.kind == "speech":
        listeners = [o for o, e in case.evidence(SpeechEvidence) if e.gated]
        heard = any(e.segments or e.voiced for _, e in case.evidence(SpeechEvidence))
        ids = looked_at(listeners, reading.extent)
        return ("no voice is active and no word is heard anywhere in the clip", ids) if ids and not heard else None
    if claim.kind == "music":
        listened = looked_at([o for o, e in case.evidence(SoundEvidence) if e.classified], window)
        if listened is None:
            return None
        heard_there = any(
            _is_music(event) and _near(event.start_s, event.end_s, window, OFF_S)
            for _, evidence in case.evidence(SoundEvidence)
            for event in evidence.events
        )
        return None if heard_there else ("the sound classifier heard no music there", listened)
    return None


def _silence(reading: Reading, window: Span | None) -> tuple[Span, str] | None:
    """A measured silence that holds a whole window."""
    if window is None:
        return None
    end_s = min(window.end_s, reading.case.clip.duration_s)
    for observation, evidence in reading.case.evidence(SoundEvidence):
        whole = observation.span or reading.case.clip.whole
        spans: tuple[Span, ...] = evidence.silent
        if evidence.loudness_lufs is None and not evidence.events and whole and whole.duration_s >= _TOO_SHORT_S:
            spans = (whole,)  # digital silence
        for span in spans:
            if span.start_s > window.start_s + _EDGE_S or span.end_s < end_s - _EDGE_S:
                continue
            all_of_it = whole is not None and span.duration_s >= whole.duration_s - _EDGE_S
            if span.duration_s >= _SHORTEST_SILENCE_S or all_of_it:
                return span, observation.id
    return None


def _silence_denied(piece: Piece, reading: Reading) -> Finding | None:
    """The caption calls the whole clip silent, and it is not."""
    match = _ALL_SILENT.search(piece.words)
    whole = reading.case.clip.whole
    if match is None or whole is None or (piece.second is not None and "throughout" not in match[0].lower()):
        return None
    loud: list[tuple[str, float, SoundEvent]] = []
    for observation, evidence in reading.case.evidence(SoundEvidence):
        quiet_s = sum(span.duration_s for span in evidence.silent)
        if evidence.loudness_lufs is None or quiet_s > _MOSTLY * (observation.span or whole).duration_s:
            return None
        loud += [(observation.id, evidence.loudness_lufs, event) for event in evidence.events]
    if not loud:
        return None
    observation_id, loudness_lufs, event = max(loud, key=lambda item: item[2].score)
    why = f"it has {loudness_lufs:.1f} LUFS, and {event.label} is heard at {event.start_s:.1f} s"
    return Finding(CHECK, "scene", "error", piece.text[match.start() : match.end()], clipped(why), (observation_id,))
