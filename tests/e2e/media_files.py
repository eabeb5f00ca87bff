"""Media of every awkward kind, made by ffmpeg when a test asks."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg


def ffmpeg(*arguments: str, timeout_s: float = 120) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *arguments]
    subprocess.run(command, check=True, timeout=timeout_s)


def video(path: Path, *, seconds: float = 2.0, size: str = "160x90", rate: int = 10, sound: bool = True) -> Path:
    """A test pattern, with a tone unless ``sound`` is off."""
    inputs = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}"]
    if sound:
        inputs += ["-f", "lavfi", "-i", "sine=frequency=440"]
    # testsrc2 itself draws even sizes only.
    shape = ["-vf", f"scale={size.replace('x', ':')},setsar=1", "-pix_fmt", "yuv444p" if _odd(size) else "yuv420p"]
    ffmpeg(*inputs, "-t", str(seconds), *shape, str(path))
    return path


def tone(path: Path, *, seconds: float = 2.0) -> Path:
    """A tone."""
    ffmpeg("-f", "lavfi", "-i", "sine=frequency=440", "-t", str(seconds), str(path))
    return path


def rotated(path: Path) -> Path:
    """160×90 as stored, 90×160 as displayed."""
    plain = video(path.with_suffix(".plain.mp4"))
    ffmpeg("-display_rotation", "90", "-i", str(plain), "-codec", "copy", str(path))
    plain.unlink()
    return path


def truncated(path: Path) -> Path:
    """An MP4 cut off before its index."""
    whole = video(path.with_suffix(".whole.mp4"))
    data = whole.read_bytes()
    whole.unlink()
    path.write_bytes(data[: len(data) // 2])
    return path


def _odd(size: str) -> bool:
    width, height = size.split("x")
    return int(width) % 2 == 1 or int(height) % 2 == 1
