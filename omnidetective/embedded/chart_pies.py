"""Pies and rings: the share of each slice by its angle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnidetective.embedded.chart_numbers import numbers_in, read_number
from omnidetective.embedded.chart_shapes import Palette
from omnidetective.embedded.chart_words import Rect, Word

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LEAST_RADIUS_PX = 40
_ROUND = 0.93
_STEPS = 1440
_RINGS = (0.97, 0.94, 0.9, 0.86, 0.82, 0.78, 0.74)
_EDGE_PX = 2.0
_LEAST_SLICE = 0.006
_KNOWN = 0.93
_AGREE = 2.0
"""How many percentage points a printed share may be off from the measured one: shares are rounded."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice: its colour, the angles that it fills (clockwise from 12 o'clock, in turns), the share in percent."""

    colour: int
    start: float
    end: float

    @property
    def percent(self) -> float:
        return 100 * (self.end - self.start)

    @property
    def middle(self) -> float:
        return (self.start + self.end) / 2 % 1.0

    def holds(self, turn: float) -> bool:
        return (turn - self.start) % 1.0 <= self.end - self.start


@dataclass(frozen=True, slots=True)
class Pie:
    """A disc in slices, in pixels."""

    x: float
    y: float
    radius: float
    slices: tuple[Slice, ...]

    @property
    def box(self) -> Rect:
        return Rect(self.x - self.radius, self.y - self.radius, self.x + self.radius, self.y + self.radius)

    @property
    def tolerance(self) -> float:
        """By how many percentage points a share may be off."""
        return 100 * 2 * _EDGE_PX / (2 * math.pi * self.radius)

    def reaches(self, word: Word) -> bool:
        """Whether the disc reaches to where the sample of a colour would stand beside a word."""
        x = min(max(self.x, word.box.left - 1.6 * word.letters_px), word.box.right)
        y = min(max(self.y, word.box.top), word.box.bottom)
        return math.hypot(x - self.x, y - self.y) <= 1.02 * self.radius

    def place(self, word: Word) -> tuple[float, float]:
        """The turn at which a word stands, and how far from the middle, in radii."""
        across, down = word.box.x - self.x, word.box.y - self.y
        return math.atan2(across, -down) / (2 * math.pi) % 1.0, math.hypot(across, down) / self.radius


def find_pies(picture: NDArray[np.uint8], colours: Palette) -> list[Pie]:
    """The pies of a picture: discs of two or more flat colours that meet at straight borders."""
    import cv2
    import numpy as np

    ground = colours.mask(picture, 0)
    scale = min(1.0, 800 / max(picture.shape[:2]))
    other = cv2.resize(255 - ground, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    other = cv2.morphologyEx((other > 127).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    opened = cv2.morphologyEx(other, cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))  # Lines to labels do not belong to it.
    outlines, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    pies = []
    for outline in outlines:
        (x, y), radius = cv2.minEnclosingCircle(outline)
        if radius / scale < _LEAST_RADIUS_PX or cv2.contourArea(outline) < _ROUND * math.pi * radius * radius:
            continue
        pie = _pie(picture, colours, (x + 0.5) / scale, (y + 0.5) / scale, radius / scale)
        if pie is not None:
            pies.append(pie)
    return pies


def _pie(picture: NDArray[np.uint8], colours: Palette, x: float, y: float, radius: float) -> Pie | None:
    import numpy as np

    turns = (np.arange(_STEPS) + 0.5) / _STEPS
    votes = np.zeros((_STEPS, len(colours.colours)), np.int32)
    height, width = picture.shape[:2]
    known = 0
    for ring in _RINGS:
        px = np.clip(np.floor(x + ring * radius * np.sin(2 * np.pi * turns)), 0, width - 1).astype(int)
        py = np.clip(np.floor(y - ring * radius * np.cos(2 * np.pi * turns)), 0, height - 1).astype(int)
        away = np.abs(picture[py, px].astype(np.float32)[:, None, :] - colours.colours[None]).max(axis=2)
        nearest = away.argmin(axis=1)
        sure = away.min(axis=1) <= 26
        known += int(sure.sum())
        votes[np.flatnonzero(sure & (nearest != 0)), nearest[sure & (nearest != 0)]] += 1
    if known < 0.85 * _STEPS * len(_RINGS):
        return None
    owner = np.where(votes.max(axis=1) >= 2, votes.argmax(axis=1), -1)
    return _sliced(x, y, radius, [int(n) for n in owner])


def _sliced(x: float, y: float, radius: float, owner: list[int]) -> Pie | None:
    """The runs of one colour around the disc; thin borders between them are halved."""
    if sum(n >= 0 for n in owner) < _KNOWN * len(owner):
        return None
    runs: list[tuple[int, int, int]] = []
    first = next((n for n in range(len(owner)) if owner[n] != owner[n - 1]), None)
    if first is None:
        return None
    turned = owner[first:] + owner[:first]
    start = 0
    for n in range(1, len(turned) + 1):
        if n == len(turned) or turned[n] != turned[start]:
            if turned[start] >= 0 and n - start >= _LEAST_SLICE * len(owner):
                runs.append((turned[start], start, n))
            start = n
    if len(runs) < 2 or len({colour for colour, _, _ in runs}) < len(runs):
        return None  # A colour that comes twice: stripes, or a picture.
    borders = []
    for n, (_, begin, _) in enumerate(runs):
        before = runs[n - 1][2] - (len(owner) if n == 0 else 0)
        if begin - before > 0.03 * len(owner):
            return None
        borders.append((begin + before) / 2)
    borders.append(borders[0] + len(owner))
    slices = tuple(
        Slice(colour, (borders[n] + first) / len(owner), (borders[n + 1] + first) / len(owner))
        for n, (colour, _, _) in enumerate(runs)
    )
    # From 12 o'clock on, as pies are read.
    return Pie(x, y, radius, tuple(sorted(slices, key=lambda one: round(one.start % 1.0, 2) % 1.0)))


@dataclass(frozen=True, slots=True)
class Told:
    """What is written of a slice: its label, and its share where that is printed, in percent."""

    label: str | None
    percent: float | None
    agrees: bool


def told_of(pie: Pie, words: Sequence[Word], legends: dict[int, str]) -> list[Told] | None:
    """What is written of each slice, in their order; None where nothing says what most of them are."""
    told: list[Told] = []
    near: dict[int, list[tuple[float, Word]]] = {}
    for word in words:
        turn, far = pie.place(word)
        edge = far - _half(word, pie)
        if edge <= 1.35 and far <= 2.6:
            owner = next((n for n, one in enumerate(pie.slices) if one.holds(turn)), None)
            if owner is not None:
                near.setdefault(owner, []).append((far, word))
    for n, one in enumerate(pie.slices):
        label, percent, agrees = legends.get(one.colour), None, True
        shares = []
        for _, word in sorted(near.get(n, []), key=lambda item: item[0]):
            number = next((found for found in numbers_in(word.text) if found.unit == "%"), None)
            if number is not None:
                shares.append(number.value)
                rest = (word.text[: number.start] + word.text[number.end :]).strip(" ,:;()-–")
                if rest and label is None and read_number(rest) is None:
                    label = rest
            elif label is None and read_number(word.text) is None and any(c.isalpha() for c in word.text):
                label = word.text
        if len(shares) == 1:
            percent = shares[0]
            agrees = abs(percent - one.percent) <= _AGREE + pie.tolerance
        told.append(Told(label, percent, agrees))
    labels = [one.label for one in told if one.label]
    if len(labels) < 0.6 * len(told) or len(set(labels)) < len(labels):
        return None
    return told


def _half(word: Word, pie: Pie) -> float:
    """Half of a word's width as seen from the disc, in radii."""
    turn, _ = pie.place(word)
    across = abs(math.sin(2 * math.pi * turn))
    return (word.box.width / 2 * across + word.box.height / 2 * (1 - across)) / pie.radius
