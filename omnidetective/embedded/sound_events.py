"""From scores a patch to events with a beginning and an end. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from omnidetective.embedded.sounds import PATCH_HOP_S, PATCH_S
from omnidetective.evidence import SoundEvent, Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BEGINS_AT = 0.5
_GOES_ON_AT = 0.25
_LEAST_MEAN = 0.4
_ALONE_AT = 0.75
"""A sound that fills only one patch has to be this sure."""
_SHORTEST_S = 0.2
_BRIDGED_PATCHES = 2
"""A gap of so few patches does not end an event."""
_NO_EVENT = frozenset({"silence"})
"""Measured by loudness, not believed."""


def sound_events(
    scores: NDArray[np.float32], labels: Sequence[str], *, duration_s: float, offset_s: float = 0.0
) -> tuple[SoundEvent, ...]:
    """The sounds that were heard, by time, then by score.

    An event needs a score of 0.5 somewhere, goes on while it stays above 0.25, and averages 0.4. A patch lasts twice as
    long as the step to the next, and a sound has to fill about half of it to be heard: so a patch stands for the step
    around its centre, the first and the last also for the edge of the sound.

    Args:
        scores: shape ``(patches, labels)``, as ``SoundModel.scores`` gives them.
        duration_s: length of the sound.
        offset_s: time of its beginning.
    """
    events: list[SoundEvent] = []
    for column in (scores.max(axis=0) >= _BEGINS_AT).nonzero()[0] if len(scores) else ():
        if labels[column] in _NO_EVENT:
            continue
        row = scores[:, column]
        for first, last in _runs(row):
            start_s = 0.0 if first == 0 else first * PATCH_HOP_S + (PATCH_S - PATCH_HOP_S) / 2
            end_s = duration_s if last == len(row) - 1 else last * PATCH_HOP_S + (PATCH_S + PATCH_HOP_S) / 2
            if end_s > start_s:
                events.append(
                    SoundEvent(
                        start_s=round(offset_s + start_s, 2),
                        end_s=round(offset_s + min(end_s, duration_s), 2),
                        label=labels[column],
                        score=round(float(row[first : last + 1].mean()), 3),
                    )
                )
    return tuple(sorted(events, key=lambda event: (event.start_s, -event.score, event.label)))


def _runs(row: NDArray[np.float32]) -> Iterator[tuple[int, int]]:
    """First and last patch of each event."""
    above = (row >= _GOES_ON_AT).nonzero()[0]
    if not len(above):
        return
    first = last = int(above[0])
    for patch in (*above[1:], None):
        if patch is not None and patch - last <= _BRIDGED_PATCHES:
            last = int(patch)
            continue
        run = row[first : last + 1]
        if run.max() >= (_BEGINS_AT if last > first else _ALONE_AT) and run.mean() >= _LEAST_MEAN:
            yield first, last
        if patch is not None:
            first = last = int(patch)


def without_silence(events: Iterable[SoundEvent], silent: Sequence[Span]) -> tuple[SoundEvent, ...]:
    """The events where there is sound: cut at silences, whose edges are measured more finely than a patch.

    An event inside a silence goes: noise far below hearing has a spectrum too.
    """
    found: list[SoundEvent] = []
    for event in events:
        at_s = event.start_s
        for span in (*silent, Span(start_s=event.end_s, end_s=event.end_s + 1.0)):
            if span.end_s <= at_s:
                continue
            end_s = min(span.start_s, event.end_s)
            if end_s - at_s >= min(_SHORTEST_S, event.end_s - event.start_s):
                found.append(event.model_copy(update={"start_s": round(at_s, 2), "end_s": round(end_s, 2)}))
            at_s = max(at_s, span.end_s)
            if at_s >= event.end_s:
                break
    return tuple(sorted(found, key=lambda event: (event.start_s, -event.score, event.label)))
