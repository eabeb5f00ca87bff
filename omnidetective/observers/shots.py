"""Instrument: cuts, fades, the shots between them, whether anything moves, and what the camera does."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from omnidetective.embedded.changes import largest_change, mean_change
from omnidetective.embedded.inference import infer
from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import CameraMove, Cut, Fade, ShotEvidence, Span
from omnidetective.media.clip import Clip
from omnidetective.media.frames import GrayFrame
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec, observation
from omnidetective.observers.instrument import luma, span_of, time_to_answer_s, times
from omnidetective.observers.shot_motion import Seen, look
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
_UNTOLD_S = 0.5
"""What is missing of a span without a word about it."""
_MOST_TOLD = 40


class ShotsSettings(ObserverSettings):
    """Settings of `shots`."""

    threshold: Annotated[float, Field(gt=0, lt=100)] = 10.0
    """How much of the picture must change from one frame to the next for a cut, 0…100."""


class Shots:
    """Measures where the picture is cut or fades, and follows the camera."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="shots",
        kind="instrument",
        modalities=("video",),
        needs="video",
        description=(
            "Measures hard cuts, fades from and to a plain picture, dissolves, the shots between them, whether "
            "anything moves, and, from the motion of the whole picture, what the camera does: static, pan, tilt, zoom, "
            "unsteady. It does not see what is shown. Flashes are no cuts; a dissolve between moving pictures can be "
            "missed. It cannot tell a zoom from a camera that comes nearer, nor a pan from one that moves sideways, "
            "and says nothing of a camera that does two things at once or that shows something plain."
        ),
        attributes=("camera", "narrative"),
        settings=ShotsSettings,
        cost="no model; 0.1 s of one processor for a second of clip, less in clips over ten minutes",
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, ShotsSettings)
        self._settings = settings
        self._limit_s = context.settings.investigate.observer_timeout_s

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        if clip.modality == "image":
            raise ObserverUnavailableError("an image has no shots", reason="no_video")
        deadline = time.monotonic() + time_to_answer_s(self._limit_s, clip, span)
        wanted = span_of(clip, span)
        candidates = await clip.scene_cuts(threshold=self._settings.threshold, span=wanted)
        cuts = await self._real_cuts(clip, candidates, wanted)
        seen = await look(clip, wanted, cuts, deadline=deadline)
        shots = _shots(cuts, seen.fades, wanted)
        still = await self._still(clip, shots, wanted)
        evidence = ShotEvidence(cuts=cuts, shots=shots, still=still, fades=seen.fades, camera=seen.camera)
        answer = _describe(evidence, seen, wanted)
        return observation(self.spec, question, span, answer=answer, data=evidence)

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


def _shots(cuts: Sequence[Cut], fades: Sequence[Fade], span: Span) -> tuple[Span, ...]:
    """The shots between cuts; where one becomes another gradually they meet halfway."""
    edges = [span.start_s, *sorted([*(cut.time_s for cut in cuts), *_soft_edges(cuts, fades)]), span.end_s]
    return tuple(Span(start_s=a, end_s=b) for a, b in pairwise(edges) if b > a)


def _soft_edges(cuts: Sequence[Cut], fades: Sequence[Fade]) -> Iterator[float]:
    for fade in fades:
        if fade.kind == "dissolve":
            yield round((fade.start_s + fade.end_s) / 2, 3)
    for gone, come in pairwise(fades):
        cut_between = any(gone.end_s - 0.1 <= cut.time_s <= come.start_s + 0.1 for cut in cuts)
        if (gone.kind, come.kind) == ("out", "in") and not cut_between:
            yield round((gone.end_s + come.start_s) / 2, 3)


def _describe(evidence: ShotEvidence, seen: Seen, span: Span) -> str:
    count = len(evidence.shots)
    first, last = evidence.shots[0].start_s, evidence.shots[-1].end_s
    if count == 1:
        lines = [f"One shot, {first:.2f}–{last:.2f} s, without a cut."]
    else:
        at = ", ".join(f"{cut.time_s:.2f}" for cut in evidence.cuts)
        lines = [
            f"{count} shots between {first:.2f} and {last:.2f} s.",
            f"Cuts at {at} s." if at else "No hard cut.",
            f"Shots: {times(evidence.shots)}.",
        ]
    if evidence.still is not None:
        lines.append("Nothing moves within the shots." if evidence.still else "The picture moves within the shots.")
    lines.append(_fades_told(evidence.fades))
    lines.append(
        f"The camera was not followed: {seen.no_camera}." if seen.no_camera else _camera_told(evidence.camera, span)
    )
    looked_s = sum(part.duration_s for part in seen.looked)
    if looked_s < span.duration_s - _UNTOLD_S:
        lines.append(
            f"For fades and camera {looked_s:.0f} of {span.duration_s:.0f} s were looked at: {times(seen.looked)}."
        )
    return "\n".join(lines)


def _fades_told(fades: Sequence[Fade]) -> str:
    if not fades:
        return "No fade and no dissolve was seen."
    names = {"in": "fade in", "out": "fade out", "dissolve": "dissolve"}
    told = ", ".join(f"{names[fade.kind]} {fade.start_s:.2f}–{fade.end_s:.2f} s" for fade in fades[:_MOST_TOLD])
    return f"Gradual changes: {told}{_and_more(len(fades))}."


def _camera_told(camera: Sequence[CameraMove], span: Span) -> str:
    if not camera:
        return "What the camera does could not be told."
    told = ", ".join(f"{move.motion} {move.start_s:.2f}–{move.end_s:.2f} s" for move in camera[:_MOST_TOLD])
    followed_s = sum(move.end_s - move.start_s for move in camera)
    rest = " Nothing is said of the rest." if followed_s < span.duration_s - _UNTOLD_S else ""
    return f"Camera: {told}{_and_more(len(camera))}.{rest}"


def _and_more(count: int) -> str:
    return f" and {count - _MOST_TOLD} more" if count > _MOST_TOLD else ""
