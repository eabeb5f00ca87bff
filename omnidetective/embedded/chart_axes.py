"""Value axes: numbers that stand one above the other and grow evenly upwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from omnidetective.embedded.chart_scale import Mark, Scale, fit
from omnidetective.embedded.chart_words import Word

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ALIGNED = 0.6
"""How far the edges of the numbers of one axis are apart, in heights of their letters."""
_SNAP = 0.3
"""How far from the middle of its number a gridline or tick may be, in heights of letters."""

_LINED = 0.6
"""Share of numbers with a line beside them from which on the lines count."""
_LINE_CONTRAST = 7


@dataclass(frozen=True, slots=True)
class Axis:
    """A value axis with its numbers, which stand between ``left`` and ``right``.

    Attributes:
        unit: what stands with the numbers; ``letters`` is a power that all of them share (``K``), else empty.
        power: what the letters stand for; values are told in it.
        lined: whether the scale is that of gridlines or ticks beside the numbers.
    """

    scale: Scale
    words: tuple[Word, ...]
    unit: str
    letters: str
    power: float
    lined: bool = False

    @property
    def left(self) -> float:
        return min(word.box.left for word in self.words)

    @property
    def right(self) -> float:
        return max(word.box.right for word in self.words)

    @property
    def letters_px(self) -> float:
        return sorted(word.letters_px for word in self.words)[len(self.words) // 2]


def find_axes(words: Iterable[Word], *, least: int = 3) -> list[Axis]:
    """The value axes among the words of a picture, those with most numbers first; each number is of one."""
    numbers = [word for word in words if word.number is not None]
    found: list[Axis] = []
    while len(numbers) >= least:
        best: Axis | None = None
        for seed in numbers:
            for aligned in _aligned(seed, numbers):
                axis = _axis(aligned, least)
                if axis is not None and (best is None or len(axis.words) > len(best.words)):
                    best = axis
        if best is None:
            break
        found.append(best)
        numbers = [word for word in numbers if word not in best.words]
    return found


def snapped(axis: Axis, gray: NDArray[np.uint8], *, to_right: bool = True) -> Axis:
    """The axis with its numbers at the gridlines or ticks beside them, where each has one: they are exact."""
    import numpy as np

    width = gray.shape[1]
    reach = axis.letters_px
    first, last = (int(axis.right) + 2, int(axis.right + 3 * reach)) if to_right else (
        int(axis.left - 3 * reach), int(axis.left) - 2,
    )  # fmt: skip
    strip = gray[:, max(0, first) : min(width, last)].astype(np.int16)
    if strip.shape[1] < reach:
        return axis
    moved = [replace(mark, y=y) for mark in axis.scale.marks if (y := _line_beside(strip, mark)) is not None]
    if len(moved) < max(3, _LINED * len(axis.scale.marks)):
        return axis
    scale = fit(moved, least=len(moved))
    if scale is None or scale.off_px > axis.scale.off_px + 0.5:
        return axis
    return replace(axis, scale=replace(scale, marks=axis.scale.marks), lined=True)


def _line_beside(strip: NDArray[np.int16], mark: Mark) -> float | None:
    """The height of the one horizontal line beside a number; None without, or where that may be something else."""
    import numpy as np

    around = max(2, round(_SNAP * mark.letters_px))
    top, bottom = max(0, round(mark.y) - around - 2), min(len(strip), round(mark.y) + around + 3)
    rows = strip[top:bottom]
    if len(rows) < 5:
        return None
    # How much each row differs from its neighbourhood: at a line it does so over many columns.
    share = (np.abs(rows - np.median(rows, axis=0)) > _LINE_CONTRAST).mean(axis=1)
    best = int(share.argmax())
    lined = np.flatnonzero(share > 0.6 * share[best])
    if share[best] < 0.12 or lined[-1] - lined[0] > 3:
        return None
    return top + float((lined * share[lined]).sum() / share[lined].sum()) + 0.5


def _aligned(seed: Word, numbers: Sequence[Word]) -> Iterable[list[Word]]:
    near = [word for word in numbers if 0.65 <= word.letters_px / seed.letters_px <= 1.55]
    slack = _ALIGNED * seed.letters_px
    yield [word for word in near if abs(word.box.right - seed.box.right) <= slack]
    yield [word for word in near if abs(word.box.left - seed.box.left) <= slack]
    yield [word for word in near if abs(word.box.x - seed.box.x) <= slack]


def _axis(words: Sequence[Word], least: int) -> Axis | None:
    if len(words) < least:
        return None
    made = [(mark, word) for word in words if (mark := _mark(word)) is not None]
    scale = fit([mark for mark, _ in made], least=least)
    if scale is None or _misread_powers(scale):
        return None
    fitting = [word for mark, word in made if any(mark is kept for kept in scale.marks)]
    letters, power = shared_power(fitting)
    units = {word.number.unit for word in fitting if word.number is not None and word.number.unit}
    if power != 1.0:
        scaled = [replace(mark, value=mark.value / power) for mark in scale.marks]
        scale = fit(scaled, least=least) or scale
    return Axis(scale, tuple(fitting), units.pop() if len(units) == 1 else "", letters, power)


def shared_power(words: Iterable[Word]) -> tuple[str, float]:
    """The letters (``K``, ``M``) that all numbers but zero have, and what they stand for; ``("", 1.0)`` without."""
    numbers = [word.number for word in words if word.number is not None and word.number.amount]
    kinds = {(number.letters.upper(), number.power) for number in numbers}
    if len(kinds) != 1 or not numbers[0].letters:
        return "", 1.0
    return numbers[0].letters, numbers[0].power


def _mark(word: Word) -> Mark | None:
    return None if word.number is None else Mark(word.box.y, word.number.value, word.letters_px)


def _misread_powers(scale: Scale) -> bool:
    """Whether these may be 10⁰, 10¹, 10² …, read without their raised digits: 100, 101, 102."""
    values = sorted(mark.value for mark in scale.marks)
    return not scale.logarithmic and values[0] >= 100 and values[-1] <= 109 and values[1] - values[0] == 1
