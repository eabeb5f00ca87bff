"""What the camera does, from how the whole picture moves: corners tracked from frame to frame, by OpenCV.

The picture is divided into cells, and each cell that has texture has one vote: a camera that moves takes nearly all of
them along, something that moves before it only a few. What the votes do not settle is not stated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import median
from typing import TYPE_CHECKING, Literal

from omnidetective.evidence import CameraMove

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PACKAGES = ("cv2",)
BASELINE_S = 0.3
"""Time between the two frames of a pair."""
Motion = Literal["static", "pan left", "pan right", "tilt up", "tilt down", "zoom in", "zoom out", "unsteady"]

_COLUMNS, _ROWS = 6, 4
_SMALLEST_PX = 48
"""Of the shorter side: the cells of a smaller picture hold nothing that could be followed."""
_CORNERS_A_CELL = 8
_QUALITY = 0.02
_LEAST_EIGENVALUE = 2e-4
"""Of a corner that counts as texture; compression noise on a plain wall stays below."""
_BACK_AND_FORTH_PX = 0.5
"""A corner that is not found again where it came from was not tracked."""
_SAME_MOTION_PX = 0.8
_STOOD_STILL_PX = 0.15
_FEWEST_CELLS = 7
"""Of 24: with texture in fewer, nobody can tell a moving camera from a moving thing."""
_MOST_CELLS = 0.7
"""Share of the cells that must go along with a motion for it to be the camera's."""
_STILL_CELLS = 0.5
_LOST = 0.5
"""Share of the cells with texture whose corners must be found again."""

_STATIC_PER_S = 0.003
_MOVES_PER_S = 0.007
"""Shares of the longer side a second; in between it is not stated whether the camera moves."""
_MIXED = 0.6
"""Share of the first motion from which a second one makes it two at once, which have no name here."""
_SHORTEST_S = 0.8
_SHORTEST_UNSTEADY_S = 1.5
_STEADY = 0.7
_TO_AND_FRO = 0.4
"""Shares of its way that the camera gets ahead: from the one on it has a direction, up to the other it has none."""
_AROUND = 2


@dataclass(frozen=True, slots=True)
class Flow:
    """How the content of the picture moves at a moment, in shares of its longer side a second, to right and down.

    Attributes:
        time_s: the middle of the pair of frames.
        zoom: by how much the edges move outwards; negative, inwards.
        turn: how the edges move by a rotation.
        share: of the cells that go along, 0…1.
    """

    time_s: float
    right: float
    down: float
    zoom: float
    turn: float
    share: float


def flow(a: NDArray[np.uint8], b: NDArray[np.uint8], *, time_s: float, seconds: float) -> Flow | None:
    """The motion of the whole picture from one frame to a later one; None where it cannot be told.

    Args:
        a, b: brightness, shape ``(height, width)``.
        time_s: the moment that the result is about.
        seconds: from the first frame to the second.
    """
    import cv2
    import numpy as np

    if min(a.shape) < _SMALLEST_PX:
        return None
    corners = _corners(a)
    cells = _cells(corners, a.shape)
    textured = set(cells.tolist())
    if len(textured) < _FEWEST_CELLS:
        return None
    found, there, _ = cv2.calcOpticalFlowPyrLK(a, b, corners, None, winSize=(17, 17), maxLevel=3)  # type: ignore[call-overload]
    again, back, _ = cv2.calcOpticalFlowPyrLK(b, a, found, None, winSize=(17, 17), maxLevel=3)  # type: ignore[call-overload]
    kept = (there[:, 0] == 1) & (back[:, 0] == 1)
    kept &= np.linalg.norm(again - corners, axis=2)[:, 0] < _BACK_AND_FORTH_PX
    before, after, cells = corners[kept, 0], found[kept, 0], cells[kept]
    if len(set(cells.tolist())) < max(_FEWEST_CELLS, _LOST * len(textured)):
        return None
    moved = np.linalg.norm(after - before, axis=1)
    still_share = _share(cells, moved < _STOOD_STILL_PX)
    matrix, _ = cv2.estimateAffinePartial2D(
        before, after, method=cv2.RANSAC, ransacReprojThreshold=_SAME_MOTION_PX, maxIters=500, confidence=0.99
    )
    along = np.zeros(len(before), bool)
    if matrix is not None:
        along = np.linalg.norm(before @ matrix[:, :2].T + matrix[:, 2] - after, axis=1) < _SAME_MOTION_PX
    share = _share(cells, along)
    if still_share >= _STILL_CELLS and (share < _MOST_CELLS or still_share >= share):
        return Flow(time_s, 0.0, 0.0, 0.0, 0.0, still_share)
    if matrix is None or share < _MOST_CELLS or not _everywhere(cells[along]):
        return None
    height, width = a.shape
    side = max(a.shape)
    middle = np.array([width / 2, height / 2])
    right, down = matrix[:, :2] @ middle + matrix[:, 2] - middle
    scale = math.hypot(matrix[0, 0], matrix[1, 0])
    angle = math.atan2(matrix[1, 0], matrix[0, 0])
    return Flow(
        time_s,
        right=float(right) / side / seconds,
        down=float(down) / side / seconds,
        zoom=0.5 * math.log(scale) / seconds,
        turn=0.5 * angle / seconds,
        share=share,
    )


def camera_moves(flows: Sequence[Flow | None], *, step_s: float, start_s: float, end_s: float) -> list[CameraMove]:
    """What the camera does in one stretch without a cut.

    Args:
        flows: in equal steps; None where nothing could be told.
        step_s: time between two of them.
        start_s, end_s: of the stretch, which the first and the last move reach.
    """
    labels = [_label(item) for item in _calmed(flows)]
    moves: list[CameraMove] = []
    at = 0
    for label, steps in [(key, len(list(group))) for key, group in groupby(labels)]:
        part = flows[at : at + steps]
        at += steps
        if label is None or steps * step_s < min(_SHORTEST_S, 0.8 * (end_s - start_s)):
            continue
        if label == "static" or _steadiness(part) >= _STEADY:
            moves.append(_move(label, part, step_s))
    moves = sorted([*moves, *_unsteady(flows, step_s, moves)], key=lambda move: move.start_s)
    return _stretched(moves, start_s, end_s, slack_s=BASELINE_S + step_s)


def _corners(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Corners, a few in each cell, so that no piece of lettering outvotes the rest; shape ``(corners, 1, 2)``."""
    import cv2
    import numpy as np

    strength = cv2.cornerMinEigenVal(picture, 3)
    height, width = picture.shape
    found: list[NDArray[np.float32]] = []
    for row in range(_ROWS):
        for column in range(_COLUMNS):
            top, bottom = row * height // _ROWS, (row + 1) * height // _ROWS
            left, right = column * width // _COLUMNS, (column + 1) * width // _COLUMNS
            if strength[top:bottom, left:right].max() < _LEAST_EIGENVALUE:
                continue
            corners = cv2.goodFeaturesToTrack(picture[top:bottom, left:right], _CORNERS_A_CELL, _QUALITY, 4)
            if corners is not None:
                found.append(corners.astype(np.float32) + np.array([left, top], np.float32))
    return np.concatenate(found) if found else np.zeros((0, 1, 2), np.float32)


def _cells(corners: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.intp]:
    import numpy as np

    height, width = shape
    columns = np.minimum(corners[:, 0, 0] * _COLUMNS // width, _COLUMNS - 1)
    rows = np.minimum(corners[:, 0, 1] * _ROWS // height, _ROWS - 1)
    cells: NDArray[np.intp] = (rows * _COLUMNS + columns).astype(np.intp)
    return cells


def _share(cells: NDArray[np.intp], agreeing: NDArray[np.bool_]) -> float:
    """Share of the cells most of whose corners agree."""
    import numpy as np

    size = _COLUMNS * _ROWS
    of_cell = np.bincount(cells, minlength=size)
    yes = np.bincount(cells[agreeing], minlength=size)
    there = of_cell > 0
    return float((2 * yes[there] > of_cell[there]).mean())


def _everywhere(cells: NDArray[np.intp]) -> bool:
    """Whether cells lie all over the picture: what fills its middle only may move by itself before something plain."""
    columns, rows = cells % _COLUMNS, cells // _COLUMNS
    return bool(columns.max() - columns.min() >= _COLUMNS - 2 and rows.max() - rows.min() >= _ROWS - 2)


def _label(item: Flow | None) -> Motion | None:
    if item is None:
        return None
    sizes = {"x": abs(item.right), "y": abs(item.down), "z": abs(item.zoom), "r": abs(item.turn)}
    largest, second = sorted(sizes, key=lambda axis: -sizes[axis])[:2]
    if sizes[largest] < _STATIC_PER_S:
        return "static"
    if sizes[largest] < _MOVES_PER_S or sizes[second] > _MIXED * sizes[largest] or largest == "r":
        return None
    if largest == "x":
        # The content goes the other way than the camera.
        return "pan left" if item.right > 0 else "pan right"
    if largest == "y":
        return "tilt up" if item.down > 0 else "tilt down"
    return "zoom in" if item.zoom > 0 else "zoom out"


def _calmed(flows: Sequence[Flow | None]) -> list[Flow | None]:
    """Each flow as the median of those around it: tracking errs in single frames."""
    calmed: list[Flow | None] = []
    for n, item in enumerate(flows):
        near = [other for other in flows[max(0, n - _AROUND) : n + _AROUND + 1] if other is not None]
        if item is None and len(near) <= _AROUND:
            calmed.append(None)
            continue
        right, down, zoom, turn = (
            median(getattr(other, axis) for other in near) for axis in ("right", "down", "zoom", "turn")
        )
        calmed.append(replace(item or near[0], right=right, down=down, zoom=zoom, turn=turn))
    return calmed


def _steadiness(flows: Sequence[Flow | None]) -> float:
    """The way from the first to the last picture by the way that the camera went, 0…1."""
    known = [(item.right, item.down, item.zoom) for item in flows if item is not None]
    path = sum(math.hypot(*vector) for vector in known)
    net = math.hypot(*(sum(axis) for axis in zip(*known, strict=True))) if known else 0.0
    return net / path if path else 0.0


def _move(label: Motion, flows: Sequence[Flow | None], step_s: float) -> CameraMove:
    known = [item for item in flows if item is not None]
    share = sum(item.share for item in known) / len(known)
    start_s, end_s = known[0].time_s - step_s / 2, known[-1].time_s + step_s / 2
    return CameraMove(start_s=start_s, end_s=end_s, motion=label, score=round(share, 2))


def _unsteady(flows: Sequence[Flow | None], step_s: float, moves: Sequence[CameraMove]) -> list[CameraMove]:
    """Stretches outside of the steady moves in which the whole picture moves to and fro."""
    found: list[CameraMove] = []
    free = [item is not None and not any(move.start_s <= item.time_s < move.end_s for move in moves) for item in flows]
    at = 0
    for is_free, steps in [(key, len(list(group))) for key, group in groupby(free)]:
        part = [item for item in flows[at : at + steps] if item is not None]
        at += steps
        if not is_free or steps * step_s < _SHORTEST_UNSTEADY_S:
            continue
        speed = sum(math.hypot(item.right, item.down, item.zoom) for item in part) / len(part)
        if speed >= 2 * _MOVES_PER_S and _steadiness(part) <= _TO_AND_FRO:
            found.append(_move("unsteady", part, step_s))
    return found


def _stretched(moves: Sequence[CameraMove], start_s: float, end_s: float, *, slack_s: float) -> list[CameraMove]:
    """Moves that nearly reach the edges of the stretch, or the next move, do so: frames come in steps."""
    stretched: list[CameraMove] = []
    for n, move in enumerate(moves):
        low = stretched[-1].end_s if stretched else start_s
        high = moves[n + 1].start_s if n + 1 < len(moves) else end_s
        begin = low if move.start_s - low <= slack_s else move.start_s
        finish = high if high - move.end_s <= slack_s else move.end_s
        told = move.model_copy(update={"start_s": round(begin, 2), "end_s": round(finish, 2)})
        if stretched and stretched[-1].motion == told.motion and stretched[-1].end_s == told.start_s:
            told = told.model_copy(update={"start_s": stretched.pop().start_s})
        stretched.append(told)
    return stretched
