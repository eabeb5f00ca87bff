"""``colour``: the dominant colour by name and value, its share, and brightness."""

from __future__ import annotations

from collections.abc import Sequence

from omnidetective.evals.sample_truth import Truth
from omnidetective.evidence import Colour, ColourEvidence
from scripts.bench.instruments.asking import Bench
from scripts.bench.instruments.films import SIZE, Studio
from scripts.bench.instruments.rows import Row, mean, of

PLAIN = {
    "red": "#d01818",
    "orange": "#f08000",
    "yellow": "#f0e010",
    "green": "#109030",
    "blue": "#1840c8",
    "purple": "#802090",
    "pink": "#f890b8",
    "brown": "#704020",
    "black": "#080808",
    "white": "#f8f8f8",
    "gray": "#808080",
}
"""What a person would call a colour, and a value that everybody would call so."""
SHARES = (0.75, 0.6)
"""Share of the larger of two colours in one picture."""
_SPELLINGS = {"gray": ("gray", "grey"), "purple": ("purple", "violet")}


async def measure(bench: Bench, truth: Truth, studio: Studio) -> list[Row]:
    """See the module."""
    size = f"s={SIZE[0]}x{SIZE[1]}:r=5:d=2"
    answers = []
    for name, value in PLAIN.items():
        path = studio.make(f"{name}.mp4", "-f", "lavfi", "-i", f"color=0x{value[1:]}:{size}", "-pix_fmt", "yuv444p")
        answers.append((name, await bench.ask("colour", path, ColourEvidence)))
    mixed = []
    for part in SHARES:
        box = f"drawbox=x=0:y=0:w=iw*{part}:h=ih:c=0x{PLAIN['blue'][1:]}:t=fill"
        source = ("-f", "lavfi", "-i", f"color=0x{PLAIN['yellow'][1:]}:{size}")
        path = studio.make(f"mixed-{part}.mp4", *source, "-vf", box, "-pix_fmt", "yuv444p")
        mixed.append((part, await bench.ask("colour", path, ColourEvidence)))
    return [*on_plain(answers), *on_mixed(mixed)]


def on_plain(answers: Sequence[tuple[str, ColourEvidence]]) -> list[Row]:
    """The rows for pictures of one colour."""
    named = 0
    distances: list[float] = []
    brightness: list[float] = []
    for name, found in answers:
        true = _channels(PLAIN[name])
        first = _first(found)
        if first is not None:
            named += any(word in first.name.lower() for word in _SPELLINGS.get(name, (name,)))
            distances.append(max(abs(a - b) for a, b in zip(true, _channels(first.hex), strict=True)))
        luma = (0.299 * true[0] + 0.587 * true[1] + 0.114 * true[2]) / 255
        brightness += [abs(look.brightness - luma) for look in found.looks]
    return [
        Row("colour", "plain colours called by their name", of(named, len(answers))),
        Row("colour", "error of the value, of the worst channel, 0…255", mean(distances, "", 0)),
        Row("colour", "error of the brightness, 0…1", mean(brightness, "")),
    ]


def on_mixed(answers: Sequence[tuple[float, ColourEvidence]]) -> list[Row]:
    """The row for pictures of two colours."""
    firsts = [(part, _first(found)) for part, found in answers]
    errors = [abs(part - first.share) for part, first in firsts if first is not None]
    return [Row("colour", "error of the share of the larger of two colours, 0…1", mean(errors, ""))]


def _first(found: ColourEvidence) -> Colour | None:
    """The colour that fills most of the first look."""
    colours = found.looks[0].colours if found.looks else ()
    return max(colours, key=lambda colour: colour.share, default=None)


def _channels(value: str) -> tuple[int, int, int]:
    return int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16)
