"""Instrument: text on screen, read by PP-OCR where the picture changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from omnidetective.embedded.changes import largest_change, region, switch_index
from omnidetective.embedded.inference import require_packages
from omnidetective.embedded.models import embedded_models
from omnidetective.embedded.text import PACKAGES, TextLine
from omnidetective.embedded.text_cards import Reading, Track, track_cards
from omnidetective.errors import MediaError
from omnidetective.evidence import Span, TextCard, TextEvidence
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec, observation
from omnidetective.observers.instrument import luma, span_of, time_to_answer_s
from omnidetective.observers.page_text import page_text
from omnidetective.records import Observation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MODEL = "embedded:pp-ocrv6"

_PIECE_S = 60.0
"""Length of the pieces in which changes are looked for, so that a long clip does not fill the memory."""
_GRAY_SIDE_PX = 320
_CHANGED = 6.0
"""Mean difference of the most different block from which on a frame is read again; compression noise stays below."""
_READ_AT_ONCE = 8
_BOUNDARY_FPS = 25.0
_BOUNDARY_FRAMES = 32


class OcrSettings(ObserverSettings):
    """Settings of `ocr`."""

    fps: Annotated[float, Field(gt=0, le=30)] = 1.0
    """Frames a second that are compared with the last one read; only those that differ are read."""
    max_frames: Annotated[int, Field(ge=1)] = 120
    """Most frames that are read for one question; where more differ, evenly spread ones are. Of an image most pages."""
    longest_side_px: Annotated[int, Field(ge=160)] = 1280
    """Longest side of the frames that are read; larger ones are made smaller. Images are read as they are."""


@dataclass(frozen=True, slots=True)
class _Look:
    """A frame that is to be read, and the last moment that was looked at before it."""

    time_s: float
    since_s: float


@dataclass(frozen=True, slots=True)
class _Pages:
    """What an image says, how many of its pages were read, and what was not."""

    cards: tuple[TextCard, ...]
    read: int
    note: str


class Ocr:
    """Reads the text on screen, and says from when to when it is there."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="ocr",
        kind="instrument",
        modalities=("video", "image"),
        needs="video",
        description=(
            "Reads text on screen (titles, captions, signs, labels) and measures from when to when and where each line "
            "is shown. It reads everything it finds in the span, whatever is asked. Text that is very small, blurred "
            "or shown for less than half a second can be missed: ask about a short span to look more closely. Of an "
            "image it reads every page, as large as it is."
        ),
        attributes=("scene", "objects", "narrative"),
        settings=OcrSettings,
        cost="0.5 to 2 s of one processor for a frame whose text may be new, 120 frames at most",
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, OcrSettings)
        require_packages(*PACKAGES)
        self._settings = settings
        self._models = embedded_models(num_workers=context.settings.num_workers)
        self._limit_s = settings.timeout_s or context.settings.investigate.observer_timeout_s

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        deadline = time.monotonic() + time_to_answer_s(self._limit_s, clip, span)
        if clip.modality == "image":
            pages = await self._pages(clip, deadline)
            evidence = TextEvidence(cards=pages.cards, frames_read=pages.read)
            answer = _describe(evidence, pages.note, pages=clip.pages)
            return observation(self.spec, question, span, answer=answer, data=evidence, model=MODEL)
        wanted = span_of(clip, span)
        looks, differing = await self._looks(clip, wanted)
        readings: list[Reading] = []
        for first in range(0, len(looks), _READ_AT_ONCE):
            if readings and time.monotonic() > deadline:
                break
            batch = looks[first : first + _READ_AT_ONCE]
            found = await self._read(clip, [look.time_s for look in batch])
            readings += [Reading(look.time_s, look.since_s, lines) for look, lines in zip(batch, found, strict=True)]
        read_to_s = wanted.end_s if len(readings) == len(looks) else looks[len(readings)].time_s
        cards = await self._cards(clip, readings, read_to_s)
        evidence = TextEvidence(cards=cards, frames_read=len(readings))
        note = _note(readings, differing=differing, read_to_s=read_to_s, end_s=wanted.end_s)
        return observation(self.spec, question, span, answer=_describe(evidence, note), data=evidence, model=MODEL)

    async def _pages(self, clip: Clip, deadline: float) -> _Pages:
        """The text of all pages, as far as the time allows; a page that cannot be decoded is told.

        Raises:
            MediaError: that of the first page, where none can be decoded.
        """
        cards: list[TextCard] = []
        problems: list[MediaError] = []
        notes: list[str] = []
        read = 0
        for page in range(1, min(clip.pages, self._settings.max_frames) + 1):
            if read and time.monotonic() > deadline:
                break
            try:
                lines = await page_text(clip, self._models, page=page)
            except MediaError as error:
                problems.append(error)
                notes.append(f"Page {page} cannot be read: {error.message}.")
                continue
            read += 1
            number = page if clip.pages > 1 else None
            cards += [TextCard(text=line.text, box=line.box, score=line.score, page=number) for line in lines]
        if problems and not read:
            raise problems[0]
        if left := clip.pages - read - len(problems):
            notes.append(f"{left} of {clip.pages} pages were not read.")
        return _Pages(tuple(cards), read, " ".join(notes))

    async def _looks(self, clip: Clip, span: Span) -> tuple[list[_Look], int]:
        """The frames to read, and how many differ: more than that when they had to be thinned out."""
        looks: list[_Look] = []
        last_read: NDArray[np.uint8] | None = None
        since_s = span.start_s
        start_s = span.start_s
        while start_s < span.end_s:
            piece = Span(start_s=start_s, end_s=min(start_s + _PIECE_S, span.end_s))
            frames = await clip.gray_frames(self._settings.fps, span=piece, longest_side_px=_GRAY_SIDE_PX)
            for frame in frames:
                picture, time_s = luma(frame), frame.time_s or 0.0
                if last_read is None or largest_change(picture, last_read) >= _CHANGED:
                    looks.append(_Look(time_s, since_s))
                    last_read = picture
                since_s = time_s
            start_s = piece.end_s
        most = self._settings.max_frames
        if len(looks) <= most:
            return looks, len(looks)
        chosen = [looks[int(n * len(looks) / most)] for n in range(most)]
        thinned = [_Look(look.time_s, before.time_s) for before, look in pairwise(chosen)]
        return [chosen[0], *thinned], len(looks)

    async def _read(self, clip: Clip, times_s: Sequence[float]) -> list[tuple[TextLine, ...]]:
        frames = await clip.frames(times_s, longest_side_px=self._settings.longest_side_px)
        return [await self._models.read_text(frame.jpeg) for frame in frames]

    async def _cards(self, clip: Clip, readings: Sequence[Reading], end_s: float) -> tuple[TextCard, ...]:
        cards = []
        for track in track_cards(readings):
            start_s = await self._boundary(clip, track, readings[track.first], came=True)
            gone = readings[track.last + 1] if track.last + 1 < len(readings) else None
            cards.append(
                TextCard(
                    text=track.text,
                    start_s=round(start_s, 2),
                    end_s=round(end_s if gone is None else await self._boundary(clip, track, gone, came=False), 2),
                    box=track.box,
                    score=track.score,
                )
            )
        return tuple(cards)

    async def _boundary(self, clip: Clip, track: Track, reading: Reading, *, came: bool) -> float:
        """When the card came, or went: the change in its place between this reading and the moment before it."""
        if reading.time_s <= reading.since_s:
            return reading.time_s
        fps = min(_BOUNDARY_FPS, _BOUNDARY_FRAMES / (reading.time_s - reading.since_s))
        span = Span(start_s=reading.since_s, end_s=min(reading.time_s + 0.5 / fps, clip.duration_s))
        frames = await clip.gray_frames(fps, span=span, longest_side_px=_GRAY_SIDE_PX)
        box = track.first_box if came else track.last_box
        places = [region(luma(frame), box) for frame in frames]
        if len(places) < 2:
            return reading.time_s
        return frames[await asyncio.to_thread(switch_index, places, came=came)].time_s or 0.0


def _note(readings: Sequence[Reading], *, differing: int, read_to_s: float, end_s: float) -> str:
    if read_to_s < end_s:
        return f"The time was up at {read_to_s:.2f} s: what is shown after that was not read."
    if differing > len(readings):
        step_s = (readings[-1].time_s - readings[0].time_s) / max(1, len(readings) - 1)
        return (
            f"The picture changes all the time; one frame every {step_s:.1f} s was read, and short texts can be missed."
        )
    return ""


def _describe(evidence: TextEvidence, note: str, *, pages: int = 1) -> str:
    frames = f"{evidence.frames_read} {'page' if pages > 1 else 'frame'}{'s' if evidence.frames_read != 1 else ''}"
    if not evidence.cards:
        lines = [f"No text is on screen ({frames} read)."]
    else:
        count = len(evidence.cards)
        lines = [f"{count} line{'s' if count != 1 else ''} of text on screen ({frames} read):"]
        for card in evidence.cards:
            when = "" if card.start_s is None or card.end_s is None else f"{card.start_s:.2f}–{card.end_s:.2f} s, "
            when += "" if card.page is None else f"page {card.page}, "
            unsure = f" (score {card.score:.2f})" if card.score is not None and card.score < 0.9 else ""
            lines.append(f"- {when}{_place(card)}: “{card.text}”{unsure}")
    return "\n".join([*lines, note] if note else lines)


def _place(card: TextCard) -> str:
    assert card.box is not None
    across, down = (card.box[0] + card.box[2]) / 2, (card.box[1] + card.box[3]) / 2
    row = "top" if down < 1 / 3 else "bottom" if down > 2 / 3 else "middle"
    column = "left" if across < 1 / 3 else "right" if across > 2 / 3 else ""
    return f"{row} {column}".strip()
