"""Shapes of image files: pages, deep pixels, profiles, orientation, and files that claim to be larger than they are."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageDraw, ImageFont

_PROSE = """the quick brown fox jumps over lazy dogs while seven bold vectors mix quartz sphinx judge my vow invoice
total amount 1,284.50 due 14 March 2026 clause paragraph supplier warranty delivery"""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page of text as it was drawn, with its lines from top to bottom, column by column."""

    image: Image.Image
    lines: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(word for line in self.lines for word in line.split())


def sheet(
    *,
    size: tuple[int, int] = (2480, 3508),
    font_px: int,
    columns: int = 1,
    rows: int,
    title: str = "",
    step_px: int = 0,
) -> Sheet:
    """A page, A4 at 300 dpi by default, on which every column begins a little lower than the one before it."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    chance, words = random.Random(font_px), _PROSE.split()
    font = ImageFont.load_default(font_px)
    lines = []
    if title:
        draw.text((200, 60), title, fill="black", font=ImageFont.load_default(90))
        lines.append(title)
    width = (size[0] - 200) // columns
    for column in range(columns):
        y = 300 + 5 * column
        for _ in range(rows):
            text = ""
            while draw.textlength(text, font=font) < width - 10 * font_px:
                text = f"{text} {chance.choice(words)}".strip()
            draw.text((100 + column * width, y), text, fill="black", font=font)
            lines.append(text)
            y += step_px or round(1.6 * font_px)
    return Sheet(image, tuple(lines))


def plain(text: str, *, size: tuple[int, int] = (640, 480), ground: str = "white", font_px: int = 48) -> Image.Image:
    """A picture of one line of text."""
    image = Image.new("RGB", size, ground)
    ImageDraw.Draw(image).text((30, size[1] // 3), text, fill="black", font=ImageFont.load_default(font_px))
    return image


def tiff(path: Path, pages: Sequence[Image.Image], **options: object) -> Path:
    """A TIFF of several pages."""
    pages[0].save(path, "TIFF", save_all=True, append_images=list(pages[1:]), **options)
    return path


def tiff_with_preview(path: Path, page: Image.Image) -> Path:
    """A TIFF of one page and a small version of it."""
    small = page.resize((page.width // 4, page.height // 4))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    page.save(path, "TIFF", save_all=True, append_images=[small])
    return path


def dcx(path: Path, pages: Sequence[Image.Image]) -> Path:
    """A fax: PCX pages behind a table of where each begins."""
    files = []
    for page in pages:
        file = io.BytesIO()
        page.convert("RGB").save(file, "PCX")
        files.append(file.getvalue())
    at, offsets = 4 + 4 * (len(pages) + 1), []
    for data in files:
        offsets.append(at)
        at += len(data)
    path.write_bytes(struct.pack(f"<I{len(offsets)}II", 0x3ADE68B1, *offsets, 0) + b"".join(files))
    return path


def empty_pages(path: Path, count: int) -> Path:
    """A TIFF of so many pages of one black pixel, 60-odd bytes each."""
    entries = ((256, 3, 1, 1), (257, 3, 1, 1), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8), (279, 4, 1, 1))
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    step = len(directory) + 4
    first = 10
    data = b"II*\0" + struct.pack("<I", first) + b"\0\0"
    for n in range(count):
        data += directory + struct.pack("<I", first + (n + 1) * step if n + 1 < count else 0)
    path.write_bytes(data)
    return path


def break_page(path: Path, page: int) -> Path:
    """Cut the compressed pixels of a page of a TIFF to pieces; the file remains readable otherwise."""
    with Image.open(path) as image:
        image.seek(page - 1)
        tags = image.tag_v2  # type: ignore[attr-defined]
        offset, length = tags[273][0], tags[279][0]
    data = bytearray(path.read_bytes())
    data[offset : offset + length] = b"\x00" * length
    path.write_bytes(bytes(data))
    return path


def claiming(path: Path, width: int, height: int, *, rows: int = 1) -> Path:
    """A small PNG that says it is this large, and holds so many rows of it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(rows * (1 + 3 * width)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))
    return path


def deep_rgb(path: Path, colour: tuple[int, int, int], *, size: tuple[int, int] = (40, 40)) -> Path:
    """A PNG of 16 bits a colour, or a TIFF by the ending of its name."""
    width, height = size
    if path.suffix == ".png":
        row = b"\0" + struct.pack(">3H", *colour) * width

        def chunk(kind: bytes, data: bytes) -> bytes:
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

        header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
        path.write_bytes(
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", header)
            + chunk(b"IDAT", zlib.compress(row * height))
            + chunk(b"IEND", b"")
        )
        return path
    pixels = np.tile(np.array(colour, "<u2"), width * height).tobytes()
    entries = [
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, 8), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 14),
        (277, 3, 1, 3), (278, 3, 1, height), (279, 4, 1, len(pixels)),
    ]  # fmt: skip
    data = b"II*\0" + struct.pack("<I", 14 + len(pixels)) + struct.pack("<3H", 16, 16, 16) + pixels
    data += struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    path.write_bytes(data + bytes(4))
    return path


def swapped_profile() -> bytes:
    """An RGB profile by which red is shown as green: one can see whether it was applied."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    names = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}
    for entry in range(132, 132 + 12 * struct.unpack(">I", profile[128:132])[0], 12):
        name = bytes(profile[entry : entry + 4])
        profile[entry : entry + 4] = names.get(name, name)
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "turn".encode("utf-16-be"))


def without_adobe_marker(jpeg: bytes) -> bytes:
    """A CMYK JPEG without the marker by which Adobe's inverted ones are known."""
    at = jpeg.index(b"\xff\xee")
    return jpeg[:at] + jpeg[at + 2 + struct.unpack(">H", jpeg[at + 2 : at + 4])[0] :]
