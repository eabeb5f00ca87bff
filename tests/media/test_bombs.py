"""Pictures that are small as files and huge in memory: refused with a reason, or taken within the limits."""

from __future__ import annotations

from pathlib import Path

import pytest
from media.workbench import Open, children, reason
from pictures import files
from PIL import Image


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
    error = await reason(opened(path, process_memory_mb=450))
    assert error.reason == "memory_limit"
    assert "process_memory_mb" in error.hint


@pytest.mark.parametrize("suffix", ["gif", "png"])
async def test_a_huge_animation_is_decoded_within_the_limits(suffix: str, tmp_path: Path, opened: Open) -> None:
    """Three pictures of 36 megapixels in a few kilobytes."""
    path = tmp_path / f"huge.{suffix}"
    first, *rest = (Image.new("P", (6000, 6000), n % 2) for n in range(3))
    for picture in (first, *rest):
        picture.putpalette([0, 0, 0, 255, 255, 255])
    first.save(path, save_all=True, append_images=rest, duration=100)
    assert path.stat().st_size < 1_000_000
    async with opened(path) as clip:
        (frame,) = await clip.frames([0.15])
        held = [peak_mb(pid) for pid, command in children().items() if "decoder_child" in command]
    assert (clip.modality, frame.width) == ("video", 768)
    assert max(held) < 2048
