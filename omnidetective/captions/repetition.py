"""Repetition: a model that collapsed says the same over and over. Pure; time grows in step with the text.

A loop is a run of words (or, within words and of signs, of characters) that comes again right after itself. Whether
that is a loop or a chorus depends on how long the run is: "no no no" is speech, twelve times "no" is not, and a whole
line four times in a row is not either.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from omnidetective.captions.alignment import plain
from omnidetective.captions.anchors import find_anchors
from omnidetective.captions.letters import shape
from omnidetective.captions.sentences import Sentence, split_sentences

LOOP_TURNS = ((2, 12), (4, 6), (8, 4))
"""(words, turns): a run of fewer words than this is a loop from so many turns on. Two CJK characters make a word."""
LONG_LOOP_TURNS = 3
"""Turns that make a loop of a run of eight words or more."""
MAX_UNIT_WORDS = 256
"""The longest run of words that is looked for; longer ones are sentences, and found as such."""
CHARACTER_LOOP_TURNS = 12
CHARACTER_LOOP_CHARS = 40
"""Characters in a row that repeat are a loop from so many turns and so many characters on: a scream is shorter."""
MAX_UNIT_CHARS = 40
SENTENCE_MIN_WORDS = 6
SENTENCE_TIMES = 3
"""The same sentence of at least six words, anchor taken off, three times anywhere."""
TIMED_SENTENCE_TIMES = 8
"""… unless each stands at another second: a bell may ring seven times."""
SNIPPET_CHARS = 200
COLLAPSED_SHARE = 0.25
"""A caption has collapsed when loops cover more of it than this, or …"""
COLLAPSED_TURNS = 4
"""… when it ends in a loop of so many turns."""

_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Repetition:
    """Something said too often; ``snippet`` is verbatim text of its first occurrence, at most 200 chars.

    ``start`` is where that is: the snippet alone may be found earlier, as a part of another word.
    """

    start: int
    snippet: str
    times: int
    kind: Literal["loop", "sentence"]


@dataclass(frozen=True, slots=True)
class _Loop:
    start: int
    unit_end: int
    last_turn_end: int
    end: int
    turns: int


def find_repetition(text: str) -> tuple[Repetition, ...]:
    """The loops and the repeated sentences of a caption, in the order of their first occurrence."""
    loops = _loops(text)
    found = [Repetition(loop.start, _snippet(text, loop.start, loop.unit_end), loop.turns, "loop") for loop in loops]
    for group in _repeated_sentences(text, loops):
        first = group[0]
        found.append(Repetition(first.start, _snippet(text, first.start, first.end), len(group), "sentence"))
    return tuple(sorted(found, key=lambda repetition: repetition.start))


def has_collapsed(text: str) -> bool:
    """Whether loops cover more than a quarter of a text, or it ends in a loop of four turns or more."""
    loops = _loops(text)
    if not loops:
        return False
    if sum(loop.end - loop.start for loop in loops) > COLLAPSED_SHARE * len(text.strip()):
        return True
    # A reply that hit its limit ends in half a word.
    return loops[-1].turns >= COLLAPSED_TURNS and len(shape(text[loops[-1].end :]).replace("p", " ").split()) <= 1


def without_repetition(text: str) -> str:
    """The text with each loop and each repeated sentence kept once: the first of them."""
    for _ in range(_ROUNDS):
        loops = _loops(text)
        spans = [(loop.unit_end, loop.last_turn_end) for loop in loops]
        if not loops:
            spans = [span for group in _repeated_sentences(text, loops) for span in _later(text, group)]
        if not spans:
            break
        text = _without(text, spans)
    return text


def _snippet(text: str, start: int, end: int) -> str:
    return text[start : min(end, start + SNIPPET_CHARS)].strip()


# -- loops -------------------------------------------------------------------------------------------------------------

_WORD = re.compile(r"c|[wd]{1,60}")


@lru_cache(maxsize=16)  # the same caption is looked at from several sides, one after the other
def _loops(text: str) -> tuple[_Loop, ...]:
    """Loops of words first, then those of characters that no loop of words explains; in order, without overlap."""
    shapes = shape(text)
    words = [match.span() for match in _WORD.finditer(shapes)]
    found = list(_loops_of(_numbered(text, words), words, _word_weights(shapes, words), MAX_UNIT_WORDS))
    characters = [(n, n + 1) for n, kind in enumerate(shapes) if kind != " "]
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    signs = codes[np.array([n for n, _ in characters], dtype=np.intp)] if characters else codes[:0]
    found += _loops_of(signs, characters, None, MAX_UNIT_CHARS)
    kept: list[_Loop] = []
    for loop in sorted(found, key=lambda loop: (loop.start, -loop.end)):
        if not kept or loop.start >= kept[-1].end:
            kept.append(loop)
        elif loop.end - loop.start > kept[-1].end - kept[-1].start:
            kept[-1] = loop
    return tuple(kept)


def _numbered(text: str, spans: Sequence[tuple[int, int]]) -> npt.NDArray[np.uint32]:
    """Words as numbers: equal words, equal numbers."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(text[a:b].casefold(), len(numbers)) for a, b in spans], dtype=np.uint32)


def _word_weights(shapes: str, spans: Sequence[tuple[int, int]]) -> npt.NDArray[np.float64]:
    """Running count of words before each position: a CJK character is half a word."""
    return np.cumsum([0.0, *(0.5 if shapes[a] == "c" else 1.0 for a, _ in spans)])


def _loops_of(
    signs: npt.NDArray[np.uint32],
    spans: Sequence[tuple[int, int]],
    words_before: npt.NDArray[np.float64] | None,
    longest: int,
) -> Iterator[_Loop]:
    """The runs that repeat with each period, the shortest period first; one explained by a shorter one is left out."""
    explained = np.zeros(len(signs), dtype=bool)
    for period in range(1, min(longest, len(signs) // LONG_LOOP_TURNS) + 1):
        fewest = CHARACTER_LOOP_TURNS if words_before is None else _turns_needed(period)
        for start, end in _equal_runs(signs, period, (fewest - 1) * period):
            end += period
            turns = (end - start) // period
            if words_before is None:
                enough = end - start >= CHARACTER_LOOP_CHARS
            else:
                enough = turns >= _turns_needed(float(words_before[start + period] - words_before[start]))
            if not enough or explained[start:end].mean() > 0.5:
                continue
            explained[start:end] = True
            yield _Loop(
                start=spans[start][0],
                unit_end=spans[start + period - 1][1],
                last_turn_end=spans[start + turns * period - 1][1],
                end=spans[end - 1][1],
                turns=turns,
            )


def _turns_needed(words: float) -> int:
    return next((turns for limit, turns in LOOP_TURNS if words < limit), LONG_LOOP_TURNS)


def _equal_runs(signs: npt.NDArray[np.uint32], period: int, shortest: int) -> Iterator[tuple[int, int]]:
    """Stretches of at least ``shortest`` positions where ``signs[n] == signs[n + period]``."""
    different = np.flatnonzero(signs[:-period] != signs[period:])
    edges = np.concatenate(([-1], different, [len(signs) - period]))
    for n in np.flatnonzero(np.diff(edges) - 1 >= shortest):
        yield int(edges[n]) + 1, int(edges[n + 1])


# -- sentences ---------------------------------------------------------------------------------------------------------


def _repeated_sentences(text: str, loops: Sequence[_Loop]) -> list[list[Sentence]]:
    """Sentences said too often, outside loops, grouped; in order of the first of each group."""
    loop_ends = [loop.end for loop in loops]
    groups: dict[str, list[Sentence]] = {}
    seconds: dict[str, set[float]] = {}
    for sentence, key, time_s in _keyed(text):
        n = bisect_right(loop_ends, sentence.start)
        if n == len(loops) or loops[n].start >= sentence.end:
            groups.setdefault(key, []).append(sentence)
            seconds.setdefault(key, set()).update(() if time_s is None else (time_s,))
    return [
        group
        for key, group in groups.items()
        if len(group) >= (TIMED_SENTENCE_TIMES if len(seconds[key]) == len(group) else SENTENCE_TIMES)
    ]


def _keyed(text: str) -> Iterator[tuple[Sentence, str, float | None]]:
    """The long sentences, each with its plain words without anchors, and the time of its first anchor."""
    anchors = find_anchors(text)
    n = 0
    for sentence in split_sentences(text):
        words, position = "", sentence.start
        time_s: float | None = None
        while n < len(anchors) and anchors[n].start < sentence.end:
            time_s = anchors[n].time_s if time_s is None else time_s
            words += text[position : anchors[n].start]
            position = min(anchors[n].end, sentence.end)
            n += 1
        key = plain(words + text[position : sentence.end])
        if sum(0.5 if match[0] == "c" else 1.0 for match in _WORD.finditer(shape(key))) >= SENTENCE_MIN_WORDS:
            yield sentence, key, time_s


def _later(text: str, group: Sequence[Sentence]) -> Iterator[tuple[int, int]]:
    """All but the first of a group, with the space before each."""
    for sentence in group[1:]:
        start = sentence.start
        while start and text[start - 1].isspace():
            start -= 1
        yield start, sentence.end


def _without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    pieces: list[str] = []
    position = 0
    for start, end in sorted(spans):
        pieces.append(text[position:start])
        position = end
    return "".join((*pieces, text[position:]))
