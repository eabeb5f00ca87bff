"""``faces``: how many, when, and faces where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from omnidetective.evidence import FaceCount, FaceEvidence
from scripts.bench.instruments.asking import Bench
from scripts.bench.instruments.films import FPS, SIZE, Studio
from scripts.bench.instruments.rows import Row, share
from scripts.bench.samples import DATA
from scripts.bench.truth import Truth

COUNTS = (0, 1, 2, 3, 1)
"""Faces in each shot of the clip."""
SHOT_S = 2.0
_STEP_S = 0.1
_FACE_PX = 150


async def measure(bench: Bench, truth: Truth, studio: Studio) -> list[Row]:
    """See the module."""
    nobody = [clip for clip in truth.clips if clip.has_video]
    invented = 0
    for clip in nobody:
        found = await bench.ask("faces", DATA / clip.file, FaceEvidence)
        invented += any(count.faces for count in found.counts)
    rows = [Row("faces", f"samples, which hold none, with a face told, of {len(nobody)}", str(invented))]
    return [*rows, *on_counts((await bench.ask("faces", _group(studio), FaceEvidence)).counts)]


def on_counts(counts: Sequence[FaceCount]) -> list[Row]:
    """The row for a clip whose count is known at each time."""
    steps = round(len(COUNTS) * SHOT_S / _STEP_S)
    right = 0
    for step in range(steps):
        at_s = (step + 0.5) * _STEP_S
        told = [count.faces for count in counts if count.start_s <= at_s < count.end_s]
        right += told == [COUNTS[int(at_s / SHOT_S)]]
    return [Row("faces", "time with the right count, in a clip of drawn faces", share(right, steps))]


def _group(studio: Studio) -> Path:
    inputs: list[str] = []
    for number, count in enumerate(COUNTS):
        path = studio.folder / f"faces-{number}.png"
        picture = Image.new("RGB", SIZE, (118, 138, 150))
        for place in range(count):
            picture.paste(drawn_face(), (20 + 210 * place, 60 + 40 * (place % 2)))
        picture.save(path)
        inputs += ["-loop", "1", "-framerate", str(FPS), "-t", str(SHOT_S), "-i", str(path)]
    chain = "".join(f"[{n}:v]" for n in range(len(COUNTS))) + f"concat=n={len(COUNTS)},format=yuv420p[out]"
    return studio.make("faces.mp4", *inputs, "-filter_complex", chain, "-map", "[out]", "-c:v", "libx264")


def drawn_face() -> Image.Image:
    """A face from the front, soft and in skin colours: no photograph of anybody travels with the program."""
    side = _FACE_PX * 4
    picture = Image.new("RGB", (side, side), (118, 138, 150))
    draw = ImageDraw.Draw(picture)

    def oval(left: float, top: float, right: float, bottom: float, colour: tuple[int, int, int]) -> None:
        draw.ellipse((side * left, side * top, side * right, side * bottom), fill=colour)

    oval(0.15, 0.02, 0.85, 0.80, (60, 40, 30))
    oval(0.20, 0.14, 0.80, 0.96, (224, 180, 150))
    for eye in (0.36, 0.64):
        oval(eye - 0.12, 0.36, eye + 0.12, 0.52, (180, 135, 110))
        oval(eye - 0.08, 0.41, eye + 0.08, 0.49, (248, 248, 248))
        oval(eye - 0.04, 0.41, eye + 0.04, 0.49, (40, 30, 20))
        draw.rectangle([side * (eye - 0.10), side * 0.355, side * (eye + 0.10), side * 0.385], fill=(50, 35, 25))
    draw.polygon([(side * 0.5, side * 0.45), (side * 0.44, side * 0.64), (side * 0.56, side * 0.64)], (202, 152, 122))
    oval(0.43, 0.61, 0.57, 0.66, (150, 100, 85))
    oval(0.36, 0.72, 0.64, 0.81, (150, 60, 60))
    draw.rectangle([side * 0.38, side * 0.757, side * 0.62, side * 0.767], fill=(80, 30, 30))
    return picture.filter(ImageFilter.GaussianBlur(side * 0.012)).resize((_FACE_PX, _FACE_PX))
