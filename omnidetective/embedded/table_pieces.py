"""Lines of text taken apart where a column of a table begins.

Text recognition joins what stands close together, also over the border of a column, and does not say where in a line
its words stand. The ink does: a line is cut where a gap in its ink is wider than the space between words, and where a
rule is drawn through it. Which words stand left of a cut follows from the width of the ink on either side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from omnidetective.embedded.placed_text import Placed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WIDE = 0.5
"""Gap in heights of the line's box from which it is wider than the space between words."""
_PIERCED = 0.1
_LEAST_CONTRAST = 24
_NARROW = frozenset("ijlftrI1.,:;'|!()[]{}\"`-/\\ ")
_BROAD = frozenset("mwMW%@&—")
_NO_SPACE = 1.2
"""By how many letters a cut between two letters must fit better than one at a space."""
_LONG_CHARS = 160


def pieces_of(
    lines: Iterable[Placed], gray: NDArray[np.uint8], walls: Callable[[Placed], Sequence[float]]
) -> list[Placed]:
    """The lines, cut at wide gaps in their ink and at rules.

    Args:
        gray: the picture, shape ``(height, width)``.
        walls: where rules are drawn through a line, in pixels from the left, in order.
    """
    return [piece for line in lines for piece in _cut(line, ink_of(line, gray), walls(line))]


def ink_of(line: Placed, gray: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """In which columns of pixels of a line's box there is ink, from its left edge on."""
    import numpy as np

    top, bottom = max(0, round(line.top + 0.12 * line.height)), round(line.bottom - 0.12 * line.height)
    left, right = max(0, round(line.left)), round(line.right)
    part = gray[top : max(bottom, top + 1), left : max(right, left + 1)].astype(np.int16)
    if not part.size:
        return np.zeros(max(0, right - left), np.bool_)
    ground = np.median(part)
    differs = np.abs(part - ground)
    contrast = float(differs.max())
    if contrast < _LEAST_CONTRAST:
        return np.zeros(part.shape[1], np.bool_)
    return np.asarray((differs > 0.4 * contrast).any(axis=0), np.bool_)


def is_pierced(line: Placed, gray: NDArray[np.uint8], walls: Sequence[float]) -> bool:
    """Whether a rule is drawn right through the letters of a line, which no border of a column is."""
    ink = ink_of(line, gray)
    rule_px = max(3, round(0.1 * line.height))
    reach = rule_px + max(2, round(_PIERCED * line.height))
    for wall in walls:
        x = round(wall) - round(line.left)
        left, right = ink[max(0, x - reach) : max(0, x - rule_px)], ink[x + rule_px + 1 : x + reach + 1]
        if left.any() and right.any():
            return True
    return False


def _cut(line: Placed, ink: NDArray[np.bool_], walls: Sequence[float]) -> list[Placed]:
    """The parts of a line from gap to gap; the line itself where it has none."""
    parts: list[tuple[int, int]] = []
    origin = round(line.left)
    edges = [0, *(round(x) - origin for x in walls if line.left < x < line.right), len(ink)]
    rule_px = max(3, round(0.1 * line.height))
    for n, (start, end) in enumerate(pairwise(edges)):
        # The rule itself is ink, and no letter.
        inner = range(start + (rule_px if n else 0), end - (rule_px if n < len(edges) - 2 else 0))
        parts += _runs([x for x in inner if ink[x]], _WIDE * line.height)
    if len(parts) < 2:
        return [line]
    texts = split_text(line.text, [end - start for start, end in parts])
    return [
        Placed(text, origin + start, line.top, origin + end, line.bottom)
        for text, (start, end) in zip(texts, parts, strict=True)
        if text
    ]


def _runs(inked: Sequence[int], gap_px: float) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for x in inked:
        if runs and x - runs[-1][1] < gap_px:
            runs[-1] = (runs[-1][0], x + 1)
        else:
            runs.append((x, x + 1))
    return runs


def split_text(text: str, widths: Sequence[float]) -> tuple[str, ...]:
    """A text in as many parts as there are widths, each as long as its width: at spaces, where that fits.

    Args:
        widths: of the ink of each part; only their shares count.
    """
    before = [0.0, *accumulate(_weight(char) for char in text)]
    spaces = [n for n, char in enumerate(text) if char == " "]
    # Between letters only where a space may be missing; a very long line is cut at spaces alone.
    inner = range(1, len(text)) if len(text) <= _LONG_CHARS else spaces
    # A space at a cut stands for the gap, which is no ink.
    whole = before[-1] - _weight(" ") * min(len(spaces), len(widths) - 1)
    shares = [width / sum(widths) for width in widths]
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, (0,))}
    for n, share in enumerate(shares):
        ends = inner if n < len(shares) - 1 else (len(text),)
        best = {
            end: min(
                (cost + _misfit(text, before, start, end, share * whole) / max(whole, 1e-9), (*cuts, end))
                for start, (cost, cuts) in best.items()
                if start <= end
            )
            for end in ends
            if any(start <= end for start in best)
        } or {len(text): next(iter(best.values()))}
    _, cuts = min(best.values())
    parts = [text[a:b].strip() for a, b in pairwise(cuts)]
    return (*parts, *[""] * (len(widths) - len(parts)))


def _misfit(text: str, before: Sequence[float], start: int, end: int, weight: float) -> float:
    """By how much a part is longer or shorter than it should be; more where it ends between two letters."""
    own = before[end] - before[start]
    if start < end and text[start] == " ":
        own -= _weight(" ")
    return abs(own - weight) + (0.0 if end == len(text) or text[end] == " " else _NO_SPACE)


def _weight(char: str) -> float:
    if char in _NARROW:
        return 0.55
    if char in _BROAD:
        return 1.5
    return 1.2 if char.isupper() else 2.0 if ord(char) >= 0x2E80 else 1.0
