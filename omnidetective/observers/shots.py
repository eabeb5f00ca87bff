"""Instrument: cuts, the shots between them, and whether anything moves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from omnidetective.embedded.changes import largest_change, mean_change
from omnidetective.embedded.inference import infer
from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import Cut, ShotEvidence, Span
from omnidetective.media.clip import Clip, GrayFrame
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec, observation
from omnidetective.observers.instrument import luma, span_of, times
from omnidetective.records import Observation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SIDE_PX = 160
_USUAL_FPS = 25.0
_LONGEST_FLASH_S = 0.5
_SAME_PICTURE = 0.35
"""Change over a flash, by the change at its beginning, up to which the picture is the same again."""
_RESTLESS = 0.6
"""Change beside a cut, by the change at the cut, from which on it is unrest and no cut."""
_MOVES = 5.0
"""Mean difference of the most different block; compression alone stays below."""
_MOST_SAMPLES = 240
_SAMPLE_FPS = 4.0


class ShotsSettings(ObserverSettings):
    """Settings of `shots`."""

    threshold: Annotated[float, Field(gt=0, lt=100)] = 10.0
    """How much of the picture must change from one frame to the next for a cut, 0…100."""


class Shots:
    """Measures where the picture is cut."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="shots",
        kind="instrument",
        modalities=("video",),
        needs="video",
        description=(
            "Measures the times of hard cuts, the shots between them, and whether anything moves within the shots. "
            "It does not see what is shown. Flashes are no cuts; dissolves and fades are not reported."
        ),
        attributes=("camera", "narrative"),
        settings=ShotsSettings,
        cost="no model; some hundredths of a second of one processor for a second of clip",
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, ShotsSettings)
        self._settings = settings

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        if clip.modality == "image":
            raise ObserverUnavailableError("an image has no shots", reason="no_video")
        wanted = span_of(clip, span)
        candidates = await clip.scene_cuts(threshold=self._settings.threshold, span=wanted)
        cuts = await self._real_cuts(clip, candidates, wanted)
        edges = [wanted.start_s, *(cut.time_s for cut in cuts), wanted.end_s]
        shots = tuple(Span(start_s=a, end_s=b) for a, b in pairwise(edges) if b > a)
        still = await self._still(clip, shots, wanted)
        evidence = ShotEvidence(cuts=cuts, shots=shots, still=still)
        return observation(self.spec, question, span, answer=_describe(evidence), data=evidence)

    async def _real_cuts(self, clip: Clip, candidates: Sequence[Cut], span: Span) -> tuple[Cut, ...]:
        """Without flashes, and without what changes as much before or after."""
        frame_s = 1.0 / (clip.facts.fps or _USUAL_FPS)
        found = [cut for cut in candidates if span.start_s < cut.time_s < span.end_s]
        found = [cut for cut in found if not await self._is_unrest(clip, cut, span, frame_s)]
        kept: list[Cut] = []
        for cut in found:
            begun = kept[-1] if kept else None
            if (
                begun is not None
                and cut.time_s - begun.time_s <= _LONGEST_FLASH_S
                and await self._is_flash(clip, begun, cut, frame_s)
            ):
                kept.pop()
            else:
                kept.append(cut)
        return tuple(kept)

    async def _is_unrest(self, clip: Clip, cut: Cut, span: Span, frame_s: float) -> bool:
        back = min(2, round((cut.time_s - span.start_s) / frame_s))
        frames = await self._frames(clip, cut.time_s - back * frame_s, cut.time_s + frame_s, frame_s)
        changes = [mean_change(a, b) for a, b in pairwise(frames)]
        if len(changes) < back or back < 1:
            return False
        beside = [change for n, change in enumerate(changes) if n != back - 1]
        return bool(beside) and min(beside) >= _RESTLESS * changes[back - 1]

    async def _is_flash(self, clip: Clip, begun: Cut, ended: Cut, frame_s: float) -> bool:
        frames = await self._frames(clip, max(0.0, begun.time_s - frame_s), ended.time_s, frame_s)
        return mean_change(frames[0], frames[-1]) <= _SAME_PICTURE * mean_change(frames[0], frames[1])

    async def _frames(self, clip: Clip, first_s: float, last_s: float, frame_s: float) -> list[NDArray[np.uint8]]:
        """All frames from one time to another."""
        # A hair later than the frame begins: its time stamp may have been rounded.
        start_s = first_s + frame_s / 10
        span = Span(start_s=start_s, end_s=last_s + frame_s / 2)
        return [luma(f) for f in await clip.gray_frames(1 / frame_s, span=span, longest_side_px=_SIDE_PX)]

    async def _still(self, clip: Clip, shots: Sequence[Span], span: Span) -> bool | None:
        fps = min(_SAMPLE_FPS, _MOST_SAMPLES / span.duration_s)
        frames = await clip.gray_frames(fps, span=span, longest_side_px=_SIDE_PX)
        return await infer(lambda: is_still(frames, shots))


def is_still(frames: Sequence[GrayFrame], shots: Sequence[Span]) -> bool | None:
    """Whether the frames of each shot are the same; ``None`` where no shot has two."""
    compared = False
    for shot in shots:
        inside = [luma(f) for f in frames if f.time_s is not None and shot.start_s <= f.time_s < shot.end_s]
        if len(inside) < 2:
            continue
        compared = True
        if any(largest_change(a, b) >= _MOVES for a, b in pairwise(inside)):
            return False
        if largest_change(inside[0], inside[-1]) >= _MOVES:
            return False
    return True if compared else None


def _describe(evidence: ShotEvidence) -> str:
    count = len(evidence.shots)
    first, last = evidence.shots[0].start_s, evidence.shots[-1].end_s
    if not evidence.cuts:
        lines = [f"One shot, {first:.2f}–{last:.2f} s, without a cut."]
    else:
        at = ", ".join(f"{cut.time_s:.2f}" for cut in evidence.cuts)
        lines = [
            f"{count} shots between {first:.2f} and {last:.2f} s.",
            f"Cuts at {at} s.",
            f"Shots: {times(evidence.shots)}.",
        ]
    if evidence.still is not None:
        lines.append("Nothing moves within the shots." if evidence.still else "The picture moves within the shots.")
    return "\n".join(lines)
