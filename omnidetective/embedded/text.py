"""Text in a picture: PP-OCRv6 by RapidOCR, whose models travel in its package.

A large picture is looked through at a smaller size, and its lines are read from it as it is: finding them takes far
fewer pixels than reading them. Where they are too small to be found so, tiles of it are looked through besides.

Between finding the lines and reading them the contrast of each line is stretched to the full range. Measured on
rendered text: on a mid-grey ground the recogniser otherwise runs words together (13 of 48 blocks; none afterwards).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omnidetective.embedded.inference import load_once
from omnidetective.embedded.pixels import colours_of
from omnidetective.embedded.text_regions import Region, in_tile, merged, scaled
from omnidetective.tiling import Tile, tile_grid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PACKAGES = ("rapidocr", "onnxruntime", "cv2")

_LEAST_DETECTION = 0.35
"""Of the detector; lower than its own 0.5, which loses short words."""
_SHORTEST_SIDE_PX = 544
"""Smaller pictures are made this large. The engine's own 736 found no more in 360p frames, and takes twice as long."""
_LOOK_SIDE_PX = 1280
"""Longest side of what is looked through at once."""
_SMALL_PX = 11.5
"""Lines that are lower than this in what is looked through may have neighbours that are overlooked there."""
_WANTED_PX = 18.0
"""Tiles are looked through at a size at which the smallest lines that were found are this high."""
_SMALLEST_LINES = 0.1
"""Share of the lines that are the smallest ones."""
_MOST_TILES = 24
_TILE_OVERLAP = 0.1
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
        picture = colours_of(jpeg)
        with self._lock:
            regions = self._regions(picture)
            lines = [line for region in regions if (line := self._read_line(picture, region)) is not None]
        height, width = picture.shape[:2]
        return in_reading_order(join_parts(lines, aspect=width / height))

    def _regions(self, picture: Any) -> tuple[Region, ...]:
        """Where the lines are."""
        height, width = picture.shape[:2]
        whole, scale = self._found(picture)
        smallest = sorted(region.thickness for region in whole)[: max(1, round(_SMALLEST_LINES * len(whole)))]
        if scale == 1.0 or not smallest or smallest[-1] * scale >= _SMALL_PX:
            return whole
        # As large as the smallest lines need it; then as many tiles as that takes.
        wanted = min(1.0, _WANTED_PX / smallest[-1])
        side_px = round(_LOOK_SIDE_PX / wanted)
        grid = tile_grid(width, height, side_px=side_px, most=_MOST_TILES, overlap=_TILE_OVERLAP)
        tiled = [
            in_tile(region, tile, width=width, height=height)
            for tile in grid
            for region in self._found(picture, tile)[0]
        ]
        return merged(whole, tiled, shared_px=_TILE_OVERLAP * side_px)

    def _found(self, picture: Any, tile: Tile | None = None) -> tuple[tuple[Region, ...], float]:
        """Regions that the detector finds in a picture or a tile of it, and at which scale it looked."""
        import cv2

        part = picture if tile is None else picture[tile.top : tile.bottom, tile.left : tile.right]
        height, width = part.shape[:2]
        scale = min(1.0, _LOOK_SIDE_PX / max(width, height))
        if scale < 1.0:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        found = self._engine(part, use_det=True, use_cls=False, use_rec=False)
        boxes = [] if getattr(found, "boxes", None) is None else found.boxes
        left, top = (0, 0) if tile is None else (tile.left, tile.top)
        return tuple(scaled(corners, by=scale, left=left, top=top) for corners in boxes), scale

    def _read_line(self, picture: Any, region: Region) -> TextLine | None:
        import numpy as np
        from rapidocr.utils.process_img import get_rotate_crop_image

        corners = np.array(region.corners, dtype=np.float32)
        read = self._engine(
            _stretched(get_rotate_crop_image(picture, corners)),
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
