"""``shots``: cuts, gradual changes, and what the camera does."""

from __future__ import annotations

from collections.abc import Sequence

from omnidetective.evals.sample_records import CUT_TOLERANCE_S, cuts_found, intersect, length_s
from omnidetective.evals.sample_truth import Truth
from omnidetective.evidence import CameraMove, Fade, ShotEvidence, Span
from scripts.bench.instruments.asking import Bench
from scripts.bench.instruments.films import Film, Studio
from scripts.bench.instruments.rows import Row, mean, of
from scripts.bench.samples import DATA

WRONG_MOVE_S = 1.0
"""From how many seconds on a motion that is not there counts."""
GROUPS = {
    "pans, with their direction": ("pan left", "pan right"),
    "tilts, with their direction": ("tilt up", "tilt down"),
    "zooms, with their direction": ("zoom in", "zoom out"),
    "a camera that stands before moving things": ("static",),
}

Answers = Sequence[tuple[Film, ShotEvidence]]


async def measure(bench: Bench, truth: Truth, studio: Studio) -> list[Row]:
    """See the module."""

    async def answers(films: Sequence[Film]) -> Answers:
        return [(film, await bench.ask("shots", film.path, ShotEvidence)) for film in films]

    moving = [clip for clip in truth.clips if clip.modality == "video"]
    edited = await answers([*(Film(path=DATA / clip.file, cuts=clip.cuts) for clip in moving), studio.edited()])
    faded = await answers(studio.faded())
    moved = await answers(studio.moved())
    return [*on_cuts(edited, uncut=(*faded, *moved)), *on_fades(faded), *on_moves(moved)]


def on_cuts(edited: Answers, *, uncut: Answers) -> list[Row]:
    """The rows for hard cuts; a dissolve, a fade or a movement is none."""
    cuts = sum(len(film.cuts) for film, _ in edited)
    detected = [[cut.time_s for cut in found.cuts] for _, found in edited]
    hits = [cuts_found(film.cuts, times) for (film, _), times in zip(edited, detected, strict=True)]
    errors = [
        min(abs(time_s - true_s) for time_s in times)
        for (film, _), times in zip(edited, detected, strict=True)
        for true_s in film.cuts
        if times
    ]
    near = [error_s for error_s in errors if error_s <= CUT_TOLERANCE_S + 1e-9]
    return [
        Row("shots", "cuts found, on the samples and on an edited clip", of(sum(hits), cuts)),
        Row("shots", "error of their times", mean(near, "s", 3)),
        Row("shots", "false cuts in them", str(sum(map(len, detected)) - sum(hits))),
        Row("shots", f"cuts invented in {len(uncut)} fades and movements", str(sum(len(f.cuts) for _, f in uncut))),
    ]


def on_fades(faded: Answers) -> list[Row]:
    """The rows for gradual changes: one is found when one of its kind covers half of it."""
    wanted = [(fade, found) for film, found in faded for fade in film.fades]
    pairs = [(fade, _best(fade, found.fades)) for fade, found in wanted]
    edges = [abs(a - b) for x, y in pairs if y for a, b in ((x.start_s, y.start_s), (x.end_s, y.end_s))]
    hits = sum(best is not None for _, best in pairs)
    return [
        Row("shots", "fades in and out, and dissolves", of(hits, len(wanted))),
        Row("shots", "error of their beginnings and ends", mean(edges, "s")),
        Row("shots", "other fades told in them", str(sum(len(found.fades) for _, found in faded) - hits)),
    ]


def on_moves(moved: Answers) -> list[Row]:
    """The rows for the camera: it is right when the true motion is told for half of the clip or more."""
    rows = []
    for what, motions in GROUPS.items():
        wanted = [(move, found) for film, found in moved for move in film.camera if move.motion in motions]
        right = sum(_told_s(move, found.camera) >= _span(move).duration_s / 2 for move, found in wanted)
        rows.append(Row("shots", what, of(right, len(wanted))))
    wrong = 0
    for film, found in moved:
        true = {move.motion for move in film.camera} | {"static", "unsteady"}
        wrong += any(m.end_s - m.start_s >= WRONG_MOVE_S for m in found.camera if m.motion not in true)
    return [*rows, Row("shots", "clips with a pan, tilt or zoom that is not there", of(wrong, len(moved)))]


def _best(fade: Fade, found: Sequence[Fade]) -> Fade | None:
    same = [other for other in found if other.kind == fade.kind and other.end_s > other.start_s]
    best = max(same, key=lambda other: _span(fade).overlap_s(_span(other)), default=None)
    covers = best is not None and _span(fade).overlap_s(_span(best)) >= _span(fade).duration_s / 2
    return best if covers else None


def _told_s(move: CameraMove, found: Sequence[CameraMove]) -> float:
    told = [_span(other) for other in found if other.motion == move.motion and other.end_s > other.start_s]
    return length_s(intersect([_span(move)], told))


def _span(item: Fade | CameraMove) -> Span:
    return Span(start_s=item.start_s, end_s=item.end_s)
