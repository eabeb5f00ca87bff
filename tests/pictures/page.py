"""A page of text whose every line is known."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

TITLE = "Minutes of the harbour council"
LINES = (
    "Meeting of 14 May 2026, room 203",
    "1. The council approves a new crane for 412,500 euros.",
    "2. Berth 7 is closed from 3 June to 28 June.",
    "3. Fees for small boats rise from 18 to 21 euros a week.",
    "Present: 9 of 11 members. Votes against item 3: 2.",
)
NUMBERS = ("14", "2026", "203", "412,500", "7", "3", "28", "18", "21", "9", "11", "2")


@dataclass(frozen=True, slots=True)
class DrawnPage:
    """A page of text.

    Attributes:
        texts: its lines in order of reading, the title first.
        numbers: all that stand in it, as they are written.
    """

    image: Image.Image
    texts: tuple[str, ...]
    numbers: tuple[str, ...]


def page() -> DrawnPage:
    """A typed page with a title, a rule below it, and five lines; 1000 by 1300 pixels."""
    image = Image.new("RGB", (1000, 1300), "white")
    draw = ImageDraw.Draw(image)
    draw.text((80, 90), TITLE, fill="black", font=ImageFont.load_default(44))
    draw.line((80, 160, 920, 160), fill="black", width=3)
    for n, line in enumerate(LINES):
        draw.text((80, 220 + 90 * n), line, fill="black", font=ImageFont.load_default(30))
    return DrawnPage(image, (TITLE, *LINES), NUMBERS)
