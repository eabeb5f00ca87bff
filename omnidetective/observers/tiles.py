"""What a model is shown of a still image: its pages, and large ones once more in tiles, with words where each is.

A scan of a page, made as small as a frame, cannot be read. So a picture that is larger than a frame can be shown twice:
whole, and cut into tiles that overlap a little. Pictures come first and the words about them last, as everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnidetective.llm.messages import ImagePart
from omnidetective.media.clip import Clip
from omnidetective.media.frames import BrokenPage, Frame
from omnidetective.tiling import tile_grid

if TYPE_CHECKING:
    from omnidetective.observers.witness import Shown
    from omnidetective.records import MediaFacts

_BASE64 = 4 / 3
_OVERLAP = 0.08
_WORD_BYTES = 1024


@dataclass(frozen=True, slots=True)
class StillLook:
    """How much of an image is shown.

    Attributes:
        pictures: most pictures in all. The first pages come first, each whole; what is left is for tiles, those of the
            first page before those of the second.
        tiles: most tiles of each page.
    """

    pictures: int
    tiles: int

    @classmethod
    def of(cls, *, max_frames: int, most: int | None, tiles: int) -> StillLook:
        """By the settings of a look, and by what its model takes: ``most`` pictures, ``None`` for any number."""
        return cls(max(1, max_frames if most is None else min(max_frames, most)), tiles)

    def tiles_of(self, pages: int) -> list[int]:
        """Most tiles of each page that is shown, of so many that there are."""
        shown = min(pages, self.pictures)
        left = self.pictures - shown
        counts = []
        for _ in range(shown):
            counts.append(min(self.tiles, left))
            left -= counts[-1]
        return counts


async def tiles_shown(clip: Clip, *, most_tiles: int, most: int | None = None, page: int = 1) -> Shown:
    """A page of an image, whole, then in tiles, then the words where each tile is.

    Args:
        most_tiles: most tiles. Where they do not suffice each shows more of the page, and less finely. There are none
            where the page is not larger than a frame.
        most: most pictures in all, as many as the model takes; ``None`` for any number.
        page: of an image of several pages, from 1.

    Raises:
        MediaError: the clip is no image, has no such page, or it cannot be decoded.
    """
    limit = most_tiles if most is None else min(most_tiles, most - 1)

    async def make() -> Shown:
        whole = await clip.page_frame(page)
        tiles = await _tiles(clip, page, limit)
        return _shown([(whole, tiles)], (), pages_in_all=clip.pages)

    return await clip.once(("tiles shown", page, limit), make, size=_held_bytes)


async def still_shown(clip: Clip, look: StillLook) -> Shown:
    """The first pages of an image, then tiles of those that are larger than a frame, then the words about them.

    A page that cannot be decoded is told and left out.

    Raises:
        MediaError: no page can be decoded.
    """

    async def make() -> Shown:
        pages = await clip.page_frames(range(1, min(clip.pages, look.pictures) + 1))
        limits = look.tiles_of(clip.pages)
        shown = [
            (frame, await _tiles(clip, frame.page or 1, limit))
            for frame, limit in zip(pages.frames, limits, strict=False)
        ]
        return _shown(shown, pages.broken, pages_in_all=clip.pages)

    if clip.first_page > look.pictures:
        # None of the first pages can be decoded; this one can.
        return await tiles_shown(clip, most_tiles=look.tiles, most=look.pictures, page=clip.first_page)
    return await clip.once(("still shown", look), make, size=_held_bytes)


def still_sizes(facts: MediaFacts, look: StillLook, *, side_px: int) -> list[tuple[int, int]]:
    """Width and height of each picture that an image is shown as, from its facts: all its pages taken for equal."""
    width, height = facts.width or side_px, facts.height or side_px * 9 // 16
    sizes: list[tuple[int, int]] = []
    for limit in look.tiles_of(facts.pages or 1):
        sizes.append(_fitted(width, height, side_px))
        grid = tile_grid(width, height, side_px=side_px, most=limit, overlap=_OVERLAP)
        sizes += [_fitted(tile.width, tile.height, side_px) for tile in grid]
    return sizes


async def _tiles(clip: Clip, page: int, limit: int) -> tuple[Frame, ...]:
    """Tiles of a page. Of one of a single page it is known beforehand that it has none."""
    side_px = clip.source.settings.frame_longest_side_px
    if clip.pages == 1 and max(clip.facts.width or 0, clip.facts.height or 0) <= side_px:
        return ()
    return await clip.tiles(page, most=limit, overlap=_OVERLAP)


def _shown(pages: Sequence[tuple[Frame, Sequence[Frame]]], broken: Sequence[BrokenPage], *, pages_in_all: int) -> Shown:
    wholes = [whole for whole, _ in pages]
    tiles = [tile for _, parts in pages for tile in parts]
    pictures = tuple(ImagePart(data=frame.jpeg) for frame in (*wholes, *tiles))
    words = [*_told_pages(wholes, broken, pages_in_all)]
    number = len(wholes)
    for whole, parts in pages:
        words += _told_tiles(whole, parts, first=number + 1, of_several=pages_in_all > 1)
        number += len(parts)
    return (*pictures, "\n".join(words)) if words else pictures


def _told_pages(wholes: Sequence[Frame], broken: Sequence[BrokenPage], pages: int) -> list[str]:
    if pages == 1:
        return []
    told = "; ".join(f"{number}: page {whole.page} of {pages}" for number, whole in enumerate(wholes, start=1))
    words = [f"The pictures above show pages of one document, in order: {told}."]
    words += [f"Page {page.page} of {pages} cannot be shown: {page.why}." for page in broken]
    left = pages - len(wholes) - len(broken)
    if left > 0:
        words.append(f"{'One more page is' if left == 1 else f'{left} more pages are'} not shown.")
    return words


def _told_tiles(whole: Frame, tiles: Sequence[Frame], *, first: int, of_several: bool) -> list[str]:
    if not tiles:
        return []
    rows, columns = max(tile.row for tile in tiles) + 1, max(tile.column for tile in tiles) + 1
    places = "; ".join(
        f"{number}: {_place(tile, rows=rows, columns=columns)}" for number, tile in enumerate(tiles, start=first)
    )
    what = f"page {whole.page}" if of_several else "it"
    opening = "" if of_several else "Picture 1 is the whole picture. "
    return [
        f"{opening}Pictures {first} to {first + len(tiles) - 1} show parts of {what} larger, in {rows} rows and "
        f"{columns} columns that overlap a little, so that details can be read: {places}. What several of them show is "
        "there once."
    ]


def _place(tile: Frame, *, rows: int, columns: int) -> str:
    down = _step(tile.row, rows, ("top", "middle", "bottom"), "row")
    across = _step(tile.column, columns, ("left", "centre", "right"), "column")
    left, top, right, bottom = (round(100 * edge) for edge in tile.box or (0.0, 0.0, 1.0, 1.0))
    name = " ".join(word for word in (down, across) if word)
    return f"{name} ({left}–{right} % across, {top}–{bottom} % down)"


def _step(place: int, count: int, names: tuple[str, str, str], unit: str) -> str:
    if count == 1:
        return ""
    if count == 2:
        return names[0] if place == 0 else names[2]
    return names[place] if count == 3 else f"{unit} {place + 1} of {count}"


def _fitted(width: int, height: int, side_px: int) -> tuple[int, int]:
    scale = min(1.0, side_px / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _held_bytes(shown: Shown) -> int:
    return _WORD_BYTES + round(_BASE64 * sum(len(part.data) for part in shown if isinstance(part, ImagePart)))
