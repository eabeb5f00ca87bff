"""Where faces are in a picture, not whose: CenterFace (Xu et al. 2019, arXiv:1911.03599), run by OpenCV.

The network halves the picture four times and comes back to a quarter of its size. There it gives, for each place, how
likely the middle of a face is there, the logarithms of its height and width, and where in the place the middle is.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnidetective.embedded.inference import load_once
from omnidetective.embedded.pixels import colours_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PACKAGES = ("cv2",)
WEIGHTS = "centerface"
LEAST_SCORE = 0.5

_STRIDE = 4
_MULTIPLE_PX = 32
_SAME_FACE = 0.3
_OUTPUTS = ("537", "538", "539", "540")
"""Heat, size, offset and landmarks, by the names that they have in the file, which is pinned by its hash."""


@dataclass(frozen=True, slots=True)
class FaceBox:
    """One face; ``box`` is ``(left, top, right, bottom)`` as shares of the picture, ``score`` 0…1."""

    box: tuple[float, float, float, float]
    score: float

    @property
    def width(self) -> float:
        return self.box[2] - self.box[0]


class FaceModel:
    """The face detector."""

    def __init__(self, folder: Path) -> None:
        """Load it.

        Args:
            folder: with ``centerface.onnx``.
        """
        import cv2

        # Any: OpenCV's networks have no types.
        self._net: Any = cv2.dnn.readNetFromONNX(str(folder / "centerface.onnx"))
        self._lock = threading.Lock()

    @classmethod
    def shared(cls, folder: Path) -> FaceModel:
        """The one model of this process."""
        return load_once(("centerface", folder), lambda: cls(folder))

    def find(self, jpeg: bytes) -> tuple[FaceBox, ...]:
        """The faces in a picture, surest first.

        Raises:
            ValueError: it is no picture.
        """
        import cv2

        picture = colours_of(jpeg)
        height, width = (_up(side) for side in picture.shape[:2])
        blob = cv2.dnn.blobFromImage(picture, 1.0, (width, height), (0, 0, 0), swapRB=True, crop=False)
        with self._lock:
            self._net.setInput(blob)
            heat, size, offset, _ = self._net.forward(_OUTPUTS)
        return _boxes(heat[0, 0], size[0], offset[0], width=width, height=height)


def _boxes(
    heat: NDArray[np.float32], size: NDArray[np.float32], offset: NDArray[np.float32], *, width: int, height: int
) -> tuple[FaceBox, ...]:
    import numpy as np

    found: list[FaceBox] = []
    rows, columns = np.nonzero(heat >= LEAST_SCORE)
    for row, column in sorted(zip(rows, columns, strict=True), key=lambda at: -heat[at]):
        high, wide = np.exp(size[:, row, column]) * _STRIDE
        y, x = (np.array([row, column]) + offset[:, row, column] + 0.5) * _STRIDE
        box = (
            _share(x - wide / 2, width),
            _share(y - high / 2, height),
            _share(x + wide / 2, width),
            _share(y + high / 2, height),
        )
        if box[0] < box[2] and box[1] < box[3] and not any(overlap(box, other.box) > _SAME_FACE for other in found):
            found.append(FaceBox(box, round(float(heat[row, column]), 3)))
    return tuple(found)


def overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Shared area by joint area, 0…1."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    joint = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / joint


def _up(side: int) -> int:
    return max(1, -(-side // _MULTIPLE_PX)) * _MULTIPLE_PX


def _share(value: float, whole: int) -> float:
    return round(min(1.0, max(0.0, float(value) / whole)), 4)
