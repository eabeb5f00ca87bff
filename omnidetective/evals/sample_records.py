"""Hold caption records against what is known to be in the clips.

The measures, and how each is counted:

- **Words**: word error rate over all transcript lines of a clip, in order. Case and punctuation are set aside
  (:func:`words`), nothing else is: ``20`` for ``twenty`` is an error.
- **Cards**: a block of text is read exactly when OCR reports each of its lines, or the whole block with its lines
  joined by spaces, character for character, at a time when the block is shown. It is quoted when each of its lines
  stands verbatim in the caption. OCR texts that are part of no block count as ``strange_text``.
- **Cuts**: found within :data:`CUT_TOLERANCE_S`, one detection for one cut; other detections are false cuts.
- **Outside**: events, transcript lines and "At 3.2 s" anchors of the caption that lie beyond the end of the clip.
- **False speech**: transcript lines that reach more than :data:`FALSE_SPEECH_S` into one stretch without a voice; in a
  clip in which nobody speaks, all of them.
- **Sounds**: a kind of sound is heard when sound events whose label holds its word cover half of its time; an event is
  false when its label holds the word of a kind that the clip does not hold at all.
- **Silence**: seconds of true silence that were reported as silent, and reported seconds that were not silent.

A clip without a record counts as one in which nothing was found.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from rapidfuzz.distance import Levenshtein

from omnidetective.evals.sample_truth import SOUND_LABELS, ClipTruth, ShownText, Truth
from omnidetective.evidence import ShotEvidence, SoundEvent, SoundEvidence, Span, TextCard, TextEvidence
from omnidetective.frozen import Frozen
from omnidetective.records import CaptionRecord, TranscriptLine

CUT_TOLERANCE_S = 0.2
FALSE_SPEECH_S = 0.5
END_TOLERANCE_S = 0.1
"""How far past the end a time may lie: audio codecs pad the last frame."""
MAX_WORD_ERROR_RATE = 0.10

_ANCHOR = re.compile(r"\bat (\d+(?:\.\d+)?) ?s\b", re.IGNORECASE)


class ClipScore(Frozen):
    """The counts of one clip, or of all clips together."""

    id: str
    missing: bool = False
    words: int = 0
    word_errors: int = 0
    cards: int = 0
    cards_exact: int = 0
    cards_quoted: int = 0
    strange_text: int = 0
    cuts: int = 0
    cuts_found: int = 0
    false_cuts: int = 0
    outside: int = 0
    false_speech: int = 0
    languages: int = 0
    languages_right: int = 0
    sounds: int = 0
    sounds_heard: int = 0
    false_sounds: int = 0
    silent_s: float = 0.0
    silent_found_s: float = 0.0
    silent_false_s: float = 0.0
    seconds: float = 0.0
    """Wall time that the clip took."""

    @property
    def word_error_rate(self) -> float | None:
        """Word errors per word spoken; ``None`` where nothing is said."""
        return self.word_errors / self.words if self.words else None


class Scores(Frozen):
    """All clips, their sum, and the bars that are missed (empty: all are met)."""

    clips: tuple[ClipScore, ...]
    total: ClipScore
    missed: tuple[str, ...]


def score(truth: Truth, records: Sequence[CaptionRecord]) -> Scores:
    """Score records against the truth.

    Raises:
        ValueError: a record is of no clip in the truth, or two are of the same clip.
    """
    by_id = {record.id: record for record in records}
    unknown = by_id.keys() - {clip.id for clip in truth.clips}
    if unknown or len(by_id) != len(records):
        raise ValueError(f"records of unknown clips: {sorted(unknown)}" if unknown else "two records have the same id")
    clips = tuple(score_clip(clip, by_id.get(clip.id)) for clip in truth.clips)
    total = add_up(clips)
    return Scores(clips=clips, total=total, missed=missed_bars(clips, total))


def score_clip(clip: ClipTruth, record: CaptionRecord | None) -> ClipScore:
    """Score one record; ``None`` is a clip that has none."""
    spoken = [word for item in clip.transcript for word in words(item.text)]
    silent = [item.span for item in clip.silent]
    if record is None:
        return ClipScore(
            id=clip.id,
            missing=True,
            words=len(spoken),
            word_errors=len(spoken),
            cards=len(clip.cards),
            cuts=len(clip.cuts),
            languages=len({item.language for item in clip.transcript}),
            sounds=len(clip.sounds),
            silent_s=length_s(silent),
        )
    lines = record.transcript or ()
    heard = [word for line in lines for word in words(line.text)]
    findings = [item.data for item in record.observations or () if item.data is not None]
    read = [card for item in findings if isinstance(item, TextEvidence) for card in item.cards]
    detected = distinct_times(cut.time_s for item in findings if isinstance(item, ShotEvidence) for cut in item.cuts)
    sound = [item for item in findings if isinstance(item, SoundEvidence)]
    quiet = [span for item in sound for span in item.silent]
    sound_events = [event for item in sound for event in item.events]
    languages = {item.language for item in clip.transcript}
    found = cuts_found(clip.cuts, detected)
    caption = one_spaced(record.caption)
    overlap_s = length_s(intersect(silent, quiet))
    return ClipScore(
        id=clip.id,
        words=len(spoken),
        word_errors=Levenshtein.distance(spoken, heard),
        cards=len(clip.cards),
        cards_exact=sum(read_exactly(card, read) for card in clip.cards),
        cards_quoted=sum(all(line in caption for line in card.lines) for card in clip.cards),
        strange_text=strange_text(clip.cards, read),
        cuts=len(clip.cuts),
        cuts_found=found,
        false_cuts=len(detected) - found,
        outside=outside(clip, record),
        false_speech=sum(is_false_speech(clip, line) for line in lines),
        languages=len(languages),
        languages_right=len(languages & {line.language for line in lines}),
        sounds=len(clip.sounds),
        sounds_heard=sum(is_heard(item.label, item.span, sound_events) for item in clip.sounds),
        false_sounds=sum(is_false_sound(clip, event) for event in sound_events),
        silent_s=length_s(silent),
        silent_found_s=overlap_s,
        silent_false_s=length_s(quiet) - overlap_s,
        seconds=record.provenance.seconds,
    )


def add_up(clips: Sequence[ClipScore]) -> ClipScore:
    """The sum of all counts."""
    names = [name for name in ClipScore.model_fields if name not in ("id", "missing")]
    sums = {name: sum(getattr(clip, name) for clip in clips) for name in names}
    return ClipScore(id="total", missing=any(clip.missing for clip in clips), **sums)


def missed_bars(clips: Sequence[ClipScore], total: ClipScore) -> tuple[str, ...]:
    """What falls short of what the sample clips must show, in words."""
    rate = total.word_error_rate or 0.0
    missing = [clip.id for clip in clips if clip.missing]
    checks = {
        f"no record for: {', '.join(missing)}": bool(missing),
        f"word error rate {rate:.1%}, at most {MAX_WORD_ERROR_RATE:.0%} is allowed": rate > MAX_WORD_ERROR_RATE,
        f"{total.cards_exact} of {total.cards} text cards read exactly": total.cards_exact < total.cards,
        f"{total.cuts_found} of {total.cuts} cuts found within {CUT_TOLERANCE_S} s": total.cuts_found < total.cuts,
        f"{total.outside} things reported after the end of a clip": total.outside > 0,
        f"{total.false_speech} transcript lines where nobody speaks": total.false_speech > 0,
    }
    return tuple(text for text, is_missed in checks.items() if is_missed)


def words(text: str) -> list[str]:
    """The words of a text, without case and punctuation; an apostrophe inside a word is part of it, a hyphen is not."""
    plain = unicodedata.normalize("NFC", text).casefold().replace("’", "'")
    return re.findall(r"\w+(?:'\w+)*", plain.replace("_", " "))


def one_spaced(text: str) -> str:
    """The text with every run of white space as one space."""
    return " ".join(text.split())


def read_exactly(card: ShownText, read: Iterable[TextCard]) -> bool:
    """Whether OCR reported the block, whole or line by line, while it was shown."""
    seen: set[str] = set()
    for item in read:
        if is_shown_with(card, item):
            seen.update(item.text.split("\n"), (item.text.replace("\n", " "),))
    return " ".join(card.lines) in seen or seen.issuperset(card.lines)


def is_shown_with(card: ShownText, item: TextCard) -> bool:
    """Whether both are on screen at one time; in an image, everything is."""
    if card.start_s is None or card.end_s is None:
        return True
    if item.start_s is None or item.end_s is None:
        return False
    return item.start_s < card.end_s and max(item.end_s, item.start_s + 1e-3) > card.start_s


def strange_text(cards: Sequence[ShownText], read: Iterable[TextCard]) -> int:
    """How many different OCR texts are part of no block."""
    known = {line for card in cards for line in card.lines} | {" ".join(card.lines) for card in cards}
    texts = {item.text for item in read}
    return sum(text.replace("\n", " ") not in known and not known.issuperset(text.split("\n")) for text in texts)


def distinct_times(times: Iterable[float]) -> list[float]:
    """Times in order; one cut, reported by several observations, counts once."""
    kept: list[float] = []
    for time_s in sorted(times):
        if not kept or time_s - kept[-1] > 0.05:
            kept.append(time_s)
    return kept


def cuts_found(true: Sequence[float], detected: Sequence[float]) -> int:
    """How many true cuts have a detection of their own within the tolerance. Both are in order."""
    found = position = 0
    for time_s in true:
        while position < len(detected) and detected[position] < time_s - CUT_TOLERANCE_S - 1e-9:
            position += 1
        if position < len(detected) and detected[position] <= time_s + CUT_TOLERANCE_S + 1e-9:
            found += 1
            position += 1
    return found


def outside(clip: ClipTruth, record: CaptionRecord) -> int:
    """How many events, transcript lines and anchors of the caption are outside the clip; an image has no times."""
    spans = [(event.start_s, event.end_s) for event in record.events or ()]
    spans += [(line.start_s, line.end_s) for line in record.transcript or ()]
    quoted = {match for line in record.transcript or () for match in _ANCHOR.findall(line.text)}
    spans += [(float(text), float(text)) for text in _ANCHOR.findall(record.caption) if text not in quoted]
    end_s = 0.0 if clip.duration_s is None else clip.duration_s + END_TOLERANCE_S
    times = [[time_s for time_s in span if time_s is not None] for span in spans]
    if clip.duration_s is None:
        return sum(bool(pair) for pair in times)
    return sum(bool(pair) and (min(pair) < 0 or max(pair) > end_s) for pair in times)


def is_false_speech(clip: ClipTruth, line: TranscriptLine) -> bool:
    """Whether a transcript line says that somebody speaks where nobody does."""
    if not clip.has_speech:
        return True
    overlaps = (min(line.end_s, gap.end_s) - max(line.start_s, gap.start_s) for gap in gaps(clip))
    return any(seconds > FALSE_SPEECH_S for seconds in overlaps)


def is_false_sound(clip: ClipTruth, event: SoundEvent) -> bool:
    """Whether the event is of a kind that the truth knows, and that the clip does not hold."""
    held = {item.label for item in clip.sounds}
    return any(label in event.label.lower() for label in SOUND_LABELS if label not in held)


def gaps(clip: ClipTruth) -> list[Span]:
    """Where nobody speaks. The last stretch has no end: what is said after the end of the clip is false too."""
    edges = [0.0, *(edge for item in clip.transcript for edge in (item.start_s, item.end_s)), 1e9]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [Span(start_s=start_s, end_s=end_s) for start_s, end_s in pairs if end_s > start_s]


def is_heard(label: str, span: Span, events: Iterable[SoundEvent]) -> bool:
    """Whether events of this kind cover half of the span or more."""
    spans = [
        Span(start_s=event.start_s, end_s=event.end_s)
        for event in events
        if label in event.label.lower() and event.end_s > event.start_s
    ]
    return length_s(intersect([span], spans)) >= span.duration_s / 2


def union(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, those that touch made one."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda item: item.start_s):
        if merged and span.start_s <= merged[-1].end_s:
            merged[-1] = Span(start_s=merged[-1].start_s, end_s=max(merged[-1].end_s, span.end_s))
        else:
            merged.append(span)
    return merged


def intersect(one: Iterable[Span], other: Iterable[Span]) -> list[Span]:
    """What lies in both."""
    others = union(other)
    pairs = ((a, b) for a in union(one) for b in others if a.overlap_s(b) > 0)
    return [Span(start_s=max(a.start_s, b.start_s), end_s=min(a.end_s, b.end_s)) for a, b in pairs]


def length_s(spans: Iterable[Span]) -> float:
    """Seconds that the spans cover together."""
    return sum((span.duration_s for span in union(spans)), 0.0)
