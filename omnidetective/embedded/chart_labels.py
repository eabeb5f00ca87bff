"""The labels below a plot area: one or several rows of words, each at its place on the horizontal axis."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from omnidetective.embedded.chart_words import Rect, Word

_FIRST_ROW = 3.2
"""How far below the plot area labels begin at most, in heights of letters."""


@dataclass(frozen=True, slots=True)
class Label:
    """What stands at ``x``."""

    text: str
    x: float
    words: tuple[Word, ...]


def labels_below(
    words: Sequence[Word],
    *,
    bottom: float,
    left: float,
    right: float,
    places: Sequence[float],
    taken: Collection[Word],
    across: bool = True,
) -> list[Label]:
    """The labels in the rows right below a height.

    Args:
        places: where labels are expected; a word that spans several of them is taken apart at its spaces.
        across: whether the words run along the axis; else each stands upon it, and its end is what is near.
    """
    below = [
        word
        for word in words
        if word not in taken
        and left - 2 * word.letters_px <= word.box.x <= right + 2 * word.letters_px
        and -0.3 * word.letters_px <= word.box.top - bottom <= _FIRST_ROW * word.letters_px
    ]
    if not below:
        return []
    if across:
        first = min(below, key=lambda word: word.box.top)
        below = [word for word in below if word.box.top <= first.box.top + 0.6 * first.letters_px]
        below = [part for word in below for part in _apart(word, places)]
    labels = [Label(word.text, word.box.x, (word,)) for word in below]
    return [_with_next_rows(label, words, taken) for label in labels] if across else _joined(labels)


def nearest_label(labels: Sequence[Label], x: float, *, within: float) -> Label | None:
    """The label of a place; None where none is near enough."""
    near = min(labels, key=lambda label: abs(label.x - x), default=None)
    return near if near is not None and abs(near.x - x) <= within else None


def _apart(word: Word, places: Sequence[float]) -> tuple[Word, ...]:
    spanned = sum(word.box.left < place < word.box.right for place in places)
    parts = word.parts
    if spanned < 2 or len(parts) < 2:
        return (word,)
    if len(parts) == spanned:
        return parts
    # Labels of several words that were read as one line: words belong to the place that they are nearest to.
    groups: dict[float, list[Word]] = {}
    for part in parts:
        groups.setdefault(min(places, key=lambda place: abs(place - part.box.x)), []).append(part)
    return tuple(_one(group) for group in groups.values())


def _one(words: Sequence[Word]) -> Word:
    box = Rect(
        min(word.box.left for word in words),
        min(word.box.top for word in words),
        max(word.box.right for word in words),
        max(word.box.bottom for word in words),
    )
    return Word.of(" ".join(word.text for word in words), box, words[0].letters_px)


def _with_next_rows(label: Label, words: Sequence[Word], taken: Collection[Word]) -> Label:
    """A label with the rows that stand right below it and are as wide at most."""
    last = label.words[-1]
    for word in sorted(words, key=lambda other: other.box.top):
        gap = word.box.top - last.box.bottom
        narrow = word.box.width <= 1.6 * max(label.words[0].box.width, 2 * last.letters_px)
        if word in taken or not -0.3 * last.letters_px <= gap <= 0.5 * last.letters_px or not narrow:
            continue
        if abs(word.box.x - label.x) <= 0.4 * last.letters_px:
            label = Label(f"{label.text} {word.text}", label.x, (*label.words, word))
            last = word
    return label


def _joined(labels: Sequence[Label]) -> list[Label]:
    """Rows of one label that runs across the axis: turned, they stand side by side."""
    joined: list[Label] = []
    for label in sorted(labels, key=lambda item: item.x):
        word = label.words[0]
        if joined and label.x - joined[-1].x <= 1.25 * word.letters_px:
            before = joined[-1]
            both = (*before.words, word)
            joined[-1] = Label(f"{before.text} {label.text}", sum(w.box.x for w in both) / len(both), both)
        else:
            joined.append(label)
    return joined
