"""Hold the text of a caption against what is known to be in a clip: no model, no judge, the same every time.

What is told, by kind of fact:

- **words**: spoken words that stand in the caption in a row of at least :data:`RUN_WORDS` as they were spoken (or all
  words of a shorter utterance), in any order of rows; case and punctuation are set aside.
- **text**: lines of text on screen whose words stand in the caption in a row.
- **cuts**: cuts that the caption tells as such ("the scene cuts to …"), at most as many as it has statements that fit.
- **sounds**: kinds of sound (speech, music) that the caption speaks of without denying them, or whose words it holds;
  and silence of :data:`SILENCE_S` or more, or that a film has no sound track, where it speaks of silence.
- **languages**: languages that are spoken and that the caption names, or has words of.

What is *unsupported*: every error that the instrument audit (:mod:`omnidetective.audit`) proves with the truth in the
place of the instruments: speech quoted that nobody said, lettering that is not there, sounds and silence that are not,
cuts and numbers of shots that are wrong, times after the end, a wrong length.

What it cannot see: people, objects, places, actions and moods, for the truth has none of them; speech that is told in
other words; sounds and cuts told in a language other than English. So what it calls told and unsupported is a lower
bound of both: it shows whether a change of prompts made things worse, not how good a caption is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path

from omnidetective.audit import cuts, form, sound_words, times
from omnidetective.audit.finding import Finding
from omnidetective.audit.inspection import inspect
from omnidetective.audit.reading import Reading
from omnidetective.captions.alignment import THRESHOLD
from omnidetective.captions.anchors import anchor_faults
from omnidetective.case import Case
from omnidetective.evals.sample_facts import Share, TextScore, Unsupported
from omnidetective.evals.sample_records import words
from omnidetective.evals.sample_truth import ClipTruth
from omnidetective.evidence import (
    Cut,
    Evidence,
    ShotEvidence,
    SoundEvent,
    SoundEvidence,
    Span,
    SpeechEvidence,
    SpeechSegment,
    TextCard,
    TextEvidence,
)
from omnidetective.language_names import language_name
from omnidetective.media.clip import Clip
from omnidetective.media.source import Source
from omnidetective.media.wire import Probe
from omnidetective.records import InputRow, MediaFacts, Observation
from omnidetective.settings import MediaSettings

RUN_WORDS = 3
SILENCE_S = 2.0

_AUDIBLE_LUFS = -20.0
"""The truth has no loudness; that a clip sounds at all is what checks want to know."""
_OF_FORM = frozenset({form.CHECK, times.CHECK})
"""Checks that find fault with how something is written; what is untrue about times is looked for here instead."""
_MUSIC = re.compile(sound_words.MUSIC_NOUN, re.IGNORECASE)
_VOICE = re.compile(sound_words.VOICE_NOUNS, re.IGNORECASE)
_DENIED = re.compile(
    r"\b(?:no|not|without|nobody|none|neither|nor|lacks?|lacking|absent|absence)\b|n['’]t\b", re.IGNORECASE
)
_SILENCE = re.compile(
    r"\b(?:silen(?:ce|t|tly)|soundless|muted?|no\s+(?:audio|sounds?|sound\s?track)|without\s+(?:any\s+)?(?:audio|sound))\b",
    re.IGNORECASE,
)


def score_text(clip: ClipTruth, caption: str) -> TextScore:
    """Score one caption; an empty one tells nothing."""
    case = _case(clip)
    reading = Reading.of(caption, case, quote_similarity=THRESHOLD)
    in_caption = words(caption)
    runs = {n: _told_words(words(item.text), in_caption) for n, item in enumerate(clip.transcript)}
    spoken = sum(len(words(item.text)) for item in clip.transcript)
    lines = [line for card in clip.cards for line in card.lines]
    languages = {item.language for item in clip.transcript}
    heard = {clip.transcript[n].language for n, count in runs.items() if count}
    kinds = {item.label for item in clip.sounds} | ({"silence"} if _has_silence(clip) else set())
    shares = {
        "words": Share(told=sum(runs.values()), known=spoken),
        "text": Share(told=sum(_holds(in_caption, words(line)) for line in lines), known=len(lines)),
        "cuts": Share(told=_told_cuts(clip, reading), known=len(clip.cuts)),
        "sounds": Share(told=len(kinds & _told_sounds(reading, quoted=bool(heard))), known=len(kinds)),
        "languages": Share(told=sum(one in heard or _named(one, caption) for one in languages), known=len(languages)),
    }
    return TextScore(
        told={kind: share for kind, share in shares.items() if share.known},
        unsupported=tuple(
            Unsupported(check=one.check, snippet=one.snippet, why=one.why) for one in _untrue(clip, case, reading)
        ),
    )


def _case(clip: ClipTruth) -> Case:
    """The clip as if instruments without a fault had looked at all of it."""
    facts = MediaFacts(
        path=clip.file,
        sha256=clip.sha256,
        modality=clip.modality,
        duration_s=clip.duration_s,
        width=clip.width,
        height=clip.height,
        has_audio=clip.has_audio,
        has_video=clip.has_video,
    )
    # Nothing opens the file: only its facts are looked at.
    source = Source(Path(clip.file), Probe(kind="streams"), clip.duration_s or 0.0, MediaSettings())
    row = InputRow(id=clip.id, media=clip.file, raw={"id": clip.id})
    case = Case(row=row, clip=Clip(clip.id, facts=facts, source=source))
    return case.observed(
        Observation(observer="truth", kind="instrument", question="?", answer="known", data=data)
        for data in _evidence(clip)
    )


def _evidence(clip: ClipTruth) -> list[Evidence]:
    found: list[Evidence] = []
    cards = (
        TextCard(text=line, start_s=card.start_s, end_s=card.end_s, score=1.0)
        for card in clip.cards
        for line in card.lines
    )
    found.append(TextEvidence(cards=tuple(cards), frames_read=1))
    if clip.has_audio:
        spoken = (
            SpeechSegment(start_s=item.start_s, end_s=item.end_s, text=item.text, language=item.language, score=1.0)
            for item in clip.transcript
        )
        voiced = tuple(item.span for item in clip.sounds if item.label == "speech")
        found.append(SpeechEvidence(segments=tuple(spoken), voiced=voiced, gated=True))
        events = (SoundEvent(start_s=s.start_s, end_s=s.end_s, label=s.label, score=1.0) for s in clip.sounds)
        silent = tuple(item.span for item in clip.silent)
        loudness = _AUDIBLE_LUFS if clip.sounds else None
        found.append(SoundEvidence(loudness_lufs=loudness, silent=silent, events=tuple(events), classified=True))
    if clip.has_video and clip.duration_s is not None:
        edges = (0.0, *clip.cuts, clip.duration_s)
        shots = tuple(Span(start_s=a, end_s=b) for a, b in pairwise(edges))
        found.append(ShotEvidence(cuts=tuple(Cut(time_s=time_s) for time_s in clip.cuts), shots=shots))
    return found


def _untrue(clip: ClipTruth, case: Case, reading: Reading) -> list[Finding]:
    found = [
        one for one in inspect(reading.caption, case).findings if one.kind == "error" and one.check not in _OF_FORM
    ]
    length = "an image has no times" if clip.duration_s is None else f"the clip ends at {clip.duration_s:g} s"
    for fault in anchor_faults(reading.veiled, clip.duration_s):
        if fault.kind == "outside":
            found.append(Finding(times.CHECK, "narrative", "error", fault.snippet, length))
    if clip.duration_s is not None:
        found += [finding for _, finding in times.wrong_lengths(reading, clip.duration_s)]
    return found


def _told_words(spoken: Sequence[str], caption: Sequence[str]) -> int:
    blocks = SequenceMatcher(None, spoken, caption, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks if block.size >= min(RUN_WORDS, len(spoken)))


def _holds(caption: Sequence[str], line: Sequence[str]) -> bool:
    """Whether the words of a line stand in a row."""
    return f" {' '.join(line)} " in f" {' '.join(caption)} "


def _told_cuts(clip: ClipTruth, reading: Reading) -> int:
    """How many of the true cuts statements of the caption fit, each statement for one of them."""
    if not clip.cuts:
        return 0
    fitting = len(cuts.check(reading).confirmed)
    alone = (clip.model_copy(update={"cuts": (time_s,)}) for time_s in clip.cuts)
    told = sum(bool(cuts.check(replace(reading, case=_case(one))).confirmed) for one in alone)
    return min(fitting, told)


def _told_sounds(reading: Reading, *, quoted: bool) -> set[str]:
    found = {"speech"} if quoted else set()
    for piece in reading.pieces:
        if _SILENCE.search(piece.words):
            found.add("silence")
        if not _DENIED.search(piece.words):
            found |= {kind for kind, said in (("music", _MUSIC), ("speech", _VOICE)) if said.search(piece.words)}
    return found


def _has_silence(clip: ClipTruth) -> bool:
    if not clip.has_audio:
        return clip.duration_s is not None
    return any(item.span.duration_s >= SILENCE_S for item in clip.silent)


def _named(language: str, caption: str) -> bool:
    name = language_name(language)
    return name is not None and re.search(rf"\b{re.escape(name)}\b", caption) is not None
