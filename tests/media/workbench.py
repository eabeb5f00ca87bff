"""What many tests here ask of pictures, clips and processes."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import imageio_ffmpeg
import pytest
from PIL import Image

from omnidetective.errors import MediaError
from omnidetective.media.clip import Clip

FPS = 25
BITS = 13
_BIT_PX = 16

# Every frame carries its own number, as bits from left to right: what an extracted picture shows is then no opinion.
NUMBERED = (
    f"color=black:s={BITS * _BIT_PX}x32:r={FPS},format=yuv420p,"
    f"geq=lum='if(mod(floor(N/pow(2\\,floor(X/{_BIT_PX})))\\,2)\\,235\\,16)':cb=128:cr=128"
)

Make = Callable[..., Path]
Open = Callable[..., AbstractAsyncContextManager[Clip]]


def frame_number(jpeg: bytes) -> int:
    """Read the number back from a picture made from ``NUMBERED``, at any scale."""
    image = Image.open(io.BytesIO(jpeg)).convert("L")
    width = image.width / BITS
    pixels = [image.getpixel((int((bit + 0.5) * width), image.height // 2)) for bit in range(BITS)]
    return sum(1 << bit for bit, value in enumerate(pixels) if isinstance(value, int) and value > 128)


def ffmpeg(*arguments: str) -> None:
    subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y", *arguments], check=True, timeout=120
    )


async def reason(context: AbstractAsyncContextManager[Clip]) -> MediaError:
    """The error that opening a clip ends with."""
    with pytest.raises(MediaError) as caught:
        async with context:
            pass
    return caught.value


def children(of: int | None = None) -> dict[int, str]:
    """Command lines of the live child processes, by id (Linux)."""
    found: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if int(parent) == (of or os.getpid()) and state != "Z":
            found[int(folder.name)] = command
    return found
