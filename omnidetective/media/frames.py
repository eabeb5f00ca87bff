"""Pictures of a clip as they are handed out."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture of a clip.

    Attributes:
        time_s: the moment of the clip that it shows; ``None`` for an image and for a contact sheet.
        jpeg: the JPEG file.
        width, height: its size in pixels.
        page: of an image of several pages, which one it shows, from 1.
        box: of a tile, ``(left, top, right, bottom)`` as shares of the page, 0…1.
        row, column: of a tile, its place in the grid, from 0.
    """

    time_s: float | None
    jpeg: bytes = field(repr=False)
    width: int
    height: int
    page: int | None = None
    box: tuple[float, float, float, float] | None = None
    row: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class BrokenPage:
    """A page that cannot be shown: ``why`` is the sentence of its ``MediaError``, ``reason`` its code."""

    page: int
    why: str
    reason: str


@dataclass(frozen=True, slots=True)
class Pages:
    """Pages of an image, each once, in the order asked for: those that can be shown, and those that cannot."""

    frames: tuple[Frame, ...]
    broken: tuple[BrokenPage, ...] = ()


@dataclass(frozen=True, slots=True)
class GrayFrame:
    """The brightness of a picture of a clip, for instruments that compare pictures.

    Attributes:
        time_s: the moment of the clip that it shows; ``None`` for an image.
        luma: one byte for each pixel, row by row: ``numpy.frombuffer(luma, "uint8").reshape(height, width)``.
        width, height: its size in pixels.
    """

    time_s: float | None
    luma: bytes = field(repr=False)
    width: int
    height: int
