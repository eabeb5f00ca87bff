"""An illustration: flat shapes, few colours, a caption of its own, as on a printed poster of a place."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

CREAM, TEAL, ORANGE, NAVY, ROSE = (246, 234, 208), (38, 120, 122), (232, 128, 52), (26, 38, 74), (222, 148, 140)


@dataclass(frozen=True, slots=True)
class DrawnIllustration:
    """An illustration.

    Attributes:
        texts: lettering in it.
        palette: its colours by name.
        counts: what can be counted in it.
    """

    image: Image.Image
    texts: tuple[str, ...]
    palette: dict[str, tuple[int, int, int]]
    counts: dict[str, int]


def illustration() -> DrawnIllustration:
    """A sun over hills and a lake with two sailing boats; 800 by 1100 pixels."""
    image = Image.new("RGB", (800, 1100), CREAM)
    draw = ImageDraw.Draw(image)
    draw.ellipse((480, 120, 700, 340), fill=ORANGE)
    draw.polygon(((0, 560), (180, 300), (360, 560)), fill=TEAL)
    draw.polygon(((220, 560), (460, 250), (700, 560)), fill=NAVY)
    draw.polygon(((560, 560), (720, 380), (800, 470), (800, 560)), fill=ROSE)
    draw.rectangle((0, 560, 800, 860), fill=(150, 196, 196))
    for left, top in ((200, 640), (520, 700)):
        draw.polygon(((left, top), (left + 110, top), (left + 90, top + 34), (left + 20, top + 34)), fill=NAVY)
        draw.polygon(((left + 50, top - 6), (left + 50, top - 110), (left + 104, top - 6)), fill=CREAM)
    draw.text((150, 900), "LAKE ORTA", fill=NAVY, font=ImageFont.load_default(92))
    draw.text((250, 1020), "Summer 1934", fill=NAVY, font=ImageFont.load_default(44))
    palette = {"cream": CREAM, "teal": TEAL, "orange": ORANGE, "navy": NAVY, "rose": ROSE}
    return DrawnIllustration(image, ("LAKE ORTA", "Summer 1934"), palette, {"boats": 2, "suns": 1, "hills": 3})
