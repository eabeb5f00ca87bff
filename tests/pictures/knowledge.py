"""A labelled diagram: the cycle of water, with arrows from step to step."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont


@dataclass(frozen=True, slots=True)
class DrawnDiagram:
    """A diagram.

    Attributes:
        texts: title, labels and the question below.
        arrows: from which label to which.
    """

    image: Image.Image
    texts: tuple[str, ...]
    arrows: tuple[tuple[str, str], ...]


def diagram() -> DrawnDiagram:
    """Four labelled pictures in a ring, joined by arrows, and a question; 1200 by 900 pixels."""
    image = Image.new("RGB", (1200, 900), (250, 248, 240))
    draw = ImageDraw.Draw(image)
    draw.text((400, 40), "The water cycle", fill="black", font=ImageFont.load_default(52))
    places = {
        "Evaporation": (180, 560, (90, 150, 220)),
        "Condensation": (180, 200, (225, 228, 232)),
        "Precipitation": (820, 200, (120, 140, 165)),
        "Collection": (820, 560, (40, 90, 160)),
    }
    for name, (left, top, colour) in places.items():
        draw.ellipse((left, top, left + 200, top + 120), fill=colour, outline="black", width=3)
        draw.text((left - 10, top + 130), name, fill="black", font=ImageFont.load_default(34))
    for line, head in (
        (((90, 620), (90, 260)), ((90, 250), (76, 280), (104, 280))),
        (((400, 260), (780, 260)), ((800, 260), (770, 246), (770, 274))),
        (((1100, 260), (1100, 610)), ((1100, 630), (1086, 600), (1114, 600))),
        (((780, 620), (420, 620)), ((400, 620), (430, 606), (430, 634))),
    ):
        draw.line(line, fill=(180, 40, 30), width=6)
        draw.polygon(head, fill=(180, 40, 30))
    question = "Question 2: Which step follows Condensation?"
    draw.text((220, 800), question, fill="black", font=ImageFont.load_default(32))
    names = list(places)
    return DrawnDiagram(
        image,
        ("The water cycle", *names, question),
        tuple(zip(names, (*names[1:], names[0]), strict=True)),
    )
