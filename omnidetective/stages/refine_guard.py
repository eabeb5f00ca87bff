"""The guard of the refine stage: whether a refined caption does what the report asks for, and nothing else. Pure.

Words, quotations, numbers and names may come from the caption before or from the report; nothing else was shown to the
refiner, so anything else is invented. Anchors carry the times and are held separately. The guard does not judge
whether a finding was dealt with well: the audit that follows does.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from omnidetective.audit.report import Report
from omnidetective.captions.alignment import plain
from omnidetective.captions.anchors import anchor_faults, anchor_text, find_anchors
from omnidetective.captions.repetition import has_collapsed
from omnidetective.detective.conversation import shortened
from omnidetective.grounding import content_words
from omnidetective.stages.caption_lines import Line, holds, lines_of, numbers_in, quoted_in
from omnidetective.stages.refine_matching import (
    MOST_COMPARED,
    Matching,
    aligned,
    carrying,
    compared,
    holds_all,
    matched,
)
from omnidetective.stages.refine_touched import Touched, touched

ASKED_FOR = 0.5
"""Share of a new sentence's content words that one finding must hold to have asked for it."""
OWN_WORDS = 0.25
"""Largest share of its content words that a changed sentence may have from nowhere; one word is always allowed."""
TOLD = 0.75
"""Share of a removed sentence's content words that the new text must hold for the sentence to count as merged."""
MOST_REASONS = 12
_LONGER_THAN_ASKED = 3
_ROOM_CHARS = 1000
_QUOTED_CHARS = 160

_WORD = re.compile(r"[^\W\d_]+")
_OPENERS = tuple("“\"«„「『'‘.!?:…—–-")
_CLOCK = re.compile(r"(\d{1,4}):(\d{2})")


@dataclass(frozen=True, slots=True)
class _Material:
    """What a refiner may build with: everything that the caption before and the report say."""

    words: frozenset[str]
    plain: str
    numbers: frozenset[str]
    missing: tuple[frozenset[str], ...]
    findings: tuple[frozenset[str], ...]
    seconds: frozenset[int]


def refusals(
    before: str, after: str, report: Report, *, duration_s: float | None, keep_similarity: float
) -> tuple[str, ...]:
    """Why a refined caption cannot be taken, in words that the refiner is told; empty when it can.

    Args:
        before: the caption, or one section of it, that the report is about.
        after: the refiner's version of it.
        report: the findings; their snippets stand in ``before``.
        duration_s: length of the clip; ``None`` for an image.
        keep_similarity: similarity from which a sentence counts as unchanged.
    """
    asked = _asked_text(report)
    if len(after) > _LONGER_THAN_ASKED * (len(before) + len(asked)) + _ROOM_CHARS:
        return ("the new version is several times as long as the caption and the report together",)
    if has_collapsed(after) and not has_collapsed(before):
        return ("the new version says the same words over and over",)
    old, new = lines_of(before), lines_of(after)
    if compared([line.words for line in old], [line.words for line in new]) > MOST_COMPARED:
        return ("the new version has hardly a sentence in common with the caption",)
    about = touched(before, report)
    matching = matched(old, new, keep_similarity=keep_similarity, moves=bool(about.anchors))
    material = _material(before, asked, report, old, about)
    reasons = dict.fromkeys(
        (
            *_of_words(old, new, matching, _removable(old, about, duration_s), material),
            *_of_inventions(old, new, material),
            *_of_anchors(before, after, old, new, matching, about, material),
            *_of_faults(before, after, duration_s),
        )
    )
    told = tuple(reasons)
    if len(told) > MOST_REASONS:
        return (*told[:MOST_REASONS], f"and {len(told) - MOST_REASONS} more of the kind")
    return told


def _removable(old: tuple[Line, ...], about: Touched, duration_s: float | None) -> Touched:
    """The findings, with what is told of moments that the clip does not have among what may go."""
    if not about.anchors:
        return about
    length = 0 if duration_s is None else max(1, math.ceil(duration_s))
    outside = {n for n, line in enumerate(old) if line.second is not None and line.second >= length}
    return replace(about, gone=frozenset(outside) - about.lines)


def _of_words(
    old: tuple[Line, ...], new: tuple[Line, ...], matching: Matching, about: Touched, material: _Material
) -> Iterator[str]:
    for i, j in matching.pairs:
        if i not in about.lines:
            unchanged = i in matching.same and _says_the_same(old[i], new[j])
            if not unchanged and not _takes_in(old[i], new[j], material):
                yield f"{_cite(old[i])} was changed to {_cite(new[j])}, and no finding is about it"
        elif i not in matching.same:
            words = content_words(new[j].body)
            own = words - material.words
            if len(own) > max(1, OWN_WORDS * len(words)):
                yield f"{_cite(new[j])} says what neither the caption nor the report says: {_list(own)}"
    made = frozenset(
        word
        for n in (*matching.new, *(j for i, j in matching.pairs if i in about.lines))
        for word in content_words(new[n].body)
    )
    for i in matching.gone:
        if i in about.wrong or i in about.gone:
            continue
        words = content_words(old[i].body)
        if i not in about.lines or len(words & made) < TOLD * len(words):
            yield f"{_cite(old[i])} was removed, and no error is in it"
    for j in matching.new:
        words = content_words(new[j].body)
        if not words or not any(len(words & finding) >= ASKED_FOR * len(words) for finding in material.findings):
            yield f"{_cite(new[j])} was added, and no finding asks for it"


def _of_inventions(old: tuple[Line, ...], new: tuple[Line, ...], material: _Material) -> Iterator[str]:
    """Quotations, numbers and names from nowhere. In nearly unchanged lines too: 5 % of a line can be a name."""
    known = {line.words for line in old}
    for line in (line for line in new if line.words not in known):
        for quote in quoted_in(line.body):
            if not holds(material.plain, quote):
                yield f"{_cite(line)} quotes “{shortened(quote, _QUOTED_CHARS)}”, which the report does not hold"
        counted = str(len(list(quoted_in(line.body))))  # of three lines of text, two are left
        if own := numbers_in(line.body) - material.numbers - {counted}:
            yield f"{_cite(line)} gives a number that neither the caption nor the report gives: {_list(own)}"
        if names := {name for name in _names(line) if not holds(material.plain, plain(name))}:
            yield f"{_cite(line)} gives a name that neither the caption nor the report gives: {_list(names)}"


def _of_anchors(
    before: str,
    after: str,
    old: tuple[Line, ...],
    new: tuple[Line, ...],
    matching: Matching,
    about: Touched,
    material: _Material,
) -> Iterator[str]:
    was, now = find_anchors(before), find_anchors(after)
    free = {was[n].second for n in about.anchors}
    # A line that is wrong about its time goes to the time that the report names.
    moving = {i for i, j in matching.pairs if i in about.wrong and new[j].second in material.seconds}
    told_under = {old[i].second for i, _ in matching.pairs if i not in moving}
    survivors = {i for i, _ in matching.pairs}
    seconds_was, seconds_now = [str(a.second) for a in was], [str(a.second) for a in now]
    if compared(seconds_was, seconds_now) > MOST_COMPARED:
        yield "the anchors have hardly one in common with those of the caption"
        return
    kept = aligned(seconds_was, seconds_now, 1.0)
    stays, known = {i for i, _ in kept}, {j for _, j in kept}
    # Where one moment is out of order, it is another that has to make way for it.
    moved = {a.second for n, a in enumerate(was) if n not in stays} if about.anchors else set()
    moved &= {a.second for j, a in enumerate(now) if j not in known}
    for n in (n for n, a in enumerate(was) if n not in stays | about.anchors and a.second not in moved):
        holder = next((k for k, line in enumerate(old) if line.start <= was[n].start < line.end), None)
        if was[n].second in told_under or (holder in survivors and holder not in about.lines):
            yield f"the anchor “{was[n].text}” must stay where it is: no finding is about it"
    freed = len(about.anchors - stays)
    added = [a.second for j, a in enumerate(now) if j not in known]
    unasked = [second for second in added if second not in material.seconds | moved]
    if len(unasked) > freed:
        told = ", ".join(f"“{anchor_text(second)}”" for second in unasked)
        yield f"no finding asks for the new anchor {told}" if len(unasked) == 1 else f"no finding asks for {told}"
    for i, j in matching.pairs:
        if old[i].second != new[j].second and old[i].second not in free and i not in moving:
            yield f"{_cite(new[j])} stands {_under(new[j])} now, and stood {_under(old[i])}"


def _of_faults(before: str, after: str, duration_s: float | None) -> Iterator[str]:
    known = Counter((fault.kind, int(fault.time_s)) for fault in anchor_faults(before, duration_s))
    for fault in anchor_faults(after, duration_s):
        key = (fault.kind, int(fault.time_s))
        if known[key]:
            known[key] -= 1
        else:
            yield f"the anchor “{fault.snippet}” is wrong: {fault.kind.replace('_', ' ')}"


def _material(before: str, asked: str, report: Report, old: tuple[Line, ...], about: Touched) -> _Material:
    missing = [content_words(f"{m.what} {m.why}") for audit in report.values() for m in audit.missing]
    # What an error says about its sentence may be told in a sentence of its own, together with that sentence's words.
    wrong = frozenset(word for n in about.lines for word in content_words(old[n].body))
    whys = [content_words(e.why) | wrong for audit in report.values() for e in audit.errors]
    text = f"{before} {asked}"
    return _Material(
        words=content_words(before) | content_words(asked),
        plain=plain(text),
        numbers=numbers_in(text),
        missing=tuple(missing),
        findings=(*missing, *whys, wrong),
        seconds=_seconds(asked),
    )


def _asked_text(report: Report) -> str:
    """The findings that say what is so. Expressiveness only says how it is told, and snippets are the caption's own."""
    return " ".join(
        part
        for audit in report.values()
        for part in (*(e.why for e in audit.errors), *(f"{m.what} {m.why}" for m in audit.missing))
    )


def _says_the_same(old: Line, new: Line) -> bool:
    """Whether no word that carries meaning came, went or moved: a colour or a “not” is less than 5 % of many a line."""
    return old.words == new.words or carrying(old) == carrying(new)


def _takes_in(old: Line, new: Line, material: _Material) -> bool:
    """Whether a line says all that it said, and besides only what one finding calls missing."""
    added = content_words(new.body) - content_words(old.body)
    asked = any(len(added & lack) >= ASKED_FOR * len(added) for lack in material.missing)
    return bool(added) and asked and holds_all(new, old)


def _names(line: Line) -> Iterator[str]:
    """Capitalised words that do not open the sentence, a quotation or what follows a colon."""
    for n, match in enumerate(_WORD.finditer(line.body)):
        before = line.body[max(0, match.start() - 4) : match.start()].rstrip()
        opened = n == 0 or before.endswith(_OPENERS)
        if not opened and match[0][0].isupper() and len(match[0]) > 1:
            yield match[0]


def _seconds(text: str) -> frozenset[int]:
    """The moments that a text names, as whole seconds."""
    plain_numbers = {int(float(n.replace(",", "."))) for n in re.findall(r"\d{1,6}(?:[.,]\d{1,3})?", text)}
    return frozenset(plain_numbers | {60 * int(m) + int(s) for m, s in _CLOCK.findall(text)})


def _under(line: Line) -> str:
    return "before the first anchor" if line.second is None else f"under “{anchor_text(line.second)}”"


def _cite(line: Line) -> str:
    return f"“{shortened(line.text, _QUOTED_CHARS)}”"


def _list(words: Collection[str]) -> str:
    told = sorted(words)
    return ", ".join(told[:8]) + (" …" if len(told) > 8 else "")
