"""Statements on the picture as a whole: fades, what the camera does, faces, colour and light.

Only what is certain and would strike a viewer is told: a face that comes and goes every second is not, nor that a
camera stands still in one shot of many.
"""

from __future__ import annotations

from collections.abc import Iterator

from omnidetective.case import Case
from omnidetective.detective.statements import Statement, number_name, shot_name, shot_starts
from omnidetective.evidence import CameraMove, ColourEvidence, FaceCount, FaceEvidence, Look, ShotEvidence

_MOVES_S = 1.0
_STEADY_S = 2.0
_LOOK_S = 1.0
_MOST = 6
"""Of one kind in a clip: more is a list, and no caption."""
_THROUGHOUT = 0.95
_NEARLY_ALL = 0.9
_MOSTLY = 0.6
_VERY_DARK, _VERY_BRIGHT = 0.1, 0.9

CLAUSES: dict[str, str] = {
    "pan left": "the view moves to the left",
    "pan right": "the view moves to the right",
    "tilt up": "the view moves up",
    "tilt down": "the view moves down",
    "zoom in": "the view closes in",
    "zoom out": "the view widens",
    "unsteady": "the camera is unsteady",
}
"""What is seen, whether the camera turns or travels, zooms or comes nearer: that cannot be told apart."""


def fades(case: Case) -> Iterator[Statement]:
    """Fades, and dissolves from one shot into the next."""
    for observation, evidence in case.evidence(ShotEvidence):
        starts = shot_starts(case)
        for fade in evidence.fades[:_MOST]:
            into = [n for n, at in enumerate(starts) if fade.start_s <= at <= fade.end_s]
            if fade.kind == "dissolve" and not into:
                continue
            clause = (
                f"the picture dissolves into {shot_name(into[0] + 2)}"
                if fade.kind == "dissolve"
                else f"the picture fades {fade.kind}"
            )
            yield Statement(fade.start_s, fade.end_s, clause, "visual", (observation.id,), order=0)


def camera(case: Case) -> Iterator[Statement]:
    """The moves of the camera."""
    for observation, evidence in case.evidence(ShotEvidence):
        told: dict[str, list[int]] = {}
        for move in evidence.camera:
            clause = CLAUSES.get(move.motion)
            if clause is None or move.end_s - move.start_s < _MOVES_S:
                continue
            in_shots = told.setdefault(clause, [])
            shot = sum(other.start_s <= move.start_s for other in evidence.shots)
            # Where lettering comes between, one move is seen in two parts: it is told once.
            if shot not in in_shots and len(in_shots) < _MOST:
                in_shots.append(shot)
                yield Statement(move.start_s, move.end_s, clause, "visual", (observation.id,), order=0)


def stands_still(case: Case, evidence: ShotEvidence) -> bool:
    """Whether the camera was seen to stand still in nearly all of the clip, and nowhere to move."""
    still = [move for move in evidence.camera if move.motion == "static"]
    length_s = case.clip.duration_s
    return len(still) == len(evidence.camera) and _seconds(still) >= _THROUGHOUT * length_s > 0


def faces(case: Case) -> Iterator[Statement]:
    """How many faces are seen, where that holds for a while."""
    for observation, evidence in case.evidence(FaceEvidence):
        steady = [count for count in evidence.counts if count.faces and _lasts_s(count) >= _STEADY_S]
        if case.clip.whole is None:
            steady = [count for count in evidence.counts if count.faces]
        if len(steady) > _MOST:
            continue
        for count in steady:
            whole = case.clip.whole is None or _lasts_s(count) >= _THROUGHOUT * case.clip.duration_s
            start_s, end_s = (None, None) if whole else (count.start_s, count.end_s)
            yield Statement(start_s, end_s, _face_clause(count), "visual", (observation.id,), order=1)


def looks(case: Case) -> Iterator[Statement]:
    """Colour and light, where one colour fills the picture or there is very little or very much light."""
    for observation, evidence in case.evidence(ColourEvidence):
        striking = [(look, clause) for look in evidence.looks if (clause := _look_clause(look)) and _lasts(look)]
        if len(striking) > _MOST:
            continue
        for look, clause in striking:
            whole = look.start_s is None or (len(evidence.looks) == 1 and observation.span is None)
            start_s, end_s = (None, None) if whole else (look.start_s, look.end_s)
            yield Statement(start_s, end_s, clause, "visual", (observation.id,), order=1)


def _seconds(moves: list[CameraMove]) -> float:
    return sum(move.end_s - move.start_s for move in moves)


def _lasts_s(count: FaceCount) -> float:
    return 0.0 if count.start_s is None or count.end_s is None else count.end_s - count.start_s


def _face_clause(count: FaceCount) -> str:
    return "one face is seen" if count.faces == 1 else f"{number_name(count.faces)} faces are seen"


def _lasts(look: Look) -> bool:
    return look.start_s is None or look.end_s is None or look.end_s - look.start_s >= _LOOK_S


def _look_clause(look: Look) -> str:
    if not look.colours:
        return ""
    main = look.colours[0]
    if main.share >= _NEARLY_ALL:
        return f"{main.name} fills the picture"
    if look.brightness <= _VERY_DARK:
        return "the picture is very dark"
    if look.brightness >= _VERY_BRIGHT:
        return "the picture is very bright"
    return f"{main.name} dominates the picture" if main.share >= _MOSTLY else ""
