"""A picture as rows of grey, for instruments that look at its lines and its ink."""

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
    import numpy as np

    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise ValueError("not a picture")
    return picture.astype(np.uint8, copy=False)
