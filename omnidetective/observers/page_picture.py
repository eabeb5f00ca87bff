"""The picture that the text of an image was read in, for instruments that look at more than its text."""

from __future__ import annotations

from omnidetective.media.clip import Clip
from omnidetective.observers.page_text import PAGE_SIDE_PX


async def page_picture(clip: Clip) -> bytes:
    """The picture as JPEG, in the size in which :func:`~omnidetective.observers.page_text.page_text` reads it.

    Raises:
        MediaError: the picture cannot be decoded.
    """
    return (await clip.frames((), longest_side_px=PAGE_SIDE_PX))[0].jpeg
