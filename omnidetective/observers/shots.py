"""Instrument: where one shot ends and the next begins, and whether anything moves."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from omnidetective.evidence import Cut, ShotEvidence, Span
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec, observation
from omnidetective.records import Observation

if TYPE_CHECKING:
    from omnidetective.media.clip import GrayFrame

_MOVES_FPS = 4.0
_SHORTEST_SHOT_S = 0.1
"""Two cuts closer than this are one change seen twice (a flash, a frame of mixed fields)."""


class ShotSettings(ObserverSettings):
    """Settings of `shots`."""

    threshold: float = Field(default=10.0, gt=0, le=100)
    """How different two frames have to be for a cut, 0 to 100: lower finds more cuts, and more false ones."""
    still_below: float = Field(default=1.0, ge=0)
    """Mean change of brightness (0 to 255) between frames a quarter of a second apart up to which a shot is still."""


class Shots:
    """Finds hard cuts by comparing neighbouring frames; knows nothing of what is shown."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="shots",
        kind="instrument",
        modalities=("video",),
        needs="video",
        description=(
            "Measures where one shot cuts to the next, to the frame, and whether anything moves within the shots. It "
            "does not see slow fades and dissolves, and knows nothing of what is shown."
        ),
        attributes=("camera", "scene", "actions"),
        settings=ShotSettings,
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, ShotSettings)
        self._settings = settings

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        looked_at = span or clip.whole
        assert looked_at is not None
        found = await clip.scene_cuts(threshold=self._settings.threshold, span=span)
        cuts = _apart(found, looked_at)
        shots = _between(cuts, looked_at)
        still = await self._is_still(clip, shots, span)
        evidence = ShotEvidence(cuts=cuts, shots=shots, still=still)
        return observation(self.spec, question, span, answer=_in_words(evidence), data=evidence)

    async def _is_still(self, clip: Clip, shots: tuple[Span, ...], span: Span | None) -> bool:
        frames = await clip.gray_frames(_MOVES_FPS, span=span)
        return all(
            change <= self._settings.still_below
            for before, after in itertools.pairwise(frames)
            if _same_shot(before, after, shots) and (change := _mean_change(before, after)) is not None
        )


def _apart(cuts: tuple[Cut, ...], span: Span) -> tuple[Cut, ...]:
    kept: list[Cut] = []
    for cut in cuts:
        after_s = kept[-1].time_s if kept else span.start_s
        if cut.time_s - after_s >= _SHORTEST_SHOT_S and span.end_s - cut.time_s > 0:
            kept.append(cut)
    return tuple(kept)


def _between(cuts: tuple[Cut, ...], span: Span) -> tuple[Span, ...]:
    edges = [span.start_s, *(cut.time_s for cut in cuts), span.end_s]
    return tuple(Span(start_s=a, end_s=b) for a, b in itertools.pairwise(edges))


def _same_shot(before: GrayFrame, after: GrayFrame, shots: tuple[Span, ...]) -> bool:
    if before.time_s is None or after.time_s is None:
        return False
    return any(shot.start_s <= before.time_s and after.time_s < shot.end_s for shot in shots)


def _mean_change(before: GrayFrame, after: GrayFrame) -> float:
    import numpy as np

    a, b = (np.frombuffer(frame.luma, np.uint8).astype(np.int16) for frame in (before, after))
    return float(np.abs(a - b).mean())


def _in_words(evidence: ShotEvidence) -> str:
    moves = "Nothing moves within any shot." if evidence.still else "Something moves."
    if not evidence.cuts:
        return f"One shot without a cut. {moves}"
    times = ", ".join(f"{cut.time_s:.2f} s" for cut in evidence.cuts)
    plural = "s" if len(evidence.cuts) > 1 else ""
    return f"{len(evidence.shots)} shots, with {len(evidence.cuts)} cut{plural} at {times}. {moves}"
