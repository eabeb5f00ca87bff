"""Fades, dissolves and the camera: films made with a known motion, and with things that move by themselves."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
from observers.conftest import SAMPLES, Film, instrument, observe

from omnidetective.evidence import ShotEvidence
from omnidetective.observers.shots import Shots

PHOTO = str(SAMPLES / "poster.jpg")
CODING = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-r", "25")
WIDE = "scale=1440:-2"


def found(observation: Any) -> ShotEvidence:
    assert isinstance(observation.data, ShotEvidence)
    return observation.data


def moved(film: Film, name: str, filters: str, *, seconds: float = 4.0) -> Path:
    """A photo in motion."""
    looped = ("-loop", "1", "-framerate", "25", "-t", str(seconds), "-i", PHOTO)
    return film(f"{name}.mp4", *looped, "-vf", filters, *CODING)


def before(film: Film, name: str, ground: tuple[str, ...], *, width: int, x: str) -> Path:
    """A picture with texture that moves before another one."""
    shown = f"[1]crop=480:480:400:100,scale={width}:{width}[b];[0][b]overlay=x='{x}':y=40:shortest=1"
    return film(
        f"{name}.mp4", *ground, "-loop", "1", "-t", "4", "-i", PHOTO, "-filter_complex", shown, "-t", "4", *CODING
    )


@pytest.mark.parametrize(
    ("motion", "filters"),
    [
        ("pan right", f"{WIDE},crop=480:270:x='200+80*t':y=300"),
        ("pan left", f"{WIDE},crop=480:270:x='700-25*t':y=300"),
        ("tilt down", f"{WIDE},crop=480:270:x=400:y='200+60*t'"),
        ("tilt up", f"{WIDE},crop=480:270:x=400:y='500-30*t'"),
        ("zoom in", f"{WIDE},zoompan=z='1.2+0.003*on':d=1:s=480x270:fps=25:x='iw/2-iw/zoom/2':y='ih/2-ih/zoom/2'"),
        ("zoom out", f"{WIDE},zoompan=z='2-0.004*on':d=1:s=480x270:fps=25:x='iw/2-iw/zoom/2':y='ih/2-ih/zoom/2'"),
        ("unsteady", f"{WIDE},crop=480:270:x='400+12*sin(t*7)':y='300+9*sin(t*10+1)'"),
        ("static", "scale=480:270"),
    ],
)
async def test_what_the_camera_does(film: Film, motion: str, filters: str) -> None:
    answer = await observe(instrument(Shots), moved(film, motion.replace(" ", "_"), filters))
    (move,) = found(answer).camera
    assert (move.motion, move.start_s, move.end_s) == (motion, 0.0, 4.0)
    assert motion in answer.answer
    assert found(answer).fades == ()


async def test_each_shot_of_the_samples_has_its_camera() -> None:
    moves = {
        clip: [(m.motion, m.start_s, m.end_s) for m in found(await observe(instrument(Shots), SAMPLES / clip)).camera]
        for clip in ("studio.webm", "mountains.mkv")
    }
    assert moves == {
        "studio.webm": [
            ("pan right", 0.0, 3.5),
            ("zoom out", 3.5, 6.5),
            ("static", 6.5, 9.3),
            ("tilt down", 9.3, 12.0),
        ],
        "mountains.mkv": [("zoom in", 0.0, 5.28), ("pan left", 5.28, 10.0)],
    }


async def test_something_that_moves_before_a_still_camera_does_not_move_it(film: Film) -> None:
    ground = ("-loop", "1", "-framerate", "25", "-t", "4", "-i", str(still(film)))
    path = before(film, "passing", ground, width=180, x="t*70")
    assert {move.motion for move in found(await observe(instrument(Shots), path)).camera} == {"static"}


def still(film: Film) -> Path:
    return film("ground.png", "-i", PHOTO, "-vf", "scale=480:270:force_original_aspect_ratio=disable", "-frames:v", "1")


async def test_before_something_plain_nobody_can_tell(film: Film) -> None:
    ground = ("-f", "lavfi", "-t", "4", "-i", "color=gray:s=480x270:r=25")
    answer = await observe(instrument(Shots), before(film, "plain", ground, width=180, x="t*70"))
    assert found(answer).camera == ()
    assert "could not be told" in answer.answer


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("plain", "color=navy:s=320x180:r=25"),
        ("noise", "nullsrc=s=320x180:r=25,geq=random(1)*255:128:128"),
        ("gradient", "gradients=s=320x180:r=25:c0=black:c1=gray:x0=0:x1=320:speed=0.00001"),
    ],
)
async def test_nothing_is_said_of_what_has_no_texture_or_nothing_else(film: Film, name: str, source: str) -> None:
    path = film(f"bare_{name}.mp4", "-f", "lavfi", "-t", "3", "-i", source, *CODING)
    seen = found(await observe(instrument(Shots), path))
    assert [move for move in seen.camera if move.motion != "static"] == []
    assert seen.fades == ()


@pytest.mark.parametrize(
    ("name", "filters", "expected"),
    [
        ("both", "scale=480:270,fade=in:0:25,fade=out:60:40", [("in", 0.0, 1.0), ("out", 2.4, 4.0)]),
        ("white", f"{WIDE},crop=480:270:x='200+60*t':y=300,fade=t=out:st=1.5:d=1.5:color=white", [("out", 1.5, 3.0)]),
        ("short", "scale=480:270,fade=t=out:st=3.5:d=0.5", [("out", 3.5, 4.0)]),
    ],
)
async def test_fades_and_their_times(
    film: Film, name: str, filters: str, expected: list[tuple[str, float, float]]
) -> None:
    seen = found(await observe(instrument(Shots), moved(film, f"fade_{name}", filters)))
    assert [(f.kind, f.start_s, f.end_s) for f in seen.fades] == [
        (kind, pytest.approx(a, abs=0.15), pytest.approx(b, abs=0.15)) for kind, a, b in expected
    ]
    assert seen.cuts == ()


async def test_a_shot_that_fades_out_and_one_that_fades_in_are_two(film: Film) -> None:
    out, back = "fade=t=out:st=1:d=0.8:enable='lt(t,2)'", "fade=t=in:st=2.2:d=0.8:enable='gte(t,2)'"
    seen = found(await observe(instrument(Shots), moved(film, "fade_middle", f"scale=480:270,{out},{back}")))
    assert [fade.kind for fade in seen.fades] == ["out", "in"]
    assert [shot.start_s for shot in seen.shots] == [0.0, pytest.approx(2.0, abs=0.15)]


async def test_a_dissolve_is_one_and_parts_two_shots(film: Film) -> None:
    chain = (
        "[0]scale=480:270,setsar=1,fps=25,format=yuv420p[a];[1]crop=500:300:300:60,scale=480:270,hflip,negate,setsar=1,"
        "fps=25,format=yuv420p[b];[a][b]xfade=transition=fade:duration=1:offset=2"
    )
    photo = ("-loop", "1", "-t", "3", "-i", PHOTO)
    path = film("dissolve.mp4", *photo, *photo, "-filter_complex", chain, *CODING)
    seen = found(await observe(instrument(Shots), path))
    (fade,) = seen.fades
    assert (fade.kind, fade.start_s, fade.end_s) == (
        "dissolve",
        pytest.approx(2.0, abs=0.2),
        pytest.approx(3.0, abs=0.2),
    )
    assert seen.cuts == ()
    assert [shot.start_s for shot in seen.shots] == [0.0, pytest.approx(2.5, abs=0.2)]


@pytest.mark.parametrize(
    ("name", "source", "filters"),
    [
        ("leaving", "color=black:s=480x270:r=25", "drawgrid=w=8:h=8:c=white@0.1,scroll=h=0.01"),
        ("light", "testsrc2=s=480x270:r=25", "eq=brightness='0.2*sin(t)':eval=frame"),
        ("cut_to_black", "testsrc2=s=480x270:r=25", "drawbox=t=fill:c=black:enable='gte(t,2)'"),
        ("title", "color=navy:s=480x270:r=25", "drawbox=x=60:y=70:w=200:h=30:c=white:t=fill:enable='between(t,1,2)'"),
        ("wipe", "testsrc2=s=480x270:r=25", "drawbox=x=0:y=0:w='t*160':h=270:c=black:t=fill"),
    ],
)
async def test_what_is_no_fade(film: Film, name: str, source: str, filters: str) -> None:
    path = film(f"no_fade_{name}.mp4", "-f", "lavfi", "-t", "3", "-i", source, "-vf", filters, *CODING)
    assert found(await observe(instrument(Shots), path)).fades == ()


@pytest.mark.parametrize("clip", ["reading.mp4", "studio.webm", "mountains.mkv", "messagerie.mp4"])
async def test_the_samples_have_no_fade(clip: str) -> None:
    assert found(await observe(instrument(Shots), SAMPLES / clip)).fades == ()


@pytest.mark.integration
async def test_a_long_clip_is_looked_at_in_samples_and_that_is_told(film: Film) -> None:
    minute = moved(film, "minute", f"{WIDE},crop=240:136:x='200+12*t':y=300", seconds=66)
    path = film("long.mp4", "-stream_loop", "10", "-i", str(minute), "-c", "copy")
    answer = await observe(instrument(Shots), path)
    assert "600 of 726 s were looked at" in answer.answer
    right = [move for move in found(answer).camera if move.motion == "pan right"]
    assert sum(move.end_s - move.start_s for move in right) > 400
    assert {move.motion for move in found(answer).camera} <= {"pan right", "static"}


async def test_without_opencv_everything_else_is_measured_and_the_lack_is_told(
    film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = moved(film, "both", "scale=480:270,fade=in:0:25,fade=out:60:40")
    monkeypatch.setitem(sys.modules, "cv2", None)
    known = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "cv2" else known(name))
    answer = await observe(instrument(Shots), path)
    assert found(answer).camera == ()
    assert len(found(answer).fades) == 2
    assert "cv2 is not installed" in answer.answer


@pytest.mark.parametrize(("size", "seconds"), [("16x16", "2"), ("2000x20", "1"), ("320x180", "0.04")])
async def test_tiny_narrow_and_very_short_films_are_no_trouble(film: Film, size: str, seconds: str) -> None:
    source = ("-f", "lavfi", "-t", seconds, "-i", f"testsrc2=s={size}:r=25")
    seen = found(await observe(instrument(Shots), film(f"tiny_{size}.mp4", *source, *CODING)))
    assert len(seen.shots) == 1
    assert seen.fades == ()
