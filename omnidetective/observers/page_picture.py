"""The picture that the text of an image was read in, for instruments that look at more than its text."""

from __future__ import annotations

from omnidetective.media.clip import Clip

PICTURE_SIDE_PX = 2560
"""Longest side of what is looked at: a line of two pixels on A4 at 300 dpi is still one. Text is read larger."""


async def page_picture(clip: Clip, *, page: int = 1) -> bytes:
    """A page of an image as JPEG, for what :func:`~omnidetective.observers.page_text.page_text` has read in it.

    Raises:
        MediaError: the clip is no image, has no such page, or it cannot be decoded.
    """
    return (await clip.page_frame(page, longest_side_px=PICTURE_SIDE_PX)).jpeg
