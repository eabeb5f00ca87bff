"""Small real clips, one of each kind that an observer can meet. Made by ffmpeg in about a second."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from omnidetective.media.ffmpeg import find_ffmpeg

_MOVING: Final = ("-f", "lavfi", "-i", "gradients=size=192x108:rate=10:duration=1:speed=0.1:seed=1")
_BARS: Final = ("-f", "lavfi", "-i", "testsrc2=size=192x108:rate=10:duration=1")
_STILL: Final = ("-f", "lavfi", "-i", "color=steelblue:size=192x108:rate=10:duration=2")
_TONE: Final = ("-f", "lavfi", "-i", "aevalsrc=0.4*sin(2*PI*440*t)*lt(mod(t\\,2)\\,1):sample_rate=16000:duration=3")
_SILENCE: Final = ("-f", "lavfi", "-i", "anullsrc=sample_rate=16000:channel_layout=mono:duration=3")
_JOINED: Final = ("-filter_complex", "[0:v][1:v]concat=n=2:v=1[v]", "-map", "[v]")
_H264: Final = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")

SAMPLES: Mapping[str, str] = {
    "film": "film.mp4",
    "silent_film": "silent_film.mp4",
    "film_without_sound": "film_without_sound.mp4",
    "sound": "sound.wav",
    "picture": "picture.png",
}
"""The clips by name: a video of 3 s with a cut at 1 s and a tone that comes and goes, the same with a silent track and
without any, a sound file of 3 s, and a picture."""

_ARGUMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "film": (*_MOVING, *_STILL, *_TONE, *_JOINED, "-map", "2:a", *_H264, "-c:a", "aac", "-t", "3"),
    "silent_film": (*_MOVING, *_STILL, *_SILENCE, *_JOINED, "-map", "2:a", *_H264, "-c:a", "aac", "-t", "3"),
    "film_without_sound": (*_MOVING, *_STILL, *_JOINED, *_H264),
    "sound": (*_TONE, "-c:a", "pcm_s16le"),
    "picture": (*_BARS, "-frames:v", "1"),
}
_LIMIT_S: Final = 120.0


def make_samples(folder: Path) -> dict[str, Path]:
    """Make the clips of :data:`SAMPLES` in a folder. Blocking.

    Returns:
        Name → file.

    Raises:
        ConfigError: there is no ffmpeg.
        subprocess.SubprocessError: it failed.
    """
    made = {name: folder / file for name, file in SAMPLES.items()}
    for name, path in made.items():
        command = [find_ffmpeg(), "-v", "error", "-nostdin", "-y", *_ARGUMENTS[name], str(path)]
        subprocess.run(command, check=True, timeout=_LIMIT_S, stdin=subprocess.DEVNULL)
    return made
