"""A pipeline with an observer of one place on the machine: importable by worker processes."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any, cast

from detective.cases import Teller, make_case
from engine.fakes import record_of

from omnidetective.config import Config
from omnidetective.evidence import Span
from omnidetective.llm.permits import Permits
from omnidetective.media.clip import Clip
from omnidetective.observers.ask import ask
from omnidetective.observers.base import ObserverContext, ObserverSettings
from omnidetective.observers.guard import guarded
from omnidetective.prompts import PromptLibrary
from omnidetective.records import CaptionRecord, InputRow, Observation


class Lamp:
    """Says how many were at it at the same time, in all processes."""

    spec = Teller("lamp").spec

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        mark = self._folder / f"{os.getpid()}-{question}"
        mark.touch()
        (self._folder.parent / f"seen-{len(list(self._folder.iterdir()))}").touch()
        (self._folder.parent / f"by-{os.getpid()}").touch()
        await asyncio.sleep(0.05)
        if question == "die":
            mark.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        mark.unlink()
        return await Teller("lamp").observe(clip, question, span)


class LampPipeline:
    """Asks the lamp once a clip."""

    def __init__(self, config: Config, base_dir: Path) -> None:
        context = ObserverContext(cast("Any", None), config.model_set, PromptLibrary(), config.settings)
        self._lamp = guarded(cast("Any", Lamp(base_dir / "inside")), ObserverSettings(at_once=1), context)
        self._begun = base_dir

    async def process(self, row: InputRow) -> CaptionRecord:
        question = str(row.id)
        if row.raw.get("die") and not (self._begun / "died").exists():
            (self._begun / "died").touch()
            question = "die"
        answer = await ask(self._lamp, make_case().clip, question, None, timeout_s=60)
        assert answer.error is None, answer.error
        return record_of(row)

    async def aclose(self) -> None:
        pass


def lamps(config: Config, base_dir: Path, permits: Permits) -> LampPipeline:
    return LampPipeline(config, base_dir)
