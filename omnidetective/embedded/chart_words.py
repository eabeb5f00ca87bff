"""Words of a chart in pixels, and the quarter turn that makes upright bars of lying ones."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnidetective.embedded.chart_numbers import Number, read_number
from omnidetective.embedded.text import TextLine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_PARTS = 24
_SIDEWAYS = 1.5
_LEAST_CONTRAST = 40


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle in pixels, ``right`` and ``bottom`` just outside; ``colour`` is the number of what fills it."""

    left: float
    top: float
    right: float
    bottom: float
    colour: int = -1

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def x(self) -> float:
        return (self.left + self.right) / 2

    @property
    def y(self) -> float:
        return (self.top + self.bottom) / 2

    def turned(self, picture_width: float) -> Rect:
        """Where it is when the picture is turned by 90° counterclockwise: what grew to the right grows upwards."""
        return Rect(self.top, picture_width - self.right, self.bottom, picture_width - self.left, self.colour)

    def turned_back(self, picture_width: float) -> Rect:
        """The reverse; ``picture_width`` is that of the picture as it was."""
        return Rect(picture_width - self.bottom, self.left, picture_width - self.top, self.right, self.colour)


@dataclass(frozen=True, slots=True)
class Word:
    """Some text that stands together, where it stands, and how high its letters are.

    ``parts``: of a text with spaces, what stands between them.
    """

    text: str
    box: Rect
    letters_px: float
    number: Number | None
    parts: tuple[Word, ...] = ()

    @classmethod
    def of(cls, text: str, box: Rect, letters_px: float, parts: tuple[Word, ...] = ()) -> Word:
        return cls(text, box, letters_px, read_number(text), parts)

    def turned(self, picture_width: float) -> Word:
        """See :meth:`Rect.turned`."""
        return Word(self.text, self.box.turned(picture_width), self.letters_px, self.number)


def upright_words(lines: Iterable[TextLine], width: int, height: int) -> tuple[Word, ...]:
    """Text that stands upright in a picture of this size and was read from one that was turned, as words."""
    boxes = [
        (line, Rect(line.box[0] * width, line.box[1] * height, line.box[2] * width, line.box[3] * height))
        for line in lines
    ]
    return tuple(Word.of(line.text, box, min(box.width, box.height)) for line, box in boxes)


def words_of(lines: Iterable[TextLine], gray: NDArray[np.uint8]) -> tuple[Word, ...]:
    """The lines of a picture as words. A row of numbers that was read as one line is taken apart.

    Args:
        gray: the picture, shape ``(height, width)``: a number is where its ink is, more exactly than its line.
    """
    height, width = gray.shape
    words: list[Word] = []
    for line in lines:
        left, top, right, bottom = line.box
        box = Rect(left * width, top * height, right * width, bottom * height)
        if len(line.text) > 2 and box.height > _SIDEWAYS * box.width:
            continue  # It stands upright, and was read sideways.
        letters_px = min(box.width, box.height) if len(line.text) > 2 else box.height
        word = Word.of(line.text, box, letters_px, _parts(line.text, box, letters_px, gray))
        words += word.parts if _is_row(line.text) else (_at_its_ink(word, gray),)
    return tuple(words)


def _parts(text: str, box: Rect, letters_px: float, gray: NDArray[np.uint8]) -> tuple[Word, ...]:
    """The texts between spaces: where the ink leaves the widest gaps, else by the share of letters."""
    import numpy as np

    found = list(re.finditer(r"\S+", text))
    if not 2 <= len(found) <= _MOST_PARTS or box.width < box.height:
        return ()
    each = box.width / len(text)
    ends = [(box.left + each * part.start(), box.left + each * part.end()) for part in found]
    ink = _ink(box, gray)
    if ink is not None:
        columns = np.flatnonzero(ink.any(axis=0))
        gaps = sorted(np.flatnonzero(np.diff(columns) > 1), key=lambda n: -int(columns[n + 1] - columns[n]))
        cuts = sorted(gaps[: len(found) - 1])
        if len(cuts) == len(found) - 1:
            starts = [int(columns[0]), *(int(columns[n + 1]) for n in cuts)]
            stops = [*(int(columns[n]) + 1 for n in cuts), int(columns[-1]) + 1]
            left = int(max(0.0, box.left))
            ends = [(left + a, left + b) for a, b in zip(starts, stops, strict=True)]
    parts = [
        Word.of(part[0], Rect(a, box.top, b, box.bottom), letters_px) for part, (a, b) in zip(found, ends, strict=True)
    ]
    return tuple(_at_its_ink(part, gray) for part in parts)


def _at_its_ink(word: Word, gray: NDArray[np.uint8]) -> Word:
    """A number with the box of its digits, without what reaches below or above them."""
    import numpy as np

    if word.number is None:
        return word
    ink = _ink(word.box, gray)
    if ink is None:
        return word
    counts = ink.sum(axis=1)
    rows, columns = np.flatnonzero(counts >= 0.25 * counts.max()), np.flatnonzero(ink.any(axis=0))
    left, top = int(max(0.0, word.box.left)), int(max(0.0, word.box.top))
    box = Rect(left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1)
    if box.height < 0.25 * word.box.height or box.width < 0.5 * word.box.width:
        return word
    return Word(word.text, box, min(word.letters_px, 2.0 * box.height), word.number)


def _ink(box: Rect, gray: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """Where the letters are within a box; None where there is no contrast."""
    import numpy as np

    left, right = int(max(0.0, box.left)), math.ceil(box.right)
    top, bottom = int(max(0.0, box.top)), math.ceil(box.bottom)
    part = gray[top:bottom, left:right].astype(np.int16)
    if part.size < 9:
        return None
    away = np.abs(part - int(np.median(part)))
    most = int(np.percentile(away, 99))
    if most < _LEAST_CONTRAST:
        return None
    ink = away > 0.45 * most
    ink[ink.mean(axis=1) > 0.85] = False  # A line of the chart that runs through the box.
    rows = np.flatnonzero(ink.any(axis=1))
    if len(rows) == 0:
        return None
    # Of what stands one above the other the letters are highest: an axis may touch the edge of the box.
    tallest = max(np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1), key=len)
    ink[: tallest[0]] = False
    ink[tallest[-1] + 1 :] = False
    return ink


def _is_row(text: str) -> bool:
    parts = text.split()
    # ``12 500`` may be one number as well: whoever knows what stands above it takes it apart.
    return len(parts) > 1 and read_number(text) is None and all(read_number(part) is not None for part in parts)
