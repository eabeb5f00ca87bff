"""The pages of an image file inside the decoder's process: which of its pictures are pages, and turning to one."""

from __future__ import annotations

from PIL import Image

from omnidetective.media.decoder_file import FileError

PAGED = frozenset({"TIFF", "DCX"})
"""Formats whose pictures are pages. Those of GIF, PNG, WebP and AVIF are an animation, those of ICO one picture in
several sizes; what follows the picture in a JPEG (MPO) is a preview, a depth map or the other eye's view."""
MOST_PAGES = 5000
_SUBFILE_TYPE = 254
_NO_PAGE = 1 | 4
"""Bits of a TIFF's NewSubfileType: a smaller version of another picture, a mask (TIFF 6.0, section 8)."""
_MOST_BROKEN_IN_A_ROW = 3


def count_pages(image: Image.Image) -> int:
    """How many pages the file has, a page that cannot be read included; 1 for formats without pages.

    Raises:
        FileError: ``too_large``, more than are taken.
    """
    if image.format not in PAGED:
        return 1
    pages = len(_page_numbers(image, most=MOST_PAGES + 1))
    if pages > MOST_PAGES:
        raise FileError("too_large", f"it has more than {MOST_PAGES} pages", "split it into several files")
    return pages


def turn_to(image: Image.Image, page: int) -> None:
    """Make a page, from 1, the picture that is loaded next.

    Raises:
        FileError: there is no such page, or it cannot be read, or it is too large.
    """
    if image.format not in PAGED:
        if page != 1:
            raise FileError("no_page", f"it has one page, and page {page} was asked for")
        return
    numbers = _page_numbers(image, most=page)
    if not 1 <= page <= len(numbers):
        raise FileError("no_page", f"it has {len(numbers)} pages, and page {page} was asked for")
    try:
        image.seek(numbers[page - 1])
    except MemoryError:
        raise
    except Image.DecompressionBombError as error:
        raise too_large() from error
    except Exception as error:  # a broken directory: Pillow raises what it stumbles over
        raise FileError("decode_failed", f"page {page} cannot be read: {str(error)[:200]}") from error
    limit_size(image)


def limit_size(image: Image.Image) -> None:
    """Refuse a page by its stated size before it is decoded: Pillow itself checks the first one only.

    Raises:
        FileError: ``too_large``.
    """
    if image.width * image.height > (Image.MAX_IMAGE_PIXELS or 0):
        raise too_large()


def too_large() -> FileError:
    """The error for a picture of too many pixels."""
    return FileError("too_large", f"the picture has more than {(Image.MAX_IMAGE_PIXELS or 0) // 10**6} million pixels")


def _page_numbers(image: Image.Image, *, most: int) -> list[int]:
    """The places of the first pages among the pictures of the file."""
    numbers: list[int] = []
    place = broken = 0
    while len(numbers) < most and broken < _MOST_BROKEN_IN_A_ROW:
        try:
            image.seek(place)
            if _is_page(image):
                numbers.append(place)
            broken = 0
        except EOFError:
            break
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - a broken directory: a page that is told as such when it is asked for
            numbers.append(place)
            broken += 1
        place += 1
    return numbers or [0]


def _is_page(image: Image.Image) -> bool:
    tags = getattr(image, "tag_v2", None)
    kind = 0 if tags is None else tags.get(_SUBFILE_TYPE, 0)
    return not (isinstance(kind, int) and kind & _NO_PAGE)
