"""A scene as a camera would see it: a street at dusk with a shop, a tram and a lamp, lit and grainy."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIGN = "BAKERY"
NUMBER = "17"


@dataclass(frozen=True, slots=True)
class DrawnScene:
    """A scene.

    Attributes:
        texts: lettering in it.
        counts: what can be counted in it.
        colours: of things in it.
    """

    image: Image.Image
    texts: tuple[str, ...]
    counts: dict[str, int]
    colours: dict[str, str]


def photo() -> DrawnScene:
    """1200 by 800 pixels, with a graduated sky, soft edges and grain everywhere."""
    sky = Image.linear_gradient("L").resize((1200, 800))
    image = Image.merge(
        "RGB", (sky.point(lambda v: 60 + v // 2), sky.point(lambda v: 70 + v // 3), sky.point(lambda v: 130 + v // 8))
    )
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 560, 1200, 800), fill=(70, 68, 66))
    for left, height, tone in ((0, 260, 92), (330, 180, 110), (860, 220, 84)):
        draw.rectangle((left, 560 - height - 120, left + 330, 560), fill=(tone + 20, tone, tone - 14))
        for column in range(4):
            draw.rectangle(
                (left + 30 + 75 * column, 470 - height, left + 70 + 75 * column, 530 - height), fill=(240, 206, 120)
            )
    draw.rectangle((350, 350, 640, 430), fill=(120, 30, 28))
    draw.text((385, 360), SIGN, fill=(250, 240, 225), font=ImageFont.load_default(58))
    draw.rectangle((380, 440, 600, 560), fill=(250, 220, 150))
    draw.rounded_rectangle((640, 470, 1130, 690), radius=30, fill=(178, 34, 34))
    for window in range(4):
        draw.rectangle((670 + 112 * window, 500, 750 + 112 * window, 580), fill=(210, 224, 232))
    draw.ellipse((700, 660, 770, 730), fill=(25, 25, 25))
    draw.ellipse((990, 660, 1060, 730), fill=(25, 25, 25))
    draw.rectangle((230, 300, 242, 700), fill=(30, 30, 34))
    draw.ellipse((206, 262, 266, 322), fill=(255, 244, 200))
    image = image.filter(ImageFilter.GaussianBlur(1.6))
    # A number on a lamp-lit plate is what a camera would still hold in focus.
    draw = ImageDraw.Draw(image)
    draw.rectangle((850, 600, 930, 660), fill=(245, 245, 240))
    draw.text((866, 606), NUMBER, fill=(20, 20, 20), font=ImageFont.load_default(44))
    grain = Image.frombytes("L", image.size, Random(1).randbytes(image.width * image.height))
    image = Image.blend(image, Image.merge("RGB", (grain, grain, grain)), 0.08)
    return DrawnScene(
        image, (SIGN, NUMBER), {"trams": 1, "lamps": 1, "lit windows": 12}, {"tram": "red", "lamp": "white"}
    )
