"""Bar charts: what each bar is worth, as printed at it or as measured against the axis.

A number that is printed at a bar counts where it agrees with the bar's length. Where the two disagree one of them was
misread, and neither is told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from omnidetective.embedded.chart_axes import Axis, shared_power
from omnidetective.embedded.chart_columns import Column, Columns
from omnidetective.embedded.chart_labels import Label, labels_below, nearest_label
from omnidetective.embedded.chart_scale import Mark, Scale, fit
from omnidetective.embedded.chart_words import Rect, Word

EDGE_PX = 1.5
"""How exactly an edge is measured."""
_AGREE_PX = 4.0
_BESIDE = 1.3
_NEAR_LABEL = 0.4


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar with its value. ``colour`` is that of its series; ``printed`` whether the number stands at it."""

    label: str | None
    colour: int
    value: float
    printed: bool
    tolerance: float | None


@dataclass(frozen=True, slots=True)
class Bars:
    """The bars of a chart in order of their place, what stands with their numbers, and whether they are several series.

    ``used``: the words that were taken for labels and values.
    """

    bars: tuple[Bar, ...]
    unit: str
    several: bool
    used: tuple[Word, ...]


def read_bars(
    columns: Columns, axis: Axis | None, words: Sequence[Word], *, upright: bool, turned: Sequence[Word] = ()
) -> Bars | None:
    """The values of bars; None where neither an axis nor the numbers at them tell any.

    Args:
        words: all words of the picture but those of the axis; turned with the bars where these lie.
        upright: whether the bars stand in the picture as they do here.
        turned: words that stand upright in the picture, where these were read.
    """
    printed = {id(part): word for part, word in _printed(columns, words, upright=upright)}
    scale, unit, power = _scale_of(columns, axis, list(printed.values()), printed)
    if scale is None:
        return None
    taken = list(printed.values())
    groups, several = _groups(columns)
    labels = _labels(columns, axis, words, groups, several, taken, upright=upright, turned=turned)
    bars: list[Bar] = []
    base_is_zero = not scale.logarithmic and abs(scale.y(0.0) - columns.base) <= 2 * EDGE_PX + scale.off_px
    if base_is_zero and not (axis is not None and axis.lined):
        scale = scale.through(columns.base, 0.0)
    for group in groups:
        x = sum(column.box.x for column in group) / len(group)
        label = nearest_label(labels, x, within=_NEAR_LABEL * _pitch(groups))
        for column in group:
            for part in column.parts:
                bar = _bar(part, column, columns, scale, printed.get(id(part)), power, base_is_zero=base_is_zero)
                if bar is not None:
                    value, is_printed, tolerance = bar
                    text = None if label is None else label.text
                    bars.append(Bar(text, part.colour, value, is_printed, tolerance))
    used = (*taken, *(word for label in labels for word in label.words))
    return Bars(tuple(bars), unit, several, used) if len(bars) >= 2 else None


def _bar(
    part: Rect, column: Column, columns: Columns, scale: Scale, word: Word | None, power: float, *, base_is_zero: bool
) -> tuple[float, bool, float | None] | None:
    """Value, whether it is printed, and tolerance; None where what is printed contradicts what is measured."""
    far, near = (part.bottom, part.top) if column.down else (part.top, part.bottom)
    on_base = part is column.parts[0]
    measured = scale.value(far) if on_base else scale.value(far) - scale.value(near)
    off_px = EDGE_PX + max(scale.off_px, 0.5) + (0.0 if on_base else EDGE_PX)
    tolerance = scale.tolerance(far, off_px)
    if word is not None and word.number is not None:
        printed = word.number.value / power
        told = -abs(printed) if column.down and word.text.startswith("(") else printed
        if abs(told - measured) <= max(tolerance, scale.tolerance(far, _AGREE_PX)) + _rounding(word, power):
            return told, True, None
        return None
    if scale.logarithmic and not on_base:
        return None
    if len(column.parts) > 1 and on_base and not base_is_zero:
        return None  # Where the parts begin is not known.
    return measured, False, tolerance


def _rounding(word: Word, power: float) -> float:
    assert word.number is not None
    return 0.5 * 10.0**-word.number.decimals * word.number.power / power


def _scale_of(
    columns: Columns, axis: Axis | None, words: Sequence[Word], printed: dict[int, Word]
) -> tuple[Scale | None, str, float]:
    """The scale, the unit of its numbers with a power that they share, and that power."""
    if axis is not None:
        return axis.scale, _unit(axis.unit, axis.letters, words), axis.power
    if len(printed) < 2 or columns.stacked:
        return None, "", 1.0
    letters, power = shared_power(words)
    units = {word.number.unit for word in words if word.number is not None and word.number.unit}
    marks = [Mark(columns.base, 0.0, 8.0)]
    for column in columns.columns:
        word = printed.get(id(column.parts[0]))
        if word is not None and word.number is not None:
            end = column.box.bottom if column.down else column.box.top
            marks.append(Mark(end, word.number.value / power, 8.0))
    scale = fit(marks, least=max(3, round(0.75 * len(marks))), even=False)
    if scale is not None and (scale.logarithmic or abs(scale.y(0.0) - columns.base) > _AGREE_PX):
        return None, "", 1.0
    return scale, _unit(units.pop() if len(units) == 1 else "", letters, words), power


def _unit(unit: str, letters: str, words: Iterable[Word]) -> str:
    if not unit:
        units = {word.number.unit for word in words if word.number is not None}
        unit = units.pop() if len(units) == 1 else ""
    return f"{unit}{letters}"


def _printed(columns: Columns, words: Sequence[Word], *, upright: bool) -> Iterator[tuple[Rect, Word]]:
    """The parts of bars that a number stands in, or at the end of, each number once."""
    places = [column.box.x for column in columns.columns]
    numbers = [part for word in words for part in _numbers(word, places if upright else ())]
    free = [word for word in numbers if word.number is not None]
    for column in columns.columns:
        for part in column.parts:
            inside = [word for word in free if _stands_in(word, part)]
            beyond = [word for word in free if _stands_at_end(word, part, down=column.down)]
            chosen = inside if len(column.parts) > 1 else (beyond or inside)
            if len(chosen) == 1 or (chosen and len(column.parts) == 1):
                word = min(chosen, key=lambda item: abs(item.box.x - part.x))
                free.remove(word)
                yield part, word


def _numbers(word: Word, places: Sequence[float]) -> tuple[Word, ...]:
    spanned = sum(word.box.left < place < word.box.right for place in places)
    return word.parts if spanned > 1 and word.parts else (word,)


def _stands_in(word: Word, part: Rect) -> bool:
    return part.left - 2 <= word.box.x <= part.right + 2 and part.top - 2 <= word.box.y <= part.bottom + 2


def _stands_at_end(word: Word, part: Rect, *, down: bool) -> bool:
    letters = word.letters_px
    if abs(word.box.x - part.x) > max(0.3 * part.width, 0.35 * letters):
        return False
    gap = word.box.top - part.bottom if down else part.top - word.box.bottom
    return -0.35 * letters <= gap <= _BESIDE * letters


def _groups(columns: Columns) -> tuple[list[list[Column]], bool]:
    """The bars by the category that they belong to, and whether they are several series."""
    single = [[column] for column in columns.columns]
    colours = [column.parts[0].colour for column in columns.columns]
    if columns.stacked:
        return single, True
    kinds = list(dict.fromkeys(colours))
    if len(kinds) == 1 or len(kinds) == len(colours):
        return single, False
    boxes = [column.box for column in columns.columns]
    gaps = [b.left - a.right for a, b in pairwise(boxes)]
    if max(gaps) < min(gaps) + 0.25 * columns.width:
        return single, False  # Evenly apart: colours mark single bars.
    # Bars of one category stand closer together than those of two.
    edge = (max(gaps) + min(gaps)) / 2
    groups = [[columns.columns[0]]]
    for column, gap in zip(columns.columns[1:], gaps, strict=True):
        repeated = any(column.parts[0].colour == other.parts[0].colour for other in groups[-1])
        if gap > edge or repeated:
            groups.append([column])
        else:
            groups[-1].append(column)
    return groups, True


def _pitch(groups: Sequence[Sequence[Column]]) -> float:
    """How far categories are apart."""
    middles = [sum(column.box.x for column in group) / len(group) for group in groups]
    steps = [b - a for a, b in pairwise(middles)]
    return min(steps) if steps else groups[0][0].box.width * 2


def _labels(
    columns: Columns,
    axis: Axis | None,
    words: Sequence[Word],
    groups: Sequence[Sequence[Column]],
    several: bool,
    taken: Collection[Word],
    *,
    upright: bool,
    turned: Sequence[Word],
) -> list[Label]:
    box = columns.box
    lowest = max(columns.base, box.bottom)
    bottoms = [lowest]
    if axis is not None and axis.scale.bottom > lowest + 4:
        bottoms.append(axis.scale.bottom)
    places = [sum(column.box.x for column in group) / len(group) for group in groups]
    kept: list[Label] = []
    for bottom in bottoms:
        for given, across in ((words, upright), *(((turned, False),) if turned and upright else ())):
            found = labels_below(
                given, bottom=bottom, left=box.left, right=box.right, places=places, taken=taken, across=across
            )
            near = [label for label in found if any(abs(label.x - x) <= _NEAR_LABEL * _pitch(groups) for x in places)]
            if len(near) > len(kept):
                kept = near
    return kept
