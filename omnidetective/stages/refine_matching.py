"""Which sentence of a refined caption is which of the caption before. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from omnidetective.captions.alignment import align
from omnidetective.grounding import content_words
from omnidetective.stages.caption_lines import Line

VERSION = 0.4
"""Similarity from which a sentence at the same place is a version of another one."""
MOST_COMPARED = 4_000_000
"""Pairs of sentences that are compared at most: a version that differs in so much is not a refined one."""


@dataclass(frozen=True, slots=True)
class Matching:
    """Lines before and after, by position: which is which.

    Attributes:
        pairs: (before, after), in order of the lines before.
        same: lines before that are unchanged, or nearly.
        gone: lines before that no line after is a version of.
        new: lines after that are a version of none before.
    """

    pairs: tuple[tuple[int, int], ...]
    same: frozenset[int]
    gone: tuple[int, ...]
    new: tuple[int, ...]


def matched(old: tuple[Line, ...], new: tuple[Line, ...], *, keep_similarity: float, moves: bool) -> Matching:
    """Unchanged lines first, in order; between them, versions of one another; then lines that moved, and that grew.

    Args:
        keep_similarity: similarity from which two lines are the same.
        moves: whether a line may be looked for at another place; only where a finding is about a time.
    """
    left, right = [line.words for line in old], [line.words for line in new]
    kept = aligned(left, right, keep_similarity)
    pairs = list(kept)
    for (i, j), (i_next, j_next) in zip([(-1, -1), *kept], [*kept, (len(left), len(right))], strict=True):
        found = align(left[i + 1 : i_next], right[j + 1 : j_next], threshold=VERSION)
        pairs += [(i + 1 + m.left, j + 1 + m.right) for m in found]
    same = {i for i, _ in kept}
    here, there = {i for i, _ in pairs}, {j for _, j in pairs}
    if moves:
        places: dict[str, list[int]] = {}
        for j in (n for n in range(len(right)) if n not in there):
            places.setdefault(right[j], []).append(j)
        for i in (n for n in range(len(left)) if n not in here):
            if places.get(left[i]):
                j = places[left[i]].pop(0)
                pairs.append((i, j))
                same.add(i)
                here.add(i)
                there.add(j)
    for i, j in _grown(old, new, here, there):
        pairs.append((i, j))
        here.add(i)
        there.add(j)
    return Matching(
        pairs=tuple(sorted(pairs)),
        same=frozenset(same),
        gone=tuple(n for n in range(len(left)) if n not in here),
        new=tuple(n for n in range(len(right)) if n not in there),
    )


def _grown(
    old: Sequence[Line], new: Sequence[Line], here: Collection[int], there: Collection[int]
) -> Iterator[tuple[int, int]]:
    """Lines without a version whose words stand, in order, in a longer new line of the same moment."""
    by_second: dict[int | None, list[int]] = {}
    for j in (n for n in range(len(new)) if n not in there):
        by_second.setdefault(new[j].second, []).append(j)
    for i in (n for n in range(len(old)) if n not in here):
        at = next((j for j in by_second.get(old[i].second, ()) if holds_all(new[j], old[i])), None)
        if at is not None:
            by_second[old[i].second].remove(at)
            yield i, at


def _ends_in_common(left: Sequence[str], right: Sequence[str]) -> tuple[int, int]:
    """How many texts are the same at the beginning of both lists, and how many of the rest at their end."""
    most = min(len(left), len(right))
    head = next((n for n in range(most) if left[n] != right[n]), most)
    tail = next((n for n in range(most - head) if left[-1 - n] != right[-1 - n]), most - head)
    return head, tail


def compared(left: Sequence[str], right: Sequence[str]) -> int:
    """How many pairs aligning two lists would compare, what both begin and end with left out."""
    head, tail = _ends_in_common(left, right)
    return (len(left) - head - tail) * (len(right) - head - tail)


def aligned(left: Sequence[str], right: Sequence[str], threshold: float) -> list[tuple[int, int]]:
    """The order-keeping alignment; what both lists begin and end with costs nothing."""
    head, tail = _ends_in_common(left, right)
    middle = align(left[head : len(left) - tail], right[head : len(right) - tail], threshold=threshold)
    return [
        *((n, n) for n in range(head)),
        *((head + m.left, head + m.right) for m in middle),
        *((len(left) - n, len(right) - n) for n in range(tail, 0, -1)),
    ]


def holds_all(new: Line, old: Line) -> bool:
    """Whether the words of one line stand in another one, in their order."""
    words = iter(carrying(new))
    wanted = carrying(old)
    return bool(wanted) and all(word in words for word in wanted)


def carrying(line: Line) -> list[frozenset[str]]:
    """The words that carry meaning, in order, endings aside."""
    return [carried for word in line.words.split() if (carried := content_words(word))]
