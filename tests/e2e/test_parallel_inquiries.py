"""Ten inquiries in a few turns: a detective that asks several questions at once waits for its model less often."""

from __future__ import annotations

import asyncio
import json
import wave
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from servers.faulty_openai import Behaviour, FaultyOpenAI, Seen, says, tool_call

from omnidetective.config import load_config
from omnidetective.pipeline import Pipeline
from omnidetective.records import CaptionRecord

INQUIRIES = 10
ATTRIBUTES = ["scene", "characters", "actions", "narrative", "speech", "emotions"]
CAPTION = "A bell rings twice in a small room, a man laughs, and then a door is shut with a loud bang."


class Scripted:
    """A detective that asks ``at_once`` questions a turn, and a witness that answers when all of a turn are there."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._waiting: list[asyncio.Event] = []
        self._expected = 0
        self.turns = 0

    def __call__(self, seen: Seen) -> Behaviour:
        return self._detective(seen) if seen.body["model"] == "detective" else self._witness(seen)

    def _detective(self, seen: Seen) -> Behaviour:
        self.turns += 1
        asked = sum(message["role"] == "tool" for message in seen.body["messages"])
        if asked == INQUIRIES:
            return tool_call("conclude", {"caption": CAPTION})
        numbers = range(asked, min(asked + self._at_once, INQUIRIES))
        self._expected = len(numbers)
        calls = [
            {"observer": "audio_llm", "question": f"What is sound number {n}?", "attributes": ATTRIBUTES}
            for n in numbers
        ]
        return says(None, tool_calls=[("inquire", json.dumps(call)) for call in calls], finish_reason="tool_calls")

    def _witness(self, seen: Seen) -> Behaviour:
        question = seen.body["messages"][-1]["content"][-1]["text"]
        here = asyncio.Event()
        self._waiting.append(here)
        if len(self._waiting) == self._expected:
            for other in self._waiting:
                other.set()
            self._waiting = []

        async def play(request: web.Request, seen: Seen) -> web.StreamResponse:
            await here.wait()
            return await says(f"The answer to: {question}")(request, seen)

        return play


async def investigated(folder: Path, script: Scripted) -> CaptionRecord:
    with wave.open(str(folder / "bell.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 16_000, "NONE", ""))
        file.writeframes(bytes(32_000))
    async with FaultyOpenAI(script) as server:
        spec: dict[str, Any] = {"provider": "openai", "base_url": server.base_url}
        models = {
            "name": "two",
            "description": "",
            "models": {
                "detective": {**spec, "model": "detective"},
                "witness": {**spec, "model": "witness", "capabilities": {"audio": True}},
            },
            "roles": {"detective": "detective", "audio_llm": "witness"},
        }
        (folder / "models.yaml").write_text(json.dumps(models))
        overrides = [f"models={folder}/models.yaml", "workflow=omni-detective"]
        overrides += [f"observers.{name}.enabled=false" for name in ("asr", "sound", "ocr", "shots")]
        async with Pipeline.from_config(load_config(overrides=overrides, environ={}), base_dir=folder) as pipeline:
            return await asyncio.wait_for(pipeline.caption({"audio": "bell.wav"}), 60)


@pytest.mark.parametrize(("at_once", "turns"), [(1, 11), (4, 4)], ids=["one by one", "four at once"])
async def test_the_same_inquiries_in_fewer_turns(tmp_path: Path, at_once: int, turns: int) -> None:
    script = Scripted(at_once)
    record = await investigated(tmp_path, script)
    assert script.turns == turns
    assert [(o.question, o.answer) for o in record.observations or ()] == [
        (f"What is sound number {n}?", f"The answer to: What is sound number {n}?") for n in range(INQUIRIES)
    ]
    assert record.caption == CAPTION
