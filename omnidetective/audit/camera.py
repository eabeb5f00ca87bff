"""Check "camera": moves of the camera and fades that a caption tells are held against the measured ones.

A claim is refuted only where the camera was followed through all the seconds that it may be about, and did nothing but
the opposite, or stood still. A move to the side says nothing against a zoom: small ones hide in larger ones. Dissolves
are never denied: between moving pictures they are missed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from omnidetective.audit.cuts import NEAR_S
from omnidetective.audit.finding import Confirmation, Finding, Inspection, clipped
from omnidetective.audit.reading import Piece, Reading
from omnidetective.evidence import CameraMove, Fade, ShotEvidence, Span
from omnidetective.records import Observation

CHECK = "camera"
_GAP_S = 0.3
"""What may stay unseen between two stretches that together cover a window."""
_TOLD = 3

_ADVERBS = r"(?:\s+(?:then|now|also|again|[a-z]+ly))*"
_SIDE = r"(?:\s+(?:to|toward|towards)\s+the|\s+from\s+(?:right|left)\s+to)?\s+"
_GOES = r"(?:pans|moves|sweeps|glides|tracks|trucks|slides|travels)"
_TURNS = r"(?:tilts|pans|moves|cranes)"
_CLAIMS: tuple[tuple[str, str], ...] = (
    ("pan left", rf"{_GOES}{_ADVERBS}{_SIDE}left\b(?!\s+to\s+right)"),
    ("pan right", rf"{_GOES}{_ADVERBS}{_SIDE}right\b(?!\s+to\s+left)"),
    ("tilt up", rf"{_TURNS}{_ADVERBS}\s+(?:up|upward|upwards)\b(?!\s+(?:close|to\s+(?:him|her|them|it)))"),
    ("tilt down", rf"{_TURNS}{_ADVERBS}\s+(?:down|downward|downwards)\b"),
    ("zoom in", rf"(?:zooms|pushes|closes|dollies){_ADVERBS}\s+in\b|moves{_ADVERBS}\s+closer\b"),
    ("zoom out", rf"(?:zooms|dollies|pulls){_ADVERBS}\s+(?:out|back)\b|widens\b"),
)
_MOVE = re.compile(
    rf"\bthe\s+(?:camera|view){_ADVERBS}\s+(?:"
    + "|".join(f"(?P<m{n}>{pattern})" for n, (_, pattern) in enumerate(_CLAIMS))
    + ")",
    re.IGNORECASE,
)
_UNSTEADY = re.compile(r"\bthe\s+camera\s+is\s+(?:unsteady|shaky)\b", re.IGNORECASE)
_STATIC = re.compile(
    r"\bthe\s+camera\s+(?:is|remains|stays|stands|holds)\s+(?:completely\s+|entirely\s+|perfectly\s+)?(?:static|still|motionless)\b"
    r"(?!\s+(?:on|recording|filming|rolling))",
    re.IGNORECASE,
)
_FADE = re.compile(
    rf"\bthe\s+(?:picture|screen|video|scene|image|clip|view|footage|frame|shot){_ADVERBS}\s+fades{_ADVERBS}\s+"
    r"(?:(?P<out>out\b|to\s+(?:a\s+)?(?:black|white)\b)|(?P<in>in\b(?!\s+and)|in\s+from\s+(?:black|white)\b|from\s+(?:black|white)\b))",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:no|not|never|without|nor|neither|if|until|would|could|might|may|seems?\s+to|appears?\s+to|as\s+though|as\s+if|"
    r"almost|hardly|barely|partly|partially)\b|n['’]t\b",
    re.IGNORECASE,
)
_OPPOSITE = {
    "pan left": "pan right", "pan right": "pan left", "tilt up": "tilt down", "tilt down": "tilt up",
    "zoom in": "zoom out", "zoom out": "zoom in",
}  # fmt: skip
_DIRECTED = frozenset(_OPPOSITE)

Looked = Sequence[tuple[Observation, ShotEvidence]]


def check(reading: Reading) -> Inspection:
    """Moves that were the opposite, a camera that stood still or did not, and fades that are not there."""
    looked = tuple((o, e) for o, e in reading.case.evidence(ShotEvidence) if e.camera or e.fades)
    if not looked:
        return Inspection()
    findings: list[Finding] = []
    confirmed: list[Confirmation] = []
    for piece in reading.pieces:
        if _DENIED.search(piece.words):
            continue
        window = _window(piece, reading)
        if window is None:
            continue
        for where, ids, refuted in (
            *_moves(piece, window, looked),
            *_statics(piece, window, looked),
            *_fades(piece, window, looked),
        ):
            start, end = piece.start + where[0], piece.start + where[1]
            if ids:
                confirmed.append(reading.bears_out(CHECK, "camera", (start, end), ids))
            elif refuted is not None:
                why, proof = refuted
                findings.append(
                    Finding(CHECK, "camera", "error", reading.caption[start:end].strip(), clipped(why), proof)
                )
    return Inspection(tuple(findings), tuple(confirmed))


Judged = tuple[tuple[int, int], tuple[str, ...], tuple[str, tuple[str, ...]] | None]
"""Where a claim stands in its piece, what bears it out, and what refutes it."""


def _window(piece: Piece, reading: Reading) -> Span | None:
    """All the seconds that a claim may be about."""
    window = reading.window(piece)
    if window is None or reading.case.clip.whole is None:
        return None
    end_s = min(window.end_s + NEAR_S, reading.case.clip.duration_s)
    start_s = max(0.0, window.start_s - NEAR_S)
    return Span(start_s=start_s, end_s=end_s) if end_s > start_s else None


def _moves(piece: Piece, window: Span, looked: Looked) -> Iterator[Judged]:
    for match in _MOVE.finditer(piece.words):
        claim = next(name for n, (name, _) in enumerate(_CLAIMS) if match[f"m{n}"])
        ids = _with(looked, window, {claim})
        refuted = _covered(looked, window, {"static", _OPPOSITE[claim]})
        yield match.span(), ids, None if refuted is None else (_measured(looked, window), refuted)
    for match in _UNSTEADY.finditer(piece.words):
        yield match.span(), _with(looked, window, {"unsteady"}), None


def _statics(piece: Piece, window: Span, looked: Looked) -> Iterator[Judged]:
    for match in _STATIC.finditer(piece.words):
        ids = _with(looked, window, {"static"})
        refuted = _covered(looked, window, _DIRECTED)
        yield match.span(), ids, None if refuted is None else (_measured(looked, window), refuted)


def _fades(piece: Piece, window: Span, looked: Looked) -> Iterator[Judged]:
    for match in _FADE.finditer(piece.words):
        near = [(o.id, fade) for o, e in looked for fade in e.fades if _meets(fade, window)]
        kind = "out" if match["out"] else "in"
        ids = tuple(dict.fromkeys(i for i, fade in near if fade.kind == kind))
        # A camera that was followed all the time means a picture that was never plain.
        followed = None if near else _covered(looked, window, {"static", "unsteady", *_DIRECTED})
        why = "the picture does not fade there: it can be seen throughout"
        yield match.span(), ids, None if followed is None else (why, followed)


def _with(looked: Looked, window: Span, motions: set[str]) -> tuple[str, ...]:
    found = (o.id for o, e in looked if any(m.motion in motions and _meets(m, window) for m in e.camera))
    return tuple(dict.fromkeys(found))


def _covered(looked: Looked, window: Span, motions: frozenset[str] | set[str]) -> tuple[str, ...] | None:
    """What proves that the camera did nothing but this in all of the window; None where it is not proven."""
    moves = sorted(
        ((move, o.id) for o, e in looked for move in e.camera if _meets(move, window)), key=lambda item: item[0].start_s
    )
    if any(move.motion not in motions for move, _ in moves):
        return None
    seen_to_s = window.start_s
    for move, _ in moves:
        if move.start_s > seen_to_s + _GAP_S:
            return None
        seen_to_s = max(seen_to_s, move.end_s)
    return tuple(dict.fromkeys(i for _, i in moves)) if moves and seen_to_s >= window.end_s - _GAP_S else None


def _meets(item: CameraMove | Fade, window: Span) -> bool:
    return item.start_s < window.end_s and window.start_s < item.end_s


def _measured(looked: Looked, window: Span) -> str:
    moves = sorted({(m.start_s, m.end_s, m.motion) for _, e in looked for m in e.camera if _meets(m, window)})
    told = ", ".join(f"{motion} at {start_s:.1f}–{end_s:.1f} s" for start_s, end_s, motion in moves[:_TOLD])
    return f"the motion of the whole picture was measured: {told}{' …' if len(moves) > _TOLD else ''}"
