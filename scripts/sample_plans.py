"""What is in the sample clips: pictures, movement, text, voices and music, each with its time.

:mod:`scripts.make_samples` turns a plan into a clip and into the clip's truth. Paths are those inside the Debian
packages that it unpacks; ``data/README.md`` names authors and licences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from omnidetective.records import Modality

LIBRIVOX = "usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-{}.wav"
ENGLISH = "usr/share/asterisk/sounds/en_US_f_Allison/{}.wav"
FRENCH = "usr/share/asterisk/sounds/fr_CA_f_June/{}.wav"
MUSIC = "usr/share/asterisk/moh/{}.wav"
PHOTO = "usr/share/backgrounds/{}.jpg"


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A picture, or a plain or shaded ground, under a moving window; the centre moves from ``start`` to ``end``.

    ``window`` is the share of the picture's largest crop that is seen at the start and at the end; ``centre`` are
    shares of what is left to move in, 0 (left, top) to 1.
    """

    frames: int
    picture: str | None = None
    ground: tuple[str, str] = ("black", "black")
    window: tuple[float, float] = (1.0, 1.0)
    centre: tuple[tuple[float, float], tuple[float, float]] = ((0.5, 0.5), (0.5, 0.5))


@dataclass(frozen=True, kw_only=True)
class Card:
    """Text lines on the picture, from one frame to another of the whole clip; ``top`` is a share of the height."""

    lines: tuple[tuple[str, int], ...]
    """Text and size in pixels of each line."""
    frames: tuple[int, int]
    top: float
    colour: str = "white"
    panel: tuple[str, float] | None = None
    """Colour and width, as a share of the picture's, of a panel behind the text."""
    font: str = "DejaVuSans-Bold"


@dataclass(frozen=True, kw_only=True)
class Voice:
    """A recording of a voice that starts at ``at_s`` of the clip."""

    path: str
    text: str
    language: Literal["en", "fr"]
    at_s: float


@dataclass(frozen=True, kw_only=True)
class Music:
    """A piece of a recording of music."""

    path: str
    from_s: float
    at_s: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One clip: its picture track, its sound track, how they are coded, and its input row."""

    file: str
    row: dict[str, object]
    shots: tuple[Shot, ...] = ()
    cards: tuple[Card, ...] = ()
    voices: tuple[Voice, ...] = ()
    music: tuple[Music, ...] = ()
    size: tuple[int, int] = (640, 360)
    fps: int = 25
    sound_s: float = 0.0
    """Length of the sound track of a clip without pictures."""
    rate_hz: int = 16_000
    coding: tuple[str, ...] = ()

    @property
    def modality(self) -> Modality:
        if not self.shots:
            return "audio"
        return "image" if sum(shot.frames for shot in self.shots) == 1 else "video"

    @property
    def duration_s(self) -> float:
        return sum(shot.frames for shot in self.shots) / self.fps if self.shots else self.sound_s


H264 = ("-c:v", "libx264", "-preset", "slow", "-crf", "25", "-threads", "1", "-pix_fmt", "yuv420p")
VP9 = ("-c:v", "libvpx-vp9", "-crf", "36", "-b:v", "0", "-cpu-used", "2", "-threads", "1", "-pix_fmt", "yuv420p")
AAC = ("-c:a", "aac", "-b:a", "64k", "-ar", "44100", "-movflags", "+faststart")

PLANS = (
    Plan(
        file="reading.mp4",
        row={"id": "reading", "video": "reading.mp4"},
        shots=(
            Shot(frames=100, ground=("0x14213d", "0x3d5a80")),
            Shot(
                frames=190,
                picture="aitzgorri_by_Aitzol_Berasategi",
                window=(0.55, 0.55),
                centre=((0.1, 0.35), (0.9, 0.35)),
            ),
            Shot(
                frames=115, picture="life_by_Aitzol_Berasategi", window=(0.95, 0.55), centre=((0.5, 0.5), (0.55, 0.7))
            ),
            Shot(
                frames=145, picture="sunset_by_Aitzol_Berasategi", window=(0.6, 0.85), centre=((0.5, 0.4), (0.5, 0.55))
            ),
            Shot(frames=70, ground=("0xf3ead7", "0xe0cfa9")),
        ),
        cards=(
            Card(
                lines=(("Sense and Sensibility", 44), ("Chapter 1: Norland Park, 1811", 28)),
                frames=(0, 100),
                top=0.34,
                font="DejaVuSerif-Bold",
            ),
            Card(
                lines=(("Next week: Chapter 2, Friday 8:30 p.m.", 24),),
                frames=(430, 535),
                top=0.84,
                panel=("black@0.6", 0.9),
            ),
            Card(
                lines=(("Read by a LibriVox volunteer", 30), ("The book is in the public domain.", 22)),
                frames=(550, 620),
                top=0.38,
                colour="0x2b2118",
                font="DejaVuSans",
            ),
        ),
        voices=(
            Voice(
                path=LIBRIVOX.format("0870"),
                text="And Mr. John Dashwood had then leisure to consider how much there might be prudently in his "
                "power to do for them.",
                language="en",
                at_s=4.3,
            ),
            Voice(path=LIBRIVOX.format("0880"), text="He was not an ill-disposed young man,", language="en", at_s=12.6),
            Voice(
                path=LIBRIVOX.format("0890"),
                text="unless to be rather cold hearted and rather selfish is to be ill-disposed.",
                language="en",
                at_s=16.7,
            ),
        ),
        coding=(*H264, *AAC),
    ),
    Plan(
        file="on_hold.mp3",
        row={"id": "on-hold", "audio": "on_hold.mp3", "split": "test", "tags": ["telephone", "queue"]},
        voices=(
            Voice(
                path=ENGLISH.format("queue-periodic-announce"),
                text="All of our representatives are currently busy. Please stay on the line and your call will be "
                "answered by the next available representative.",
                language="en",
                at_s=0.5,
            ),
            Voice(path=ENGLISH.format("queue-thankyou"), text="Thank you for your patience.", language="en", at_s=9.5),
        ),
        music=(Music(path=MUSIC.format("macroform-cold_day"), from_s=20.0, at_s=16.0, seconds=9.0),),
        sound_s=25.0,
        rate_hz=8_000,
        coding=("-c:a", "libmp3lame", "-b:a", "40k", "-ar", "16000"),
    ),
    Plan(
        file="studio.webm",
        row={"id": "studio", "video": "studio.webm"},
        shots=(
            Shot(frames=105, picture="Picture_1A_by_freespace", window=(0.45, 0.45), centre=((0.0, 0.5), (1.0, 0.4))),
            Shot(frames=90, picture="Picture_0B_by_freespace", window=(0.5, 1.0), centre=((0.5, 0.5), (0.5, 0.5))),
            Shot(frames=84, ground=("0x7a1f1f", "0xa63d2f")),
            Shot(frames=81, picture="Wine_by_Jakkub_Mede", window=(0.9, 0.9), centre=((0.5, 0.25), (0.5, 0.75))),
        ),
        cards=(
            Card(
                lines=(("Studio 7: open day", 40), ("Saturday 10:00 to 18:30", 28), ("Room B-12, free entry", 28)),
                frames=(195, 279),
                top=0.30,
            ),
        ),
        size=(480, 360),
        fps=30,
        coding=VP9,
    ),
    Plan(
        file="poster.jpg",
        row={"id": "poster", "image": "poster.jpg"},
        shots=(Shot(frames=1, picture="seeding_by_Clements_Engelhardt"),),
        cards=(
            Card(
                lines=(
                    ("SPRING FAIR", 72),
                    ("Sunday, 12 April 2026", 40),
                    ("Opens 9:30 a.m. - Hall 4", 40),
                    ("Tickets: $5, children free", 40),
                ),
                frames=(0, 1),
                top=0.24,
                panel=("0x0b3d2e@0.8", 0.68),
            ),
        ),
        size=(960, 640),
        coding=("-c:v", "mjpeg", "-q:v", "4", "-pix_fmt", "yuvj420p", "-frames:v", "1", "-update", "1"),
    ),
    Plan(
        file="messagerie.mp4",
        row={"id": "messagerie", "path": "messagerie.mp4"},
        shots=(
            Shot(
                frames=510, picture="friends_by_Aitzol_Berasategi", window=(0.95, 0.6), centre=((0.5, 0.3), (0.5, 0.1))
            ),
        ),
        cards=(
            Card(lines=(("Appel en cours", 30),), frames=(0, 240), top=0.82, panel=("0x10243e@0.75", 0.75)),
            Card(
                lines=(("Boîte vocale :", 24), ("3 nouveaux messages", 24)),
                frames=(275, 500),
                top=0.78,
                panel=("0x10243e@0.75", 0.9),
            ),
        ),
        voices=(
            Voice(
                path=FRENCH.format("tt-allbusy"),
                text="Tous nos préposés sont présentement occupés. Votre appel est important pour nous, merci de bien "
                "vouloir patienter afin de conserver votre priorité d'appel.",
                language="fr",
                at_s=0.6,
            ),
            Voice(
                path=FRENCH.format("privacy-prompt"),
                text="Veuillez entrer votre numéro de téléphone en commençant par l'indicatif régional.",
                language="fr",
                at_s=10.6,
            ),
            Voice(
                path=FRENCH.format("transfer"),
                text="Veuillez patienter, pendant que je tente d'établir la connexion.",
                language="fr",
                at_s=16.4,
            ),
        ),
        size=(360, 640),
        rate_hz=8_000,
        coding=(*H264, *AAC),
    ),
    Plan(
        file="mountains.mkv",
        row={"id": "mountains", "video": "mountains.mkv"},
        shots=(
            Shot(
                frames=132,
                picture="picosdeeuropa_by_Aitzol_Berasategi",
                window=(0.9, 0.55),
                centre=((0.5, 0.6), (0.6, 0.35)),
            ),
            Shot(
                frames=118, picture="seeding_by_Clements_Engelhardt", window=(0.6, 0.6), centre=((0.9, 0.5), (0.1, 0.4))
            ),
        ),
        music=(Music(path=MUSIC.format("manolo_camp-morning_coffee"), from_s=12.0, at_s=0.0, seconds=10.0),),
        rate_hz=8_000,
        coding=(*H264, "-c:a", "libopus", "-b:a", "48k", "-ar", "48000"),
    ),
)
