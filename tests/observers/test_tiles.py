"""What a model is shown of an image: its pages, its tiles, and words by which it knows which is where."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from observers.conftest import context
from pictures import files
from PIL import Image

from omnidetective.errors import MediaError
from omnidetective.llm.messages import ImagePart
from omnidetective.media.clip import Clip
from omnidetective.media.intake import open_clip
from omnidetective.observers.tiles import StillLook, still_shown, still_sizes, tiles_shown
from omnidetective.observers.witness import LookingSettings, Shown, frames_shown
from omnidetective.rows import parse_row

COLOURS = ("red", "lime", "blue", "yellow", "cyan")


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Clip]:
    async with open_clip(parse_row({"path": str(path)}), context().settings.media, base_dir=path.parent) as clip:
        yield clip


def sizes(shown: Shown) -> list[tuple[int, int]]:
    return [Image.open(io.BytesIO(part.data)).size for part in shown if isinstance(part, ImagePart)]


def words(shown: Shown) -> str:
    assert [isinstance(part, str) for part in shown] == sorted(isinstance(part, str) for part in shown)
    return " ".join(part for part in shown if isinstance(part, str))


def paper(folder: Path, count: int, *, size: tuple[int, int] = (300, 400)) -> Path:
    return files.tiff(folder / "paper.tiff", [Image.new("RGB", size, COLOURS[n % 5]) for n in range(count)])


async def test_a_small_picture_is_shown_alone_and_without_words(tmp_path: Path) -> None:
    Image.new("RGB", (600, 400), "red").save(tmp_path / "small.png")
    async with opened(tmp_path / "small.png") as clip:
        shown = await tiles_shown(clip, most_tiles=9)
        assert shown is await tiles_shown(clip, most_tiles=9)
    assert (sizes(shown), words(shown)) == ([(600, 400)], "")


async def test_a_large_picture_is_shown_whole_and_in_tiles(tmp_path: Path) -> None:
    Image.new("RGB", (1240, 1754), "white").save(tmp_path / "page.png")
    async with opened(tmp_path / "page.png") as clip:
        four = await tiles_shown(clip, most_tiles=4)
        many = await tiles_shown(clip, most_tiles=30)
        one_medium = await tiles_shown(clip, most_tiles=4, most=1)
        three_media = await tiles_shown(clip, most_tiles=4, most=3)
    assert sizes(four)[0] == (543, 768)
    assert len(sizes(four)) == 5
    assert all(max(size) <= 768 for size in sizes(four))
    assert "Picture 1 is the whole picture" in words(four)
    assert "2: top left (0–52 % across, 0–52 % down)" in words(four)
    assert "5: bottom right (48–100 % across, 48–100 % down)" in words(four)
    assert len(sizes(many)) == 1 + 2 * 3
    assert "4: middle left" in words(many)
    assert (len(sizes(one_medium)), words(one_medium)) == (1, "")
    assert len(sizes(three_media)) == 3


async def test_pages_are_shown_in_order_and_it_is_told_which(tmp_path: Path) -> None:
    async with opened(paper(tmp_path, 5)) as clip:
        some = await frames_shown(clip, None, LookingSettings(max_frames=3), most=None)
        two = await frames_shown(clip, None, LookingSettings(max_frames=3), most=2)
        page = await tiles_shown(clip, most_tiles=4, page=5)
        with pytest.raises(MediaError):
            await tiles_shown(clip, most_tiles=4, page=6)
    assert len(sizes(some)) == 3
    assert "1: page 1 of 5; 2: page 2 of 5; 3: page 3 of 5." in words(some)
    assert "2 more pages are not shown" in words(some)
    assert len(sizes(two)) == 2
    assert "1: page 5 of 5" in words(page)


async def test_tiles_of_pages_come_after_all_pages_and_the_first_page_has_them_first(tmp_path: Path) -> None:
    async with opened(paper(tmp_path, 3, size=(1200, 900))) as clip:
        shown = await still_shown(clip, StillLook(pictures=8, tiles=4))
        foreseen = still_sizes(clip.facts, StillLook(pictures=8, tiles=4), side_px=768)
    assert len(sizes(shown)) == 3 + 4
    assert sorted(sizes(shown)) == sorted(foreseen)
    assert "Pictures 4 to 7 show parts of page 1 larger" in words(shown)
    assert "page 2 larger" not in words(shown)


async def test_a_broken_page_is_told(tmp_path: Path) -> None:
    pages = [Image.new("RGB", (60, 40), colour) for colour in COLOURS[:3]]
    path = files.break_page(files.tiff(tmp_path / "torn.tiff", pages, compression="tiff_lzw"), 2)
    async with opened(path) as clip:
        shown = await still_shown(clip, StillLook(pictures=8, tiles=0))
    assert len(sizes(shown)) == 2
    assert "1: page 1 of 3; 2: page 3 of 3." in words(shown)
    assert "Page 2 of 3 cannot be shown" in words(shown)


@pytest.mark.parametrize(("most", "pictures"), [(None, 12), (5, 5), (1, 1)])
def test_a_look_never_exceeds_what_the_model_takes(most: int | None, pictures: int) -> None:
    look = StillLook.of(max_frames=12, most=most, tiles=4)
    assert look.pictures == pictures
    for pages in (1, 2, 7, 40):
        assert len(look.tiles_of(pages)) + sum(look.tiles_of(pages)) <= pictures
