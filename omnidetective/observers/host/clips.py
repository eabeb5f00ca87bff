"""Clips on their way to a host process, and there."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from omnidetective.media.clip import Clip
from omnidetective.media.source import Source
from omnidetective.media.wire import Probe
from omnidetective.observers.host.wire import ClipData
from omnidetective.settings import MediaSettings

_KEPT: Final = 2
"""Clips that are kept when their last question is answered: the next one is often about the same."""


def clip_data(clip: Clip) -> ClipData:
    """All that makes a clip again."""
    source = clip.source
    return ClipData(
        id=clip.id,
        path=str(source.path),
        facts=clip.facts,
        probe=asdict(source.probe),
        duration_s=source.duration_s,
        settings=source.settings.model_dump(mode="json"),
    )


@dataclass(slots=True)
class _Open:
    clip: Clip
    users: int = 0


class Clips:
    """The clips that are asked about: one object a clip, so that what was decoded for one question serves the next."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, _Open] = OrderedDict()

    @asynccontextmanager
    async def use(self, data: ClipData) -> AsyncIterator[Clip]:
        """The clip, for as long as a question about it is worked on."""
        key = data.model_dump_json()
        entry = self._entries.get(key)
        if entry is None:
            self._entries[key] = entry = _Open(_clip(data))
        self._entries.move_to_end(key)
        entry.users += 1
        try:
            yield entry.clip
        finally:
            entry.users -= 1
            idle = [key for key, one in self._entries.items() if not one.users]
            for old in idle[:-_KEPT]:
                await self._entries.pop(old).clip.close()


def _clip(data: ClipData) -> Clip:
    source = Source(
        Path(data.path),
        Probe(**data.probe),  # type: ignore[arg-type]  # as asdict gave it
        data.duration_s,
        MediaSettings.model_validate(data.settings),
    )
    return Clip(data.id, facts=data.facts, source=source)
