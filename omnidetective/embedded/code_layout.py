"""From lines of text in a picture to code as it was typed: where it stands, its indentation, its empty lines.

The numbers of lines are left out; the name of a file above is kept apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from omnidetective.embedded.placed_text import Placed, around, rows_of, usual_height

_FEWEST_LINES = 3
_MOST_LINES = 2_000
_NEAR = 3.2
"""Between two lines of one block, in heights: three empty lines fit."""
_ALIKE = 1.7
"""By how much lines of one block differ in height; a lone dash is low, a bracket high."""
_CODE_SHARE = 0.45
_MOST_EMPTY = 3
_MOST_INDENT = 120
_ODD, _SINGLE = 0.4, 1.6
"""In widths of a letter: by how much one line may begin too far left; indentation is two at least."""
_UNITS = (8, 4, 2)
"""What people indent by. Nearly any width is near a multiple of three: it is left to the letters."""
_SNAP = 0.75
"""In widths of a letter: what is this near a multiple of the indentation is one."""

_CODE = tuple(
    re.compile(pattern)
    for pattern in (
        r"[;{}]$",
        r"^[}\])]+[;,)]*$",
        r"\w\(.*\)",
        r"\w\($",
        r"[\w\])\"'] ?(=|==|!=|\+=|-=|:=|=>|->|<=|>=|&&|\|\|) ?[\w\[({\"'&$-]",
        r"^(#include|#define|#!|//|/\*|\*/|--|<!--|# )",
        r"^</?\w+.*>?$",
        r"\w::\w",
        r"^@\w+",
        r"^\"[^\"]+\": ?",
        r"^\$\w+",
        r"^(def|class|fn|func|struct|interface|namespace|package|module|enum|trait|impl) \w+.*[:{(]?$",
        r"^(from \S+ import|import [\w.{*\"']+|using [\w.]+;|use [\w:\\]+|require )",
        r"^(public|private|protected|static|const|let|var|pub|export) \w+",
        r"^(return|else|try|finally|end|fi|done|do|then|esac|pass|break|continue)\b[^.]*$",
        r"^(if|for|while|elif|switch|match|catch|except|with)\b.*[:{)]$",
        r"^(SELECT|FROM|WHERE|GROUP BY|ORDER BY|(LEFT |RIGHT |INNER )?JOIN|HAVING|AND|ON|SET|LIMIT)\b",
        r"^(INSERT INTO|UPDATE|DELETE|CREATE|VALUES)\b",
        r"^[\w.#*-]+(, ?[\w.#-]+)* \{$",
        r"^[\w-]+: [^.]+;$",
        r"^\w+: \w[\w\[\]., |]*(,|;|= .*)?$",
        r"^\"\"\"",
        r"^[a-z]+ -{1,2}\w+",
        r"[\w)\]]\.\w+\(",
    )
)
_NUMBER = re.compile(r"(\d{1,5})[.:|]?(\s+|$)?")
_MARK = re.compile(r"[<>{}()\[\];=$_\"\\@]")
_FILE = re.compile(r"(?:^|[\s/\\])([\w-][\w.-]*\.[A-Za-z]{1,5})(?=$|[\s:*•x×-])")


@dataclass(frozen=True, slots=True)
class CodeText:
    """Code as it stands in a picture.

    Attributes:
        lines: with their indentation; empty lines are empty.
        box: in pixels.
        above: what stands right above it, from the nearest up: a tab may name the file.
    """

    lines: tuple[str, ...]
    box: tuple[float, float, float, float]
    above: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def code_texts(lines: Sequence[Placed], ink: Callable[[Placed], Sequence[bool]]) -> tuple[CodeText, ...]:
    """The parts of a picture's text that look like code, from top to bottom.

    Args:
        ink: in which columns of pixels of a line's box there is ink, from its left edge on.
    """
    found = []
    for block in _blocks(lines[:_MOST_LINES]):
        rows = _trimmed(_without_numbers(rows_of(block), ink))
        if len(rows) < _FEWEST_LINES or sum(map(_is_code, rows)) < _CODE_SHARE * len(rows):
            continue
        kept = [piece for row in rows for piece in row]
        box = _with_numbers(block, around(kept))
        found.append(CodeText(_typed(rows, ink), box, _above(lines, kept, box)))
    return tuple(sorted(found, key=lambda code: code.box[1]))


def file_name(texts: Iterable[str]) -> str | None:
    """The name of a file among some texts: the only one, for of several tabs nothing says which is shown."""
    names = {match for text in texts for match in _FILE.findall(text)}
    return names.pop() if len(names) == 1 else None


def looks_like_code(text: str) -> bool:
    """Whether a line has marks or words that lines of code have, and sentences have not."""
    return any(pattern.search(text) for pattern in _CODE)


def _blocks(lines: Sequence[Placed]) -> list[list[Placed]]:
    """Lines that stand near below each other: panes beside the code are blocks of their own."""
    ordered = sorted(lines, key=lambda line: line.top)
    height = usual_height(ordered)
    parent = list(range(len(ordered)))

    def root(n: int) -> int:
        while parent[n] != n:
            parent[n] = parent[parent[n]]
            n = parent[n]
        return n

    for n, line in enumerate(ordered):
        for m in range(n + 1, len(ordered)):
            other = ordered[m]
            if other.top - line.bottom > _NEAR * height:
                break
            small, large = sorted((line.height, other.height))
            beside = min(line.right, other.right) - max(line.left, other.left)
            if beside > -4 * height * (small > 0) and large <= _ALIKE * small and other.top > line.top + 0.4 * small:
                parent[root(m)] = root(n)
    blocks: dict[int, list[Placed]] = {}
    for n, line in enumerate(ordered):
        blocks.setdefault(root(n), []).append(line)
    return list(blocks.values())


def _without_numbers(rows: Sequence[list[Placed]], ink: Callable[[Placed], Sequence[bool]]) -> list[list[Placed]]:
    """The rows without the numbers of lines at their left, where they count; rows of a number alone go."""
    numbers: list[int | None] = []
    for row in rows:
        match = _NUMBER.match(row[0].text)
        number = None if match is None else int(match[1])
        before = next((known for known in reversed(numbers) if known is not None), None)
        # Where the space after it was not read, it is the number of a line only if it is the next one.
        spaced = match is not None and match[2] is not None
        numbers.append(
            number if spaced or (number is not None and before is not None and number == before + 1) else None
        )
    pairs = [(a, b) for a, b in pairwise(numbers) if a is not None and b is not None]
    if sum(b - a == 1 for a, b in pairs) < max(2, 0.6 * (len(rows) - 1)):
        return [list(row) for row in rows]
    kept = []
    for row, number in zip(rows, numbers, strict=True):
        if number is None:
            kept.append(list(row))
            continue
        match = _NUMBER.match(row[0].text)
        assert match is not None
        rest = row[0].text[match.end() :]
        left = [replace(row[0], text=rest, left=_after_number(row[0], match[1], ink(row[0])))] if rest else []
        if left or row[1:]:
            kept.append([*left, *row[1:]])
    return kept


def _with_numbers(block: Iterable[Placed], box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """The box of code, as wide as all that stands beside it: the numbers of its lines are part of it."""
    return around([piece for piece in block if box[1] <= piece.down <= box[3]])


def _after_number(line: Placed, digits: str, inked: Sequence[bool]) -> float:
    """Where the text begins that follows a number in the same line: after the widest gap within the reach of both."""
    letter_px = (line.right - line.left) / max(1, len(line.text))
    reach = range(int(letter_px * len(digits) * 0.5), min(len(inked), int(letter_px * (len(digits) + 16))))
    reached, best, place = None, 0, line.left + letter_px * (len(digits) + 1)
    for x in reach:
        if not inked[x]:
            continue
        if reached is not None and x - reached > max(best, 0.6 * letter_px):
            return line.left + x
        reached = x
    return place


def _trimmed(rows: list[list[Placed]]) -> list[list[Placed]]:
    """Without what stands above and below and is no code; a line with a mark right at the edge may be some."""
    inner = [n for n, row in enumerate(rows) if _is_code(row)]
    if not inner:
        return []
    first, last = inner[0], inner[-1]
    step = min_step([_down(b) - _down(a) for a, b in pairwise(rows[first : last + 1])])
    while first > 0 and _may_be_code(rows[first - 1]) and _down(rows[first]) - _down(rows[first - 1]) < 2.5 * step:
        first -= 1
    below = rows[last + 1 :]
    for n, row in enumerate(below):
        if not _may_be_code(row) or _down(row) - _down(rows[last + n]) >= 2.5 * step:
            break
        last += 1
    return rows[first : last + 1]


def _may_be_code(row: Sequence[Placed]) -> bool:
    text = " ".join(piece.text for piece in row)
    return _MARK.search(text) is not None and not _FILE.match(text) and not _is_sentence(text)


def _down(row: Sequence[Placed]) -> float:
    return sum(piece.down for piece in row) / len(row)


def _is_code(row: Sequence[Placed]) -> bool:
    text = " ".join(piece.text for piece in row)
    return looks_like_code(text) and not (_FILE.fullmatch(text) or _is_sentence(text))


def _is_sentence(text: str) -> bool:
    words = text.split()
    return (
        len(words) >= 6
        and text[-1] in ".!?"
        and sum(word.strip(",.!?").isalpha() for word in words) >= 0.85 * len(words)
    )


def _typed(rows: Sequence[Sequence[Placed]], ink: Callable[[Placed], Sequence[bool]]) -> tuple[str, ...]:
    starts = [_start(row[0], ink) for row in rows]
    letter_px = _letter_px([piece for row in rows for piece in row])
    base = _left_edge(starts, letter_px)
    indents = indentation([max(0.0, start - base) / letter_px for start in starts])
    downs = [_down(row) for row in rows]
    steps = [b - a for a, b in pairwise(downs)]
    step = min_step(steps)
    lines: list[str] = []
    for n, (row, indent) in enumerate(zip(rows, indents, strict=True)):
        if n:
            lines += [""] * min(_MOST_EMPTY, max(0, round(steps[n - 1] / step) - 1))
        lines.append(" " * indent + " ".join(piece.text for piece in row))
    return tuple(lines)


def _left_edge(starts: Sequence[float], letter_px: float) -> float:
    """Where lines without indentation begin; a single one a little further left is measured wrong."""
    ordered = sorted(starts)
    if len(ordered) > 2 and _ODD * letter_px < ordered[1] - ordered[0] < _SINGLE * letter_px:
        return ordered[1]
    return ordered[0]


def _start(piece: Placed, ink: Callable[[Placed], Sequence[bool]]) -> float:
    """Where the ink of a line begins; its box is a little wider."""
    inked = ink(piece)
    return piece.left + next((x for x, filled in enumerate(inked) if filled), 0)


def _letter_px(pieces: Sequence[Placed]) -> float:
    """The width of a letter: of long lines, where the edges of a box matter little."""
    long = [piece for piece in pieces if len(piece.text) >= 8] or list(pieces)
    return max(1.0, median((piece.right - piece.left) / max(1, len(piece.text)) for piece in long))


def min_step(steps: Sequence[float]) -> float:
    """The distance from line to line, where some are followed by empty ones."""
    if not steps:
        return 1.0
    low = sorted(steps)[len(steps) // 10]
    near = [step for step in steps if step <= 1.4 * low]
    return max(1.0, median(near))


def indentation(widths: Sequence[float]) -> tuple[int, ...]:
    """Indentation in letters from what was measured: multiples of one width, where most lines have such.

    Args:
        widths: in letters, from the leftmost line.
    """
    inner = [width for width in widths if width > 1.0]
    unit = next((u for u in _UNITS if inner and sum(_off(w, u) <= _SNAP for w in inner) >= 0.9 * len(inner)), 1)
    return tuple(
        min(_MOST_INDENT, unit * round(width / unit) if _off(width, unit) <= _SNAP else round(width))
        for width in widths
    )


def _off(width: float, unit: int) -> float:
    return abs(width - unit * round(width / unit))


def _above(lines: Sequence[Placed], kept: Sequence[Placed], box: tuple[float, float, float, float]) -> tuple[str, ...]:
    """The texts of the rows right above a block, as wide as it is or at its left: tabs, titles, a path."""
    height = usual_height(kept)
    near = [
        line
        for line in lines
        if line.bottom <= box[1] + 0.3 * height and box[1] - line.bottom <= 5 * height and line.left <= box[2]
    ]
    return tuple(line.text for line in sorted(near, key=lambda line: -line.bottom))
