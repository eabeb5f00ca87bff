"""A picture like a radiograph of a hand: bright bones on black, with a marker of the side and a scale bar."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw, ImageFilter, ImageFont


@dataclass(frozen=True, slots=True)
class DrawnRadiograph:
    """A drawn radiograph.

    Attributes:
        texts: lettering in it.
        scale_mm: what the scale bar stands for.
        rays: how many fingers.
    """

    image: Image.Image
    texts: tuple[str, ...]
    scale_mm: int
    rays: int


def radiograph() -> DrawnRadiograph:
    """900 by 1100 pixels, grey on black; a round bright spot lies beside the third finger."""
    image = Image.new("L", (900, 1100), 8)
    draw = ImageDraw.Draw(image)
    draw.ellipse((230, 520, 670, 1000), fill=60)
    for n, (left, top) in enumerate(((180, 480), (270, 240), (400, 180), (530, 230), (650, 330))):
        draw.rounded_rectangle((left - 18, top - 30, left + 88, 700), radius=50, fill=54)
        for part in range(2 if n == 0 else 3):
            start = top + part * 130
            draw.rounded_rectangle((left, start, left + 56, start + 112), radius=26, fill=188)
        draw.rounded_rectangle((left + 8, max(top + 400, 720), left + 50, 960), radius=20, fill=176)
    draw.ellipse((470, 440, 520, 490), fill=236)
    image = image.filter(ImageFilter.GaussianBlur(5))
    grain = Image.frombytes("L", image.size, Random(1).randbytes(image.width * image.height))
    image = Image.blend(image, grain, 0.06)
    draw = ImageDraw.Draw(image)
    draw.text((60, 60), "R", fill=245, font=ImageFont.load_default(80))
    draw.text((600, 60), "AP 62 kV", fill=235, font=ImageFont.load_default(40))
    draw.rectangle((560, 1010, 760, 1018), fill=245)
    draw.text((600, 1034), "20 mm", fill=245, font=ImageFont.load_default(40))
    return DrawnRadiograph(image.convert("RGB"), ("R", "AP 62 kV", "20 mm"), scale_mm=20, rays=5)
