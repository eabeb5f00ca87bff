"""Check "cuts": cuts, single takes, numbers of shots and camera moves are held against the measured shots.

Dissolves and "transitions" are left alone, for they may be there unmeasured. Where a fade or a dissolve was measured
nobody is told that there is no cut: what the caption calls one may be that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from omnidetective.audit.finding import Confirmation, Finding, Inspection, clipped
from omnidetective.audit.reading import Piece, Reading, looked_at
from omnidetective.evidence import ShotEvidence, Span
from omnidetective.records import Observation

CHECK = "cuts"
NEAR_S = 1.5
"""How far from its moment a cut may be."""
_TIMES_TOLD = 5

_CLIP = r"(?:video|clip|footage|recording|film|sequence)"
_PICTURE = r"(?:scene|shot|video|picture|view|image|footage|film|clip|frame|sequence|action|edit)"
_ADVERBS = r"(?:\s+(?:then|now|next|also|again|back|[a-z]+ly))*"
_CUT = re.compile(
    rf"\b(?:{_PICTURE}|camera){_ADVERBS}\s+cuts?\b(?:\s+(?:away|back|again))*\s+(?:to|into|from)\b"
    rf"|\b{_PICTURE}{_ADVERBS}\s+(?:switches|changes|shifts|jumps)\s+(?:back\s+)?to\b"
    r"|\bcamera(?:\s+[a-z]+ly)*\s+switches\s+to\b"
    r"|\ba(?:nother)?\s+(?:(?:hard|quick|sharp|abrupt|sudden|jump|smash|match|clean)\s+)*(?<!hair\s)cut\s+(?:to|shows|reveals|brings)\b"
    r"|\b(?:jump|smash)\s+cuts?\b"
    r"|\b(?:a\s+new|the\s+next|another)\s+(?:camera\s+)?shot\s+(?:begins|starts|shows|appears|follows|reveals)\b"
    r"|(?:^|,)\s*(?P<bare>cut)\s+to\b",
    re.IGNORECASE,
)
_SOFT = re.compile(
    r"\b(?:fad(?:e|es|ed|ing)|dissolv\w*|cross-?\s?fad\w*|wip(?:e|es|ing)|morph\w*|blend\w*|gradual\w*|slow(?:ly)?|smooth\w*|"
    r"seamless\w*|pan(?:s|ned|ning)?|tilt\w*|zoom\w*|rack|focus|gently|colou?rs?|lighting|turns?|rotat\w*|montage)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:no|not|never|without|nor|neither|if|before|until|would|could|might|may|seems?\s+to|appears?\s+to|as\s+though|"
    r"almost|hardly|barely)\b|n['’]t\b",
    re.IGNORECASE,
)
_ONE_TAKE = re.compile(
    r"\b(?:in|as|of|is|with|comprises|contains|uses)\s+(?P<take>(?:a|one)\s+(?:(?:single|continuous|unbroken|uninterrupted|long|static|"
    r"fixed|steady|stationary),?\s+){1,4}(?:camera\s+)?(?:shot|take)\b)"
    r"|(?P<uncut>\bwithout\s+(?:any\s+|a\s+single\s+)?cuts?\b|\b(?:there\s+are|has|with|contains)\s+no\s+cuts\b)",
    re.IGNORECASE,
)
_STATED_ONE = re.compile(r"\b(?:single|continuous|unbroken|uninterrupted)\b", re.IGNORECASE)
_OF_THE_CLIP = re.compile(rf"\b(?:{_CLIP}|everything|entire|whole|throughout)\b", re.IGNORECASE)
_OF_A_PART = re.compile(
    r"(?<!\d-)(?<!\d\s)\b(?:part|parts|segment|portion|first|second|third|next|opening|final|last|closing|then|section|half|scenes|each|every)\b",
    re.IGNORECASE,
)
_AT_ONCE_WORDS = 3
"""A cut told within so many words from an anchor (“At 5s, the picture …”) is told of that very second."""
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_COUNT = re.compile(
    rf"\b{_CLIP}\s+(?:is\s+(?:made(?:\s+up)?|composed)\s+of|consists\s+of|comprises|contains|has)\s+(?:exactly\s+|only\s+|just\s+)?"
    rf"(?P<number>\d{{1,3}}|{'|'.join(_NUMBERS)})\s+(?:different\s+|distinct\s+|separate\s+|static\s+|short\s+|hard\s+)*"
    r"(?P<what>shots?|cuts?)\b(?!\s+(?:of|on|at|glass))",
    re.IGNORECASE,
)
_MOVE = re.compile(
    r"\bthe\s+camera(?:\s+[a-z]+ly|\s+then|\s+also)*\s+(?:pans|zooms|tilts|tracks|dollies|pushes\s+in|pulls\s+back|sweeps|glides|"
    r"moves|shakes|circles|rotates)\b",
    re.IGNORECASE,
)


def check(reading: Reading) -> Inspection:
    """Cuts that are not there, takes that are not single, wrong numbers, and moves of a picture that stands still."""
    looked = tuple(reading.case.evidence(ShotEvidence))
    if not looked:
        return Inspection()
    findings: list[Finding] = []
    confirmed: list[Confirmation] = []
    for piece in reading.pieces:
        for match in _cuts_told(piece):
            where = (piece.start + match.start(), piece.start + match.end())
            cuts = _cuts_near(piece, match, looked, reading)
            if cuts:
                confirmed.append(reading.bears_out(CHECK, "camera", where, cuts))
            elif (finding := _no_cut(piece, match, looked, reading)) is not None:
                findings.append(finding)
        findings += _one_take(piece, looked, reading)
        findings += _number(piece, looked, reading)
        findings += _moves(piece, looked, reading)
    return Inspection(tuple(findings), tuple(confirmed))


Looked = Sequence[tuple[Observation, ShotEvidence]]


def _cuts_told(piece: Piece) -> Iterator[re.Match[str]]:
    if _SOFT.search(piece.words) or _DENIED.search(piece.words):
        return
    yield from _CUT.finditer(piece.words)


def _seconds(piece: Piece, match: re.Match[str], reading: Reading) -> Span | None:
    """The seconds in which a cut told in a piece can be: right after its anchor, or later in that moment."""
    if piece.second is None or reading.extent is None:
        return reading.extent
    at_once = piece.opens and len(piece.words[: match.start()].split()) <= _AT_ONCE_WORDS
    end_s = piece.second + 1.0 if at_once else max(piece.second + 1.0, piece.until_s)
    return Span(start_s=max(0.0, piece.second - NEAR_S), end_s=end_s + NEAR_S)


def _cuts_near(piece: Piece, match: re.Match[str], looked: Looked, reading: Reading) -> tuple[str, ...]:
    window = _seconds(piece, match, reading)
    if window is None:
        return ()
    near = (o.id for o, e in looked if any(window.start_s <= cut.time_s <= window.end_s for cut in e.cuts))
    return tuple(dict.fromkeys(near))


def _no_cut(piece: Piece, match: re.Match[str], looked: Looked, reading: Reading) -> Finding | None:
    window = _seconds(piece, match, reading)
    if window is None:
        return None
    if any(fade.start_s < window.end_s and window.start_s < fade.end_s for _, e in looked for fade in e.fades):
        return None
    inside = Span(
        start_s=window.start_s, end_s=max(window.start_s + 0.1, min(window.end_s, reading.case.clip.duration_s))
    )
    evidence = looked_at([o for o, _ in looked], inside)
    return None if evidence is None else _error(piece, match.span(), f"no cut there: {_measured(looked)}", evidence)


def _one_take(piece: Piece, looked: Looked, reading: Reading) -> Iterator[Finding]:
    match = _ONE_TAKE.search(piece.words)
    if match is None or piece.second is not None or not _OF_THE_CLIP.search(piece.words):
        return
    if match["take"] and (_DENIED.search(piece.words[: match.start()]) or not _STATED_ONE.search(match["take"])):
        return
    if _OF_A_PART.search(piece.words) or any(not evidence.cuts for _, evidence in looked):
        return
    name = "take" if match["take"] else "uncut"
    yield _error(piece, match.span(name), f"not one take: {_measured(looked)}", tuple(o.id for o, _ in looked))


def _number(piece: Piece, looked: Looked, reading: Reading) -> Iterator[Finding]:
    match = _COUNT.search(piece.words)
    if match is None or piece.second is not None or _DENIED.search(piece.words) or _OF_A_PART.search(piece.words):
        return
    word = match["number"].lower()
    stated = int(word) if word.isdigit() else _NUMBERS.index(word)
    shots = match["what"].lower().startswith("shot")
    measured = {len(evidence.shots) if shots else len(evidence.cuts) for _, evidence in looked}
    measured.add(len(_times(looked)) + (1 if shots else 0))
    evidence_ids = looked_at([o for o, _ in looked], reading.case.clip.whole)
    if stated not in measured and evidence_ids is not None:
        yield _error(piece, match.span(), f"the number is another: {_measured(looked)}", evidence_ids)


def _moves(piece: Piece, looked: Looked, reading: Reading) -> Iterator[Finding]:
    match = _MOVE.search(piece.words)
    if match is None or _DENIED.search(piece.words):
        return
    ids = looked_at([o for o, _ in looked], reading.window(piece))
    if ids is not None and all(evidence.still is True for _, evidence in looked):
        yield _error(piece, match.span(), "nothing moves in the picture within any shot", ids)


def _error(piece: Piece, where: tuple[int, int], why: str, evidence: tuple[str, ...]) -> Finding:
    return Finding(CHECK, "camera", "error", piece.text[slice(*where)].strip(" ,"), clipped(why), evidence)


def _times(looked: Looked) -> list[float]:
    """When the cuts are, each once: a second look measures the same cut again."""
    times: list[float] = []
    for time_s in sorted(cut.time_s for _, evidence in looked for cut in evidence.cuts):
        if not times or time_s - times[-1] > 0.05:
            times.append(time_s)
    return times


def _measured(looked: Looked) -> str:
    times = _times(looked)
    if not times:
        return "no cut was measured at all"
    told = ", ".join(f"{time_s:.1f}" for time_s in times[:_TIMES_TOLD])
    more = f" and {len(times) - _TIMES_TOLD} more" if len(times) > _TIMES_TOLD else ""
    count = f"{len(times)} cuts" if len(times) > 1 else "one cut"
    return f"{count} measured, at {told} s{more}"
