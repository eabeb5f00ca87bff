"""Instrument: how many faces are seen at once, over time. Never whose they are."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import groupby
from typing import Annotated, ClassVar

from pydantic import Field

from omnidetective.embedded.faces import PACKAGES, WEIGHTS, FaceBox, FaceModel, overlap
from omnidetective.embedded.inference import infer, require_packages
from omnidetective.embedded.weights import find
from omnidetective.evidence import Cut, FaceCount, FaceEvidence, Span
from omnidetective.media.clip import Clip
from omnidetective.media.frames import Frame
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec, observation
from omnidetective.observers.instrument import changed_at_s, one_page_note, span_of, time_to_answer_s
from omnidetective.records import Observation

MODEL = "embedded:centerface"

_SIDE_PX = 640
_AT_ONCE = 8
_FEWEST_FRAMES = 3
_SURE = 0.75
"""Score from which a face counts by itself; a less sure one needs another in its place in a frame beside it."""
_SAME_PLACE = 0.2
_MOST_TOLD = 40


class FacesSettings(ObserverSettings):
    """Settings of `faces`."""

    fps: Annotated[float, Field(gt=0, le=10)] = 1.0
    """Frames a second that are looked at."""
    max_frames: Annotated[int, Field(ge=1)] = 120
    """Most frames that are looked at for one question; of longer spans, evenly spread ones are."""


class Faces:
    """Counts the faces that are seen at once."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="faces",
        kind="instrument",
        modalities=("video", "image"),
        needs="video",
        description=(
            "Counts how many human faces are seen at once, and when. It does not say whose they are, nor anything of "
            "age, sex or mood. A face that is turned away, covered, upside down or smaller than a thirtieth of the "
            "picture is not counted, so there can be more people than faces; pictures of faces count as faces."
        ),
        attributes=("characters",),
        settings=FacesSettings,
        cost="0.1 to 0.2 s of one processor for a frame, one frame a second, 120 frames at most",
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, FacesSettings)
        require_packages(*PACKAGES)
        find(WEIGHTS)
        self._settings = settings
        self._limit_s = context.settings.investigate.observer_timeout_s

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        if clip.modality == "image":
            [found] = await self._found(await clip.frames((), longest_side_px=_SIDE_PX))
            counts = (FaceCount(faces=len([face for face in found if face.score >= _SURE])),)
            return self._answer(question, span, FaceEvidence(counts=counts, frames_read=1), one_page_note(clip))
        deadline = time.monotonic() + time_to_answer_s(self._limit_s, clip, span)
        wanted = span_of(clip, span)
        most = self._settings.max_frames
        count = min(most, max(min(most, _FEWEST_FRAMES), round(wanted.duration_s * self._settings.fps)))
        step_s = wanted.duration_s / count
        moments = [wanted.start_s + (n + 0.5) * step_s for n in range(count)]
        seen: list[tuple[FaceBox, ...]] = []
        for first in range(0, count, _AT_ONCE):
            if seen and time.monotonic() > deadline:
                break
            seen += await self._found(await clip.frames(moments[first : first + _AT_ONCE], longest_side_px=_SIDE_PX))
        end_s = wanted.end_s if len(seen) == count else wanted.start_s + len(seen) * step_s
        cuts = await clip.scene_cuts(span=wanted)
        looked = Span(start_s=wanted.start_s, end_s=end_s)
        evidence = FaceEvidence(counts=_over_time(seen, moments, looked, cuts), frames_read=len(seen))
        note = f"The time was up at {end_s:.2f} s." if len(seen) < count else ""
        return self._answer(question, span, evidence, note)

    async def _found(self, frames: Sequence[Frame]) -> list[tuple[FaceBox, ...]]:
        model = await infer(lambda: FaceModel.shared(find(WEIGHTS)))
        return [await infer(lambda f=frame: model.find(f.jpeg)) for frame in frames]  # type: ignore[misc]

    def _answer(self, question: str, span: Span | None, evidence: FaceEvidence, note: str) -> Observation:
        return observation(self.spec, question, span, answer=_describe(evidence, note), data=evidence, model=MODEL)


def _over_time(
    seen: Sequence[tuple[FaceBox, ...]], moments: Sequence[float], looked: Span, cuts: Sequence[Cut]
) -> tuple[FaceCount, ...]:
    """Numbers of faces over time; a number changes at a cut, or halfway between two frames."""
    numbers = [_confirmed(seen, n) for n in range(len(seen))]
    for n in range(1, len(numbers) - 1):
        if numbers[n - 1] == numbers[n + 1] > numbers[n]:
            numbers[n] = numbers[n - 1]  # a face that is overlooked in one frame was not gone
    counts: list[FaceCount] = []
    at = 0
    for faces, group in groupby(numbers):
        start_s = counts[-1].end_s if counts else looked.start_s
        at += len(list(group))
        end_s = looked.end_s if at == len(numbers) else changed_at_s(moments[at - 1], moments[at], cuts)
        counts.append(FaceCount(start_s=start_s, end_s=round(end_s, 2), faces=faces))
    return tuple(counts)


def _confirmed(seen: Sequence[tuple[FaceBox, ...]], n: int) -> int:
    """The faces of a frame that are sure, or that a frame beside it has in the same place."""
    beside = [face for m in (n - 1, n + 1) if 0 <= m < len(seen) for face in seen[m]]
    return sum(
        face.score >= _SURE or any(overlap(face.box, other.box) >= _SAME_PLACE for other in beside) for face in seen[n]
    )


def _describe(evidence: FaceEvidence, note: str) -> str:
    frames = f"{evidence.frames_read} frame{'s' if evidence.frames_read != 1 else ''} looked at"
    if not any(count.faces for count in evidence.counts):
        lines = [f"No face is seen ({frames})."]
    else:
        lines = [f"Faces seen at once ({frames}):"]
        for count in evidence.counts[:_MOST_TOLD]:
            when = f"{count.start_s:.2f}–{count.end_s:.2f} s: " if count.start_s is not None else ""
            lines.append(f"- {when}{count.faces or 'none'}")
        if len(evidence.counts) > _MOST_TOLD:
            lines.append(f"- and {len(evidence.counts) - _MOST_TOLD} more changes")
    return "\n".join([*lines, note] if note else lines)
