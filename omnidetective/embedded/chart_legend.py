"""Which series a colour stands for: the words beside a sample of it, or the name of the colour where there are none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from omnidetective.embedded.chart_words import Word
from omnidetective.embedded.colours import colour_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LEAD = re.compile(r"^[^\w($€£¥%+-]+")
_NEAR = 60.0
_DIFFERENT = 40.0
_LEAST_PIXELS = 6
_MOSTLY = 0.45
_REACH = 2.6
_GAP_PX = 4


def legend(
    picture: NDArray[np.uint8],
    colours: Mapping[int, NDArray[np.float32]],
    words: Iterable[Word],
    ground: NDArray[np.float32],
) -> dict[int, Word]:
    """The words that stand to the right of a sample of each colour; colours without, or with several, are left out.

    Args:
        colours: of the series by their numbers; blue, green, red.
        words: those that may name a series.
        ground: the colour around the legend.
    """
    import numpy as np

    if not colours:
        return {}
    numbers = list(colours)
    shades = np.stack([colours[number] for number in numbers])
    named: dict[int, list[Word]] = {}
    for word in words:
        if word.number is not None and len(word.text) < 4:
            continue
        found = _sampled(picture, shades, word, ground)
        if found is not None:
            named.setdefault(numbers[found], []).append(word)
    return {number: found[0] for number, found in named.items() if len(found) == 1}


def name_of(word: Word) -> str:
    """The text of a word in a legend, without what was read of its sample."""
    return _LEAD.sub("", word.text)


def _sampled(
    picture: NDArray[np.uint8], shades: NDArray[np.float32], word: Word, ground: NDArray[np.float32]
) -> int | None:
    """Which colour is shown to the left of a word, or at its beginning where the sample was taken for a letter."""
    import numpy as np

    letters, left = word.letters_px, word.box.left
    top, bottom = max(0, round(word.box.y - 0.3 * letters)), round(word.box.y + 0.3 * letters) + 1
    windows = [(left - _REACH * letters, left - 0.1 * letters)]
    if _LEAD.match(word.text):
        windows.append((left, left + 0.9 * letters))
    for a, b in windows:
        part = picture[top:bottom, max(0, round(a)) : max(0, round(b))].astype(np.float32)
        if part.size == 0:
            continue
        differs = np.abs(part - ground).max(axis=2) > _DIFFERENT
        differs[:, : _first_column(differs.any(axis=0))] = False
        shown = part[differs]
        if len(shown) < _LEAST_PIXELS:
            continue
        away = np.abs(shown[:, None] - shades[None]).max(axis=2)
        votes = np.bincount(away.argmin(axis=1)[away.min(axis=1) < _NEAR], minlength=len(shades))
        best = int(votes.argmax())
        if votes[best] >= max(_LEAST_PIXELS, _MOSTLY * len(shown)):
            return best
    return None


def _first_column(inked: NDArray[np.bool_]) -> int:
    """Where what stands nearest to the word begins: what is left of a gap belongs to somebody else."""
    import numpy as np

    columns = np.flatnonzero(inked)
    for before, after in zip(columns[-2::-1], columns[:0:-1], strict=False):
        if after - before > _GAP_PX:
            return int(after)
    return 0


def series_names(
    wanted: Iterable[int], legends: Mapping[int, Word], colours: Mapping[int, NDArray[np.float32]]
) -> dict[int, str]:
    """A name for each of several series: from the legend where it names all, else those of their colours."""
    numbers = list(dict.fromkeys(wanted))
    if all(number in legends for number in numbers):
        return {number: name_of(legends[number]) for number in numbers}
    plain = {number: plain_name(colours[number]) for number in numbers}
    if len(set(plain.values())) == len(numbers):
        return plain
    return {number: f"series {n}" for n, number in enumerate(numbers, start=1)}


def plain_name(colour: NDArray[np.float32]) -> str:
    """The name of a colour given as blue, green, red."""
    blue, green, red = (float(part) for part in colour)
    return colour_name((red, green, blue))
