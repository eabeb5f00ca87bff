"""Pictures that hold numbers, bars of colour or lines, and no chart."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont


@dataclass(frozen=True, slots=True)
class NoChart:
    """A picture without a chart, and what it is."""

    name: str
    image: Image.Image


def no_charts() -> tuple[NoChart, ...]:
    """One of each kind."""
    return _striped_table(), _invoice(), _settings(), _calendar(), _plan(), _swatches(), _prose()


def _blank(width: int = 1000, height: int = 640, ground: str = "white") -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (width, height), ground)
    return image, ImageDraw.Draw(image)


def _striped_table() -> NoChart:
    image, draw = _blank()
    font = ImageFont.load_default(22)
    draw.rectangle((40, 40, 960, 84), fill="#4472c4")
    for n, head in enumerate(("No.", "Team", "Won", "Lost", "Points")):
        draw.text((60 + 180 * n, 50), head, fill="white", font=font)
    for row in range(10):
        top = 84 + 50 * row
        draw.rectangle((40, top, 960, top + 49), fill="#dce6f2" if row % 2 else "white")
        cells = (str(10 - row), f"Club {chr(65 + row)}", str(20 - row), str(2 * row), str(60 - 3 * row))
        for n, cell in enumerate(cells):
            draw.text((60 + 180 * n, top + 12), cell, fill="black", font=font)
    return NoChart("a striped table with even numbers", image)


def _invoice() -> NoChart:
    image, draw = _blank(900, 1100)
    font = ImageFont.load_default(24)
    draw.text((60, 50), "Invoice 2024-117", fill="black", font=ImageFont.load_default(40))
    for n, (what, price) in enumerate((("Paper", "40.00"), ("Ink", "30.00"), ("Pens", "20.00"), ("Clips", "10.00"))):
        draw.text((60, 200 + 60 * n), what, fill="black", font=font)
        draw.text((840, 200 + 60 * n), price, fill="black", font=font, anchor="ra")
        draw.line((60, 245 + 60 * n, 840, 245 + 60 * n), fill="#c0c0c0")
    draw.rectangle((600, 480, 860, 530), fill="#ffe699")
    draw.text((840, 490), "100.00", fill="black", font=font, anchor="ra")
    return NoChart("an invoice with ruled lines", image)


def _settings() -> NoChart:
    image, draw = _blank(ground="#f4f4f6")
    font = ImageFont.load_default(22)
    for n, (name, share) in enumerate((("Brightness", 0.8), ("Volume", 0.4), ("Contrast", 0.6))):
        top = 80 + 120 * n
        draw.text((60, top), name, fill="black", font=font)
        draw.rounded_rectangle((60, top + 40, 900, top + 54), 7, fill="#d0d0d8")
        draw.rounded_rectangle((60, top + 40, 60 + 840 * share, top + 54), 7, fill="#3070e0")
    for n, name in enumerate(("Cancel", "Apply", "OK")):
        draw.rectangle((500 + 150 * n, 540, 630 + 150 * n, 590), fill="#3070e0")
        draw.text((565 + 150 * n, 565), name, fill="white", font=font, anchor="mm")
    return NoChart("a window with sliders and buttons", image)


def _calendar() -> NoChart:
    image, draw = _blank()
    font = ImageFont.load_default(22)
    for n in range(35):
        left, top = 50 + 130 * (n % 7), 90 + 105 * (n // 7)
        draw.rectangle((left, top, left + 122, top + 97), fill="#e8f0e0" if n % 7 < 5 else "#f4d8c8")
        draw.text((left + 10, top + 8), str(n + 1), fill="black", font=font)
    for n, day in enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")):
        draw.text((110 + 130 * n, 50), day, fill="black", font=font, anchor="mm")
    return NoChart("a calendar", image)


def _plan() -> NoChart:
    image, draw = _blank()
    font = ImageFont.load_default(22)
    for n, (task, start, length) in enumerate((("Design", 0, 2), ("Build", 2, 4), ("Test", 5, 2), ("Ship", 7, 1))):
        draw.text((40, 120 + 100 * n), task, fill="black", font=font)
        left = 180 + 95 * start
        draw.rectangle((left, 105 + 100 * n, left + 95 * length, 155 + 100 * n), fill="#2a9d8f")
    for week in range(9):
        draw.text((180 + 95 * week, 560), str(week + 1), fill="black", font=font, anchor="mm")
    return NoChart("a plan of tasks over weeks", image)


def _swatches() -> NoChart:
    image, draw = _blank()
    font = ImageFont.load_default(22)
    for n, colour in enumerate(("#d01818", "#f08000", "#109030", "#1840c8", "#802090")):
        draw.rectangle((60 + 180 * n, 120, 200 + 180 * n, 420), fill=colour)
        draw.text((130 + 180 * n, 450), f"No. {n + 1}", fill="black", font=font, anchor="mm")
    draw.ellipse((800, 20, 880, 100), fill="#f0e010")
    return NoChart("samples of colours in a row", image)


def _prose() -> NoChart:
    image, draw = _blank(900, 1100)
    font = ImageFont.load_default(24)
    for n in range(18):
        draw.text(
            (70, 60 + 55 * n),
            f"{n + 1}. In {2024 - n} there were {40 + 7 * n} of {500 + n} pages.",
            fill="black",
            font=font,
        )
    return NoChart("a numbered page of text", image)
