"""Formulas and a triangle, as an exercise book shows them."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont


@dataclass(frozen=True, slots=True)
class DrawnFormula:
    """A problem with its figure.

    Attributes:
        texts: lines of plain text, and formulas that have no exponents.
        latex: the formulas.
        labels: letters and measures at the figure.
    """

    image: Image.Image
    texts: tuple[str, ...]
    latex: tuple[str, ...]
    labels: tuple[str, ...]


def formula() -> DrawnFormula:
    """A right triangle with two sides given, and the equation for the third; 1100 by 800 pixels."""
    image = Image.new("RGB", (1100, 800), "white")
    draw = ImageDraw.Draw(image)
    plain, raised = ImageFont.load_default(36), ImageFont.load_default(22)
    draw.text((60, 50), "Problem 4. Find the length of side c.", fill="black", font=plain)
    draw.line((120, 560, 520, 560, 120, 260, 120, 560), fill="black", width=4)
    draw.rectangle((120, 530, 150, 560), outline="black", width=3)
    draw.text((275, 580), "a = 12", fill="black", font=plain)
    draw.text((10, 400), "b = 9", fill="black", font=plain)
    draw.text((340, 360), "c", fill="black", font=plain)
    left = 640
    for base, exponent in (("c", "2"), (" = a", "2"), (" + b", "2")):
        draw.text((left, 300), base, fill="black", font=plain)
        left += round(draw.textlength(base, font=plain))
        draw.text((left, 288), exponent, fill="black", font=raised)
        left += round(draw.textlength(exponent, font=raised)) + 4
    draw.text((640, 400), "y = 3x + 7", fill="black", font=plain)
    draw.text((640, 480), "sin 30 = 0.5", fill="black", font=plain)
    return DrawnFormula(
        image,
        ("Problem 4. Find the length of side c.", "y = 3x + 7", "sin 30 = 0.5"),
        ("c^2 = a^2 + b^2", "y = 3x + 7"),
        ("a = 12", "b = 9", "c"),
    )
