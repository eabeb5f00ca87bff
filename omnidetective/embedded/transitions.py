"""Fades and dissolves, from the brightness of frames in equal steps. Pure.

In a fade all parts of the picture lose, or gain, contrast in step; in a dissolve each picture is a mixture of the one
before and the one after. What moves out of a picture, or comes to lie before something plain, does neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from omnidetective.evidence import Fade

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PLAIN = 3.0
"""Standard deviation of brightness, 0…255, below which a picture shows nothing."""
_NEARLY = 0.35
"""Share of its contrast that a picture may have left when the frames end in the middle of a fade."""
_CONTRAST = 8.0
"""Least standard deviation of a picture that is faded."""
_LONGEST_S = 6.0
_SHORTEST_S = 0.25
_LARGEST_STEP = 0.6
"""Share of a change that may happen from one frame to the next; a cut to black has all of it."""
_GRID = (4, 6)
_IN_STEP = 0.2
_MOST_BLOCKS = 0.75
_STILL_FALLING = 0.004

_SMALL = (27, 48)
_WINDOWS_S = (0.4, 0.6, 1.0, 1.5, 2.2, 3.2)
_OTHER_PICTURE = 14.0
"""Least root mean square difference of the pictures before and after a dissolve."""
_UNLIKE = 0.6
"""Largest correlation of the two."""
_MIXTURE = 0.025
"""Largest share of the change that a mixture of the two leaves unexplained."""
_BLURRED = 0.1
"""The same, beside frames that are mixtures beyond doubt."""
_GROWS = 1.02
_WIDEST = 40
_BETWEEN = (0.12, 0.88)


def fades(frames: Sequence[NDArray[np.uint8]], *, start_s: float, step_s: float) -> list[Fade]:
    """Fades in and out, and dissolves, in order.

    Args:
        frames: brightness, each of the same shape ``(height, width)``.
        start_s: time of the first frame.
        step_s: time between two frames, a tenth of a second or so.
    """
    import numpy as np

    if len(frames) < 4:
        return []
    small = np.stack([_small(frame) for frame in frames])
    contrast = np.array([float(frame.std()) for frame in frames])
    found = [*_fades(small, contrast, "out", step_s), *_fades(small[::-1], contrast[::-1], "in", step_s)]
    last_s = (len(frames) - 1) * step_s
    turned: list[Found] = [
        (a, b, kind) if kind == "out" else (last_s - b, last_s - a, kind)  # seen backwards, a fade in fades out
        for a, b, kind in found
    ]
    turned += [item for item in _dissolves(small, contrast, step_s) if not any(_meet(item, other) for other in turned)]
    turned.sort()
    return [Fade(start_s=round(start_s + a, 2), end_s=round(start_s + b, 2), kind=kind) for a, b, kind in turned]


Found = tuple[float, float, Literal["in", "out", "dissolve"]]


def _fades(
    small: NDArray[np.float32], contrast: NDArray[np.float64], kind: Literal["in", "out"], step_s: float
) -> Iterator[Found]:
    """Where contrast falls to nothing, in all parts of the picture alike."""
    longest = round(_LONGEST_S / step_s)
    last = len(contrast) - 1
    for n in range(1, len(contrast)):
        # The last frame of a clip that fades out is often not quite plain.
        if (contrast[n] >= _PLAIN and n < last) or contrast[n - 1] < _PLAIN:
            continue
        first = _top(contrast, n, longest)
        level = float(contrast[first])
        if contrast[n] > max(_PLAIN, _NEARLY * level):
            continue
        if level < _CONTRAST or not _is_gradual(contrast[first : n + 1] / level, step_s):
            continue
        if _in_step(small, first, n):
            gains = [float(value) / level for value in contrast[first : n + 1]]
            yield (*_edges(gains, first, step_s), kind)


def _top(contrast: NDArray[np.float64], n: int, longest: int) -> int:
    """Back from a plain picture to where contrast begins to fall."""
    first = n
    while first > max(0, n - longest):
        least = _STILL_FALLING * float(contrast[first])
        if contrast[first - 1] - contrast[first] > least:
            first -= 1
        elif first - 2 >= 0 and contrast[first - 2] - contrast[first] > 2 * least:
            first -= 2  # a keyframe in between is sharper or softer than the rest
        else:
            break
    return first


def _is_gradual(gains: NDArray[np.float64], step_s: float) -> bool:
    import numpy as np

    steps = -np.diff(gains)
    return len(gains) * step_s >= _SHORTEST_S and len(gains) >= 4 and float(steps.max()) <= _LARGEST_STEP


def _in_step(small: NDArray[np.float32], first: int, last: int) -> bool:
    """Whether every part of the picture has come half the way when the whole has."""
    import numpy as np

    plain = _ground(small[first], small[last])
    away = np.abs(small[first : last + 1] - plain)
    whole = away.mean(axis=(1, 2))
    half = int(np.argmin(np.abs(whole / whole[0] - 0.5)))
    if half in (0, last - first):
        return False
    begin, middle = _blocks(away[0]), _blocks(away[half])
    there = begin > max(2.0, 0.15 * float(begin.max()))
    share = middle[there] / begin[there]
    overall = float(middle[there].sum() / begin[there].sum())
    return float((np.abs(share - overall) <= _IN_STEP).mean()) >= _MOST_BLOCKS


def _ground(full: NDArray[np.float32], faded: NDArray[np.float32]) -> float:
    """The brightness into which a picture fades: the faded one is a mixture of it and the full one."""
    away = full - full.mean()
    gain = min(0.9, max(0.0, float((away * faded).sum() / (away**2).sum())))
    return float((faded.mean() - gain * full.mean()) / (1 - gain))


def _dissolves(small: NDArray[np.float32], contrast: NDArray[np.float64], step_s: float) -> list[Found]:
    import numpy as np

    candidates: list[tuple[float, int, list[float]]] = []
    for window_s in _WINDOWS_S:
        width = max(4, round(window_s / step_s))
        for n in range(len(small) - width):
            if contrast[n] < _CONTRAST or contrast[n + width] < _CONTRAST:
                continue
            before, after = small[n], small[n + width]
            change = after - before
            size = float(np.sqrt((change**2).mean()))
            if size < _OTHER_PICTURE or _correlation(before, after) > _UNLIKE:
                continue
            shares = _mixture(small[n : n + width + 1], before, change)
            if shares is not None:
                candidates.append((size, n, shares))
    chosen: list[Found] = []
    for _, first, seen in sorted(candidates, key=lambda item: (-round(item[0]), len(item[2]))):
        n, shares = _widened(small, first, seen)
        gains = [1.0 - share for share in shares]
        item: Found = (*_edges(gains, n, step_s), "dissolve")
        if not any(_meet(item, other) for other in chosen):
            chosen.append(item)
    return chosen


def _widened(small: NDArray[np.float32], first: int, shares: list[float]) -> tuple[int, list[float]]:
    """The window made longer for as long as the change grows: what moves in the pictures blurs its ends."""
    import numpy as np

    last = first + len(shares) - 1
    size = float(((small[last] - small[first]) ** 2).sum())
    growing = True
    while growing:
        growing = False
        for a, b in ((first - 1, last), (first, last + 1)):
            if a < 0 or b >= len(small) or b - a > _WIDEST:
                continue
            change = small[b] - small[a]
            energy = float(np.square(change).sum())
            wider = _mixture(small[a : b + 1], small[a], change, unexplained=_BLURRED)
            if energy > _GROWS * size and wider is not None:
                first, last, size, shares, growing = a, b, energy, wider, True
    return first, shares


def _mixture(
    window: NDArray[np.float32],
    before: NDArray[np.float32],
    change: NDArray[np.float32],
    *,
    unexplained: float = _MIXTURE,
) -> list[float] | None:
    """The share of the later picture in each frame; None where one is no mixture, or the share does not just grow."""
    import numpy as np

    energy = float((change**2).sum())
    away = window - before
    shares = (away * change).sum(axis=(1, 2)) / energy
    left = ((away - shares[:, None, None] * change) ** 2).sum(axis=(1, 2)) / energy
    between = int(((shares > _BETWEEN[0]) & (shares < _BETWEEN[1])).sum())
    steps = np.diff(shares)
    if (
        float(left.max()) > unexplained
        or between < 2
        or float(steps.min()) < -0.05
        or float(steps.max()) > _LARGEST_STEP
    ):
        return None
    return [float(share) for share in shares]


def _edges(gains: Sequence[float], first: int, step_s: float) -> tuple[float, float]:
    """When a change from 1 to 0 begins and ends, taken for even: its ends are too faint to be seen in single frames."""
    low = max(0.2, gains[-1] + 0.05)
    begun, ended = _crossing(gains, 0.8), _crossing(gains, low)
    whole = (ended - begun) / (0.8 - low)
    begin, finish = max(0.0, begun - 0.2 * whole), min(float(len(gains)), ended + low * whole)
    return (first + begin) * step_s, (first + max(finish, begin + 0.5)) * step_s


def _crossing(gains: Sequence[float], level: float) -> float:
    """Where the gains fall through a level, between two frames."""
    for n in range(len(gains) - 1, 0, -1):
        if gains[n - 1] >= level >= gains[n] and gains[n - 1] > gains[n]:
            return n - 1 + (gains[n - 1] - level) / (gains[n - 1] - gains[n])
    return 0.0


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    one, other = a - a.mean(), b - b.mean()
    return float((one * other).mean() / max(1e-6, float(one.std() * other.std())))


def _small(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The frame as the means of 27 × 48 blocks."""
    return _means(frame, _SMALL)


def _blocks(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return _means(picture, _GRID)


def _means(picture: NDArray[np.uint8] | NDArray[np.float32], grid: tuple[int, int]) -> NDArray[np.float32]:
    import numpy as np

    rows, columns = min(grid[0], picture.shape[0]), min(grid[1], picture.shape[1])
    tops = np.linspace(0, picture.shape[0], rows, endpoint=False).astype(int)
    lefts = np.linspace(0, picture.shape[1], columns, endpoint=False).astype(int)
    sums = np.add.reduceat(np.add.reduceat(picture.astype(np.float32), tops, axis=0), lefts, axis=1)
    heights = np.diff([*tops, picture.shape[0]])
    widths = np.diff([*lefts, picture.shape[1]])
    means: NDArray[np.float32] = (sums / np.outer(heights, widths)).astype(np.float32)
    return means


def _meet(a: Found, b: Found) -> bool:
    return a[0] < b[1] and b[0] < a[1]
