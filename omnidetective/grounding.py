"""From a text to sentences that cite evidence, as far as the evidence bears them out.

A sentence takes over what an earlier version of it cited. A new one cites the observations that hold most of its
words: a trace that a reader can follow, no proof. What nothing holds cites nothing, and counts against the caption's
grounding.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Literal

from rapidfuzz import process

from omnidetective.captions.alignment import plain, similarity
from omnidetective.captions.anchors import find_anchors
from omnidetective.captions.letters import CJK, is_cjk
from omnidetective.captions.moments import moments
from omnidetective.captions.quotes import find_quotes
from omnidetective.captions.sentences import split_sentences
from omnidetective.case import Case
from omnidetective.evidence import (
    ColourEvidence,
    FaceEvidence,
    MetadataEvidence,
    ShotEvidence,
    SoundEvidence,
    SpeechEvidence,
    TextEvidence,
)
from omnidetective.page_evidence import CodeEvidence, TableEvidence
from omnidetective.records import Event, Observation

EventModality = Literal["visual", "audio", "speech", "audiovisual"]

SAME_SENTENCE = 0.8
"""Similarity from which two sentences are versions of one another."""
_HELD = 0.5
"""Share of a sentence's content words that an observation must hold to be cited for it."""
_TOLD = 0.75
"""Share of an event's content words that a sentence must hold to be taken for telling it."""
_SAME_MOMENT_S = 5.0
_FEWEST_WORDS = 2
_MOST_CITED = 3

_WORD = re.compile(r"[^\W_]+")
_CJK_RUN = re.compile(f"([{CJK}]+)")
_EMPTY_WORDS = """
a an and are as at be been being but by for from had has have he her here hers him his how i in into is it its of off on
one or out over she so some such that the their them then there these it they this those through to too under up very
was we were what when where which while who whom whose will with you your yours two three say says said seen heard speak
speaks spoken talks shown shows appear appears video clip scene sound recording s t
"""
_EMPTY = frozenset(_EMPTY_WORDS.split())
_SENSES: dict[str, EventModality] = {
    "asr": "speech",
    "audio_llm": "audio",
    "code": "visual",
    "colour": "visual",
    "faces": "visual",
    "sound": "audio",
    "frame_captioner": "visual",
    "ocr": "visual",
    "shots": "visual",
    "tables": "visual",
}
_DATA_SENSES: tuple[tuple[type, EventModality], ...] = (
    (SpeechEvidence, "speech"),
    (SoundEvidence, "audio"),
    (TextEvidence, "visual"),
    (ShotEvidence, "visual"),
    (FaceEvidence, "visual"),
    (ColourEvidence, "visual"),
    (TableEvidence, "visual"),
    (CodeEvidence, "visual"),
)


def cited(text: str, case: Case, *, known: Sequence[Event] = (), trusted: Collection[str] = ()) -> tuple[Event, ...]:
    """The sentences of a caption, each with its time and what it cites.

    Args:
        text: the caption, or one section of it; anchors are canonical.
        case: whose observations can be cited.
        known: sentences of an earlier version, or events that a model gave with their evidence. A sentence that is
            nearly the same takes over their evidence, modality and times.
        trusted: ids to cite for a sentence that is new and that no observation holds, because a finding asked for it.

    Returns:
        One event a sentence, in order; their texts joined by spaces say what ``text`` says. Those of an image have no
        times.
    """
    old = [plain(_without_anchor(event.text)) for event in known]
    seconds = [(moment.start, moment.second) for moment in moments(text) if moment.second is not None]
    second: int | None = None
    still = case.clip.whole is None
    events = []
    for sentence in split_sentences(text):
        opened = [new for at, new in seconds if sentence.start <= at < sentence.end]
        second = opened[0] if opened else second
        told = _version_of(sentence.text, known, old) or _told_in(sentence.text, second, known)
        evidence = tuple(dict.fromkeys(i for event in told for i in event.evidence))
        evidence = evidence or holding(sentence.text, case.answers) or tuple(dict.fromkeys(trusted))
        start_s, end_s = (None, None) if still else _times(told, second, opens=bool(opened))
        senses = {event.modality for event in told}
        modality = senses.pop() if len(senses) == 1 else sense(sentence.text, evidence, case)
        events.append(Event(start_s=start_s, end_s=end_s, text=sentence.text, modality=modality, evidence=evidence))
    return tuple(events)


def share_cited(events: Iterable[Event]) -> float:
    """Share of the sentences that cite evidence, 0…1; 0 for no sentence."""
    all_events = tuple(events)
    return sum(bool(event.evidence) for event in all_events) / len(all_events) if all_events else 0.0


def holding(text: str, observations: Iterable[Observation]) -> tuple[str, ...]:
    """The ids of the observations whose answers hold most of the content words of a sentence, best first."""
    words = content_words(_without_anchor(text))
    if len(words) < _FEWEST_WORDS:
        return ()
    # What somebody wrote into the file's header bears nothing out: it is cited only where it is named.
    observations = [o for o in observations if not isinstance(o.data, MetadataEvidence)]
    shares = [(len(words & content_words(o.answer)) / len(words), -n, o.id) for n, o in enumerate(observations)]
    return tuple(id_ for share, _, id_ in sorted(shares, reverse=True)[:_MOST_CITED] if share >= _HELD)


@lru_cache(maxsize=512)
def content_words(text: str) -> frozenset[str]:
    """The words that carry meaning, without case and without the commonest English endings.

    Where words are written without spaces (Han, kana, hangul) two neighbouring characters count as one.
    """
    return frozenset(piece for word in _WORD.findall(text.casefold()) if word not in _EMPTY for piece in _pieces(word))


def sense(text: str, evidence: Collection[str], case: Case) -> EventModality:
    """By which sense a sentence is known: by its evidence; without any, by what it quotes and by the kind of clip."""
    facts = case.clip.facts
    if not facts.has_audio:
        return "visual"
    if any(quote.kind == "speech" for quote in find_quotes(text)):
        return "speech"
    if not facts.has_video:
        return "audio"
    senses = {_sense_of(o) for o in case.observations if o.id in evidence}
    return senses.pop() if len(senses) == 1 else "audiovisual" if senses else "visual"


def _version_of(sentence: str, known: Sequence[Event], plain_texts: Sequence[str]) -> tuple[Event, ...]:
    """The event that is nearly this sentence, if there is one."""
    bare = plain(_without_anchor(sentence))
    if not bare or not plain_texts:
        return ()
    match = process.extractOne(bare, plain_texts, scorer=_scored, score_cutoff=SAME_SENTENCE)
    return () if match is None else (known[match[2]],)


def _told_in(sentence: str, second: int | None, known: Iterable[Event]) -> tuple[Event, ...]:
    """The events that a sentence tells, among other things: most of their words are in it."""
    words = content_words(_without_anchor(sentence))
    return tuple(
        event
        for event in known
        if (second is None or event.start_s is None or abs(event.start_s - second) <= _SAME_MOMENT_S)
        and (told := content_words(_without_anchor(event.text)))
        and len(told & words) >= _TOLD * len(told)
    )


def _times(told: Sequence[Event], second: int | None, *, opens: bool) -> tuple[float | None, float | None]:
    """When a sentence happens: as the events it tells, unless its own anchor says otherwise; else as its moment."""
    starts = [event.start_s for event in told if event.start_s is not None]
    ends = [event.end_s for event in told if event.end_s is not None]
    if starts and not (opens and int(min(starts)) != second):
        return min(starts), max(ends, default=None)
    return None if second is None else float(second), None


def _sense_of(observation: Observation) -> EventModality:
    for kind, found in _DATA_SENSES:
        if isinstance(observation.data, kind):
            return found
    return _SENSES.get(observation.observer, "audiovisual")


def _scored(a: str, b: str, *, score_cutoff: float | None = None) -> float:
    return similarity(a, b)  # rapidfuzz hands a cutoff to every scorer; ours needs none


def _without_anchor(text: str) -> str:
    anchors = find_anchors(text)
    return text[anchors[0].end :] if anchors and not text[: anchors[0].start].strip() else text


def _pieces(word: str) -> Iterator[str]:
    for run in _CJK_RUN.split(word):
        if not run:
            continue
        if is_cjk(run[0]):
            yield from (run[n : n + 2] for n in range(max(1, len(run) - 1)))
        else:
            yield _stem(run)


def _stem(word: str) -> str:
    for ending in ("ing", "ied", "ies", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
