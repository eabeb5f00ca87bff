"""The text of an image, read once for all instruments that need it: text, tables, charts, code."""

from __future__ import annotations

from omnidetective.embedded.models import EmbeddedModels
from omnidetective.embedded.text import TextLine
from omnidetective.media.clip import Clip

PAGE_SIDE_PX = 1920
"""Longest side of the picture that is read."""
_LINE_BYTES = 200


async def page_text(clip: Clip, models: EmbeddedModels, *, page: int = 1) -> tuple[TextLine, ...]:
    """The lines of text of an image, in reading order.

    Args:
        page: of an image of several pages, from 1.

    Raises:
        MediaError: the picture cannot be decoded.
    """

    async def read() -> tuple[TextLine, ...]:
        frames = await clip.frames((), longest_side_px=PAGE_SIDE_PX)
        return await models.read_text(frames[0].jpeg)

    return await clip.once(("page text", page), read, size=lambda lines: _LINE_BYTES * len(lines))
