"""Moments at which the sound sets in or jumps up: louder, all at once, than all of the half second before.

So words that follow each other and the beats of a piece of music are no onsets, and a door that slams, a voice after a
pause, and music that begins are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_ONSETS = 200
"""However long the sound: the greatest jumps."""
_RATE_HZ = 16_000
_FRAME = 160
FRAME_S = _FRAME / _RATE_HZ

_AFTER = 6
_BEFORE = 50
_GAP = 3
_LEAST_BEFORE = 20
_SMOOTH = 3
_LEAST_JUMP_DB = 10.0
_LEAST_LEVEL_DB = -50.0
_FLOOR_DB = -60.0


def frame_power(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean power of each 10 ms of mono samples at 16 kHz; a rest that is shorter is left out."""
    import numpy as np

    count = samples.size // _FRAME
    power: NDArray[np.float32] = np.mean(
        np.square(samples[: count * _FRAME].reshape(count, _FRAME), dtype=np.float32), axis=1
    )
    return power


def onsets(power: NDArray[np.float32], *, offset_s: float = 0.0) -> tuple[float, ...]:
    """The onsets of a sound, in seconds, in order.

    Args:
        power: of its frames, see :func:`frame_power`.
        offset_s: time of the first frame.
    """
    import numpy as np

    if power.size < _LEAST_BEFORE + _GAP + _AFTER:
        return ()
    after_db = _db(_means(power, _AFTER))
    smooth_db = np.maximum(_db(_means(power, _SMOOTH)), _FLOOR_DB)
    # before_db[n]: the loudest of the frames n-50 … n-3; of as many as there are, at the beginning.
    padded = np.concatenate([np.full(_BEFORE - 1, -np.inf), smooth_db])
    loudest_db = np.lib.stride_tricks.sliding_window_view(padded, _BEFORE).max(axis=1)
    before_db = np.full(power.size, np.inf)
    lag = _GAP + _SMOOTH - 1
    usable = min(power.size - lag, loudest_db.size)
    before_db[lag : lag + usable] = loudest_db[:usable]
    before_db[: _LEAST_BEFORE + _GAP] = np.inf
    jump_db = after_db - before_db[: after_db.size]
    jump_db[after_db < _LEAST_LEVEL_DB] = -np.inf
    found = [(frame, float(jump_db[frame])) for frame in _peaks(jump_db)]
    found = sorted(sorted(found, key=lambda item: -item[1])[:MOST_ONSETS])
    frame_db = _db(power)
    return tuple(
        round(offset_s + _rise(frame_db, frame, float(before_db[frame]), jump) * FRAME_S, 2) for frame, jump in found
    )


def _peaks(jump_db: NDArray[np.float32]) -> Iterable[int]:
    """The greatest jump of each run of frames that lie close together."""
    import numpy as np

    frames = np.flatnonzero(jump_db >= _LEAST_JUMP_DB)
    if frames.size == 0:
        return []
    runs = np.split(frames, np.flatnonzero(np.diff(frames) > _BEFORE // 2) + 1)
    return [int(run[np.argmax(jump_db[run])]) for run in runs]


def _rise(frame_db: NDArray[np.float32], frame: int, before_db: float, jump_db: float) -> int:
    """The frame near the peak of the jump in which the sound gets louder by half of it."""
    import numpy as np

    first = max(0, frame - _AFTER)
    louder = np.flatnonzero(frame_db[first : frame + _AFTER] >= before_db + jump_db / 2)
    return first + int(louder[0]) if louder.size else frame


def _means(power: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """The mean of each frame and those that follow it, ``count`` together."""
    import numpy as np

    sums = np.concatenate([[0.0], np.cumsum(power, dtype=np.float64)])
    means: NDArray[np.float32] = ((sums[count:] - sums[:-count]) / count).astype(np.float32)
    return means


def _db(power: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    level: NDArray[np.float32] = (10 * np.log10(np.maximum(power, 1e-12))).astype(np.float32)
    return level
