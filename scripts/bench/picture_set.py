"""The pictures that routing is fitted and measured on: ``scripts/bench/pictures``, with the table in its README.md.

The folder of a picture says which half it is in and which domain it belongs to: ``fit/DOMAIN/…`` or ``test/DOMAIN/…``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from omnidetective.embedded.models import EmbeddedModels
from omnidetective.embedded.text import TextLine
from omnidetective.media.intake import open_clip
from omnidetective.rows import parse_row
from omnidetective.settings import MediaSettings
from omnidetective.stages.route_by_measure import picture_and_text

FOLDER = Path(__file__).parent / "pictures"
Half = Literal["fit", "test"]
_ROW = re.compile(r"^\| (?P<file>(?P<half>fit|test)/(?P<domain>\w+)/\S+) \| (?P<origin>\w+) \| (?P<package>[^|]+) \|")


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture. ``package`` names where it was found; of drawn ones, what drew it."""

    file: str
    half: Half
    domain: str
    origin: str
    package: str

    @property
    def path(self) -> Path:
        return FOLDER / self.file


def pictures(half: Half) -> list[Picture]:
    """The pictures of one half, in the order of the table."""
    rows = (_ROW.match(line) for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines())
    found = [
        Picture(row["file"], cast("Half", row["half"]), row["domain"], row["origin"], row["package"].split()[0])
        for row in rows
        if row is not None
    ]
    return [picture for picture in found if picture.half == half]


async def looked_at(picture: Picture, models: EmbeddedModels) -> tuple[bytes, tuple[TextLine, ...]]:
    """A picture and the text in it, as routing gets them."""
    async with open_clip(parse_row({"image": str(picture.path)}), MediaSettings(), base_dir=FOLDER) as clip:
        return await picture_and_text(clip, models)
