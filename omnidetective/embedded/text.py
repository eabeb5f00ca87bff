"""Text in pictures: PP-OCR (RapidOCR), whose models come inside its package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omnidetective.embedded.inference import load_once

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

PACKAGES = ("rapidocr", "onnxruntime", "cv2")

_SAME_ROW = 0.6
"""Lines whose centres are nearer than this share of their height stand in one row."""


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of text in a picture; ``box`` is (left, top, right, bottom) as shares of the picture."""

    text: str
    box: tuple[float, float, float, float]
    score: float


class TextModel:
    """Finds lines of text in a picture and reads them."""

    def __init__(self, *, threads: int) -> None:
        from rapidocr import RapidOCR

        self._engine = RapidOCR(
            params={
                "Global.log_level": "error",
                # Turned text is rare in video, and the classifier turns short words upside down now and then.
                "Global.use_cls": False,
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )

    @classmethod
    def shared(cls, *, threads: int) -> TextModel:
        """The one model of this process."""
        return load_once(("rapidocr", threads), lambda: cls(threads=threads))

    def read(self, jpeg: bytes) -> tuple[TextLine, ...]:
        """The lines of a picture in reading order: rows from the top, in a row from the left. Blocking.

        Args:
            jpeg: the picture.
        """
        import cv2
        import numpy as np

        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            return ()
        height, width = picture.shape[:2]
        # The package's own types say what it may return for other settings, not what it returns for these.
        found: Any = self._engine(picture)
        if found is None or found.boxes is None or not found.txts:
            return ()
        lines = [
            TextLine(" ".join(text.split()), _bounds(box, width, height), round(float(score), 3))
            for box, text, score in zip(found.boxes, found.txts, found.scores, strict=True)
            if text.strip()
        ]
        return tuple(in_reading_order(lines))


def in_reading_order(lines: list[TextLine]) -> Iterator[TextLine]:
    """Rows from the top, in a row from the left."""
    rows: list[list[TextLine]] = []
    for line in sorted(lines, key=lambda item: _middle(item)):
        height = line.box[3] - line.box[1]
        if rows and abs(_middle(line) - _middle(rows[-1][-1])) < _SAME_ROW * height:
            rows[-1].append(line)
        else:
            rows.append([line])
    for row in rows:
        yield from sorted(row, key=lambda item: item.box[0])


def _middle(line: TextLine) -> float:
    return (line.box[1] + line.box[3]) / 2


def _bounds(box: NDArray[np.float32], width: int, height: int) -> tuple[float, float, float, float]:
    xs, ys = box[:, 0] / width, box[:, 1] / height
    left, top, right, bottom = (
        round(min(1.0, max(0.0, float(v))), 4) for v in (xs.min(), ys.min(), xs.max(), ys.max())
    )
    return left, top, right, bottom
