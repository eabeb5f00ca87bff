"""``faces``: how many, when, and faces where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from omnidetective.evals.sample_truth import Truth
from omnidetective.evidence import FaceCount, FaceEvidence
from scripts.bench.instruments.asking import Bench
from scripts.bench.instruments.films import FPS, SIZE, Studio
from scripts.bench.instruments.rows import Row, share
from scripts.bench.samples import DATA

COUNTS = (0, 1, 2, 3, 1)
"""Faces in each shot of the clip."""
SHOT_S = 2.0
_STEP_S = 0.1
_FACE_PX = 180
_PORTRAIT = DATA.parent / "tests" / "observers" / "media" / "astronaut.jpg"
"""A photograph in the public domain: see ``tests/observers/test_faces.py``."""


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
        told = [count.faces for count in counts if (count.start_s or 0.0) <= at_s < (count.end_s or 0.0)]
        right += told == [COUNTS[int(at_s / SHOT_S)]]
    return [Row("faces", "time with the right count, a portrait shown 0 to 3 times", share(right, steps))]


def _group(studio: Studio) -> Path:
    inputs: list[str] = []
    with Image.open(_PORTRAIT) as portrait:
        face = portrait.convert("RGB").resize((_FACE_PX, _FACE_PX))
    for number, count in enumerate(COUNTS):
        path = studio.folder / f"faces-{number}.png"
        picture = Image.new("RGB", SIZE, (118, 138, 150))
        for place in range(count):
            shown = face.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if place % 2 else face
            picture.paste(shown, (20 + 210 * place, 60 + 40 * (place % 2)))
        picture.save(path)
        inputs += ["-loop", "1", "-framerate", str(FPS), "-t", str(SHOT_S), "-i", str(path)]
    chain = "".join(f"[{n}:v]" for n in range(len(COUNTS))) + f"concat=n={len(COUNTS)},format=yuv420p[out]"
    return studio.make("faces.mp4", *inputs, "-filter_complex", chain, "-map", "[out]", "-c:v", "libx264")
