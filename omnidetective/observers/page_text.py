"""The text of an image, read once for all instruments that need it: text, tables, charts, code.

A page goes to the reader as it is, not made as small as a frame: how it looks through a large one is told in
:mod:`omnidetective.embedded.text`.
"""

from __future__ import annotations

from omnidetective.embedded.models import EmbeddedModels
from omnidetective.embedded.text import TextLine
from omnidetective.media.clip import Clip

PAGE_SIDE_PX = 6000
"""Longest side of the picture that is read, larger ones are made smaller: A4 at 500 dpi."""
_LINE_BYTES = 200


async def page_text(clip: Clip, models: EmbeddedModels, *, page: int = 1) -> tuple[TextLine, ...]:
    """The lines of text of an image, in reading order.

    Args:
        page: of an image of several pages, from 1.

    Returns:
        Their boxes are shares of the whole page.

    Raises:
        MediaError: the clip is no image, has no such page, or it cannot be decoded.
    """

    async def read() -> tuple[TextLine, ...]:
        frame = await clip.page_frame(page, longest_side_px=PAGE_SIDE_PX)
        return await models.read_text(frame.jpeg)

    return await clip.once(("page text", page), read, size=lambda lines: _LINE_BYTES * len(lines))
