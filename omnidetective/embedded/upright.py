"""Text that stands upright in a picture: the part that it is in, turned so that it can be read, and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from omnidetective.embedded.pixels import colours_of
from omnidetective.embedded.text import TextLine

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Upright:
    """A part of a picture, turned by 90° clockwise: text that runs upwards runs to the right in it.

    Attributes:
        box: where it is, as shares of the picture.
    """

    box: Box
    jpeg: bytes = field(repr=False)

    @classmethod
    def of(cls, jpeg: bytes, box: Box) -> Self | None:
        """Cut it out; ``None`` where the part has no pixels.

        Raises:
            ValueError: it is no picture.
        """
        import cv2

        picture = colours_of(jpeg)
        height, width = picture.shape[:2]
        left, right = round(box[0] * width), round(box[2] * width)
        top, bottom = round(box[1] * height), round(box[3] * height)
        if right - left < 8 or bottom - top < 8:
            return None
        _, made = cv2.imencode(".jpg", cv2.rotate(picture[top:bottom, left:right], cv2.ROTATE_90_CLOCKWISE))
        return cls((left / width, top / height, right / width, bottom / height), made.tobytes())

    def placed(self, line: TextLine) -> TextLine:
        """A line that was read in it, with its place in the whole picture, where it stands upright."""
        left, top, right, bottom = line.box
        a, b, c, d = self.box
        place = (a + top * (c - a), b + (1 - right) * (d - b), a + bottom * (c - a), b + (1 - left) * (d - b))
        return TextLine(line.text, place, line.score)
