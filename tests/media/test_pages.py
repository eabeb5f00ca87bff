"""Pages and tiles of images: which there are, what each shows, and what a broken one costs."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from media.workbench import Open, reason
from pictures import files
from PIL import Image

from omnidetective.errors import MediaError

COLOURS = ("red", "lime", "blue", "yellow", "cyan")


def shade(jpeg: bytes, x: float = 0.5, y: float = 0.5) -> tuple[int, ...]:
    """Each colour as 0, 1 or 2: dark, middle or bright."""
    image = Image.open(io.BytesIO(jpeg)).convert("RGB")
    pixel = image.getpixel((int(x * (image.width - 1)), int(y * (image.height - 1))))
    assert isinstance(pixel, tuple)
    return tuple(0 if value < 64 else 2 if value > 191 else 1 for value in pixel)


def pages(count: int = 5) -> list[Image.Image]:
    return [Image.new("RGB", (60 + 10 * n, 40), COLOURS[n]) for n in range(count)]


@pytest.mark.parametrize("kind", ["tiff", "dcx"])
async def test_pages_are_shown_one_by_one(kind: str, tmp_path: Path, opened: Open) -> None:
    path = (files.tiff if kind == "tiff" else files.dcx)(tmp_path / f"paper.{kind}", pages())
    async with opened(path) as clip:
        assert (clip.modality, clip.pages, clip.facts.pages) == ("image", 5, 5)
        (first,) = await clip.frames([3.0])
        every = await clip.page_frames()
        some = await clip.page_frames([4, 2, 4], longest_side_px=20)
        with pytest.raises(MediaError) as caught:
            await clip.page_frame(6)
    assert caught.value.reason == "no_page"
    assert (first.page, first.time_s, shade(first.jpeg)) == (1, None, (2, 0, 0))
    assert [(f.page, f.width, shade(f.jpeg)) for f in every.frames] == [
        (1, 60, (2, 0, 0)), (2, 70, (0, 2, 0)), (3, 80, (0, 0, 2)), (4, 90, (2, 2, 0)), (5, 100, (0, 2, 2)),
    ]  # fmt: skip
    assert [(f.page, f.width) for f in some.frames] == [(4, 20), (2, 20)]
    assert every.broken == ()


async def test_a_picture_of_one_page_says_nothing_of_pages(tmp_path: Path, opened: Open) -> None:
    Image.new("RGB", (60, 40), "red").save(tmp_path / "one.png")
    Image.new("RGBA", (64, 64), "red").save(tmp_path / "sizes.ico", sizes=[(16, 16), (32, 32), (64, 64)])
    files.tiff_with_preview(tmp_path / "preview.tiff", Image.new("RGB", (80, 40), "lime"))
    for name, width in (("one.png", 60), ("sizes.ico", 64), ("preview.tiff", 80)):
        async with opened(tmp_path / name) as clip:
            (frame,) = (await clip.page_frames()).frames
            assert (clip.pages, clip.facts.pages, clip.facts.width, frame.page) == (1, None, width, None), name


async def test_a_broken_page_is_told_and_the_others_are_shown(tmp_path: Path, opened: Open) -> None:
    path = files.tiff(tmp_path / "torn.tiff", pages(3), compression="tiff_lzw")
    files.break_page(path, 2)
    async with opened(path) as clip:
        shown = await clip.page_frames()
        assert [frame.page for frame in shown.frames] == [1, 3]
        assert [(page.page, page.reason) for page in shown.broken] == [(2, "decode_failed")]
        with pytest.raises(MediaError):
            await clip.page_frames([2])


async def test_the_first_page_that_can_be_decoded_stands_for_the_image(tmp_path: Path, opened: Open) -> None:
    path = files.break_page(files.tiff(tmp_path / "cover.tiff", pages(3), compression="tiff_lzw"), 1)
    async with opened(path) as clip:
        (frame,) = await clip.frames([])
        assert (frame.page, shade(frame.jpeg), clip.facts.width, clip.pages) == (2, (0, 2, 0), 70, 3)
    for page in (2, 3):
        files.break_page(path, page)
    assert (await reason(opened(path))).reason == "decode_failed"


async def test_a_page_that_is_too_large_costs_itself_alone(tmp_path: Path, opened: Open) -> None:
    path = files.tiff(
        tmp_path / "large.tiff", [pages(1)[0], Image.new("1", (16_000, 16_000))], compression="tiff_deflate"
    )
    assert path.stat().st_size < 100_000
    async with opened(path) as clip:
        shown = await clip.page_frames()
    assert [frame.page for frame in shown.frames] == [1]
    assert [(page.page, page.reason) for page in shown.broken] == [(2, "too_large")]


async def test_a_file_of_very_many_pages(tmp_path: Path, opened: Open) -> None:
    async with opened(files.empty_pages(tmp_path / "many.tiff", 2000)) as clip:
        assert clip.pages == 2000
        last = await clip.page_frame(2000)
        assert (last.page, last.width) == (2000, 1)
    error = await reason(opened(files.empty_pages(tmp_path / "bomb.tiff", 20_000)))
    assert (error.reason, error.retryable) == ("too_large", False)
    assert "pages" in error.message


async def test_tiles_cover_the_page_at_full_resolution(tmp_path: Path, opened: Open) -> None:
    picture = Image.new("RGB", (1000, 600), "white")
    for column, colour in enumerate(("red", "lime")):
        picture.paste(colour, (500 * column, 0, 500 * column + 500, 300))
    picture.save(tmp_path / "large.png")
    async with opened(tmp_path / "large.png") as clip:
        tiles = await clip.tiles(most=9, tile_side_px=540)
        few = await clip.tiles(most=2, tile_side_px=540)
        assert await clip.tiles(most=9, tile_side_px=1000) == ()
        assert await clip.tiles(most=1, tile_side_px=100) == ()
    assert [(tile.row, tile.column) for tile in tiles] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [shade(tile.jpeg, 0.3, 0.3) for tile in tiles] == [(2, 0, 0), (0, 2, 0), (2, 2, 2), (2, 2, 2)]
    for tile in tiles:
        assert tile.box is not None
        left, top, right, bottom = tile.box
        assert (tile.width, tile.height) == (round((right - left) * 1000), round((bottom - top) * 600))
    assert len(few) == 2
    assert all(max(tile.width, tile.height) <= 540 for tile in few)
    assert {edge for tile in few for edge in tile.box or ()} >= {0.0, 1.0}


async def test_tiles_of_a_page_that_lies_on_its_side_are_upright(tmp_path: Path, opened: Open) -> None:
    for suffix in ("jpg", "tiff", "png"):
        picture = Image.new("RGB", (800, 400), "red")
        picture.paste("blue", (400, 0, 800, 400))
        exif = Image.Exif()
        exif[0x0112] = 6
        path = tmp_path / f"turned.{suffix}"
        picture.save(path, exif=exif)
        async with opened(path) as clip:
            (whole,) = await clip.frames([])
            tiles = await clip.tiles(most=2, tile_side_px=450)
        assert (clip.facts.width, clip.facts.height) == (400, 800), suffix
        assert (whole.width, whole.height) == (384, 768), suffix
        assert [tile.row for tile in tiles] == [0, 1], suffix
        assert [shade(tile.jpeg, y=0.3 if tile.row == 0 else 0.7) for tile in tiles] == [(2, 0, 0), (0, 0, 2)], suffix
