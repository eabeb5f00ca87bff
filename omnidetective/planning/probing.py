"""What some clips of an input are like: opened as a run opens them, so what fails there fails here."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from omnidetective.errors import MediaError
from omnidetective.media.intake import open_clip
from omnidetective.planning.survey import Problem
from omnidetective.records import InputRow, MediaFacts
from omnidetective.settings import MediaSettings

MOST_PROBED: Final = 100
"""Clips of an input that are opened before a run; from these the rest is foreseen."""
_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class Probed:
    """Facts of the clips that could be opened, and why the others could not."""

    facts: tuple[MediaFacts, ...]
    problems: tuple[Problem, ...]

    @property
    def clips(self) -> int:
        """How many were looked at."""
        return len(self.facts) + len(self.problems)


async def probe(rows: Sequence[InputRow], settings: MediaSettings, *, base_dir: Path) -> Probed:
    """Open each clip and look at it; nothing is downloaded, for rows with URLs are not to be given here."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def look(row: InputRow) -> MediaFacts | Problem:
        async with gate:
            try:
                async with open_clip(row, settings, base_dir=base_dir) as clip:
                    return clip.facts
            except MediaError as error:
                return Problem(f"clip {row.id}", error.message)

    found = await asyncio.gather(*(look(row) for row in rows))
    return Probed(
        tuple(one for one in found if isinstance(one, MediaFacts)),
        tuple(one for one in found if isinstance(one, Problem)),
    )
