"""Still images inside the decoder's process, by Pillow, and everything that ends as a JPEG."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

from omnidetective.media.decoder_file import FileError, open_regular
from omnidetective.media.wire import FramesRequest, Picture, Probe

if TYPE_CHECKING:
    from typing import BinaryIO

Image.MAX_IMAGE_PIXELS = 128_000_000
warnings.simplefilter("error", Image.DecompressionBombWarning)

# Raster formats that decode by themselves: no EPS or PDF (they run programs), no WMF, no stub formats.
Image.init()
FORMATS = tuple(
    name
    for name in ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF", "PPM", "JPEG2000", "ICO")
    if name in Image.OPEN
)
_ANIMATED = frozenset({"GIF", "PNG", "WEBP", "AVIF"})
_ONLY_HERE = frozenset({"WEBP"})
"""Animated formats that FFmpeg's demuxers do not read (animated WebP came with FFmpeg 9 only)."""
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_ON_ITS_SIDE = frozenset({5, 6, 7, 8})
"""EXIF orientations by which width and height change places."""
_TOO_LARGE = f"the picture has more than {Image.MAX_IMAGE_PIXELS // 10**6} million pixels"


def probe(path: str, *, still: bool) -> Probe | None:
    """What the image file holds; ``None`` when it is no image, or an animation that FFmpeg reads (unless ``still``).

    Raises:
        FileError: it is an image that cannot be used.
    """
    with open_regular(path) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
        head = file.read(12)
        file.seek(0)
        if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
            raise FileError("not_media", "it is a HEIF picture, which is not read", "convert it to JPEG or PNG")
        try:
            image = Image.open(file, formats=FORMATS)
        except UnidentifiedImageError:
            return None
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise FileError("too_large", _TOO_LARGE) from error
        with image:
            if not still and image.format in _ANIMATED and getattr(image, "n_frames", 1) > 1:
                return (
                    Probe("animation", width=image.width, height=image.height) if image.format in _ONLY_HERE else None
                )
            # Decoded once, small: a picture that says its size and then breaks off is found here, not at first use.
            width, height = image.size
            turned = _orientation(image) in _ON_ITS_SIDE
            _load(image, longest_side_px=64)
    return Probe("image", width=height if turned else width, height=width if turned else height)


def pictures(request: FramesRequest) -> Iterator[tuple[Picture, bytes]]:
    """The image itself, as one picture."""
    with open_regular(request.path) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
        image = _still(file, longest_side_px=request.longest_side_px)
    yield encode(image, request)


def animation(path: str) -> Iterator[tuple[Picture, bytes]]:
    """An animated image as an animated PNG: the same pictures for the same times, in a form that FFmpeg reads."""
    with open_regular(path) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
        image = _open(file)
        if image.width * image.height * getattr(image, "n_frames", 1) > 20 * 128_000_000:
            raise FileError("too_large", "the animation has too many pixels", "convert it to a video, such as MP4")
        durations_ms = [_duration_ms(image, number) for number in range(getattr(image, "n_frames", 1))]
        image.seek(0)
        target = io.BytesIO()
        image.save(target, "PNG", save_all=True, duration=durations_ms, compress_level=1)
        yield Picture(image.width, image.height), target.getvalue()


def encode(image: Image.Image, request: FramesRequest) -> tuple[Picture, bytes]:
    """A picture in the form that was asked for: JPEG, or rows of luma bytes."""
    if request.gray:
        return Picture(image.width, image.height), image.convert("L").tobytes()
    target = io.BytesIO()
    image.save(target, "JPEG", quality=request.quality)
    return Picture(image.width, image.height), target.getvalue()


def sheet(request: FramesRequest, images: Iterable[Image.Image]) -> Iterator[tuple[Picture, bytes]]:
    """One picture of many, in reading order, each with its time drawn into its upper left corner."""
    columns = max(1, min(request.columns or 1, len(request.times_s)))
    rows = -(-len(request.times_s) // columns)
    canvas: Image.Image | None = None
    width = height = 0
    for number, (time_s, image) in enumerate(zip(request.times_s, images, strict=True)):
        if canvas is None:
            width, height = image.size
            if width * columns * height * rows > 128_000_000:
                raise FileError(
                    "too_large", "the contact sheet would be too large", "ask for fewer or smaller pictures"
                )
            canvas = Image.new("RGB", (width * columns, height * rows), "white")
        if image.size != (width, height):
            image = image.resize((width, height))
        _draw_time(image, time_s)
        canvas.paste(image, ((number % columns) * width, (number // columns) * height))
    if canvas is not None:
        yield encode(canvas, request)


def on_white(image: Image.Image) -> Image.Image:
    """The picture without transparency, as RGB."""
    if image.has_transparency_data:
        with_alpha = image.convert("RGBA")
        white = Image.new("RGBA", with_alpha.size, "white")
        return Image.alpha_composite(white, with_alpha).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _draw_time(image: Image.Image, time_s: float) -> None:
    text = f"{time_s:.2f} s"
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=max(9, image.height // 14))
    _, _, right, bottom = draw.textbbox((3, 2), text, font=font)
    draw.rectangle((0, 0, right + 3, bottom + 3), fill="black")
    draw.text((3, 2), text, fill="white", font=font)


def _duration_ms(image: Image.Image, number: int) -> float:
    image.seek(number)
    image.load()
    # Browsers show a frame that names no time, or next to none, for a tenth of a second.
    stated = float(image.info.get("duration") or 0)
    return stated if stated > 10 else 100.0


def _open(file: BinaryIO) -> Image.Image:
    try:
        return Image.open(file, formats=FORMATS)
    except UnidentifiedImageError as error:
        raise FileError("not_media", "it is no picture") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise FileError("too_large", _TOO_LARGE) from error


def _still(file: BinaryIO, *, longest_side_px: int) -> Image.Image:
    image = _upright(_load(_open(file), longest_side_px=longest_side_px))
    image = on_white(_eight_bit(image))
    longest = max(image.size)
    if longest > longest_side_px:
        scale = longest_side_px / longest
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return image


def _load(image: Image.Image, *, longest_side_px: int) -> Image.Image:
    # A JPEG can be decoded at an eighth of its size in far less time; never below what is asked for.
    image.draft("RGB" if image.mode != "L" else "L", (longest_side_px, longest_side_px))
    try:
        image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise FileError("decode_failed", f"the picture cannot be decoded: {error}") from error
    return image


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # noqa: BLE001 - broken EXIF in a sound picture: any parser error means that none is known
        return 1


def _upright(image: Image.Image) -> Image.Image:
    return image if _orientation(image) == 1 else ImageOps.exif_transpose(image)


def _eight_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        image = image.convert("I")
    if image.mode in ("I", "F"):
        low, high = image.getextrema()
        assert isinstance(low, (int, float))
        assert isinstance(high, (int, float))
        # Sixteen-bit grey keeps its brightness; anything else has no scale of its own and is spread over the range.
        base, top = (0.0, 65535.0) if image.mode == "I" and low >= 0 and high <= 65535 else (low, max(high, low + 1))
        scale = 255.0 / (top - base)
        return image.point(lambda value: value * scale - base * scale).convert("L")
    return image
