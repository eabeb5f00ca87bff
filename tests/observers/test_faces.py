"""How many faces are seen, and when; none where there is none.

The face is that of Eileen Collins, from a NASA portrait in the public domain (https://flic.kr/p/r9qvLn), cut out of the
picture `astronaut` that scikit-image 0.26 ships.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from observers.conftest import SAMPLES, Film, instrument, observe
from PIL import Image

from omnidetective.embedded.weights import WeightStore
from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import FaceEvidence
from omnidetective.observers.faces import Faces

FACE = Path(__file__).parent / "media" / "astronaut.jpg"
CODING = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-r", "25")


@pytest.fixture(autouse=True)
def centerface() -> Path:
    """The folder of the detector; skips where it was not pulled."""
    try:
        return WeightStore().find("centerface")
    except ObserverUnavailableError as missing:
        pytest.skip(str(missing))


def faces(observation: Any) -> FaceEvidence:
    assert isinstance(observation.data, FaceEvidence)
    return observation.data


@pytest.mark.parametrize(("places", "width"), [((), 0), ((200,), 240), ((20, 330), 240), ((0, 150, 300, 450), 120)])
async def test_faces_in_a_picture_are_counted(tmp_path: Path, places: tuple[int, ...], width: int) -> None:
    with Image.open(SAMPLES / "poster.jpg") as poster, Image.open(FACE) as face:
        picture = poster.convert("RGB").resize((640, 360))
        for n, left in enumerate(places):
            shown = face.resize((width, width))
            picture.paste(shown.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if n % 2 else shown, (left, 60))
    picture.save(tmp_path / "picture.jpg")
    seen = faces(await observe(instrument(Faces), tmp_path / "picture.jpg"))
    assert [(count.start_s, count.end_s, count.faces) for count in seen.counts] == [(None, None, len(places))]


async def test_faces_come_and_go(film: Film) -> None:
    shown = (
        "[0]scale=640:360[g];[1]split[a][b];[b]hflip[c];"
        "[g][a]overlay=20:60:enable='between(t,2,8)'[d];[d][c]overlay=330:60:enable='between(t,4,8)'"
    )
    ground = ("-loop", "1", "-framerate", "25", "-t", "12", "-i", str(SAMPLES / "poster.jpg"))
    path = film("come_and_go.mp4", *ground, "-i", str(FACE), "-filter_complex", shown, *CODING)
    answer = await observe(instrument(Faces, fps=2), path)
    assert [(count.faces, count.start_s, count.end_s) for count in faces(answer).counts] == [
        (0, 0.0, pytest.approx(2.0, abs=0.3)),
        (1, pytest.approx(2.0, abs=0.3), pytest.approx(4.0, abs=0.3)),
        (2, pytest.approx(4.0, abs=0.3), pytest.approx(8.0, abs=0.3)),
        (0, pytest.approx(8.0, abs=0.3), 12.0),
    ]
    assert "s: 2" in answer.answer


@pytest.mark.parametrize("clip", ["reading.mp4", "studio.webm", "mountains.mkv", "messagerie.mp4", "poster.jpg"])
async def test_where_nobody_is_no_face_is_seen(clip: str) -> None:
    answer = await observe(instrument(Faces), SAMPLES / clip)
    assert [count.faces for count in faces(answer).counts] == [0]
    assert answer.answer.startswith("No face is seen")
