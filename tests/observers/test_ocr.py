"""Text on screen: exact words with their spaces, and from when to when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from observers.conftest import SAMPLES, Film, context, instrument, observe
from PIL import Image, ImageDraw, ImageFont

from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import TextEvidence
from omnidetective.observers.ocr import Ocr

SENTENCES = (
    "It is as if we all saw it",
    "Chapter 1: A new beginning",
    "we will be back at 10:30 a.m.",
    "SEASON 2 EPISODE 11",
    "A & B Corp., Inc.",
)


def text(observation: Any) -> TextEvidence:
    assert isinstance(observation.data, TextEvidence)
    return observation.data


def card(path: Path, lines: tuple[str, ...], *, ground: str, ink: str, size_px: int) -> Path:
    """A picture of lines of text, in the font that comes with Pillow."""
    image = Image.new("RGB", (1280, 720), ground)
    draw = ImageDraw.Draw(image)
    for n, line in enumerate(lines):
        draw.text((90, 60 + n * size_px * 2), line, fill=ink, font=ImageFont.load_default(size_px))
    image.save(path)
    return path


@pytest.mark.parametrize("size_px", [26, 52])
@pytest.mark.parametrize(
    ("ground", "ink"), [("black", "white"), ("gray", "white"), ("white", "black"), ("navy", "yellow")]
)
async def test_words_keep_their_spaces(tmp_path: Path, ground: str, ink: str, size_px: int) -> None:
    path = card(tmp_path / "card.png", SENTENCES, ground=ground, ink=ink, size_px=size_px)
    assert tuple(line.text for line in text(await observe(instrument(Ocr), path)).cards) == SENTENCES


async def test_a_poster_is_read_line_by_line_without_times() -> None:
    answer = await observe(instrument(Ocr), SAMPLES / "poster.jpg")
    found = text(answer)
    assert [item.text for item in found.cards] == [
        "SPRING FAIR",
        "Sunday, 12 April 2026",
        "Opens 9:30 a.m. - Hall 4",
        "Tickets: $5, children free",
    ]
    assert all(item.start_s is None and item.end_s is None for item in found.cards)
    assert found.frames_read == 1
    assert "“SPRING FAIR”" in answer.answer


@pytest.mark.integration
async def test_cards_over_a_moving_picture_have_their_first_and_last_moment() -> None:
    found = text(await observe(instrument(Ocr), SAMPLES / "reading.mp4"))
    expected = {
        "Sense and Sensibility": (0.0, 4.0),
        "Chapter 1: Norland Park, 1811": (0.0, 4.0),
        "Next week: Chapter 2, Friday 8:30 p.m.": (17.2, 21.4),
        "Read by a LibriVox volunteer": (22.0, 24.8),
        "The book is in the public domain.": (22.0, 24.8),
    }
    assert {item.text: (item.start_s, item.end_s) for item in found.cards} == {
        name: (pytest.approx(start, abs=0.1), pytest.approx(end, abs=0.1)) for name, (start, end) in expected.items()
    }


async def test_a_span_shows_only_what_is_in_it() -> None:
    found = text(await observe(instrument(Ocr), SAMPLES / "reading.mp4", (18.0, 20.0)))
    (item,) = found.cards
    assert (item.text, item.start_s, item.end_s) == ("Next week: Chapter 2, Friday 8:30 p.m.", 18.0, 20.0)


@pytest.fixture
def slides(film: Film, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds: nothing, `Now 3 for 2`, then `Now 4 for 2` in its place, nothing."""
    folder = tmp_path_factory.mktemp("cards")
    for n, line in enumerate(("Now 3 for 2", "Now 4 for 2")):
        image = Image.new("RGB", (640, 360), "black")
        ImageDraw.Draw(image).text((120, 150), line, fill="white", font=ImageFont.load_default(48))
        image.save(folder / f"{n}.png")
    overlays = "[0][1]overlay=enable='gte(t,2.2)*lt(t,5.4)'[a];[a][2]overlay=enable='gte(t,5.4)*lt(t,9.0)'"
    ground = ("-f", "lavfi", "-i", "color=black:s=640x360:r=25:d=12")
    pictures = ("-i", str(folder / "0.png"), "-i", str(folder / "1.png"))
    return film("slides.mp4", *ground, *pictures, "-filter_complex", overlays, "-c:v", "libx264", "-pix_fmt", "yuv420p")


async def test_two_texts_in_one_place_are_kept_apart_and_still_frames_are_read_once(slides: Path) -> None:
    found = text(await observe(instrument(Ocr), slides))
    assert [(item.text, item.start_s, item.end_s) for item in found.cards] == [
        ("Now 3 for 2", pytest.approx(2.2, abs=0.1), pytest.approx(5.4, abs=0.1)),
        ("Now 4 for 2", pytest.approx(5.4, abs=0.1), pytest.approx(9.0, abs=0.1)),
    ]
    assert found.frames_read <= 5


async def test_no_text_is_told_plainly() -> None:
    answer = await observe(instrument(Ocr), SAMPLES / "mountains.mkv", (0.0, 3.0))
    assert text(answer).cards == ()
    assert answer.answer.startswith("No text is on screen")


async def test_more_changes_than_may_be_read_are_thinned_out_and_that_is_told() -> None:
    answer = await observe(instrument(Ocr, max_frames=4, fps=2), SAMPLES / "messagerie.mp4")
    found = text(answer)
    assert found.frames_read == 4
    assert "short texts can be missed" in answer.answer
    (first, *_) = found.cards
    assert (first.text, first.start_s) == ("Appel en cours", 0.0)


async def test_when_time_is_up_the_rest_is_named(slides: Path) -> None:
    observer = instrument(Ocr, context("investigate.observer_timeout_s=0.000001"))
    answer = await observe(observer, SAMPLES / "messagerie.mp4")
    assert "The time was up at" in answer.answer
    assert text(answer).frames_read == 8


def test_without_the_packages_it_is_unavailable_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnidetective.embedded.inference.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ObserverUnavailableError) as caught:
        instrument(Ocr)
    assert (caught.value.reason, caught.value.hint) == ("not_installed", "pip install 'omnidetective[local]'")


async def test_a_picture_of_no_contrast_holds_no_text(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), "gray").save(tmp_path / "gray.png")
    assert text(await observe(instrument(Ocr), tmp_path / "gray.png")).cards == ()


def lettering(path: Path, lines: tuple[str, ...], size: tuple[int, int]) -> Path:
    """Lines of white text on black."""
    image = Image.new("RGB", size, "black")
    for n, line in enumerate(lines):
        ImageDraw.Draw(image).text((20, 10 + 120 * n), line, fill="white", font=ImageFont.load_default(36))
    image.save(path)
    return path


CODING = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-r", "25")


async def test_rolling_credits_are_one_entry_a_line(film: Film, tmp_path: Path) -> None:
    names = ("DIRECTED BY", "Maria Fernandez", "EDITED BY", "Jonathan Whitaker")
    roll = lettering(tmp_path / "roll.png", names, (480, 500))
    ground = ("-f", "lavfi", "-t", "9", "-i", "color=black:s=640x360:r=25", "-loop", "1", "-i", str(roll))
    path = film("credits.mp4", *ground, "-filter_complex", "[0][1]overlay=x=80:y='360-100*t':shortest=1", *CODING)
    cards = text(await observe(instrument(Ocr), path)).cards
    assert tuple(item.text for item in cards) == names
    for n, item in enumerate(cards):
        # On screen from when it comes in below to when it goes out above.
        assert item.start_s == pytest.approx((20 + 120 * n) / 100, abs=1.1)
        assert item.end_s == pytest.approx((400 + 120 * n) / 100, abs=1.1)


async def test_a_ticker_is_one_entry_with_all_of_its_words(film: Film, tmp_path: Path) -> None:
    news = "The mayor of Wenlock has resigned today after a long dispute about a new bridge over the river"
    strip = lettering(tmp_path / "strip.png", (news,), (1700, 60))
    ground = ("-f", "lavfi", "-t", "14", "-i", "color=navy:s=640x360:r=25", "-loop", "1", "-i", str(strip))
    path = film("ticker.mp4", *ground, "-filter_complex", "[0][1]overlay=x='20-75*t':y=290:shortest=1", *CODING)
    cards = text(await observe(instrument(Ocr), path)).cards
    longest = max(cards, key=lambda item: len(item.text))
    assert len(cards) <= 3
    assert sum(word in longest.text.split() for word in news.split()) >= 0.85 * len(news.split())


async def test_a_card_that_goes_and_comes_back_is_two_entries(film: Film, tmp_path: Path) -> None:
    shown = lettering(tmp_path / "sale.png", ("SUMMER SALE", "Up to half off"), (400, 200))
    ground = ("-f", "lavfi", "-t", "10", "-i", "color=black:s=640x360:r=25", "-i", str(shown))
    overlay = "[0][1]overlay=100:60:enable='between(t,1,3)+between(t,6,8.5)'"
    path = film("twice.mp4", *ground, "-filter_complex", overlay, *CODING)
    cards = text(await observe(instrument(Ocr), path)).cards
    assert [(item.text, item.start_s, item.end_s) for item in cards] == [
        (line, pytest.approx(start_s, abs=0.15), pytest.approx(end_s, abs=0.15))
        for start_s, end_s in ((1.0, 3.0), (6.0, 8.5))
        for line in ("SUMMER SALE", "Up to half off")
    ]
