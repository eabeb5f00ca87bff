"""From timed evidence to statements: one thing that was measured, when, how sure, and by which observations.

The same finding seen by two observations (a first look and a denser one) is one statement that cites both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from omnidetective.case import Case
from omnidetective.detective.told_boxes import told_by_place
from omnidetective.evidence import ShotEvidence, SoundEvent, SoundEvidence, SpeechEvidence, TextCard, TextEvidence
from omnidetective.language_names import language_name

SURE = 0.7
"""Score from which a finding is stated rather than hedged."""
_SAME_CARD_S = 1.0
_TOGETHER_S = 0.3
_SAME_MOMENT_S = 0.15
_GOES_ON_S = 2.0
_SILENCE_S = 2.0
_SPEECH_SOUNDS = frozenset(
    {"speech", "male speech, man speaking", "female speech, woman speaking", "child speech, kid speaking",
     "conversation", "narration, monologue", "babbling", "speech synthesizer"}
)  # fmt: skip
_NO_SOUND_OF_ITS_OWN = frozenset(
    {"silence", "inside, small room", "inside, large room or hall", "inside, public space",
     "outside, urban or manmade", "outside, rural or natural", "sound effect", "field recording"}
)  # fmt: skip


_ORDINALS = (
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
)
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def number_name(number: int) -> str:
    """A small number as a word."""
    return _NUMBERS[number] if number < len(_NUMBERS) else str(number)


@dataclass(frozen=True, slots=True)
class Statement:
    """One clause in the present tense, without capital or full stop.

    ``order`` sorts statements of the same moment; ``text`` may end in a closing quotation mark.
    """

    start_s: float | None
    end_s: float | None
    text: str
    modality: Literal["visual", "audio", "speech", "audiovisual"]
    evidence: tuple[str, ...]
    order: int = 0


def cuts(case: Case) -> Iterator[Statement]:
    """The hard changes of shot."""
    starts = shot_starts(case)
    for observation, evidence in case.evidence(ShotEvidence):
        for cut in evidence.cuts:
            clause = f"the picture cuts to {shot_name(starts.index(cut.time_s) + 2)}"
            yield Statement(cut.time_s, cut.time_s, clause, "visual", (observation.id,), order=0)


def shot_starts(case: Case) -> list[float]:
    """When the second shot begins, the third, and so on: at cuts, and in the middle of gradual changes."""
    evidence = [found for _, found in case.evidence(ShotEvidence)]
    cut_times = {cut.time_s for found in evidence for cut in found.cuts}
    soft = {shot.start_s for found in evidence if found.fades for shot in found.shots[1:]}
    return sorted(cut_times | soft)


def texts(case: Case, *, told: frozenset[str] = frozenset()) -> Iterator[Statement]:
    """The text on screen. Lines that appear at the same moment make one statement.

    Args:
        told: texts that other statements quote, and that are left out here.
    """
    cut_times = [cut.time_s for _, shots in case.evidence(ShotEvidence) for cut in shots.cuts]
    once = (item for item in _cards(case) if item[0].text not in told and not told_by_place(item[0], case))
    for together in _appearing_together(once):
        cards = [card for card, _ in together]
        evidence = tuple(dict.fromkeys(i for _, ids in together for i in ids))
        ends = [card.end_s for card in cards if card.end_s is not None]
        start_s = _at_cut(cards[0].start_s, cut_times)
        yield Statement(start_s, max(ends, default=None), _text_clause(cards), "visual", evidence, order=1)


def speech(case: Case) -> Iterator[Statement]:
    """What is said, verbatim."""
    language: str | None = None
    last_end_s: float | None = None
    last: tuple[str, str] | None = None
    listenings = sum(any(s.speaker for s in evidence.segments) for _, evidence in case.evidence(SpeechEvidence))
    for segment, observation_id in case.speech() or ():
        sure = segment.score is None or segment.score >= SURE - 0.1
        # Labels are those of one listening: between two they tell nothing.
        speaker = (observation_id, segment.speaker) if segment.speaker and listenings == 1 else None
        another = speaker is not None and last is not None and speaker != last
        last = speaker or last
        goes_on = last_end_s is not None and segment.start_s - last_end_s < _GOES_ON_S and not another
        words = f"“{segment.text.strip()}”"
        if goes_on and sure and segment.language == language:
            clause = f"the speech goes on: {words}"
        else:
            spoken = language_name(segment.language) if segment.language != language else None
            tongue = f" in {spoken}" if spoken else ""
            voice = "another voice" if another else "a voice"
            clause = f"{voice} {'says' if sure else 'seems to say'}{tongue}: {words}"
        language, last_end_s = segment.language, segment.end_s
        yield Statement(segment.start_s, segment.end_s, clause, "speech", (observation_id,), order=2)


def sounds(case: Case) -> Iterator[Statement]:
    """Kinds of sound. Speech is left to speech recognition where it listened."""
    listened = any(True for _ in case.evidence(SpeechEvidence))
    for event, evidence in _sound_events(case):
        if event.label in _SPEECH_SOUNDS and listened:
            continue
        name = event.label.split(",")[0]
        verb = "plays" if name == "music" else "is heard"
        clause = f"{name} {verb}" if event.score >= SURE else f"what sounds like {name} is heard"
        yield Statement(event.start_s, event.end_s, clause, "audio", evidence, order=3)


def silences(case: Case) -> Iterator[Statement]:
    """Where the sound stops, after there was some."""
    length_s = case.clip.duration_s
    for observation, evidence in case.evidence(SoundEvidence):
        if observation.span is not None or evidence.loudness_lufs is None:
            continue
        for span in evidence.silent:
            if span.duration_s >= _SILENCE_S and span.duration_s < length_s - 0.5:
                clause = "the sound falls silent" if span.start_s > 0.5 else "nothing is heard yet"
                yield Statement(span.start_s, span.end_s, clause, "audio", (observation.id,), order=4)
                yield from _sets_in(case, observation.id, evidence, span.end_s)


def _sets_in(case: Case, observation_id: str, evidence: SoundEvidence, silent_to_s: float) -> Iterator[Statement]:
    """The end of a silence, where nothing that is known says what sets in there."""
    onset_s = next((t for t in evidence.onsets_s if abs(t - silent_to_s) <= _SAME_MOMENT_S), None)
    begins = [event.start_s for event, _ in _sound_events(case)] + [s.start_s for s, _ in case.speech() or ()]
    if onset_s is not None and not any(abs(start_s - onset_s) <= _GOES_ON_S / 2 for start_s in begins):
        yield Statement(onset_s, onset_s, "the sound sets in", "audio", (observation_id,), order=4)


def shot_name(number: int) -> str:
    """The second shot, the third, and so on."""
    return f"the {_ORDINALS[number - 2]} shot" if number - 2 < len(_ORDINALS) else f"shot {number}"


def _at_cut(start_s: float | None, cut_times: list[float]) -> float | None:
    """The time of a cut that text came with: cuts are measured to the frame, the coming of text nearly so."""
    if start_s is None:
        return None
    return next((t for t in cut_times if abs(t - start_s) <= _SAME_MOMENT_S), start_s)


def _text_clause(cards: list[TextCard]) -> str:
    sure = all(card.score is None or card.score >= SURE for card in cards)
    boxes = [card.box for card in cards if card.box is not None]
    where = _place(_around(boxes)) if len(boxes) == len(cards) else ""
    where += "" if cards[0].page is None else f" {'of' if where else 'on'} page {cards[0].page}"
    quoted = ", ".join(f"“{card.text}”" for card in cards)
    if len(cards) == 1:
        return f"the text {quoted} {'is' if sure else 'seems to be'} shown{where}"
    return f"{number_name(len(cards))} lines of text {'are' if sure else 'seem to be'} shown{where}: {quoted}"


def _appearing_together(
    cards: Iterable[tuple[TextCard, tuple[str, ...]]],
) -> Iterator[list[tuple[TextCard, tuple[str, ...]]]]:
    """Lines that come at the same moment, in order of reading."""
    group: list[tuple[TextCard, tuple[str, ...]]] = []
    for item in cards:
        start_s, before_s = item[0].start_s, group[0][0].start_s if group else None
        if (
            group
            and item[0].page == group[0][0].page
            and (start_s is None or before_s is None or start_s - before_s <= _TOGETHER_S)
        ):
            group.append(item)
            continue
        if group:
            yield group
        group = [item]
    if group:
        yield group


def _around(boxes: list[tuple[float, float, float, float]]) -> tuple[float, float, float, float]:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _cards(case: Case) -> tuple[tuple[TextCard, tuple[str, ...]], ...]:
    merged: list[tuple[TextCard, tuple[str, ...]]] = []
    for observation, evidence in case.evidence(TextEvidence):
        for card in evidence.cards:
            for i, (known, ids) in enumerate(merged):
                if known.text == card.text and known.page == card.page and _touch(known, card):
                    merged[i] = _union(known, card), tuple(dict.fromkeys((*ids, observation.id)))
                    break
            else:
                merged.append((card, (observation.id,)))
    return tuple(sorted(merged, key=lambda item: item[0].start_s or 0.0))


def _touch(a: TextCard, b: TextCard) -> bool:
    if a.start_s is None or b.start_s is None:
        return True
    a_end_s, b_end_s = a.end_s or a.start_s, b.end_s or b.start_s
    return a.start_s <= b_end_s + _SAME_CARD_S and b.start_s <= a_end_s + _SAME_CARD_S


def _union(a: TextCard, b: TextCard) -> TextCard:
    if a.start_s is None or b.start_s is None:
        return a
    ends = [end for end in (a.end_s, b.end_s) if end is not None]
    return a.model_copy(update={"start_s": min(a.start_s, b.start_s), "end_s": max(ends) if ends else None})


def _sound_events(case: Case) -> tuple[tuple[SoundEvent, tuple[str, ...]], ...]:
    """Events by label, joined where they overlap; of kinds heard at the same time the two surest."""
    merged: list[tuple[SoundEvent, tuple[str, ...]]] = []
    for observation, evidence in case.evidence(SoundEvidence):
        for event in evidence.events:
            if event.label in _NO_SOUND_OF_ITS_OWN:
                continue
            for i, (known, ids) in enumerate(merged):
                if known.label == event.label and known.start_s <= event.end_s and event.start_s <= known.end_s:
                    joined = known.model_copy(
                        update={
                            "start_s": min(known.start_s, event.start_s),
                            "end_s": max(known.end_s, event.end_s),
                            "score": max(known.score, event.score),
                        }
                    )
                    merged[i] = joined, tuple(dict.fromkeys((*ids, observation.id)))
                    break
            else:
                merged.append((event, (observation.id,)))
    surest = sorted(merged, key=lambda item: -item[0].score)
    kept: list[tuple[SoundEvent, tuple[str, ...]]] = []
    for event, ids in surest:
        rivals = sum(_mostly_within(event, other) for other, _ in kept)
        if rivals < 2:
            kept.append((event, ids))
    return tuple(sorted(kept, key=lambda item: item[0].start_s))


def _mostly_within(event: SoundEvent, other: SoundEvent) -> bool:
    shared_s = min(event.end_s, other.end_s) - max(event.start_s, other.start_s)
    return shared_s > 0.5 * (event.end_s - event.start_s)


def _place(box: tuple[float, float, float, float] | None) -> str:
    """Where a box is, in ninths of the frame."""
    if box is None:
        return ""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    column = "left" if x < 1 / 3 else "right" if x > 2 / 3 else ""
    row = "upper" if y < 1 / 3 else "lower" if y > 2 / 3 else ""
    if row and column:
        return f" in the {row} {column}"
    if row:
        return " at the top" if row == "upper" else " at the bottom"
    return f" on the {column}" if column else " in the middle"


def joined(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """In order of time, then of kind; equal clauses of the same second once, with the evidence of all."""
    ordered = sorted(statements, key=lambda s: (s.start_s or 0.0, s.order))
    unique: dict[tuple[int | None, str], Statement] = {}
    for statement in ordered:
        key = (None if statement.start_s is None else int(statement.start_s), statement.text)
        if key in unique:
            known = unique[key]
            unique[key] = replace(known, evidence=tuple(dict.fromkeys((*known.evidence, *statement.evidence))))
        else:
            unique[key] = statement
    return tuple(unique.values())
