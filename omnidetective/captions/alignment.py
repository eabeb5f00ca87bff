"""Similarity of texts, and the order-keeping alignment of two lists of utterances. Pure.

Source: AVoCaDO (dialogue reward), §3.2.3, equation 4 and the recurrence after it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from omnidetective.captions.letters import CJK, shape

THRESHOLD = 0.6
"""γ of the paper: less similar than this, two utterances are never a pair."""

_LONG_WORD = 500
_SLACK = 0.01
"""At a cutoff, rapidfuzz rounds to either side: 0.6 may not reach 0.6. So it is asked for a little more."""
_SPACE_BETWEEN_CJK = re.compile(rf"(?<=[{CJK}]) (?=[{CJK}])")


@dataclass(frozen=True, slots=True)
class Match:
    """A pair: positions in the left and the right list, and how similar they are."""

    left: int
    right: int
    similarity: float


def similarity(a: str, b: str) -> float:
    """1 - edit distance / length of the longer text, on characters; 1.0 for two empty texts.

    Source: AVoCaDO eq. 4, ``Sim``.
    """
    return Levenshtein.normalized_similarity(a, b)


def plain(text: str) -> str:
    """The words alone, for comparing what is said rather than how it is set.

    Case, punctuation, symbols and extra space are gone, wide and compatibility forms are unified (NFKC); apostrophes
    go without a trace, and so does space between CJK characters.
    """
    unified = _unified(_unified(text).casefold())
    kept = (c if kind in "cdw" else "" if kind == "'" else " " for c, kind in zip(unified, shape(unified), strict=True))
    return _SPACE_BETWEEN_CJK.sub("", " ".join("".join(kept).split()))


def align(
    left: Sequence[str],
    right: Sequence[str],
    *,
    threshold: float = THRESHOLD,
    similarity_of: Callable[[str, str], float] | None = None,
) -> tuple[Match, ...]:
    """The pairs, in order on both sides, with the greatest total similarity.

    Args:
        left: N texts.
        right: M texts.
        threshold: pairs less similar than this are not made.
        similarity_of: similarity of a left and a right text, at least 0; by default `similarity`.

    Returns:
        Pairs whose positions increase strictly in both lists. Of equally good alignments, the one that keeps to the
        earliest texts. Time and memory are O(N·M).

    Source: F[i][j] = max(F[i-1][j], F[i][j-1], F[i-1][j-1] + Sim where Sim ≥ γ), AVoCaDO §3.2.3.
    """
    if not left or not right:
        return ()
    similarities = _similarities(left, right, similarity_of, threshold)
    gains = np.where(similarities >= threshold, similarities, 0.0)
    totals = np.zeros((len(left) + 1, len(right) + 1))
    for i in range(1, len(left) + 1):
        best = np.maximum(totals[i - 1, 1:], totals[i - 1, :-1] + gains[i - 1])
        totals[i, 1:] = np.maximum.accumulate(best)  # the step from F[i][j-1] carries the best so far to the right
    return _traced(totals, similarities)


def _similarities(
    left: Sequence[str], right: Sequence[str], similarity_of: Callable[[str, str], float] | None, threshold: float
) -> npt.NDArray[np.float64]:
    """All similarities; those below the threshold may be 0, which is quicker found out."""
    if similarity_of is not None:
        return np.array([[similarity_of(a, b) for b in right] for a in left], dtype=np.float64)
    scorer = Levenshtein.normalized_similarity
    return cdist(left, right, scorer=scorer, score_cutoff=max(0.0, threshold - _SLACK), dtype=np.float64)


def _traced(totals: npt.NDArray[np.float64], similarities: npt.NDArray[np.float64]) -> tuple[Match, ...]:
    matches: list[Match] = []
    i, j = totals.shape[0] - 1, totals.shape[1] - 1
    while i and j:
        if totals[i, j] == totals[i - 1, j]:
            i -= 1
        elif totals[i, j] == totals[i, j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            matches.append(Match(i, j, float(similarities[i, j])))
    return tuple(reversed(matches))


def _unified(text: str) -> str:
    """NFKC. Overlong words go in slices: sorting a run of combining marks takes quadratic time."""
    if all(len(word) <= _LONG_WORD for word in text.split()):
        return unicodedata.normalize("NFKC", text)
    slices = (text[n : n + _LONG_WORD] for n in range(0, len(text), _LONG_WORD))
    return "".join(unicodedata.normalize("NFKC", piece) for piece in slices)
