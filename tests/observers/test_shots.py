"""Cuts where there are some, and none in noise, flashes, fades and text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from observers.conftest import SAMPLES, Film, context, instrument, observe

from omnidetective.evidence import ShotEvidence
from omnidetective.media.intake import open_clip
from omnidetective.observers.ask import ask
from omnidetective.observers.shots import Shots
from omnidetective.rows import parse_row

SIZE = "s=320x180:r=25"
MOVING = f"testsrc2={SIZE}"


def shots(observation: Any) -> ShotEvidence:
    assert isinstance(observation.data, ShotEvidence)
    return observation.data


def joined(film: Film, name: str, *parts: tuple[str, float]) -> Path:
    """Pictures one after the other, cut hard."""
    inputs = [word for source, seconds in parts for word in ("-f", "lavfi", "-t", str(seconds), "-i", source)]
    even = "".join(f"[{n}:v]format=yuv420p,setsar=1[v{n}];" for n in range(len(parts)))
    chain = even + "".join(f"[v{n}]" for n in range(len(parts))) + f"concat=n={len(parts)}[v]"
    return film(name, *inputs, "-filter_complex", chain, "-map", "[v]", "-c:v", "libx264", "-preset", "veryfast")


@pytest.mark.parametrize(
    ("clip", "cuts"),
    [
        ("reading.mp4", [4.0, 11.6, 16.2, 22.0]),
        ("studio.webm", [3.5, 6.5, 9.3]),
        ("mountains.mkv", [5.28]),
        ("messagerie.mp4", []),
    ],
)
async def test_every_cut_of_the_samples_is_found_and_no_other(clip: str, cuts: list[float]) -> None:
    answer = await observe(instrument(Shots), SAMPLES / clip)
    found = shots(answer)
    assert [cut.time_s for cut in found.cuts] == pytest.approx(cuts, abs=0.1)
    assert found.still is False
    assert len(found.shots) == len(cuts) + 1
    assert all(a.end_s == b.start_s for a, b in zip(found.shots, found.shots[1:], strict=False))
    assert "moves within the shots" in answer.answer


async def test_still_pictures_with_cuts_between_them(film: Film) -> None:
    path = joined(film, "still.mp4", (f"color=red:{SIZE}", 1.6), (f"smptebars={SIZE}", 2), (f"color=blue:{SIZE}", 1.4))
    answer = await observe(instrument(Shots), path)
    assert [cut.time_s for cut in shots(answer).cuts] == pytest.approx([1.6, 3.6], abs=0.05)
    assert shots(answer).still is True
    assert "Nothing moves" in answer.answer


async def test_a_span_shows_only_its_cuts(film: Film) -> None:
    path = joined(film, "still.mp4", (f"color=red:{SIZE}", 1.6), (f"smptebars={SIZE}", 2), (f"color=blue:{SIZE}", 1.4))
    found = shots(await observe(instrument(Shots), path, (2.0, 4.5)))
    assert [cut.time_s for cut in found.cuts] == pytest.approx([3.6], abs=0.05)
    assert (found.shots[0].start_s, found.shots[-1].end_s) == (2.0, 4.5)


@pytest.mark.parametrize(
    ("name", "source", "filters"),
    [
        ("noise", f"nullsrc={SIZE},geq=random(1)*255:128:128", "null"),
        ("flash", MOVING, "drawbox=t=fill:c=white:enable='between(n,30,32)'"),
        ("long_flash", MOVING, "drawbox=t=fill:c=white:enable='between(n,30,40)'"),
        ("fade", MOVING, "fade=in:0:20,fade=out:55:20"),
        ("moving", MOVING, "null"),
        ("title", f"color=navy:{SIZE}", "drawbox=x=60:y=70:w=200:h=30:c=white:t=fill:enable='between(t,1,2)'"),
    ],
)
async def test_what_is_no_cut(film: Film, name: str, source: str, filters: str) -> None:
    coding = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")
    path = film(f"{name}.mp4", "-f", "lavfi", "-t", "3", "-i", source, "-vf", filters, *coding)
    found = shots(await observe(instrument(Shots), path))
    assert found.cuts == ()
    assert found.still is False


async def test_a_cut_to_noise_is_still_a_cut(film: Film) -> None:
    noise = f"nullsrc={SIZE},geq=random(1)*255:128:128"
    found = shots(
        await observe(instrument(Shots), joined(film, "to_noise.mp4", (f"color=black:{SIZE}", 2), (noise, 2)))
    )
    assert [cut.time_s for cut in found.cuts] == pytest.approx([2.0], abs=0.1)


@pytest.mark.parametrize(("clip", "reason"), [("on_hold.mp3", "no_video"), ("poster.jpg", "no_video")])
async def test_sound_and_pictures_have_no_shots(clip: str, reason: str) -> None:
    async with open_clip(parse_row({"path": clip}), context().settings.media, base_dir=SAMPLES) as opened:
        answer = await ask(instrument(Shots), opened, "?", None, timeout_s=60)
    assert answer.error is not None
    assert answer.error.reason == reason
