"""Whatever a picture is made of, it is shown in the colours that it means."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from media.workbench import Open
from pictures import files
from PIL import Image, ImageCms


async def colour_of(path: Path, opened: Open) -> tuple[int, ...]:
    async with opened(path) as clip:
        (frame,) = await clip.frames([])
    pixel = Image.open(io.BytesIO(frame.jpeg)).convert("RGB").getpixel((20, 20))
    assert isinstance(pixel, tuple)
    return tuple(int(value) for value in pixel)


def near(colour: tuple[int, ...], wanted: tuple[int, int, int], by: int = 12) -> bool:
    return all(abs(a - b) <= by for a, b in zip(colour, wanted, strict=True))


@pytest.mark.parametrize("suffix", ["png", "tiff"])
async def test_sixteen_bits_a_colour(suffix: str, tmp_path: Path, opened: Open) -> None:
    path = files.deep_rgb(tmp_path / f"deep.{suffix}", (51_400, 25_700, 2_570))
    assert near(await colour_of(path, opened), (200, 100, 10))


async def test_transparency_is_laid_on_white(tmp_path: Path, opened: Open) -> None:
    indexed = Image.new("P", (40, 40), 1)
    indexed.putpalette([10, 20, 30, 0, 0, 255])
    pictures = {
        "grey.png": (Image.new("LA", (40, 40), (0, 128)), (127, 127, 127)),
        "palette.png": (indexed, (0, 0, 255)),
        "half.tiff": (Image.new("RGBA", (40, 40), (255, 0, 0, 128)), (255, 127, 127)),
        "one.png": (Image.new("1", (40, 40), 1), (255, 255, 255)),
    }
    for name, (picture, wanted) in pictures.items():
        picture.save(tmp_path / name, **({"transparency": 0} if name == "palette.png" else {}))
        assert near(await colour_of(tmp_path / name, opened), wanted), name
    # One colour of a picture without an alpha channel can be its transparent one.
    Image.new("RGB", (40, 40), (0, 0, 0)).save(tmp_path / "key.png", transparency=(0, 0, 0))
    assert near(await colour_of(tmp_path / "key.png", opened), (255, 255, 255))
    Image.new("I;16", (40, 40), 0xFFFF).save(tmp_path / "deep_key.png", transparency=0x1234)
    assert near(await colour_of(tmp_path / "deep_key.png", opened), (255, 255, 255))


async def test_cmyk_as_adobe_writes_it_and_as_others_do(tmp_path: Path, opened: Open) -> None:
    file = io.BytesIO()
    Image.new("CMYK", (40, 40), (0, 255, 255, 0)).save(file, "JPEG", quality=95)
    (tmp_path / "adobe.jpg").write_bytes(file.getvalue())
    assert near(await colour_of(tmp_path / "adobe.jpg", opened), (255, 0, 0))
    # The same numbers without the marker mean what they say: no cyan was inked as much cyan.
    other = io.BytesIO()
    Image.new("CMYK", (40, 40), (255, 0, 0, 255)).save(other, "JPEG", quality=95)
    (tmp_path / "other.jpg").write_bytes(files.without_adobe_marker(other.getvalue()))
    assert near(await colour_of(tmp_path / "other.jpg", opened), (255, 0, 0))
    Image.new("CMYK", (40, 40), (0, 255, 255, 0)).save(tmp_path / "print.tiff")
    assert near(await colour_of(tmp_path / "print.tiff", opened), (255, 0, 0))


async def test_a_profile_is_applied(tmp_path: Path, opened: Open) -> None:
    profile = files.swapped_profile()
    for suffix in ("png", "jpg", "tiff", "webp"):
        path = tmp_path / f"swapped.{suffix}"
        Image.new("RGB", (40, 40), (255, 0, 0)).save(path, icc_profile=profile)
        red, green, blue = await colour_of(path, opened)
        assert green > 240, (suffix, red, green, blue)
        assert red < 30, (suffix, red, green, blue)
    Image.new("RGBA", (40, 40), (255, 0, 0, 128)).save(tmp_path / "clear.png", icc_profile=profile)
    assert near(await colour_of(tmp_path / "clear.png", opened), (127, 255, 127), 25)


@pytest.mark.parametrize("damage", ["rubbish", "cut", "of other pixels", "as it is"])
async def test_a_profile_that_is_no_use_is_ignored(damage: str, tmp_path: Path, opened: Open) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = files.swapped_profile()
    profile = {"rubbish": b"no profile" * 50, "cut": swapped[:200], "of other pixels": swapped, "as it is": srgb}[
        damage
    ]
    path = tmp_path / "picture.tiff"
    mode, colour = ("L", 100) if damage == "of other pixels" else ("RGB", (200, 100, 50))
    Image.new(mode, (40, 40), colour).save(path, icc_profile=profile)  # type: ignore[arg-type]
    assert near(await colour_of(path, opened), (100, 100, 100) if mode == "L" else (200, 100, 50), 4)


@pytest.mark.parametrize(
    ("pixels", "wanted"), [((0.0, 0.5), 128), ((0.0, 128.0), 128), ((-3.0, 0.0), 255), ((float("nan"), 1.0), 255)]
)
async def test_floating_point_pixels(pixels: tuple[float, float], wanted: int, tmp_path: Path, opened: Open) -> None:
    """The second value fills the picture but for a corner."""
    values = np.full((40, 40), pixels[1], np.float32)
    values[0, 0] = pixels[0]
    Image.fromarray(values).save(tmp_path / "float.tiff")
    assert near(await colour_of(tmp_path / "float.tiff", opened), (wanted, wanted, wanted))


async def test_lab(tmp_path: Path, opened: Open) -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    picture = ImageCms.profileToProfile(Image.new("RGB", (40, 40), (200, 100, 50)), srgb, lab, outputMode="LAB")
    assert picture is not None
    picture.save(tmp_path / "lab.tiff")
    assert near(await colour_of(tmp_path / "lab.tiff", opened), (200, 100, 50))
