"""The embedded refiner: takes out what instruments prove wrong, and tells what they measured and the caption left out.

It writes nothing of its own. A sentence with a proven error goes; of a list of quotations only the wrong one does; a
misquotation becomes the recognised words where the finding gives them and they are nearly the same. What is missing
is told in the sentence that the embedded writer has for it, or not at all.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from omnidetective.audit.report import Report
from omnidetective.captions.alignment import plain, similarity
from omnidetective.captions.anchors import Anchor, find_anchors, is_inside
from omnidetective.captions.quote_marks import quotation_spans
from omnidetective.case import Case
from omnidetective.detective.conversation import shortened
from omnidetective.detective.statements import Statement, cuts, number_name, silences, sounds, speech, texts
from omnidetective.evidence import Span, TextEvidence
from omnidetective.findings import AuditError, AuditMissing
from omnidetective.grounding import content_words
from omnidetective.stages.caption_lines import Line, Piece, holds, lines_of, quoted_in, standing, written
from omnidetective.stages.refine_touched import is_of_time

SAFE = 0.5
"""Similarity from which recognised words may take the place of a misquotation."""
TELLS = 0.5
"""Share of a statement's content words that a finding must hold to ask for it."""
_TOLD_CHARS = 200
_STOPS = (".", "!", "?", "…", "。", "！", "？")

_LISTED = re.compile(
    r"(?P<count>\w+) lines of text (?P<verb>are|seem to be) shown(?P<where>[^:“”]*): (?P<quotes>“.+”)\.?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """A caption as the rules left it, and what they did, in the words of the record's refinement."""

    caption: str
    fixed_errors: tuple[str, ...] = ()
    filled_missing: tuple[str, ...] = ()
    timestamp_adjustments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Edit:
    """What findings ask for: lines that go, bodies that change, a statement that comes, moments put in order."""

    told: tuple[str, ...]
    gone: frozenset[int] = frozenset()
    bodies: Mapping[int, str] = field(default_factory=dict)
    told_now: Statement | None = None
    sort: bool = False


def refined_by_rules(
    caption: str, report: Report, case: Case, span: Span | None, refusals: Callable[[str], Sequence[str]]
) -> RuleVersion:
    """The caption with every edit that the guard lets pass.

    Args:
        caption: the caption, or one section of it; its anchors are canonical.
        report: what is wrong with it. Errors that no instrument proves are left alone.
        case: holds what was measured.
        span: what the section is about; ``None`` for the whole clip.
        refusals: the guard: why a version of this caption cannot be taken.
    """
    lines = lines_of(caption)
    edits = [*_of_errors(caption, lines, report, case), *_of_missing(caption, report, case, span)]
    taken = edits
    if edits and refusals(_written(lines, edits, case)):
        taken = []
        for edit in edits:
            if not refusals(_written(lines, [*taken, edit], case)):
                taken.append(edit)
    return RuleVersion(
        caption=_written(lines, taken, case) if taken else caption,
        fixed_errors=_told(e for e in taken if e.told_now is None and not e.sort),
        filled_missing=_told(e for e in taken if e.told_now is not None),
        timestamp_adjustments=_told(e for e in taken if e.sort),
    )


def _told(edits: Iterable[_Edit]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(told for edit in edits for told in edit.told))


def _of_errors(caption: str, lines: Sequence[Line], report: Report, case: Case) -> Iterator[_Edit]:
    by_line: dict[int, list[AuditError]] = {}
    for error in (e for audit in report.values() for e in audit.errors if e.check is not None):
        if is_of_time(error):
            yield _of_time(error, find_anchors(error.snippet)[0], lines, case)
            continue
        for start, end in standing(caption, error.snippet):
            for n, line in enumerate(lines):
                if line.start < end and start < line.end and error not in by_line.setdefault(n, []):
                    by_line[n].append(error)
    for n, found in by_line.items():
        told = tuple(_as_told(error) for error in found)
        body = _corrected(lines[n], found, case)
        yield _Edit(told, gone=frozenset({n})) if body is None else _Edit(told, bodies={n: body})


def _of_time(error: AuditError, anchor: Anchor, lines: Sequence[Line], case: Case) -> _Edit:
    """What is told of a moment that is not in the clip goes; moments in the wrong order are put in order."""
    if is_inside(anchor, case.clip.facts.duration_s):
        return _Edit((_as_told(error),), sort=True)
    gone = frozenset(n for n, line in enumerate(lines) if anchor.second in (line.second, line.last))
    return _Edit((_as_told(error),), gone=gone)


def _as_told(error: AuditError) -> str:
    return f"“{shortened(error.snippet, _TOLD_CHARS)}”: {shortened(error.why, _TOLD_CHARS)}"


def _of_missing(caption: str, report: Report, case: Case, span: Span | None) -> Iterator[_Edit]:
    statements = [*cuts(case), *texts(case), *speech(case), *sounds(case), *silences(case)]
    known = plain(caption)
    used: set[int] = set()
    for audit in report.values():
        for missing in audit.missing:
            if missing.check is None or not missing.evidence:
                continue
            scored = (
                (_share(statement, missing), -n)
                for n, statement in enumerate(statements)
                if n not in used
                and set(statement.evidence) & set(missing.evidence)
                and (span is None or statement.start_s is None or span.start_s <= statement.start_s < span.end_s)
                and not any(holds(known, quote) for quote in quoted_in(statement.text))
            )
            share, at = max(scored, default=(0.0, 0))
            if share >= TELLS:
                used.add(-at)
                yield _Edit((shortened(missing.what, _TOLD_CHARS),), told_now=statements[-at])


def _share(statement: Statement, missing: AuditMissing) -> float:
    """How much of a statement a finding asks for. One that quotes something must quote what is missing."""
    asked = f"{missing.what} {missing.why}"
    words = content_words(statement.text)
    if not words or not all(holds(plain(asked), quote) for quote in quoted_in(statement.text)):
        return 0.0
    return len(words & content_words(asked)) / len(words)


def _corrected(line: Line, errors: Sequence[AuditError], case: Case) -> str | None:
    """The body of a line without what is wrong in it; ``None`` where the whole sentence has to go."""
    if line.last != line.second:
        return None  # another moment begins within it: there is no telling which words belong to which
    body = line.body
    for error in errors:
        wrong = plain(error.snippet)
        quotes = [body[start:end] for start, end in quotation_spans(body)]
        at = [quote for quote in quotes if plain(quote) == wrong]
        left = [quote for quote in quotes if quote not in at]
        if not at:
            return None
        if instead := _recognised(error, case):
            for quote in at:
                body = body.replace(quote, f"{quote[0]}{instead}{quote[-1]}")
        elif (listed := _LISTED.fullmatch(body)) and left:
            body = _list_of(left, listed)
        else:
            return None
    return body


def _list_of(quotes: Sequence[str], listed: re.Match[str]) -> str:
    """The embedded writer's sentence for lines of text, with those that are left."""
    where, sure = listed["where"], listed["verb"].lower() == "are"
    if len(quotes) == 1:
        return _ended(f"The text {quotes[0]} {'is' if sure else 'seems to be'} shown{where}")
    count = number_name(len(quotes))
    return _ended(f"{count[0].upper()}{count[1:]} lines of text {listed['verb']} shown{where}: {', '.join(quotes)}")


def _recognised(error: AuditError, case: Case) -> str | None:
    """The words that were recognised where the caption misquotes them, if the finding gives them and they are alike."""
    heard = {plain(segment.text) for segment, _ in case.speech() or ()}
    read = {plain(card.text) for _, evidence in case.evidence(TextEvidence) for card in evidence.cards}
    given = [error.why[start + 1 : end - 1].strip() for start, end in quotation_spans(error.why)]
    alike = dict.fromkeys(
        words
        for words in given
        if plain(words) in heard | read and SAFE <= similarity(plain(words), plain(error.snippet)) < 1
    )
    return next(iter(alike)) if len(alike) == 1 else None


def _written(lines: Sequence[Line], edits: Sequence[_Edit], case: Case) -> str:
    gone = {n for edit in edits for n in edit.gone}
    bodies = {n: body for edit in edits for n, body in edit.bodies.items()}
    pieces = [
        Piece(line.second, line.last, bodies[n]) if n in bodies else Piece.of(line)
        for n, line in enumerate(lines)
        if n not in gone
    ]
    if any(edit.sort for edit in edits):
        pieces.sort(key=_order)
    for edit in edits:
        if edit.told_now is not None:
            piece = _piece(edit.told_now, case)
            place = max((n + 1 for n, other in enumerate(pieces) if _order(other) <= _order(piece)), default=0)
            pieces.insert(place, piece)
    return written(pieces)


def _piece(statement: Statement, case: Case) -> Piece:
    body = _ended(statement.text[:1].upper() + statement.text[1:])
    if statement.start_s is None or case.clip.whole is None:
        return Piece(None, None, body)
    second = min(int(statement.start_s), max(0, math.ceil(case.clip.duration_s) - 1))
    return Piece(second, second, body)


def _order(piece: Piece) -> int:
    return -1 if piece.second is None else piece.second


def _ended(text: str) -> str:
    """A sentence with its stop, unless a quotation that ends it has one."""
    return text if text.removesuffix("”").endswith(_STOPS) else f"{text}."
