"""Still images inside the decoder's process, by Pillow, and everything that ends as a JPEG."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

from omnidetective.media.decoder_colour import to_srgb
from omnidetective.media.decoder_file import FileError, open_regular
from omnidetective.media.decoder_pages import count_pages, turn_to
from omnidetective.media.decoder_pages import too_large as picture_too_large
from omnidetective.media.wire import FramesRequest, Picture, Probe, TilesRequest
from omnidetective.tiling import tile_grid

if TYPE_CHECKING:
    from typing import BinaryIO

Image.MAX_IMAGE_PIXELS = 128_000_000
warnings.simplefilter("error", Image.DecompressionBombWarning)

# Raster formats that decode by themselves: no EPS or PDF (they run programs), no WMF, no stub formats.
Image.init()
FORMATS = tuple(
    name
    for name in ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF", "DCX", "PPM", "JPEG2000", "ICO")
    if name in Image.OPEN
)
_ANIMATED = frozenset({"GIF", "PNG", "WEBP", "AVIF"})
_ONLY_HERE = frozenset({"WEBP"})
"""Animated formats that FFmpeg's demuxers do not read (animated WebP came with FFmpeg 9 only)."""
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_ON_ITS_SIDE = frozenset({5, 6, 7, 8})
"""EXIF orientations by which width and height change places."""
_MOST_BROKEN_FIRST_PAGES = 10
"""So many pages may be broken before the first sound one, for a file to be taken at all."""
_SIZE_OF_A_TRIAL_PX = 64
_MOST_ANIMATED_PIXELS = 20 * 128_000_000


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
            raise picture_too_large() from error
        with image:
            if not still and image.format in _ANIMATED and getattr(image, "is_animated", False):
                return (
                    Probe("animation", width=image.width, height=image.height) if image.format in _ONLY_HERE else None
                )
            pages = count_pages(image)
        first, width, height = _first_sound_page(file, pages)
    return Probe("image", width=width, height=height, pages=pages, first_page=first)


def _first_sound_page(file: BinaryIO, pages: int) -> tuple[int, int, int]:
    """Its number, and its width and height as displayed.

    It is decoded once, small: a picture that says its size and then breaks off is found here, not at first use.
    """
    for page in range(1, min(pages, _MOST_BROKEN_FIRST_PAGES) + 1):
        try:
            file.seek(0)
            with _open(file) as image:
                turn_to(image, page)
                width, height = image.size  # A TIFF's is that of the upright picture already; it is turned on loading.
                _load(image, longest_side_px=_SIZE_OF_A_TRIAL_PX)
                turned = _orientation(image) in _ON_ITS_SIDE
            return page, height if turned else width, width if turned else height
        except FileError as error:
            problem = error
    raise problem


def pictures(request: FramesRequest) -> Iterator[tuple[Picture, bytes]]:
    """The image itself, or a page of it, as one picture."""
    with open_regular(request.path) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
        image = _shrunk(_still(file, page=request.page, longest_side_px=request.longest_side_px), request)
    yield encode(image, request)


def tiles(request: TilesRequest) -> Iterator[tuple[Picture, bytes]]:
    """The parts of a page that is larger than a tile; none of a smaller one."""
    with open_regular(request.path) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
        page = _still(file, page=request.page, longest_side_px=Image.MAX_IMAGE_PIXELS or 0)
    width, height = page.size
    grid = tile_grid(width, height, side_px=request.longest_side_px, most=request.most, overlap=request.overlap)
    for tile in grid:
        part = _shrunk(page.crop((tile.left, tile.top, tile.right, tile.bottom)), request)
        picture, data = encode(part, request)
        box = (tile.left / width, tile.top / height, tile.right / width, tile.bottom / height)
        yield Picture(picture.width, picture.height, box=box, row=tile.row, column=tile.column), data


def animation(path: str) -> Iterator[tuple[Picture, bytes]]:
    """An animated image as an animated PNG: the same pictures for the same times, in a form that FFmpeg reads."""
    with open_regular(path) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
        image = _open(file)
        if image.width * image.height * getattr(image, "n_frames", 1) > _MOST_ANIMATED_PIXELS:
            raise FileError("too_large", "the animation has too many pixels", "convert it to a video, such as MP4")
        durations_ms = [_duration_ms(image, number) for number in range(getattr(image, "n_frames", 1))]
        image.seek(0)
        target = io.BytesIO()
        image.save(target, "PNG", save_all=True, duration=durations_ms, compress_level=1)
        yield Picture(image.width, image.height), target.getvalue()


def encode(image: Image.Image, request: FramesRequest | TilesRequest) -> tuple[Picture, bytes]:
    """A picture in the form that was asked for: JPEG, or rows of luma bytes."""
    if isinstance(request, FramesRequest) and request.gray:
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
        raise picture_too_large() from error


def _still(file: BinaryIO, *, page: int, longest_side_px: int) -> Image.Image:
    """A page, upright, as RGB; of a JPEG perhaps at a part of its size, never below what is asked for."""
    image = _open(file)
    turn_to(image, page)
    return to_srgb(_upright(_load(image, longest_side_px=longest_side_px)))


def _shrunk(image: Image.Image, request: FramesRequest | TilesRequest) -> Image.Image:
    longest = max(image.size)
    if longest <= request.longest_side_px:
        return image
    scale = request.longest_side_px / longest
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


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
