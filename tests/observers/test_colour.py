"""Colours by name, brightness, and when they change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from observers.conftest import SAMPLES, Film, instrument, observe
from PIL import Image

from omnidetective.embedded.colours import colour_name
from omnidetective.evidence import ColourEvidence
from omnidetective.observers.colour import ColourObserver

CODING = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-r", "25")


def colour(observation: Any) -> ColourEvidence:
    assert isinstance(observation.data, ColourEvidence)
    return observation.data


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((0, 0, 0), "black"), ((20, 20, 22), "black"), ((255, 255, 255), "white"), ((128, 128, 128), "grey"),
        ((200, 200, 200), "light grey"), ((70, 70, 70), "dark grey"), ((220, 20, 30), "red"),
        ((120, 10, 15), "dark red"),
        ((255, 140, 0), "orange"), ((110, 70, 35), "brown"), ((255, 230, 30), "yellow"), ((40, 140, 60), "green"),
        ((10, 50, 15), "dark green"), ((30, 80, 200), "blue"), ((0, 0, 110), "dark blue"),
        ((150, 205, 240), "light blue"),
        ((60, 215, 210), "turquoise"), ((110, 40, 150), "purple"), ((250, 130, 175), "pink"),
        ((225, 205, 170), "beige"),
    ],
)  # fmt: skip
def test_colours_have_the_names_that_people_give_them(rgb: tuple[int, int, int], name: str) -> None:
    assert colour_name(rgb) == name


async def test_a_picture_of_known_shares(tmp_path: Path) -> None:
    picture = Image.new("RGB", (400, 200), (220, 20, 30))
    picture.paste((30, 80, 200), (0, 0, 100, 200))
    picture.save(tmp_path / "two.png")
    answer = await observe(instrument(ColourObserver), tmp_path / "two.png")
    (look,) = colour(answer).looks
    assert [(c.name, pytest.approx(c.share, abs=0.02)) for c in look.colours] == [("red", 0.75), ("blue", 0.25)]
    assert look.start_s is None
    assert look.brightness == pytest.approx(0.3 * 0.75 + 0.33 * 0.25, abs=0.03)
    assert "red 75%" in answer.answer or "red 7" in answer.answer


async def test_shots_of_one_colour_change_at_the_cut(film: Film) -> None:
    parts = [("red", 3.2), ("black", 2.4), ("white", 2.0)]
    inputs = [word for name, s in parts for word in ("-f", "lavfi", "-t", str(s), "-i", f"color={name}:s=320x180:r=25")]
    path = film("flags.mp4", *inputs, "-filter_complex", "concat=n=3", *CODING)
    looks = colour(await observe(instrument(ColourObserver), path)).looks
    assert [(look.colours[0].name, look.start_s, look.end_s) for look in looks] == [
        ("red", 0.0, pytest.approx(3.2, abs=0.05)),
        ("black", pytest.approx(3.2, abs=0.05), pytest.approx(5.6, abs=0.05)),
        ("white", pytest.approx(5.6, abs=0.05), pytest.approx(7.6, abs=0.05)),
    ]
    assert [look.brightness for look in looks] == [pytest.approx(b, abs=0.03) for b in (0.3, 0.0, 1.0)]
    assert all(look.colours[0].share == pytest.approx(1.0, abs=0.01) for look in looks)


async def test_what_stays_alike_is_told_once_and_a_span_only_of_itself() -> None:
    whole = colour(await observe(instrument(ColourObserver), SAMPLES / "mountains.mkv")).looks
    assert len(whole) <= 3
    (part,) = colour(await observe(instrument(ColourObserver), SAMPLES / "reading.mp4", (22.2, 24.0))).looks
    assert (part.colours[0].name, part.start_s, part.end_s) == ("beige", 22.2, 24.0)
