"""Check "quote": what a caption quotes as speech is held against what speech recognition heard, and when.

Similarity is that of AVoCaDO's dialogue reward (edit similarity, pairs in order); a quotation may also hold part of a
recognised segment, or run over several.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from omnidetective.audit.finding import Confirmation, Finding, Inspection, clipped, quoted, verbatim
from omnidetective.audit.reading import OFF_S, Piece, Reading, looked_at
from omnidetective.audit.screen_text import reads
from omnidetective.audit.sound_words import SUNG, VOICE_LABELS
from omnidetective.audit.transcript import Heard, Transcript, transcripts
from omnidetective.captions.alignment import align, plain
from omnidetective.captions.quotes import Quote
from omnidetective.case import Case
from omnidetective.evidence import SoundEvidence, Span, SpeechEvidence
from omnidetective.grounding import content_words
from omnidetective.records import Observation

CHECK = "quote"
VERBATIM = 0.9
"""Similarity from which the words are those that were recognised; recognisers differ in the rest."""
UNSURE = 0.5
"""Score of a segment below which the recogniser itself does not know: it proves nothing."""
_ALIKE = 0.4
"""Similarity from which words may be the same but for a number that one of them has in digits."""
_FEWEST_WORDS = 3
_MOST_QUOTES = 400
"""What a caption quotes beyond this is left to the check of its form."""
_MOST_PAIRS = 1_000_000
_MOST_MISSING = 20
_TOLD = 0.6
"""Share of the content words of a segment from which the caption tells it in other words."""
_VOICE_S_A_WORD = 0.15

_LATER = re.compile(r"\b(?:then|before|after|afterwards?|later|eventually|finally|until|followed)\b", re.IGNORECASE)
_OTHER_ORDER = re.compile(
    r"\b(?:again|repeat\w*|earlier|before|after|previous\w*|later|first|reply|repl\w+|respon\w+|answer\w*)\b",
    re.IGNORECASE,
)
_UNHEARD = re.compile(
    r"\b(?:mouth(?:s|ed|ing)?|lips?|sign\slanguage|bubbles?|balloons?|translat\w+|meaning|means|thinks?|imagines?|"
    r"without\s(?:a\s)?sound|silently)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A quotation that claims to be speech; ``first`` of its piece; ``words`` in plain form."""

    quote: Quote
    piece: Piece
    words: str
    at_once: bool
    heard: Heard | None = None


def check(reading: Reading) -> Inspection:
    """Quotations of speech that nobody spoke, that are worded, timed or ordered otherwise, and speech left out."""
    case = reading.case
    if not case.clip.facts.has_audio:
        return Inspection(tuple(_without_sound(reading)))
    heard = transcripts(case)
    if not heard:
        return Inspection()
    asked = _asked(reading)
    placed = [_placed(spoken, pair, heard, reading) for spoken, pair in _paired(asked, heard[0], reading)]
    found: list[tuple[int, Finding]] = []
    confirmed: list[Confirmation] = []
    in_place: list[_Spoken] = []
    for spoken in placed:
        finding = _judged(spoken, heard, reading)
        if finding is not None:
            found.append((spoken.quote.start, finding))
        elif spoken.heard is not None:
            in_place.append(spoken)
    disordered = {spoken.quote.start: before for spoken, before in _disordered(in_place, heard[0], reading)}
    for spoken in in_place:
        assert spoken.heard is not None
        where = (spoken.quote.start, spoken.quote.end)
        if spoken.quote.start in disordered:
            found.append((spoken.quote.start, _out_of_order(spoken, disordered[spoken.quote.start], reading)))
        else:
            confirmed.append(reading.bears_out(CHECK, "speech", where, spoken.heard.evidence))
    errors = [finding for _, finding in sorted(found, key=lambda item: item[0])]
    return Inspection((*errors, *_missing(reading, placed)), tuple(confirmed))


def heard(case: Case, words: str, *, at_least: float) -> bool | None:
    """Whether words were heard anywhere in the clip; None where nobody listened to all of it."""
    if not case.clip.facts.has_audio:
        return False
    plain_words = plain(words)
    if any(transcript.find(plain_words, at_least=at_least) for transcript in transcripts(case)):
        return True
    listened = looked_at(_listeners(case), case.span)
    return None if listened is None or _voice_unheard_s(case, case.span) else False


def _asked(reading: Reading) -> list[_Spoken]:
    asked: list[_Spoken] = []
    piece_before: Piece | None = None
    for quote, piece in reading.quotes[:_MOST_QUOTES]:
        words = plain(quote.text)
        if quote.kind == "screen" or not words or (quote.kind == "unclear" and reads(reading.case, quote.text)):
            continue
        lead = reading.caption[piece.start : quote.start]
        at_once = piece.opens and piece is not piece_before and not _LATER.search(lead)
        piece_before = piece
        asked.append(_Spoken(quote, piece, words, at_once))
    return asked


def _paired(
    asked: Sequence[_Spoken], transcript: Transcript, reading: Reading
) -> Iterator[tuple[_Spoken, Heard | None]]:
    """Each quotation with the segment that the order-keeping alignment gives it."""
    pairs: dict[int, Heard] = {}
    if len(asked) * len(transcript.segments) <= _MOST_PAIRS:
        said = [plain(segment.text) for segment, _ in transcript.segments]
        for match in align([spoken.words for spoken in asked], said, threshold=reading.quote_similarity):
            pairs[match.left] = transcript.whole_segment(match.right, match.similarity)
    for n, spoken in enumerate(asked):
        yield spoken, pairs.get(n)


def _placed(spoken: _Spoken, pair: Heard | None, heard: Sequence[Transcript], reading: Reading) -> _Spoken:
    """The quotation with where it was heard: at its moment if it can be, else wherever it fits best."""
    at_least = reading.quote_similarity
    near = _at_moment(spoken, heard, reading, at_least)
    if near is None or near.similarity < VERBATIM:
        anywhere = [pair, *(transcript.find(spoken.words, at_least=at_least) for transcript in heard)]
        found = [place for place in anywhere if place is not None]
        best = max(found, key=lambda place: place.similarity, default=None)
        if best is not None and (near is None or (best.similarity >= VERBATIM and len(spoken.words.split()) > 1)):
            near = best
    return _Spoken(spoken.quote, spoken.piece, spoken.words, spoken.at_once, near)


def _at_moment(spoken: _Spoken, heard: Iterable[Transcript], reading: Reading, at_least: float) -> Heard | None:
    piece = spoken.piece
    if piece.second is None:
        return None
    latest_s = piece.second if spoken.at_once else max(piece.second, piece.until_s)
    places = (
        transcript.between(piece.second - OFF_S, latest_s + OFF_S + 1).find(spoken.words, at_least=at_least)
        for transcript in heard
    )
    fitting = (
        place
        for place in places
        if place and not reading.off(piece, place.start_s, place.end_s, at_once=spoken.at_once)
    )
    return max(fitting, key=lambda place: place.similarity, default=None)


def _judged(spoken: _Spoken, heard: Sequence[Transcript], reading: Reading) -> Finding | None:
    """What is wrong with one quotation by itself."""
    quote, piece, place = spoken.quote, spoken.piece, spoken.heard
    exact = (quote.start, quote.end) in reading.verbatim
    if place is None:
        return _unheard(spoken, heard, reading)
    if quote.kind != "speech":
        return None
    if reading.off(piece, place.start_s, place.end_s, at_once=spoken.at_once):
        if reads(reading.case, quote.text) or _voice_left(spoken, reading):
            return None
        why = f"said at {place.start_s:.1f}–{place.end_s:.1f} s ({quoted(place.words)}), not at {piece.second} s"
        return _error(quote, why, place.evidence, reading)
    sure = all(segment.score is None or segment.score >= UNSURE for segment, _ in place.segments)
    if exact or place.similarity >= VERBATIM or not sure or _number(spoken.words) != _number(place.words):
        return None
    why = f"misquoted: at {place.start_s:.1f} s speech recognition heard {quoted(place.words)}"
    return _error(quote, why, place.evidence, reading)


def _unheard(spoken: _Spoken, heard: Sequence[Transcript], reading: Reading) -> Finding | None:
    """A quotation that the transcript does not hold, where that proves something."""
    case, quote, piece = reading.case, spoken.quote, spoken.piece
    window = reading.window(piece)
    listened = looked_at(_listeners(case), window)
    if listened is None or _UNHEARD.search(piece.words) or _voice_left(spoken, reading):
        return None
    if quote.kind == "unclear":
        # A name or a title perhaps: only where no instrument knows it at all.
        unread = not case.clip.facts.has_video or reads(case, quote.text) is False
        if len(spoken.words.split()) < _FEWEST_WORDS or not unread:
            return None
    elif reads(case, quote.text):
        return None
    around = heard[0] if window is None else heard[0].between(window.start_s - OFF_S, window.end_s + OFF_S)
    if around.segments and all(s.score is not None and s.score < UNSURE for s, _ in around.segments):
        return None
    if _SUNG_WORDS.search(piece.words) and not around.segments and _sung(case, window):
        return None
    nearest = around.find(spoken.words, at_least=0.2) or around.whole_segment(0, 0.0) if around.segments else None
    if nearest is not None and nearest.similarity >= _ALIKE and _number(spoken.words) != _number(nearest.words):
        return None
    said = "no speech there" if nearest is None else f"{quoted(nearest.words)} at {nearest.start_s:.1f} s"
    return _error(quote, f"not said: the nearest that speech recognition heard is {said}", listened, reading)


_SUNG_WORDS = re.compile(SUNG, re.IGNORECASE)


def _sung(case: Case, window: Span | None) -> bool:
    """Whether somebody may sing there: recognisers miss sung words."""
    evidence = [found for _, found in case.evidence(SoundEvidence)]
    if not any(found.classified for found in evidence):
        return True
    return any(
        event.label in VOICE_LABELS
        and (window is None or (event.start_s < window.end_s and window.start_s < event.end_s))
        for found in evidence
        for event in found.events
    )


def _voice_left(spoken: _Spoken, reading: Reading) -> bool:
    """Whether a voice is active at the moment for long enough, where no words could be made out."""
    needed_s = max(0.5, _VOICE_S_A_WORD * len(spoken.words.split()))
    return _voice_unheard_s(reading.case, reading.window(spoken.piece)) >= needed_s


def _voice_unheard_s(case: Case, window: Span | None) -> float:
    """Seconds of active voice in a window that no recognised segment touches."""
    segments = sorted((s.start_s, s.end_s) for _, evidence in case.evidence(SpeechEvidence) for s in evidence.segments)
    starts = [start_s for start_s, _ in segments]
    latest: list[float] = []
    for _, end_s in segments:
        latest.append(max(end_s, latest[-1] if latest else end_s))
    total_s = 0.0
    for _, evidence in case.evidence(SpeechEvidence):
        for voice in evidence.voiced:
            n = bisect_right(starts, voice.end_s)
            if n and latest[n - 1] > voice.start_s:
                continue
            total_s += voice.duration_s if window is None else voice.overlap_s(window)
    return total_s


def _disordered(
    in_place: Sequence[_Spoken], transcript: Transcript, reading: Reading
) -> Iterator[tuple[_Spoken, _Spoken]]:
    """Quotations of one moment told after one that was said later, with that one."""
    latest: tuple[_Spoken, Heard] | None = None
    for spoken in in_place:
        here = spoken.heard
        if here is None or spoken.quote.kind != "speech" or (spoken.piece.second is None and reading.anchored):
            continue
        if latest is None or latest[0].piece.second != spoken.piece.second:
            latest = spoken, here
            continue
        before, there = latest
        if (here.start_s, here.at) >= (there.start_s, there.at):
            latest = spoken, here
            continue
        excused = (
            len(spoken.words.split()) < _FEWEST_WORDS
            or here.segments[0] in there.segments
            or _OTHER_ORDER.search(spoken.piece.words)
            or transcript.between(there.start_s, math.inf).find(spoken.words, at_least=reading.quote_similarity)
        )
        if not excused:
            yield spoken, before


def _out_of_order(spoken: _Spoken, before: _Spoken, reading: Reading) -> Finding:
    assert spoken.heard is not None
    assert before.heard is not None
    why = (
        f"out of order: said at {spoken.heard.start_s:.1f} s, before {quoted(before.quote.text)} "
        f"at {before.heard.start_s:.1f} s, which the caption quotes earlier"
    )
    return _error(spoken.quote, why, spoken.heard.evidence, reading)


def _missing(reading: Reading, placed: Iterable[_Spoken]) -> Iterator[Finding]:
    """Recognised speech that the caption neither quotes nor tells."""
    quoted_segments = {id(s) for spoken in placed if spoken.heard for s, _ in spoken.heard.segments}
    told, all_plain = content_words(reading.caption), f" {plain(reading.caption)} "
    count = 0
    for segment, observation in reading.case.speech() or ():
        words = plain(segment.text)
        outside = reading.extent is not None and not (
            reading.extent.start_s <= (segment.start_s + segment.end_s) / 2 < reading.extent.end_s
        )
        if id(segment) in quoted_segments or outside or (segment.score is not None and segment.score < UNSURE):
            continue
        carrying = content_words(segment.text)
        if len(words.split()) < _FEWEST_WORDS or not carrying or words in all_plain:
            continue
        if len(carrying & told) >= _TOLD * len(carrying):
            continue
        what = f"the words {verbatim(segment.text)}, spoken at {segment.start_s:.1f} s"
        why = (
            f"speech recognition heard them at {segment.start_s:.1f}–{segment.end_s:.1f} s; the caption has none of it"
        )
        yield Finding(CHECK, "speech", "missing", what, clipped(why), (observation,))
        count += 1
        if count == _MOST_MISSING:
            return


def _without_sound(reading: Reading) -> Iterator[Finding]:
    for quote, piece in reading.quotes[:_MOST_QUOTES]:
        spoken = quote.kind == "speech" and plain(quote.text) and not _UNHEARD.search(piece.words)
        if spoken and not reads(reading.case, quote.text):
            yield _error(quote, "quoted as speech, but the file has no sound track", (), reading)


def _error(quote: Quote, why: str, evidence: tuple[str, ...], reading: Reading) -> Finding:
    return Finding(CHECK, "speech", "error", reading.caption[quote.start : quote.end], clipped(why), evidence)


def _listeners(case: Case) -> tuple[Observation, ...]:
    return tuple(observation for observation, _ in case.evidence(SpeechEvidence))


def _number(words: str) -> bool:
    """Whether a number is written in digits: "30" and "thirty" are the same words."""
    return any(character.isdigit() for character in words)
