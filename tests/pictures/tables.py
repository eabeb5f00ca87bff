"""Pictures of tables whose cells are known, and pictures that look like tables and are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageDraw, ImageFont

Rows = tuple[tuple[str, ...], ...]

SALES: Rows = (
    ("Region", "Units sold", "Revenue", "Change"),
    ("North", "1,204", "$48,160", "+12 %"),
    ("South", "873", "$34,920", "-3 %"),
    ("East", "1,560", "$62,400", "+7 %"),
    ("West", "95", "$3,800", "+1 %"),
)
PLANETS: Rows = (
    ("Planet", "Moons", "Day in hours"),
    ("Mars", "2", "24.6"),
    ("Jupiter", "95", "9.9"),
    ("Saturn", "146", "10.7"),
    ("Uranus", "28", "17.2"),
    ("Neptune", "16", "16.1"),
)
STAFF: Rows = (
    ("Name", "Department", "Room", "Telephone"),
    ("Maria Fernandez", "Accounting", "B 214", "555-0143"),
    ("Jonathan Whitaker", "Research and planning", "A 007", "555-0178"),
    ("Li Wei", "Sales", "C 12", "555-0102"),
)
TIMES: Rows = (
    ("Train", "Departs", "Arrives", "Platform"),
    ("IC 401", "08:15", "10:42", "7"),
    ("RE 22", "08:31", "11:58", "12"),
    ("ICE 9", "09:05", "", "3"),
    ("RB 61", "09:20", "12:44", "1"),
)


@dataclass(frozen=True, slots=True)
class DrawnTable:
    """A table in a picture.

    Attributes:
        rows: the text of each cell; of a merged one, where it begins, and ``""`` where it goes on.
        spans: of merged cells, by row and column: rows and columns that they fill.
        box: of the table, as shares of the picture.
    """

    image: Image.Image
    rows: Rows
    header_rows: int
    ruled: bool
    box: tuple[float, float, float, float]
    spans: Mapping[tuple[int, int], tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Style:
    """How a table is drawn.

    Attributes:
        rules: ``all`` lines, those under ``rows`` only, one under the ``header``, or ``none``.
        header_ground: colour behind the first rows; absent without.
        right: whether numbers stand at the right edge of their column.
    """

    ground: str = "white"
    ink: str = "black"
    line: str = "black"
    rules: str = "all"
    header_ground: str | None = None
    size_px: int = 24
    gap_px: int = 40
    line_px: int = 2
    right: bool = False


def draw(
    rows: Rows,
    style: Style = Style(),
    *,
    header_rows: int = 1,
    spans: Mapping[tuple[int, int], tuple[int, int]] | None = None,
    title: str = "",
    margin_px: int = 60,
) -> DrawnTable:
    """A table on a page of its own."""
    merged = dict(spans or {})
    font = ImageFont.load_default(style.size_px)
    widths = column_widths(rows, font, merged, style.gap_px)
    height_px = round(style.size_px * 1.9)
    top = margin_px + (style.size_px * 3 if title else 0)
    size = (sum(widths) + 2 * margin_px, top + height_px * len(rows) + margin_px)
    image = Image.new("RGB", size, style.ground)
    if title:
        ImageDraw.Draw(image).text((margin_px, margin_px), title, fill=style.ink, font=font)
    onto(image, (margin_px, top), rows, style, header_rows=header_rows, spans=merged)
    right, bottom = size[0] - margin_px, size[1] - margin_px
    box = (margin_px / size[0], top / size[1], right / size[0], bottom / size[1])
    return DrawnTable(image, rows, header_rows, style.rules == "all", box, merged)


def onto(
    image: Image.Image,
    corner: tuple[int, int],
    rows: Rows,
    style: Style = Style(),
    *,
    header_rows: int = 1,
    spans: Mapping[tuple[int, int], tuple[int, int]] | None = None,
) -> None:
    """Draw a table into a picture; ``corner`` is its upper left one, in pixels."""
    merged = dict(spans or {})
    font = ImageFont.load_default(style.size_px)
    pen = ImageDraw.Draw(image)
    widths = column_widths(rows, font, merged, style.gap_px)
    height_px = round(style.size_px * 1.9)
    lefts = [corner[0] + sum(widths[:n]) for n in range(len(widths) + 1)]
    tops = [corner[1] + height_px * n for n in range(len(rows) + 1)]
    if style.header_ground is not None and header_rows:
        pen.rectangle((lefts[0], tops[0], lefts[-1], tops[header_rows]), fill=style.header_ground)
    for r, row in enumerate(rows):
        for c, text in enumerate(row):
            covered = any(a <= r < a + h and b <= c < b + w for (a, b), (h, w) in merged.items() if (a, b) != (r, c))
            if covered:
                continue
            down, across = merged.get((r, c), (1, 1))
            box = (lefts[c], tops[r], lefts[c + across], tops[r + down])
            if style.rules == "all":
                pen.rectangle(box, outline=style.line, width=style.line_px)
            number = bool(text) and not text[0].isalpha() and r >= header_rows
            length = font.getlength(text)
            inset = style.gap_px / 2
            x = box[2] - inset - length if style.right and number else box[0] + inset
            if across > 1:
                x = (box[0] + box[2] - length) / 2
            y = (box[1] + box[3]) / 2 - style.size_px * 0.6
            pen.text((x, y), text, fill=style.ink, font=font)
    under = range(len(rows) + 1) if style.rules == "rows" else (header_rows,) if style.rules == "header" else ()
    for n in under:
        pen.line((lefts[0], tops[n], lefts[-1], tops[n]), fill=style.line, width=style.line_px)


def column_widths(
    rows: Rows,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    spans: Mapping[tuple[int, int], tuple[int, int]],
    gap_px: int,
) -> list[int]:
    """Of each column, in pixels: its longest text and a gap; merged cells do not count."""
    return [
        round(max(font.getlength(row[c]) for r, row in enumerate(rows) if spans.get((r, c), (1, 1))[1] == 1) + gap_px)
        for c in range(len(rows[0]))
    ]


def beside(left: DrawnTable, right: DrawnTable, *, below: bool = False) -> Image.Image:
    """Two pictures in one, side by side or one below the other."""
    a, b = left.image, right.image
    size = (max(a.width, b.width), a.height + b.height) if below else (a.width + b.width, max(a.height, b.height))
    image = Image.new("RGB", size, "white")
    image.paste(a, (0, 0))
    image.paste(b, (0, a.height) if below else (a.width, 0))
    return image


DRAWN: Mapping[str, DrawnTable] = {
    "ruled": draw(SALES),
    "ruled, thin grey lines": draw(STAFF, Style(line="#bbbbbb", line_px=1)),
    "ruled, dark": draw(PLANETS, Style(ground="#1e1e2e", ink="#e0e0e0", line="#555566")),
    "ruled, numbers at the right": draw(SALES, Style(right=True, header_ground="#d0d8f0"), title="Sales by region"),
    "ruled, an empty cell": draw(TIMES),
    "merged header": draw(
        (
            ("Planet", "Facts", ""),
            ("", "Moons", "Day"),
            ("Mars", "2", "24.6"),
            ("Jupiter", "95", "9.9"),
        ),
        Style(gap_px=70),
        header_rows=2,
        spans={(0, 0): (2, 1), (0, 1): (1, 2)},
    ),
    "rows ruled": draw(TIMES, Style(rules="rows", gap_px=60)),
    "header ruled": draw(PLANETS, Style(rules="header", gap_px=70)),
    "no rules": draw(STAFF, Style(rules="none", gap_px=60)),
    "no rules, numbers at the right": draw(SALES, Style(rules="none", gap_px=70, right=True)),
    "no rules, dark, header ground": draw(
        PLANETS, Style(ground="#202020", ink="white", rules="none", header_ground="#404060", gap_px=60)
    ),
    "no rules, narrow gaps": draw(TIMES, Style(rules="none", gap_px=26)),
    "ruled, narrow": draw(SALES, Style(gap_px=14, size_px=22)),
}
"""Tables of all kinds, by what sets them apart."""


def two_columns() -> Image.Image:
    """A page of running text in two columns."""
    image = Image.new("RGB", (1000, 760), "white")
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(20)
    for x, words in ((60, _PROSE), (530, _PROSE[7:] + _PROSE[:7])):
        for n, line in enumerate(wrapped(words, font, 400)[:20]):
            pen.text((x, 60 + 32 * n), line, fill="black", font=font)
    return image


def gridlines() -> Image.Image:
    """A chart of bars over the lines of a grid, both ways, in a frame."""
    image = Image.new("RGB", (900, 600), "white")
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(20)
    pen.text((300, 20), "Visitors by month", fill="black", font=font)
    for n in range(6):
        y = 520 - 85 * n
        pen.line((100, y, 860, y), fill="#cccccc", width=1)
        pen.text((50, y - 12), str(n * 20), fill="black", font=font)
    for n, name in enumerate(("Jan", "Feb", "Mar", "Apr", "May", "Jun")):
        x = 160 + 125 * n
        pen.line((x, 95, x, 520), fill="#cccccc", width=1)
        height = (40, 65, 30, 80, 55, 90)[n] * 85 / 20
        pen.rectangle((x - 30, 520 - height, x + 30, 520), fill="#3366aa")
        pen.text((x - 18, 532), name, fill="black", font=font)
    pen.rectangle((100, 95, 860, 520), outline="black", width=2)
    return image


def curves() -> Image.Image:
    """Two curves over a full grid, with a legend in a frame of its own."""
    image = Image.new("RGB", (900, 600), "#111111")
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(18)
    for n in range(9):
        pen.line((100, 60 + 56 * n, 860, 60 + 56 * n), fill="#444444")
        pen.text((55, 50 + 56 * n), f"{(8 - n) * 0.5:.1f}", fill="white", font=font)
        pen.line((100 + 95 * n, 60, 100 + 95 * n, 508), fill="#444444")
        pen.text((90 + 95 * n, 520), str(2010 + n), fill="white", font=font)
    for colour, factor in (("#ff8844", 9), ("#44aaff", 5)):
        pen.line([(100 + 95 * n, 500 - factor * n * n * 0.6) for n in range(9)], fill=colour, width=3)
    pen.rectangle((130, 80, 330, 150), outline="white")
    pen.text((180, 85), "Imports", fill="white", font=font)
    pen.text((180, 115), "Exports", fill="white", font=font)
    return image


def settings_window() -> Image.Image:
    """A window of a program: a list at the left, fields with labels, buttons."""
    image = Image.new("RGB", (1000, 640), "#f0f0f0")
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(20)
    pen.rectangle((0, 0, 1000, 44), fill="#2b4c7e")
    pen.text((20, 10), "Settings", fill="white", font=font)
    pen.rectangle((0, 44, 220, 640), fill="#dddddd", outline="#999999")
    for n, name in enumerate(("General", "Account", "Privacy", "Display", "Network")):
        pen.text((30, 70 + 48 * n), name, fill="black", font=font)
    for n, (label, value) in enumerate((("User name", "mfernandez"), ("E-mail", "maria@example.org"), ("Zone", "UTC"))):
        pen.text((260, 90 + 80 * n), label, fill="black", font=font)
        pen.rectangle((420, 82 + 80 * n, 900, 122 + 80 * n), fill="white", outline="#888888", width=2)
        pen.text((432, 90 + 80 * n), value, fill="black", font=font)
    for n, name in enumerate(("Cancel", "Apply", "Save")):
        pen.rectangle((540 + 130 * n, 560, 650 + 130 * n, 604), fill="#dde6f5", outline="#667799", width=2)
        pen.text((560 + 130 * n, 569), name, fill="black", font=font)
    return image


def cards() -> Image.Image:
    """Six tiles of a shop, each with a picture, a name and a price."""
    image = Image.new("RGB", (960, 720), "white")
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(20)
    names = ("Kettle", "Toaster", "Blender", "Mixer", "Grill", "Scale")
    prices = ("$24.00", "$31.50", "$49.90", "$89.00", "$62.00", "$18.75")
    for n, (name, price) in enumerate(zip(names, prices, strict=True)):
        x, y = 30 + 310 * (n % 3), 30 + 340 * (n // 3)
        pen.rectangle((x, y, x + 280, y + 310), outline="#aaaaaa", width=2)
        pen.ellipse((x + 70, y + 30, x + 210, y + 170), fill=("#cc6655", "#5577aa", "#66aa77")[n % 3])
        pen.text((x + 20, y + 210), name, fill="black", font=font)
        pen.text((x + 20, y + 250), price, fill="black", font=font)
    return image


def wrapped(words: Sequence[str], font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width_px: int) -> list[str]:
    """Words in lines no wider than that."""
    lines = [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) > width_px:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


_TALE = """
The old mill stands at the end of the lane, where the river turns towards the sea. In summer the
children of the village swim there, and their parents sit in the shade of the elms and talk of the
harvest. Nobody knows who built it, although a stone above the door bears the year 1743 and two
letters which rain has nearly washed away. When the last miller left, the wheel was taken down and
sold for its oak. Since then swallows nest under the roof, and the water runs past without having
anything to do. Last winter a storm broke the lower window, and the snow lay on the floor of the
great room until April. A carpenter from the town came to look at it, shook his head, named a price,
and was never seen again.
"""
_PROSE = _TALE.split()

NO_TABLES = {
    "text in two columns": two_columns,
    "bars over a grid": gridlines,
    "curves over a grid": curves,
    "a window of settings": settings_window,
    "tiles of a shop": cards,
}
"""Pictures without a table."""
