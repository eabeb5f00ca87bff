"""Still pictures and animations."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from media.workbench import Open, reason
from PIL import Image, features

from omnidetective.errors import MediaError
from omnidetective.media.frames import Frame


def _rgb(frame: Frame, x: float = 0.5, y: float = 0.5) -> tuple[int, int, int]:
    image = Image.open(io.BytesIO(frame.jpeg)).convert("RGB")
    red, green, blue = image.getpixel((int(x * (image.width - 1)), int(y * (image.height - 1))))  # type: ignore[misc]
    return int(red), int(green), int(blue)


def _near(one: tuple[int, int, int], other: tuple[int, int, int], by: int = 12) -> bool:
    return all(abs(a - b) <= by for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tiff", "gif", "avif"])
async def test_a_picture_is_one_frame_whatever_the_times(suffix: str, tmp_path: Path, opened: Open) -> None:
    if suffix == "avif" and not features.check("avif"):
        pytest.skip("this Pillow was built without AVIF")
    path = tmp_path / f"picture.{suffix}"
    Image.new("RGB", (301, 99), (200, 30, 60)).save(path)
    async with opened(path) as clip:
        assert (clip.modality, clip.duration_s, clip.whole) == ("image", 0.0, None)
        assert clip.facts.duration_s is None
        assert (clip.facts.width, clip.facts.height, clip.facts.has_video, clip.facts.has_audio) == (
            301,
            99,
            True,
            False,
        )
        frames = [await clip.frames([1.0, 2.0]), await clip.uniform_frames(5), await clip.sampled_frames(2.0)]
        frames += [(await clip.contact_sheet(4, columns=2),), await clip.shot_frames((), limit=3)]
        assert await clip.scene_cuts() == ()
        for attempt in (clip.pcm(), clip.loudness(), clip.audio()):
            with pytest.raises(MediaError) as caught:
                await attempt
            assert caught.value.reason == "no_audio"
    assert [len(found) for found in frames] == [1] * 5
    for (frame,) in frames:
        assert (frame.time_s, frame.width, frame.height) == (None, 301, 99)
        assert _near(_rgb(frame), (200, 30, 60))


async def test_exif_rotation_is_applied(tmp_path: Path, opened: Open) -> None:
    image = Image.new("RGB", (80, 40), "red")
    image.paste("blue", (40, 0, 80, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    async with opened(tmp_path / "turned.jpg") as clip:
        (frame,) = await clip.frames([])
    assert (clip.facts.width, clip.facts.height, frame.width, frame.height) == (40, 80, 40, 80)
    assert _near(_rgb(frame, y=0.1), (255, 0, 0))
    assert _near(_rgb(frame, y=0.9), (0, 0, 255))


async def test_colours_of_unusual_modes(tmp_path: Path, opened: Open) -> None:
    Image.new("RGBA", (40, 40), (0, 0, 255, 0)).save(tmp_path / "clear.png")
    Image.new("RGBA", (40, 40), (0, 0, 0, 128)).save(tmp_path / "half.png")
    palette = Image.new("P", (40, 40), 0)
    palette.putpalette([10, 20, 30, 255, 0, 0])
    palette.info["transparency"] = 0
    palette.save(tmp_path / "palette.png", transparency=0)
    Image.new("CMYK", (40, 40), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg")
    Image.new("I;16", (40, 40), 32768).save(tmp_path / "deep.png")
    Image.new("F", (40, 40), 1.0).save(tmp_path / "float.tiff")
    Image.new("LA", (40, 40), (0, 0)).save(tmp_path / "grey.png")
    Image.new("1", (40, 40), 1).save(tmp_path / "bit.png")
    white = (255, 255, 255)
    expected = {
        "clear.png": white, "half.png": (127, 127, 127), "palette.png": white, "cmyk.jpg": (255, 0, 0),
        "deep.png": (128, 128, 128), "grey.png": white, "bit.png": white,
    }  # fmt: skip
    for name, colour in expected.items():
        async with opened(tmp_path / name) as clip:
            (frame,) = await clip.frames([])
        assert _near(_rgb(frame), colour), (name, _rgb(frame))
    async with opened(tmp_path / "float.tiff") as clip:
        assert len(await clip.frames([])) == 1


async def test_longest_side_limits_a_picture(tmp_path: Path, opened: Open) -> None:
    Image.effect_noise((3000, 1000), 50).save(tmp_path / "large.jpg")
    async with opened(tmp_path / "large.jpg") as clip:
        (default,) = await clip.frames([])
        (small,) = await clip.frames([], longest_side_px=30)
    assert (clip.facts.width, clip.facts.height) == (3000, 1000)
    assert (default.width, default.height, small.width, small.height) == (768, 256, 30, 10)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
async def test_an_animation_is_a_video(suffix: str, tmp_path: Path, opened: Open) -> None:
    """Red for 300 ms, green for 700 ms, blue for 500 ms."""
    first, *rest = (Image.new("RGB", (64, 48), colour) for colour in ("red", "lime", "blue"))
    path = tmp_path / f"moving.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    first.save(path, save_all=True, append_images=rest, duration=[300, 700, 500], **options)
    async with opened(path) as clip:
        assert (clip.modality, clip.facts.width, clip.facts.height) == ("video", 64, 48)
        assert clip.duration_s == pytest.approx(1.5, abs=0.02)
        frames = await clip.frames([0.1, 0.29, 0.31, 0.95, 1.05, 1.4])
        cuts = await clip.scene_cuts()
    colours = [(255, 0, 0), (255, 0, 0), (0, 255, 0), (0, 255, 0), (0, 0, 255), (0, 0, 255)]
    assert all(_near(_rgb(frame), colour, 20) for frame, colour in zip(frames, colours, strict=True)), suffix
    assert [round(cut.time_s, 1) for cut in cuts] in ([0.3, 1.0], [0.3])
    async with opened(path, "image") as clip:
        (frame,) = await clip.frames([])
        assert clip.modality == "image"
    assert _near(_rgb(frame), (255, 0, 0), 20)


async def test_an_animation_of_one_picture_is_an_image(tmp_path: Path, opened: Open) -> None:
    Image.new("RGB", (20, 20), "red").save(tmp_path / "still.gif")
    async with opened(tmp_path / "still.gif") as clip:
        assert clip.modality == "image"


async def test_pictures_that_cannot_be_used(tmp_path: Path, opened: Open) -> None:
    whole = io.BytesIO()
    Image.effect_noise((400, 400), 80).save(whole, "PNG")
    (tmp_path / "cut.png").write_bytes(whole.getvalue()[:20_000])
    (tmp_path / "heic.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(500))
    Image.new("1", (16_000, 16_000)).save(tmp_path / "bomb.png")
    Image.new("RGB", (40, 40)).save(tmp_path / "good.png")
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(x) run\n%%EOF\n"
    (tmp_path / "script.png").write_bytes(script)
    expected = {"cut.png": "decode_failed", "heic.jpg": "not_media", "bomb.png": "too_large", "script.png": "not_media"}
    for name, wanted in expected.items():
        error = await reason(opened(tmp_path / name))
        assert (error.reason, error.retryable) == (wanted, False), (name, error)
    for declared in ("video", "audio"):
        error = await reason(opened(tmp_path / "good.png", declared))
        assert error.reason == "wrong_modality"
