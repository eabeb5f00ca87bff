"""Pictures that are small as files and huge in memory: refused with a reason, or taken within the limits."""

from __future__ import annotations

from pathlib import Path

import pytest
from media.workbench import Open, children, reason
from PIL import Image
from pictures import files


def peak_mb(pid: int) -> float:
    """Most memory that a process held (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


@pytest.mark.parametrize(
    ("name", "width", "height"), [("bomb.png", 60_000, 60_000), ("wall.png", 12_000, 12_000), ("strip.png", 2**30, 1)]
)
async def test_a_claim_of_too_many_pixels_is_refused_before_anything_is_decoded(
    name: str, width: int, height: int, tmp_path: Path, opened: Open
) -> None:
    error = await reason(opened(files.claiming(tmp_path / name, width, height, rows=0)))
    assert (error.reason, error.retryable) == ("too_large", False)
    assert "million pixels" in error.message


async def test_a_file_that_breaks_off_after_a_claim(tmp_path: Path, opened: Open) -> None:
    error = await reason(opened(files.claiming(tmp_path / "claims.png", 10_000, 10_000, rows=3)))
    assert error.reason == "decode_failed"


async def test_a_hundred_megapixels_are_shown_and_little_is_kept(tmp_path: Path, opened: Open) -> None:
    path = tmp_path / "hundred.png"
    Image.new("L", (10_000, 10_000), 200).save(path)
    assert path.stat().st_size < 1_000_000
    async with opened(path) as clip:
        (frame,) = await clip.frames([])
        tiles = await clip.tiles(most=4)
        held = [peak_mb(pid) for pid, command in children().items() if "decoder_child" in command]
    assert (clip.facts.width, frame.width, len(tiles)) == (10_000, 768, 4)
    assert max(held) < 2048


async def test_memory_is_limited_and_the_reason_says_so(tmp_path: Path, opened: Open) -> None:
    path = tmp_path / "hundred.png"
    Image.new("RGBA", (10_000, 10_000), (1, 2, 3, 4)).save(path)
    error = await reason(opened(path, process_memory_mb=700))
    assert error.reason == "memory_limit"
    assert "process_memory_mb" in error.hint


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
async def test_a_huge_animation(suffix: str, tmp_path: Path, opened: Open) -> None:
    """Of a few kilobytes: 24 pictures of 64 megapixels."""
    path = tmp_path / f"huge.{suffix}"
    side = 8000
    first, *rest = (Image.new("P", (side, side), n % 2) for n in range(2 if suffix == "webp" else 24))
    first.putpalette([0, 0, 0, 255, 255, 255])
    if suffix == "webp":
        Image.new("RGB", (16_000, 9_000)).save(path, save_all=True, append_images=[Image.new("RGB", (16_000, 9_000))])
    else:
        first.save(path, save_all=True, append_images=rest, duration=100)
    assert path.stat().st_size < 5_000_000
    error = await reason(opened(path, process_timeout_s=20, process_memory_mb=1500))
    assert error.reason in ("too_large", "memory_limit", "decode_timeout", "decode_failed"), error
    async with opened(tmp_path / "after.png") if (tmp_path / "after.png").exists() else opened(
        files.claiming(tmp_path / "after.png", 10, 10, rows=10)
    ) as clip:
        assert clip.facts.width == 10
