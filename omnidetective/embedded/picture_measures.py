"""What can be told of a picture by counting: text, edges, colours, shades. By that it is routed to a domain. Pure.

The names, and what each measure tells, are in :data:`omnidetective.picture_signs.MEASURES`.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from omnidetective.embedded.text import TextLine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SIDE_PX = 768
_BLOCK_PX = 8
_FLAT_RANGE = 10
_SMOOTH_RANGE = 32
_EDGE = 40.0
_DARK, _WHITE = 32, 236
_GREY_CHROMA = 14
_SYMBOLS = frozenset("{}[]()<>=+*/\\|_;^~#$&@∑∫√≤≥≠±∞∈")
_CODE = re.compile(
    r"[;{}]\s*$|^\s*(def|class|import|from|return|if|for|while|else|elif|try|static|void|int|const|let|var|function|"
    r"public|private|#include|#define|using|namespace|select|insert)\b.*[(:{;.=<]|\w+\([^)]*\)|[=!<>]=|->|::|//|/\*|"
    r"\w+\.\w+\(|^\s*[$>#%]\s+\w|^\s*\d+\s+.*[(){};=]|\w+_\w+|</?\w+|\w\s*=\s*[\w\"'(\[]",
    re.IGNORECASE,
)


def picture_measures(jpeg: bytes, lines: Sequence[TextLine]) -> dict[str, float]:
    """All measures of one picture, by name, each 0…1.

    Args:
        jpeg: the picture, in any format that Pillow reads.
        lines: the text that was read in it.

    Raises:
        OSError: it is no picture.
    """
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(jpeg)) as opened:
        width, height = opened.size
        image = opened.convert("RGB")
    image.thumbnail((_SIDE_PX, _SIDE_PX), Image.Resampling.BOX)
    rgb = np.asarray(image)
    measured = {**text_measures(lines), **_shades(rgb), **_edges(rgb), **_colours(rgb)}
    measured["page_shape"] = 1.0 if 1.2 <= height / width <= 1.6 else 0.0
    return {name: round(min(1.0, max(0.0, value)), 4) for name, value in measured.items()}


def text_measures(lines: Sequence[TextLine]) -> dict[str, float]:
    """What is told by the text alone; all 0 where there is none."""
    if not lines:
        names = "text_share text_lines line_length long_lines labels small_text same_height columns indented digits"
        return dict.fromkeys([*names.split(), "symbols", "code_lines"], 0.0)
    characters = [c for line in lines for c in line.text if not c.isspace()]
    heights = [line.height for line in lines]
    lefts = [line.box[0] for line in lines]
    usual = median(heights)
    steps = [b - a for a, b in pairwise(lefts)]
    area = sum((line.box[2] - line.box[0]) * line.height for line in lines)
    return {
        "text_share": area,
        "text_lines": math.log10(1 + len(lines)) / 2,
        "line_length": sum(len(line.text) for line in lines) / len(lines) / 80,
        "long_lines": _share(len(line.text) >= 40 for line in lines),
        "labels": _share(len(line.text.split()) <= 3 for line in lines),
        "small_text": _share(height < 1 / 40 for height in heights),
        "same_height": _share(abs(height - usual) <= 0.2 * usual for height in heights),
        "columns": _share(sum(abs(left - other) < 0.008 for other in lefts) > 2 for left in lefts),
        "indented": _share(0.012 < step < 0.12 for step in steps),
        "digits": _share(c.isdigit() for c in characters),
        "symbols": 3 * _share(c in _SYMBOLS for c in characters),
        "code_lines": _share(bool(_CODE.search(line.text)) for line in lines),
    }


def words_share(lines: Sequence[TextLine], words: Sequence[str]) -> float:
    """Share of the lines in which one of some regular expressions is found, fourfold and up to 1."""
    if not words:
        return 0.0
    wanted = [re.compile(word, re.IGNORECASE) for word in words]
    return min(1.0, 4 * _share(any(word.search(line.text) for word in wanted) for line in lines))


def told(measures: Mapping[str, float]) -> str:
    """The measures that people can check by looking, in words."""
    lines = round(10 ** (2 * measures["text_lines"]) - 1)
    parts = []
    if not lines:
        parts.append("no text was read")
    else:
        parts.append(f"text covers {measures['text_share']:.0%} of the picture")
        if measures["code_lines"] >= 0.3:
            parts.append(f"{measures['code_lines']:.0%} of the lines look like program text")
        elif measures["long_lines"] >= 0.3:
            parts.append(f"{measures['long_lines']:.0%} of the lines are long")
        elif measures["labels"] >= 0.5:
            parts.append(f"{measures['labels']:.0%} of the lines have three words at most")
    looks = {
        "flat": "are of one colour",
        "white": "are white",
        "dark": "are black or nearly",
        "mid_grey": "are grey",
    }
    parts += [f"{measures[name]:.0%} {what}" for name, what in looks.items() if measures[name] >= 0.3]
    if measures["levels"] >= 0.5:
        parts.append("small areas have many shades, as in photographs")
    return ", ".join(parts)


def _shades(rgb: NDArray[np.uint8]) -> dict[str, float]:
    import numpy as np

    luma = _luma(rgb)
    rows, columns = (max(1, side // _BLOCK_PX) for side in luma.shape)
    cut = luma[: rows * _BLOCK_PX, : columns * _BLOCK_PX]
    if cut.shape != (rows * _BLOCK_PX, columns * _BLOCK_PX):
        blocks = luma.reshape(1, -1)
    else:
        blocks = cut.reshape(rows, _BLOCK_PX, columns, _BLOCK_PX).swapaxes(1, 2).reshape(rows * columns, -1)
    span = blocks.max(axis=1).astype(np.int16) - blocks.min(axis=1)
    shades = (np.diff(np.sort(blocks, axis=1), axis=1) > 0).sum(axis=1) + 1
    return {
        "flat": float((span <= _FLAT_RANGE).mean()),
        "smooth": float(((span > _FLAT_RANGE) & (span <= _SMOOTH_RANGE)).mean()),
        "levels": float(shades.mean()) / 40,
    }


def _edges(rgb: NDArray[np.uint8]) -> dict[str, float]:
    import numpy as np

    luma = _luma(rgb).astype(np.float32)
    if min(luma.shape) < 3:
        return {"edges": 0.0, "axis_edges": 0.0, "ruled": 0.0}
    across = np.abs(luma[1:-1, 2:] - luma[1:-1, :-2])
    down = np.abs(luma[2:, 1:-1] - luma[:-2, 1:-1])
    strong = np.maximum(across, down) > _EDGE
    straight = strong & (np.minimum(across, down) < 0.15 * np.maximum(across, down))
    # A rule is wider or higher than a third of the picture, whatever stands beside it.
    level = ((down > _EDGE / 2).mean(axis=1) > 1 / 3).mean()
    upright = ((across > _EDGE / 2).mean(axis=0) > 1 / 3).mean()
    return {
        "edges": float(strong.mean()),
        "axis_edges": float(straight.sum() / max(1, int(strong.sum()))),
        "ruled": 10 * float(level + upright),
    }


def _colours(rgb: NDArray[np.uint8]) -> dict[str, float]:
    import numpy as np

    luma = _luma(rgb)
    wide = rgb.astype(np.int16)
    chroma = wide.max(axis=2) - wide.min(axis=2)
    red, green, blue = wide[..., 0], wide[..., 1], wide[..., 2]
    fifths = (wide[..., 0] >> 3 << 10) + (wide[..., 1] >> 3 << 5) + (wide[..., 2] >> 3)
    counts = np.bincount(fifths.ravel())
    there = int((counts > 1e-4 * fifths.size).sum())
    grey = chroma <= _GREY_CHROMA
    dark = luma < _DARK
    rim = max(1, round(0.06 * min(luma.shape)))
    border = np.ones(luma.shape, bool)
    border[rim:-rim, rim:-rim] = False
    return {
        "colours": math.log2(1 + there) / 12,
        "top_colour": float(counts.max() / fifths.size),
        "white": float((grey & (luma > _WHITE)).mean()),
        "dark": float(dark.mean()),
        "saturation": float(chroma.mean()) / 255,
        "mid_grey": float((grey & ~dark & (luma <= _WHITE)).mean()),
        "tissue": float(((red > green + 20) & (blue > green - 40) & (chroma < 170) & ~dark).mean()),
        "dark_border": float(dark[border].mean()),
    }


def _luma(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import numpy as np

    # Without the cast to 16 bits 77 × 255 would wrap.
    red, green, blue = (rgb[..., n].astype(np.uint16) for n in range(3))
    return ((77 * red + 150 * green + 29 * blue) >> 8).astype(np.uint8)


def _share(values: Iterable[bool]) -> float:
    found = [*values]
    return sum(found) / len(found) if found else 0.0
