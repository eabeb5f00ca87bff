"""Instrument: dominant colours and brightness over time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from omnidetective.embedded.colours import PictureLook, alike, mean_look, picture_look
from omnidetective.embedded.inference import infer
from omnidetective.evidence import Colour, ColourEvidence, Cut, Look, Span
from omnidetective.media.clip import Clip
from omnidetective.media.frames import Frame
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec, observation
from omnidetective.observers.instrument import changed_at_s, one_page_note, span_of, time_to_answer_s
from omnidetective.records import Observation

_FPS = 1.0
_MOST_FRAMES = 120
_SHORTEST_SPAN_FRAMES = 4
_AT_ONCE = 20
_SIDE_PX = 160
_DARK, _DIM, _BRIGHT = 0.12, 0.3, 0.7
_MOST_TOLD = 30


class ColourSettings(ObserverSettings):
    """Settings of `colour`."""


class ColourObserver:
    """Measures which colours fill the picture, and how bright it is."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="colour",
        kind="instrument",
        modalities=("video", "image"),
        needs="video",
        description=(
            "Measures the dominant colours of the whole picture, by plain names with their shares, and its brightness, "
            "over time; stretches that look alike are told as one. It does not know what has a colour, and leaves out "
            "what fills less than a twelfth of the picture: ask a witness about the colour of a thing."
        ),
        attributes=("scene", "emotions"),
        settings=ColourSettings,
        cost="no model; 0.02 s of one processor for a second of clip, two minutes of frames at most",
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, ColourSettings)
        self._limit_s = context.settings.investigate.observer_timeout_s

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        if clip.modality == "image":
            [frame] = await clip.frames((), longest_side_px=_SIDE_PX)
            look = await infer(lambda: picture_look(frame.jpeg))
            evidence = ColourEvidence(looks=(Look(brightness=look.brightness, colours=look.colours()),))
            return observation(
                self.spec, question, span, answer=_describe(evidence, one_page_note(clip)), data=evidence
            )
        deadline = time.monotonic() + time_to_answer_s(self._limit_s, clip, span)
        wanted = span_of(clip, span)
        count = max(_SHORTEST_SPAN_FRAMES, min(_MOST_FRAMES, round(wanted.duration_s * _FPS)))
        step_s = wanted.duration_s / count
        moments = [wanted.start_s + (n + 0.5) * step_s for n in range(count)]
        seen: list[PictureLook] = []
        for first in range(0, count, _AT_ONCE):
            if seen and time.monotonic() > deadline:
                break
            frames = await clip.frames(moments[first : first + _AT_ONCE], longest_side_px=_SIDE_PX)
            seen += await infer(lambda f=frames: _looks_of(f))  # type: ignore[misc]
        cuts = await clip.scene_cuts(span=wanted)
        end_s = wanted.end_s if len(seen) == count else wanted.start_s + len(seen) * step_s
        evidence = ColourEvidence(looks=_over_time(seen, moments, Span(start_s=wanted.start_s, end_s=end_s), cuts))
        note = f"The time was up at {end_s:.2f} s." if len(seen) < count else ""
        return observation(self.spec, question, span, answer=_describe(evidence, note), data=evidence)


def _looks_of(frames: Sequence[Frame]) -> list[PictureLook]:
    return [picture_look(frame.jpeg) for frame in frames]


def _over_time(
    seen: Sequence[PictureLook], moments: Sequence[float], looked: Span, cuts: Sequence[Cut]
) -> tuple[Look, ...]:
    """Stretches of frames that look alike; one ends at the first frame that no longer looks like it."""
    firsts = [0]
    for n in range(1, len(seen)):
        if not alike(mean_look([*seen[firsts[-1] : n]]), seen[n]):
            firsts.append(n)
    times = [looked.start_s, *(changed_at_s(moments[n - 1], moments[n], cuts) for n in firsts[1:]), looked.end_s]
    looks = []
    for (a, b), (start_s, end_s) in zip(pairwise([*firsts, len(seen)]), pairwise(times), strict=True):
        look = mean_look([*seen[a:b]])
        looks.append(
            Look(start_s=round(start_s, 2), end_s=round(end_s, 2), brightness=look.brightness, colours=look.colours())
        )
    return tuple(looks)


def brightness_name(brightness: float) -> str:
    """How bright that is, in a word or two."""
    if brightness < _DARK:
        return "very dark"
    return "dark" if brightness < _DIM else "bright" if brightness > _BRIGHT else "of medium brightness"


def _describe(evidence: ColourEvidence, note: str) -> str:
    lines = []
    for look in evidence.looks[:_MOST_TOLD]:
        when = "" if look.start_s is None or look.end_s is None else f"{look.start_s:.2f}–{look.end_s:.2f} s: "
        how = f"{brightness_name(look.brightness)} (brightness {look.brightness:.2f})"
        lines.append(f"{when}{how}, {_told(look.colours)}.")
    if len(evidence.looks) > _MOST_TOLD:
        lines.append(f"And {len(evidence.looks) - _MOST_TOLD} more stretches.")
    return "\n".join([*lines, note] if note else lines)


def _told(colours: Sequence[Colour]) -> str:
    return ", ".join(f"{colour.name} {colour.share:.0%} ({colour.hex})" for colour in colours)
