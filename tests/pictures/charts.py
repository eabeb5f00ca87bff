"""Charts of known values, drawn with Pillow in several styles: bars, lines and pies."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from PIL import Image, ImageDraw, ImageFont

Kind = Literal["bars", "horizontal bars", "line", "pie"]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

PALETTES = (
    ("#4472c4", "#ed7d31", "#70ad47", "#ffc000", "#7030a0"),
    ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd"),
    ("#264653", "#e76f51", "#2a9d8f", "#e9c46a", "#8a4fff"),
)
LABELS = (
    ("Q1", "Q2", "Q3", "Q4"),
    ("North", "South", "East", "West", "Centre"),
    ("2019", "2020", "2021", "2022", "2023", "2024"),
    ("Apples", "Pears", "Plums", "Cherries"),
    ("Mon", "Tue", "Wed", "Thu", "Fri"),
)
SERIES = ("Online", "Stores", "Partners", "Export")
TITLES = ("Revenue by region", "Visitors in 2024", "Energy use of the plant", "Orders, all channels")


@dataclass(frozen=True, slots=True)
class DrawnPoint:
    """One value that was drawn; ``printed`` is how it stands in the picture, empty where it does not."""

    label: str
    value: float
    series: str | None = None
    printed: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """Some text of the picture, and where it stands: left, top, right, bottom, in pixels."""

    text: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class DrawnChart:
    """A picture of one chart and what is in it. The values of a pie are shares in percent.

    ``written``: its text but for what stands upright.
    """

    image: Image.Image
    kind: Kind
    title: str
    y_title: str
    points: tuple[DrawnPoint, ...]
    written: tuple[Written, ...]


class _Pen(ImageDraw.ImageDraw):
    """Draws, and notes what it writes where."""

    def __init__(self, image: Image.Image) -> None:
        super().__init__(image)
        self.written: list[Written] = []

    def text(self, xy: Any, text: Any, *args: Any, **how: Any) -> None:
        super().text(xy, text, *args, **how)
        self.written.append(Written(str(text), self.textbbox(xy, text, font=how["font"], anchor=how["anchor"])))


@dataclass(frozen=True, slots=True)
class Style:
    """How a chart looks. Sizes are in pixels; ``unit`` stands before or after the numbers of the axis."""

    width: int = 1000
    height: int = 640
    font_px: int = 22
    ground: str = "white"
    plot_ground: str = ""
    ink: str = "#303030"
    grid: str = "#d9d9d9"
    colours: tuple[str, ...] = PALETTES[0]
    frame: bool = False
    printed: bool = False
    unit: str = ""
    comma: bool = False
    title: str = TITLES[0]
    y_title: str = ""

    def font(self, scale: float = 1.0) -> Font:
        return ImageFont.load_default(round(self.font_px * scale))

    def number(self, value: float) -> str:
        """A number as this chart writes it."""
        text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"
        if self.comma:
            text = text.replace(",", " ").replace(".", ",")
        before, after = (self.unit, "") if self.unit in ("$", "€") else ("", self.unit)
        return f"−{before}{text[1:]}{after}" if text.startswith("-") else f"{before}{text}{after}"


def random_style(chance: random.Random, *, printed: bool | None = None) -> Style:
    """A style by chance."""
    dark = chance.random() < 0.2
    return Style(
        width=chance.choice((720, 900, 1200, 1600)),
        height=chance.choice((480, 600, 900)),
        font_px=chance.choice((18, 22, 26)),
        ground="#202530" if dark else chance.choice(("white", "#fbf8f0")),
        plot_ground="" if dark or chance.random() < 0.7 else "#eaeaf2",
        ink="#f0f0f0" if dark else chance.choice(("black", "#303030", "#555555")),
        grid="#454b58" if dark else chance.choice(("#d9d9d9", "#c0c0c0", "")),
        colours=chance.choice(PALETTES),
        frame=chance.random() < 0.3,
        printed=chance.random() < 0.4 if printed is None else printed,
        unit=chance.choice(("", "", "%", "$", "K")),
        comma=chance.random() < 0.15,
        title=chance.choice(TITLES),
        y_title=chance.choice(("", "Million euros", "Share of all")),
    )


@dataclass(frozen=True, slots=True)
class _Axes:
    """A plot area and the scale of its values, from ``low`` at one end to ``high`` at the other."""

    left: int
    top: int
    right: int
    bottom: int
    low: float
    high: float
    step: float

    def y(self, value: float) -> float:
        return self.bottom - (value - self.low) / (self.high - self.low) * (self.bottom - self.top)

    def x(self, value: float) -> float:
        return self.left + (value - self.low) / (self.high - self.low) * (self.right - self.left)

    @property
    def ticks(self) -> tuple[float, ...]:
        return tuple(round(self.low + n * self.step, 6) for n in range(round((self.high - self.low) / self.step) + 1))


def bar_chart(
    points: Sequence[DrawnPoint], style: Style | None = None, *, horizontal: bool = False, stacked: bool = False
) -> DrawnChart:
    """Bars, beside or upon each other where there are several series."""
    style = style or Style()
    labels = list(dict.fromkeys(point.label for point in points))
    series = list(dict.fromkeys(point.series for point in points))
    values = {(point.label, point.series): point.value for point in points}
    sums = [sum(max(0.0, values.get((label, one), 0.0)) for one in series) for label in labels]
    low, high, step = _range([*sums, 0.0] if stacked else [*values.values(), 0.0])
    image, draw, axes = _ground(style, low, high, step, legend=series, horizontal=horizontal, labels=labels)
    along = (axes.bottom - axes.top if horizontal else axes.right - axes.left) / len(labels)
    each = along * 0.7 / (1 if stacked else len(series))
    drawn: list[DrawnPoint] = []
    for n, label in enumerate(labels):
        start = (axes.top if horizontal else axes.left) + along * (n + 0.15)
        upon = 0.0
        for m, one in enumerate(series):
            if (label, one) not in values:
                continue
            value = values[label, one]
            a = start if stacked else start + m * each
            box = _bar(
                axes, a, each if stacked else each - (2 if len(series) > 1 else 0), upon, upon + value, horizontal
            )
            draw.rectangle(box, fill=style.colours[m % len(style.colours)])
            printed = style.number(value) if style.printed else ""
            if printed:
                _print(draw, style, printed, box, horizontal=horizontal, inside=stacked, negative=value < 0)
            drawn.append(DrawnPoint(label, value, one, printed))
            upon += value if stacked else 0.0
        middle = start + along * 0.35
        if horizontal:
            draw.text((axes.left - 12, middle), label, fill=style.ink, font=style.font(), anchor="rm")
        else:
            draw.text((middle, axes.bottom + 8), label, fill=style.ink, font=style.font(), anchor="mt")
    return DrawnChart(
        image,
        "horizontal bars" if horizontal else "bars",
        style.title,
        style.y_title,
        tuple(drawn),
        tuple(draw.written),
    )


def line_chart(points: Sequence[DrawnPoint], style: Style | None = None, *, markers: bool = True) -> DrawnChart:
    """One line or several, with a value at each label."""
    style = style or Style()
    labels = list(dict.fromkeys(point.label for point in points))
    series = list(dict.fromkeys(point.series for point in points))
    low, high, step = _range([point.value for point in points])
    image, draw, axes = _ground(style, low, high, step, legend=series, horizontal=False, labels=labels)
    along = (axes.right - axes.left) / len(labels)
    scale = 4
    layer = Image.new("RGBA", (image.width * scale // 2, image.height * scale // 2), (0, 0, 0, 0))
    pen = ImageDraw.Draw(layer)
    for m, one in enumerate(series):
        colour = style.colours[m % len(style.colours)]
        way = [
            (scale / 2 * (axes.left + along * (labels.index(p.label) + 0.5)), scale / 2 * axes.y(p.value))
            for p in points
            if p.series == one
        ]
        pen.line(way, fill=colour, width=3 * scale // 2, joint="curve")
        for x, y in way if markers else ():
            pen.ellipse((x - 10, y - 10, x + 10, y + 10), fill=colour)
    image.paste(smaller := layer.resize(image.size, Image.Resampling.BOX), (0, 0), smaller)
    for n, label in enumerate(labels):
        x = axes.left + along * (n + 0.5)
        draw.line((x, axes.bottom, x, axes.bottom + 5), fill=style.ink)
        draw.text((x, axes.bottom + 10), label, fill=style.ink, font=style.font(), anchor="mt")
    return DrawnChart(image, "line", style.title, style.y_title, tuple(points), tuple(draw.written))


def pie_chart(shares: Sequence[tuple[str, float]], style: Style | None = None, *, legend: bool = True) -> DrawnChart:
    """A pie of shares in percent; labels stand in a legend, or around it."""
    style = style or Style()
    image = Image.new("RGB", (style.width, style.height), style.ground)
    draw = _Pen(image)
    draw.text((style.width / 2, 14), style.title, fill=style.ink, font=style.font(1.4), anchor="mt")
    radius = 0.36 * style.height if legend else 0.32 * style.height
    x, y = (0.38 if legend else 0.5) * style.width, 0.55 * style.height
    drawn: list[DrawnPoint] = []
    angle = -90.0
    for n, (label, share) in enumerate(shares):
        end = angle + 3.6 * share
        box = (x - radius, y - radius, x + radius, y + radius)
        draw.pieslice(box, angle, end, fill=style.colours[n % len(style.colours)], outline=style.ground, width=2)
        across, down = (f(math.radians((angle + end) / 2)) for f in (math.cos, math.sin))
        printed = style_percent(share, style) if style.printed else ""
        if printed:
            where = (x + 0.65 * radius * across, y + 0.65 * radius * down)
            draw.text(where, printed, fill="white", font=style.font(), anchor="mm")
        if legend:
            left, top = style.width * 0.72, style.height * 0.3 + n * style.font_px * 1.8
            size = style.font_px * 0.8
            draw.rectangle((left, top, left + size, top + size), fill=style.colours[n % len(style.colours)])
            draw.text((left + 1.8 * size, top + size / 2), label, fill=style.ink, font=style.font(), anchor="lm")
        else:
            anchor = "lm" if across > 0 else "rm"
            draw.text(
                (x + 1.1 * radius * across, y + 1.1 * radius * down),
                label,
                fill=style.ink,
                font=style.font(),
                anchor=anchor,
            )
        drawn.append(DrawnPoint(label, share, None, printed))
        angle = end
    return DrawnChart(image, "pie", style.title, "", tuple(drawn), tuple(draw.written))


def style_percent(share: float, style: Style) -> str:
    """A share as this chart writes it."""
    text = f"{share:g}%"
    return text.replace(".", ",") if style.comma else text


def random_chart(seed: int) -> DrawnChart:
    """A chart of any kind, by chance but the same for the same seed."""
    chance = random.Random(seed)
    makers: tuple[Callable[[random.Random], DrawnChart], ...] = (
        lambda c: bar_chart(_values(c), random_style(c)),
        lambda c: bar_chart(_values(c, series=c.choice((2, 3))), random_style(c, printed=False)),
        lambda c: bar_chart(_values(c, series=c.choice((2, 3))), random_style(c), stacked=True),
        lambda c: bar_chart(_values(c), random_style(c), horizontal=True),
        lambda c: line_chart(_values(c, series=c.choice((1, 1, 2, 3))), random_style(c), markers=c.random() < 0.5),
        lambda c: pie_chart(_shares(c), random_style(c), legend=c.random() < 0.5),
    )
    return makers[seed % len(makers)](chance)


def _values(chance: random.Random, *, series: int = 1) -> list[DrawnPoint]:
    labels = chance.choice(LABELS)
    scale = chance.choice((1, 10, 10, 100, 1000))
    names: Sequence[str | None] = SERIES[:series] if series > 1 else (None,)
    return [
        DrawnPoint(label, round(chance.uniform(0.15, 9.9), 1 if scale == 1 else 2) * scale, one)
        for one in names
        for label in labels
    ]


def _shares(chance: random.Random) -> list[tuple[str, float]]:
    labels = chance.choice([labels for labels in LABELS if len(labels) <= 5])
    parts = [chance.uniform(0.4, 2.0) for _ in labels]
    shares = [round(100 * part / sum(parts)) for part in parts]
    shares[-1] += 100 - sum(shares)
    return list(zip(labels, map(float, shares), strict=True))


def _range(values: Sequence[float]) -> tuple[float, float, float]:
    """An axis from a round number to a round number, in four to eight round steps."""
    low, high = min(values), max(values)
    if low > 0 and low < 0.6 * high:
        low = 0.0
    rough = (high - low) / 5 or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(f * power for f in (1, 2, 2.5, 5, 10) if f * power >= rough)
    return math.floor(low / step) * step, math.ceil(high / step + 0.1) * step, step


def _ground(
    style: Style,
    low: float,
    high: float,
    step: float,
    *,
    legend: Sequence[str | None],
    horizontal: bool,
    labels: list[str],
) -> tuple[Image.Image, _Pen, _Axes]:
    """Title, legend, axes with their numbers, and gridlines."""
    image = Image.new("RGB", (style.width, style.height), style.ground)
    draw = _Pen(image)
    font = style.font()
    names = [name for name in legend if name]
    ticks = _Axes(0, 0, 1, 1, low, high, step).ticks
    written = labels if horizontal else [style.number(tick) for tick in ticks]
    left = (
        round(max(font.getlength(text) for text in written)) + 30 + (round(style.font_px * 1.6) if style.y_title else 0)
    )
    top = round(style.font_px * (3.2 if not names else 5))
    axes = _Axes(left, top, style.width - 40, style.height - round(style.font_px * 2.4), low, high, step)
    draw.text((style.width / 2, 12), style.title, fill=style.ink, font=style.font(1.4), anchor="mt")
    area = (axes.left, axes.top, axes.right, axes.bottom)
    if style.plot_ground:
        draw.rectangle(area, fill=style.plot_ground)
    ends: tuple[float, float, float, float]
    for tick in ticks:
        if horizontal:
            ends = (axes.x(tick), axes.top, axes.x(tick), axes.bottom)
            draw.text((axes.x(tick), axes.bottom + 8), style.number(tick), fill=style.ink, font=font, anchor="mt")
        else:
            ends = (axes.left, axes.y(tick), axes.right, axes.y(tick))
            draw.text((axes.left - 10, axes.y(tick)), style.number(tick), fill=style.ink, font=font, anchor="rm")
        if style.grid:
            draw.line(ends, fill="white" if style.plot_ground else style.grid)
    if style.frame:
        draw.rectangle(area, outline=style.ink)
    else:
        draw.line((axes.left, axes.top, axes.left, axes.bottom, axes.right, axes.bottom), fill=style.ink, width=2)
    if style.y_title:
        text = Image.new("RGB", (round(font.getlength(style.y_title)) + 8, round(style.font_px * 1.3)), style.ground)
        ImageDraw.Draw(text).text((4, text.height / 2), style.y_title, fill=style.ink, font=font, anchor="lm")
        turned = text.rotate(90, expand=True)
        image.paste(turned, (6, (axes.top + axes.bottom - turned.height) // 2))
    x: float = axes.left + 10
    for n, name in enumerate(names):
        y, size = style.font_px * 3.4, style.font_px * 0.8
        draw.rectangle((x, y, x + size, y + size), fill=style.colours[n % len(style.colours)])
        draw.text((x + 1.7 * size, y + size / 2), name, fill=style.ink, font=font, anchor="lm")
        x += 1.7 * size + font.getlength(name) + 2.5 * style.font_px
    return image, draw, axes


def _bar(
    axes: _Axes, start: float, width: float, low: float, high: float, horizontal: bool
) -> tuple[float, float, float, float]:
    if horizontal:
        a, b = sorted((axes.x(low), axes.x(high)))
        return round(a), round(start), round(b) - 1, round(start + width) - 1  # Pillow draws the last row, too.
    a, b = sorted((axes.y(low), axes.y(high)))
    return round(start), round(a), round(start + width) - 1, round(b) - 1


def _print(
    draw: ImageDraw.ImageDraw,
    style: Style,
    text: str,
    box: tuple[float, float, float, float],
    *,
    horizontal: bool,
    inside: bool,
    negative: bool,
) -> None:
    left, top, right, bottom = box
    font = style.font(0.9)
    if inside:
        draw.text(((left + right) / 2, (top + bottom) / 2), text, fill="white", font=font, anchor="mm")
    elif horizontal:
        draw.text((right + 8, (top + bottom) / 2), text, fill=style.ink, font=font, anchor="lm")
    elif negative:
        draw.text(((left + right) / 2, bottom + 6), text, fill=style.ink, font=font, anchor="mt")
    else:
        draw.text(((left + right) / 2, top - 6), text, fill=style.ink, font=font, anchor="mb")
