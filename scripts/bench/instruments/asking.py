"""Putting a question to an instrument about a file, and what the answer cost."""

from __future__ import annotations

import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from omnidetective.config import Config, load_config
from omnidetective.evidence import Evidence
from omnidetective.llm.cast import Cast
from omnidetective.media.intake import open_clip
from omnidetective.observers.ask import ask
from omnidetective.observers.base import ObserverContext
from omnidetective.observers.registry import ToolBox
from omnidetective.prompts import PromptLibrary
from omnidetective.rows import parse_row

QUESTION = "What can be observed, in detail and in order of time?"

E = TypeVar("E")


class NotMeasuredError(Exception):
    """An instrument gave no answer; the message is what the table says in place of a result."""


@dataclass(slots=True)
class Work:
    """Processor time that an instrument took, and how much clip it was for."""

    processor_s: float = 0.0
    clip_s: float = 0.0

    @property
    def share(self) -> float | None:
        """Seconds of one processor for a second of clip; ``None`` where nothing has a length."""
        return self.processor_s / self.clip_s if self.clip_s else None


class Bench:
    """The tool box of the embedded cast, asked one question at a time; each clip is opened anew for each."""

    def __init__(self, config: Config, cast: Cast) -> None:
        self._config = config
        self._box = ToolBox(ObserverContext(cast, config.model_set, PromptLibrary(), config.settings))
        self.work: dict[str, Work] = {}

    @classmethod
    @asynccontextmanager
    async def opened(cls) -> AsyncIterator[Self]:
        config = load_config(environ={})
        cast = Cast(config.model_set, config.settings.retry, environ={})
        bench = cls(config, cast)
        try:
            yield bench
        finally:
            await bench._box.aclose()
            await cast.aclose()

    async def ask(self, name: str, path: Path, kind: type[E]) -> E:
        """What the observer ``name`` finds in a file.

        Raises:
            NotMeasuredError: there is no such observer, it cannot work here, or it gave no answer of this kind.
        """
        if name not in self.work:
            # The first question pays for loading: it is put twice, and the first answer is not counted.
            await self._put(name, path)
            self.work[name] = Work()
        data, duration_s, processor_s = await self._put(name, path)
        if not isinstance(data, kind):
            raise NotMeasuredError(f"it answered with {type(data).__name__} and not with {kind.__name__}")
        if duration_s:
            self.work[name].clip_s += duration_s
            self.work[name].processor_s += processor_s
        return data

    async def _put(self, name: str, path: Path) -> tuple[Evidence | None, float, float]:
        if name not in self._box.observers:
            why = self._box.unavailable.get(name)
            raise NotMeasuredError("no such observer here" if why is None else f"not available: {why.message}")
        settings = self._config.settings
        async with open_clip(parse_row({"path": str(path)}), settings.media, base_dir=path.parent) as clip:
            before_s = _processor_s()
            answer = await ask(
                self._box.observers[name], clip, QUESTION, None, timeout_s=settings.investigate.observer_timeout_s
            )
            taken_s = _processor_s() - before_s
            if answer.error is not None:
                raise NotMeasuredError(f"no answer about {path.name}: {answer.error.message}")
            return answer.data, clip.duration_s, taken_s


def _processor_s() -> float:
    """Processor time of this process and of those that it has started and seen end."""
    used: list[Any] = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return float(sum(usage.ru_utime + usage.ru_stime for usage in used))
