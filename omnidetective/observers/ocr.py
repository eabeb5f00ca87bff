"""Instrument: the text on screen, where it stands, and from when to when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from omnidetective.embedded import text
from omnidetective.embedded.cards import Card, track
from omnidetective.embedded.inference import infer, require_packages, threads_for
from omnidetective.evidence import Span, TextCard, TextEvidence
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec, observation
from omnidetective.records import Observation

if TYPE_CHECKING:
    from omnidetective.media.clip import GrayFrame

_TILES = 8
"""A picture is compared in 8 by 8 tiles: a short line of text changes few of them."""


class OcrSettings(ObserverSettings):
    """Settings of `ocr`."""

    fps: float = Field(default=1.0, gt=0)
    """Frames a second that are looked at; only those that changed are read."""
    max_frames: int = Field(default=240, ge=1)
    """Most frames that are looked at; a long clip is looked at less densely."""
    precision_s: float = Field(default=0.15, gt=0)
    """How exactly the coming and going of a card is found."""
    min_score: float = Field(default=0.6, ge=0, le=1)
    """Lines that are read less surely are left out."""
    longest_side_px: int = Field(default=1280, ge=64)
    """Size of the frames that are read."""
    changed_above: float = Field(default=3.0, ge=0)
    """Mean change of brightness (0 to 255) in some part of the picture from which a frame counts as changed."""


class Ocr:
    """Reads text in frames and follows it through time; knows nothing of what it means."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="ocr",
        kind="instrument",
        modalities=("video", "image"),
        needs="video",
        description=(
            "Text recognition: the text on screen verbatim, where in the frame it stands, from when to when, with a "
            "score. It says plainly when there is none. Name a short span for text that is shown only briefly."
        ),
        attributes=("objects", "scene", "narrative"),
        settings=OcrSettings,
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, OcrSettings)
        self._settings = settings
        self._threads = threads_for(context.settings.num_workers)
        require_packages(*text.PACKAGES)

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        reader = _Reader(clip, self._settings, self._threads)
        if clip.whole is None:
            cards = tuple(TextCard(text=x.text, box=x.box, score=x.score) for x in await reader.read(0.0))
        else:
            cards = await self._follow(clip, reader, span or clip.whole)
        evidence = TextEvidence(cards=cards, frames_read=reader.frames_read)
        return observation(self.spec, question, span, answer=_in_words(evidence), data=evidence)

    async def _follow(self, clip: Clip, reader: _Reader, span: Span) -> tuple[TextCard, ...]:
        fps = min(self._settings.fps, self._settings.max_frames / span.duration_s)
        frames = await clip.gray_frames(fps, span=span)
        times = [frame.time_s or 0.0 for frame in frames]
        readings: list[tuple[text.TextLine, ...]] = []
        read: GrayFrame | None = None
        for frame in frames:
            if read is None or _change(read, frame) > self._settings.changed_above:
                readings.append(await reader.read(frame.time_s or 0.0))
                read = frame
            else:
                readings.append(readings[-1])
        cards = [await self._timed(card, times, span, reader) for card in track(readings)]
        return tuple(sorted(cards, key=lambda card: card.start_s or 0.0))

    async def _timed(self, card: Card, times: list[float], span: Span, reader: _Reader) -> TextCard:
        """The card with the moments of its coming and going, found by halving the gap between two frames."""
        start_s, end_s = span.start_s, span.end_s
        if card.first > 0:
            start_s = await self._edge(card, shown_s=times[card.first], hidden_s=times[card.first - 1], reader=reader)
        if card.last < len(times) - 1:
            end_s = await self._edge(card, shown_s=times[card.last], hidden_s=times[card.last + 1], reader=reader)
        best = card.best
        return TextCard(
            text=best.text,
            start_s=round(start_s, 2),
            end_s=round(max(start_s, end_s), 2),
            box=best.box,
            score=best.score,
        )

    async def _edge(self, card: Card, *, shown_s: float, hidden_s: float, reader: _Reader) -> float:
        while abs(shown_s - hidden_s) > self._settings.precision_s:
            middle_s = (shown_s + hidden_s) / 2
            if any(card.shows(line) for line in await reader.read(middle_s)):
                shown_s = middle_s
            else:
                hidden_s = middle_s
        return shown_s


class _Reader:
    """Reads frames of one clip, each once."""

    def __init__(self, clip: Clip, settings: OcrSettings, threads: int) -> None:
        self._clip = clip
        self._settings = settings
        self._threads = threads
        self._read: dict[float, tuple[text.TextLine, ...]] = {}
        self._lock = asyncio.Lock()

    @property
    def frames_read(self) -> int:
        return len(self._read)

    async def read(self, time_s: float) -> tuple[text.TextLine, ...]:
        """The lines that are shown at a time, those that are read surely enough."""
        async with self._lock:
            if time_s not in self._read:
                (frame,) = await self._clip.frames((time_s,), longest_side_px=self._settings.longest_side_px)
                lines = await infer(lambda: text.TextModel.shared(threads=self._threads).read(frame.jpeg))
                self._read[time_s] = tuple(line for line in lines if line.score >= self._settings.min_score)
            return self._read[time_s]


def _change(before: GrayFrame, after: GrayFrame) -> float:
    """The largest mean change of brightness among the tiles of a picture."""
    import numpy as np

    a, b = (
        np.frombuffer(frame.luma, np.uint8).reshape(frame.height, frame.width).astype(np.int16)
        for frame in (before, after)
    )
    difference = np.abs(a - b)
    rows = np.array_split(difference, min(_TILES, difference.shape[0]), axis=0)
    tiles = [tile for row in rows for tile in np.array_split(row, min(_TILES, row.shape[1]), axis=1)]
    return float(max(tile.mean() for tile in tiles))


def _in_words(evidence: TextEvidence) -> str:
    if not evidence.cards:
        return "No text is shown."
    lines = []
    for card in evidence.cards:
        when = "" if card.start_s is None else f"{card.start_s:.1f} to {card.end_s:.1f} s: "
        sure = "" if card.score is None else f" (score {card.score:.2f})"
        lines.append(f"{when}“{card.text}”{sure}")
    return "\n".join(lines)
