"""Text in a picture: PP-OCRv6 by RapidOCR, whose models travel in its package.

Between finding the lines and reading them the contrast of each line is stretched to the full range. Measured on
rendered text: on a mid-grey ground the recogniser otherwise runs words together (13 of 48 blocks; none afterwards).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omnidetective.embedded.inference import load_once

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PACKAGES = ("rapidocr", "onnxruntime", "cv2")

_LEAST_DETECTION = 0.35
"""Of the detector; lower than its own 0.5, which loses short words."""
_SHORTEST_SIDE_PX = 544
"""Smaller pictures are made this large. The engine's own 736 found no more in 360p frames, and takes twice as long."""
_LEAST_SCORE = 0.6
_LEAST_SCORE_SHORT = 0.85
"""For one or two characters: texture often looks like those."""
_LEAST_CONTRAST = 16.0
_ONE_LINE_OVERLAP = 0.6
_ONE_LINE_GAP = 0.9
"""Widest gap, in heights, between two parts of one line."""


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of text.

    Attributes:
        box: ``(left, top, right, bottom)`` as shares of the picture, 0…1.
        score: mean probability of its characters.
    """

    text: str
    box: tuple[float, float, float, float]
    score: float

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]


class TextModel:
    """A text detector and a text recogniser."""

    def __init__(self, *, threads: int) -> None:
        """Load them."""
        from rapidocr import RapidOCR

        # Any: what its calls return depends on their switches.
        self._engine: Any = RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.text_score": 0.0,
                "Det.box_thresh": _LEAST_DETECTION,
                "Det.limit_side_len": _SHORTEST_SIDE_PX,
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )
        # The engine keeps the switches of its last call.
        self._lock = threading.Lock()

    @classmethod
    def shared(cls, *, threads: int, slot: int = 0) -> TextModel:
        """The one model of this process; of each slot, where several pictures are read at once."""
        return load_once(("rapidocr", threads, slot), lambda: cls(threads=threads))

    def read(self, jpeg: bytes) -> tuple[TextLine, ...]:
        """The lines of text in a picture, in reading order; none in a picture that holds none.

        Raises:
            ValueError: it is no picture.
        """
        import cv2
        import numpy as np

        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise ValueError("not a picture")
        with self._lock:
            found = self._engine(picture, use_det=True, use_cls=False, use_rec=False)
            if getattr(found, "boxes", None) is None:
                return ()
            lines = [line for corners in found.boxes if (line := self._read_line(picture, corners)) is not None]
        height, width = picture.shape[:2]
        return in_reading_order(join_parts(lines, aspect=width / height))

    def _read_line(self, picture: Any, corners: NDArray[Any]) -> TextLine | None:
        from rapidocr.utils.process_img import get_rotate_crop_image

        read = self._engine(
            _stretched(get_rotate_crop_image(picture, corners.astype("float32"))),
            use_det=False,
            use_cls=False,
            use_rec=True,
        )
        if not read.txts:
            return None
        text, score = " ".join(read.txts[0].split()), float(read.scores[0])
        if not text or score < (_LEAST_SCORE if len(text) > 2 else _LEAST_SCORE_SHORT):
            return None
        height, width = picture.shape[:2]
        left, top = corners.min(axis=0)
        right, bottom = corners.max(axis=0)
        box = (_share(left, width), _share(top, height), _share(right, width), _share(bottom, height))
        return TextLine(text, box, round(score, 4))


def join_parts(lines: Iterable[TextLine], *, aspect: float) -> list[TextLine]:
    """Put together what the detector took apart: words of one line with a wide space between them.

    Args:
        aspect: width of the picture by its height.
    """
    joined: list[TextLine] = []
    for line in sorted(lines, key=lambda part: part.box[0]):
        for n, left in enumerate(joined):
            if _continues(left, line, aspect):
                joined[n] = _together(left, line)
                break
        else:
            joined.append(line)
    return joined


def in_reading_order(lines: Iterable[TextLine]) -> tuple[TextLine, ...]:
    """From top to bottom, and from left to right where lines stand side by side."""
    rows: list[list[TextLine]] = []
    for line in sorted(lines, key=lambda item: item.box[1]):
        row = next((row for row in rows if _share_a_row(row[0], line)), None)
        if row is None:
            rows.append([line])
        else:
            row.append(line)
    return tuple(line for row in rows for line in sorted(row, key=lambda item: item.box[0]))


def _continues(left: TextLine, right: TextLine, aspect: float) -> bool:
    smaller, larger = sorted((left.height, right.height))
    gap = (right.box[0] - left.box[2]) * aspect
    return _share_a_row(left, right) and larger <= 1.6 * smaller and -0.5 * smaller <= gap <= _ONE_LINE_GAP * smaller


def _share_a_row(a: TextLine, b: TextLine) -> bool:
    overlap = min(a.box[3], b.box[3]) - max(a.box[1], b.box[1])
    return overlap >= _ONE_LINE_OVERLAP * min(a.height, b.height)


def _together(left: TextLine, right: TextLine) -> TextLine:
    weights = len(left.text), len(right.text)
    score = (left.score * weights[0] + right.score * weights[1]) / sum(weights)
    box = (
        left.box[0],
        min(left.box[1], right.box[1]),
        max(left.box[2], right.box[2]),
        max(left.box[3], right.box[3]),
    )
    return TextLine(f"{left.text} {right.text}", box, round(score, 4))


def _stretched(line: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import numpy as np

    low, high = np.percentile(line, (1, 99))
    if high - low < _LEAST_CONTRAST:
        return line
    stretched: NDArray[np.float32] = (line.astype(np.float32) - low) * (255.0 / (high - low))
    return stretched.clip(0, 255).astype(np.uint8)


def _share(value: float, whole: int) -> float:
    return round(min(1.0, max(0.0, float(value) / whole)), 4)
