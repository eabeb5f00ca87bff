"""An observer for omnidetective: when is the picture sharp, and when blurred?

Put your own measure in the place of ``blur_of``, and say in the spec what it tells. The rest is the form that every
observer has: settings, a spec, ``__init__`` that costs nothing, and ``observe``, which answers for a span.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from omnidetective.evidence import OtherEvidence, Span
from omnidetective.media.clip import Clip
from omnidetective.media.frames import GrayFrame
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec, observation
from omnidetective.records import Observation
from pydantic import Field, JsonValue

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FPS = 2.0
_MOST_FRAMES = 120
_LONGEST_SIDE_PX = 480
_REACH_PX = 9
_PLAIN = 0.5
"""Mean step from one pixel to the next below which there is nothing to be sharp."""


class FocusMeterSettings(ObserverSettings):
    """Its settings; the text under each is its help in `omnidetective observers show`."""

    blurred_from: Annotated[float, Field(gt=0, lt=1)] = 0.55
    """From which blur on, 0 (sharp) to 1, a picture is called blurred."""


class FocusMeter:
    """Measures how blurred the picture is."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="focus_meter",
        kind="instrument",
        modalities=("video", "image"),
        needs="video",
        description=(
            "Measures when the picture is sharp and when it is blurred, out of focus or smeared by motion. Ask about "
            "a span to have it look closer. It does not know what is shown, nor which part of the picture is meant."
        ),
        attributes=("camera",),
        settings=FocusMeterSettings,
        cost="0.05 s of one processor for a second of clip",
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, FocusMeterSettings)
        self._settings = settings

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        seconds = clip.duration_s if span is None else span.duration_s
        fps = min(_FPS, _MOST_FRAMES / max(seconds, 1.0))
        frames = await clip.gray_frames(fps, span=span, longest_side_px=_LONGEST_SIDE_PX)
        # Work goes into a thread: the event loop has other clips to look after.
        blurs = await asyncio.to_thread(lambda: [blur_of(frame) for frame in frames])
        times = [frame.time_s for frame in frames]
        answer = describe(times, blurs, blurred_from=self._settings.blurred_from)
        found: list[JsonValue] = [{"time_s": time_s, "blur": blur} for time_s, blur in zip(times, blurs, strict=True)]
        return observation(self.spec, question, span, answer=answer, data=OtherEvidence(values={"frames": found}))


def blur_of(frame: GrayFrame) -> float | None:
    """How blurred a picture is, 0 (sharp) to 1; ``None`` for a plain one.

    A blurred picture loses little by being blurred again (Crete and others, "The blur effect", 2007): the measure is
    the share of the steps between neighbouring pixels that is left after it, in the direction in which more is left.
    """
    luma = np.frombuffer(frame.luma, np.uint8).reshape(frame.height, frame.width)
    shares = []
    for picture in (luma.astype(np.float64), luma.T.astype(np.float64)):
        if picture.shape[1] <= _REACH_PX:
            return None
        smooth = _smoothed(picture)
        margin = _REACH_PX // 2
        steps = np.abs(np.diff(picture[:, margin:-margin]))
        lost = np.maximum(0.0, steps - np.abs(np.diff(smooth)))
        if steps.mean() >= _PLAIN:
            shares.append(float(1.0 - lost.sum() / steps.sum()))
    return round(max(shares), 3) if shares else None


def _smoothed(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of as many pixels of a row as the reach says, around each."""
    sums = np.cumsum(np.pad(picture, ((0, 0), (1, 0))), axis=1)
    means: NDArray[np.float64] = (sums[:, _REACH_PX:] - sums[:, :-_REACH_PX]) / _REACH_PX
    return means


def describe(times_s: Sequence[float | None], blurs: Sequence[float | None], *, blurred_from: float) -> str:
    """In words: stretches that are alike are told once, with the blur of their worst frame."""
    told: list[tuple[str, float | None, float | None, float]] = []
    for time_s, blur in zip(times_s, blurs, strict=True):
        word = "plain" if blur is None else "blurred" if blur >= blurred_from else "sharp"
        if told and told[-1][0] == word:
            _, first_s, _, worst = told[-1]
            told[-1] = (word, first_s, time_s, max(worst, blur or 0.0))
        else:
            told.append((word, time_s, time_s, blur or 0.0))
    lines = []
    for word, first_s, last_s, worst in told:
        when = "" if first_s is None else f" at {first_s:.1f} s"
        when = when if first_s == last_s else f" from {first_s:.1f} to {last_s:.1f} s"
        detail = "without detail" if word == "plain" else f"{word} (blur up to {worst:.2f})"
        lines.append(f"The picture is {detail}{when}.")
    return "\n".join(lines)
