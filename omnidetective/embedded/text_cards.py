"""From readings of single frames to cards: one entry for one piece of text, with its first and its last moment. Pure.

Two readings are the same card when they say the same, or nearly the same in the same place and one of them is unsure:
the better one counts. Texts that differ in a digit, and sure readings that differ at all, are different texts, unless
they differ only in signs that look alike (O and 0) or in a speck before the first letter. Text that rolls keeps its
words and changes its place; of text that runs through the picture from the right each reading shows a part, and the
parts are put together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from omnidetective.embedded.text import TextLine

_BLINK_S = 0.6
"""A card that is away for no longer was overlooked, not gone."""
_SURE = 0.9
_ALIKE = 80.0
"""Least similarity, 0…100, of two readings of one text."""
_SAME_PLACE = 0.3
_SHORT = 2
_LOOK_ALIKE = str.maketrans("0Oo1lI|5Ss8B", "OOOlllISSSBB")
_STRAY = " .,·-_'`~|"
"""What specks before a line are read as."""
_ROW = 0.6
"""Shared height of two lines, by the smaller one, from which they are in one row."""
_RUNNING_WIDTH = 0.5
_RUNNING_CHARS = 8
_RUNNING_SHARE = 0.4
"""Least of a line that must be known from the reading before, for it to be the same running text."""
_TORN_CHARS = 4
"""At the edge of the picture letters are torn, and read as others."""
_DIGITS = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read in one frame. It holds until the next reading: in between, nothing changed.

    Attributes:
        time_s: when the frame is shown.
        since_s: the latest earlier moment that was looked at: what is new came after it. At the start, ``time_s``.
    """

    time_s: float
    since_s: float
    lines: tuple[TextLine, ...]


@dataclass(frozen=True, slots=True)
class Track:
    """A card over time: it is there from reading ``first`` to reading ``last``.

    Attributes:
        text, box, score: of its best reading.
        first_box, last_box: where it was in its first and its last reading.
        tail: of running text, what the last reading showed.
    """

    text: str
    box: tuple[float, float, float, float]
    score: float
    first: int
    last: int
    first_box: tuple[float, float, float, float]
    last_box: tuple[float, float, float, float]
    seen: int = 1
    tail: str = ""

    @property
    def sole(self) -> bool:
        """Whether one reading alone has it."""
        return self.seen == 1


def track_cards(readings: Sequence[Reading]) -> list[Track]:
    """The cards in order of appearance, then of reading."""
    open_tracks: list[Track] = []
    closed: list[Track] = []
    for n, reading in enumerate(readings):
        still: list[Track] = []
        for track in open_tracks:
            away_since_s = readings[track.last + 1].time_s if track.last + 1 < n else reading.time_s
            (still if reading.time_s - away_since_s <= _BLINK_S else closed).append(track)
        open_tracks = _continued(still, reading.lines, n)
    tracks = _without_slips([*closed, *open_tracks])
    kept = [track for track in tracks if not _is_texture(track, readings)]
    return sorted(kept, key=lambda track: (track.first, round(track.box[1], 2), track.box[0]))


def _continued(tracks: list[Track], lines: Iterable[TextLine], n: int) -> list[Track]:
    """Each line goes on with the track that it fits best, or begins one."""
    left = list(lines)
    pairs = sorted(
        (
            (fit, t, m)
            for t, track in enumerate(tracks)
            for m, line in enumerate(left)
            if (fit := _fit(track, line)) > 0
        ),
        reverse=True,
    )
    taken: dict[int, int] = {}
    for _, t, m in pairs:
        if t not in taken and m not in taken.values():
            taken[t] = m
    going_on = [_extended(track, left[taken[t]], n) if t in taken else track for t, track in enumerate(tracks)]
    begun = [_begun(line, n) for m, line in enumerate(left) if m not in taken.values()]
    return going_on + begun


def _begun(line: TextLine, n: int) -> Track:
    return Track(line.text, line.box, line.score, n, n, first_box=line.box, last_box=line.box)


def _extended(track: Track, line: TextLine, n: int) -> Track:
    going_on = replace(track, last=n, last_box=line.box, seen=track.seen + 1)
    more = _more_of(track, line)
    if more is not None:
        box = (min(track.box[0], line.box[0]), track.box[1], max(track.box[2], line.box[2]), track.box[3])
        return replace(going_on, text=more, tail=line.text, box=box, score=min(track.score, line.score))
    if line.text != track.text and line.text.lstrip(_STRAY) == track.text:
        return going_on
    cleaner = line.text != track.text and track.text.lstrip(_STRAY) == line.text
    if (line.score > track.score or cleaner) and not track.tail:
        return replace(going_on, text=line.text, box=line.box, score=line.score)
    return going_on


def _fit(track: Track, line: TextLine) -> float:
    """How well a line goes on with a track; 0 when it does not."""
    place = max(_overlap(track.last_box, line.box), _overlap(track.box, line.box))
    if track.text == line.text:
        return 2.0 + place if place > 0 or len(line.text) > _SHORT else 0.0
    near = place >= _SAME_PLACE or (len(line.text) > _RUNNING_CHARS and _rolls(track.last_box, line.box))
    if near and _looks_like(track.text) == _looks_like(line.text):
        return 1.0 + place
    if _more_of(track, line) is not None:
        return 0.5
    unsure = min(track.score, line.score) < _SURE
    return max(place, 0.1) if unsure and near and alike(track.text, line.text) else 0.0


def _looks_like(text: str) -> str:
    return text.lstrip(_STRAY).replace(" ", "").translate(_LOOK_ALIKE)


def _rolls(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    """Whether a line can have rolled up or down: straight above or below, and as large, but for what an edge hides."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    high, low = sorted((a[3] - a[1], b[3] - b[1]), reverse=True)
    return width >= 0.8 * max(a[2] - a[0], b[2] - b[0]) and low >= 0.4 * high


def _more_of(track: Track, line: TextLine) -> str | None:
    """Running text with what a line adds to it: the line begins with what the track ends with, and goes on."""
    shown = track.tail or track.text
    if min(len(shown), len(line.text)) < _RUNNING_CHARS or not _one_wide_row(track.last_box, line.box):
        return None
    match = SequenceMatcher(None, shown, line.text, autojunk=False).find_longest_match()
    enough = match.size >= max(_RUNNING_CHARS, _RUNNING_SHARE * len(line.text))
    torn = len(shown) - (match.a + match.size)
    if not enough or match.b > _TORN_CHARS or torn > _TORN_CHARS or match.a <= match.b:
        return None
    # What the reading before had torn at its end this one has whole.
    return track.text[: len(track.text) - torn] + line.text[match.b + match.size :]


def _one_wide_row(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    height = min(a[3], b[3]) - max(a[1], b[1])
    wide = min(a[2] - a[0], b[2] - b[0]) >= _RUNNING_WIDTH
    return wide and height >= _ROW * min(a[3] - a[1], b[3] - b[1])


def alike(one: str, other: str) -> bool:
    """Whether two readings can be of one text: few differences, and none in a digit."""
    from rapidfuzz.fuzz import ratio

    if _DIGITS.findall(one) != _DIGITS.findall(other):
        return False
    return ratio(one.replace(" ", "").casefold(), other.replace(" ", "").casefold()) >= _ALIKE


def _without_slips(tracks: list[Track]) -> list[Track]:
    """A text between two appearances of one that is nearly the same, in its place, was a slip of the recogniser."""
    tracks = sorted(tracks, key=lambda track: (track.first, -track.last))
    while (mended := _mend_one(tracks)) is not None:
        tracks = mended
    return tracks


def _mend_one(tracks: list[Track]) -> list[Track] | None:
    for slip in tracks:
        if slip.seen > _SHORT:
            continue
        others = [track for track in tracks if track is not slip and _slipped(slip, track)]
        if any(track.first < slip.first and slip.last < track.last for track in others):
            return [track for track in tracks if track is not slip]
        for before in others:
            for after in others:
                if before.last + 1 == slip.first and slip.last + 1 == after.first and before.text == after.text:
                    best = max(before, after, key=lambda track: track.score)
                    seen = before.seen + slip.seen + after.seen
                    whole = replace(
                        best,
                        first=before.first,
                        last=after.last,
                        first_box=before.first_box,
                        last_box=after.last_box,
                        seen=seen,
                    )
                    return [whole, *(t for t in tracks if t is not slip and t is not before and t is not after)]
    return None


def _slipped(slip: Track, track: Track) -> bool:
    return _overlap(slip.box, track.box) >= _SAME_PLACE and alike(slip.text, track.text)


def _is_texture(track: Track, readings: Sequence[Reading]) -> bool:
    """One or two characters that a single reading saw, and that were gone at once."""
    if len(track.text) > _SHORT or not track.sole or track.last + 1 >= len(readings):
        return False
    return readings[track.last + 1].time_s - readings[track.first].time_s <= _BLINK_S


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Shared area by joint area, 0…1."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)
