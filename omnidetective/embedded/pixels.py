"""A picture as numbers, for models and instruments that look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def grey_of(jpeg: bytes) -> NDArray[np.uint8]:
    """The brightness of each pixel, shape (height, width).

    Raises:
        ValueError: it is no picture.
    """
    import cv2

    return _decoded(jpeg, cv2.IMREAD_GRAYSCALE)


def colours_of(jpeg: bytes) -> NDArray[np.uint8]:
    """Blue, green and red of each pixel, shape (height, width, 3).

    Raises:
        ValueError: it is no picture.
    """
    import cv2

    return _decoded(jpeg, cv2.IMREAD_COLOR)


def _decoded(jpeg: bytes, kind: int) -> NDArray[np.uint8]:
    import cv2
    import numpy as np

    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), kind)
    if picture is None:
        raise ValueError("not a picture")
    return picture.astype(np.uint8, copy=False)
