"""Clips for what the samples do not hold, made by ffmpeg, each with its truth beside it.

Pictures are photographs out of the sample clips, enlarged: something real to pan over. The schema of the truth is that
of :mod:`omnidetective.evidence`, so that a measure compares like with like.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import imageio_ffmpeg

from omnidetective.evidence import CameraMove, Fade
from scripts.bench.samples import DATA

FPS = 25
SIZE = (640, 360)
_TIMEOUT_S = 300
_PHOTOGRAPHS = (("mountains.mkv", 1.0), ("mountains.mkv", 8.0), ("studio.webm", 1.0), ("reading.mp4", 13.0))
_SMALL = f"scale={SIZE[0]}:{SIZE[1]},setsar=1"
_VIDEO = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p", "-an")


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """A clip and what was put into it."""

    path: Path
    cuts: tuple[float, ...] = ()
    fades: tuple[Fade, ...] = ()
    camera: tuple[CameraMove, ...] = ()


@dataclass(frozen=True, slots=True)
class Studio:
    """Makes clips in a folder."""

    folder: Path
    _photographs: list[Path] = field(default_factory=list)

    def make(self, name: str, *arguments: str) -> Path:
        """A file by ffmpeg's arguments.

        Raises:
            subprocess.CalledProcessError: ffmpeg refused them; its words are on stderr.
        """
        path = self.folder / name
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y", *arguments, str(path)]
        subprocess.run(command, check=True, timeout=_TIMEOUT_S)
        return path

    def sound(self, name: str, source: str, seconds: float) -> Path:
        """A WAV file of one of ffmpeg's sources of sound."""
        return self.make(name, "-f", "lavfi", "-i", source, "-t", str(seconds), "-ar", "48000", "-ac", "1")

    def photographs(self) -> Sequence[Path]:
        """Four pictures of 1600 × 900."""
        if not self._photographs:
            for number, (clip, time_s) in enumerate(_PHOTOGRAPHS):
                picture = ("-ss", str(time_s), "-i", str(DATA / clip), "-frames:v", "1")
                sharp = "scale=1600:900:flags=lanczos,unsharp=7:7:1.5,noise=c0s=6:allf=u"
                self._photographs.append(self.make(f"photograph-{number}.png", *picture, "-vf", sharp))
        return self._photographs

    def edited(self) -> Film:
        """Eight cuts at uneven times."""
        lengths = (37, 11, 52, 25, 8, 63, 30, 19, 45)
        ends = [sum(lengths[: n + 1]) / FPS for n in range(len(lengths))]
        path = self._joined("edited.mp4", [frames / FPS for frames in lengths])
        return Film(path=path, cuts=tuple(ends[:-1]))

    def faded(self) -> tuple[Film, ...]:
        """One fade a clip: from and to black and white, and dissolves."""
        films = []
        for colour in ("black", "white"):
            for number, kind in enumerate(("in", "out")):
                at_s, seconds = (0.0, 1.2) if kind == "in" else (2.8, 1.2)
                path = self._still(
                    f"fade-{kind}-{colour}.mp4", number, 4.0, f"{_SMALL},fade={kind}:st={at_s}:d={seconds}:c={colour}"
                )
                films.append(Film(path=path, fades=(Fade(start_s=at_s, end_s=at_s + seconds, kind=kind),)))  # type: ignore[arg-type]
        for number, seconds in enumerate((0.8, 1.6)):
            path = self._dissolved(f"dissolve-{number}.mp4", number, seconds)
            films.append(Film(path=path, fades=(Fade(start_s=2.0, end_s=2.0 + seconds, kind="dissolve"),)))
        return tuple(films)

    def moved(self) -> tuple[Film, ...]:
        """One movement of the camera a clip, over two photographs, and a camera that stands before what moves."""
        middle_x, middle_y = "(iw-ow)/2", "(ih-oh)/2"
        moves = {
            "pan right": f"x='n*6':y='{middle_y}'",
            "pan left": f"x='iw-ow-n*6':y='{middle_y}'",
            "tilt down": f"x='{middle_x}':y='n*5'",
            "tilt up": f"x='{middle_x}':y='ih-oh-n*5'",
        }
        films = []
        for number in range(2):
            for motion, window in moves.items():
                name = f"{motion.replace(' ', '-')}-{number}.mp4"
                films.append(self._moving(name, number, motion, f"crop={SIZE[0]}:{SIZE[1]}:{window}"))
            for motion, zoom in (("zoom in", "1+0.008*on"), ("zoom out", "1.8-0.008*on")):
                scene = f"zoompan=z='{zoom}':x='iw/2-iw/zoom/2':y='ih/2-ih/zoom/2':d=1:s={SIZE[0]}x{SIZE[1]}:fps={FPS}"
                films.append(self._moving(f"{motion.replace(' ', '-')}-{number}.mp4", number, motion, scene))
            films.append(self._before_it(number))
        return tuple(films)

    def _moving(self, name: str, number: int, motion: str, scene: str) -> Film:
        path = self._still(name, number, 4.0, scene)
        return Film(path=path, camera=(CameraMove(start_s=0.0, end_s=4.0, motion=motion),))  # type: ignore[arg-type]

    def _before_it(self, number: int) -> Film:
        """Three things that move in front of a camera that stands still."""
        graph = f"[0:v]{_SMALL},{_held(4.0)}[ground];[1:v]crop=120:120,{_held(4.0)},split=3[a][b][c];"
        graph += "[ground][a]overlay=x='mod(40+120*t,520)':y=40[one];"
        graph += "[one][b]overlay=x='500-100*t':y=200[two];[two][c]overlay=x=260:y='20+50*t'[out]"
        path = self._filtered(f"objects-{number}.mp4", (number, 3 - number), graph)
        return Film(path=path, camera=(CameraMove(start_s=0.0, end_s=4.0, motion="static"),))

    def _still(self, name: str, number: int, seconds: float, filters: str) -> Path:
        return self._filtered(name, (number,), f"[0:v]{_held(seconds)},{filters},{_SMALL}[out]")

    def _joined(self, name: str, seconds: Sequence[float]) -> Path:
        even = "".join(f"[{n}:v]{_SMALL},{_held(length)}[v{n}];" for n, length in enumerate(seconds))
        graph = even + "".join(f"[v{n}]" for n in range(len(seconds))) + f"concat=n={len(seconds)}[out]"
        return self._filtered(name, tuple(n % 4 for n in range(len(seconds))), graph)

    def _dissolved(self, name: str, number: int, seconds: float) -> Path:
        even = "".join(f"[{n}:v]{_SMALL},{_held(4.0)}[v{n}];" for n in range(2))
        graph = f"{even}[v0][v1]xfade=duration={seconds}:offset=2[out]"
        return self._filtered(name, (number, number + 1), graph)

    def _filtered(self, name: str, numbers: Sequence[int], graph: str) -> Path:
        """Photographs through a graph of filters that ends in ``[out]``."""
        pictures = self.photographs()
        inputs = [word for n in numbers for word in ("-framerate", str(FPS), "-i", str(pictures[n]))]
        return self.make(name, *inputs, "-filter_complex", graph, "-map", "[out]", *_VIDEO)


def _held(seconds: float) -> str:
    """The filter that shows one picture for a time."""
    return f"loop=loop={round(seconds * FPS) - 1}:size=1"
