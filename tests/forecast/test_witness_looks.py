"""What one question to a witness is foreseen to take holds for what the witness really shows its model."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from e2e.media_files import video

from omnidetective.config import load_config
from omnidetective.evidence import Span
from omnidetective.forecast.calls import Size
from omnidetective.forecast.ground import Ground
from omnidetective.forecast.investigation import witnesses
from omnidetective.llm.cast import Cast
from omnidetective.llm.scripted import ScriptedChat
from omnidetective.llm.token_estimate import estimate
from omnidetective.media.intake import open_clip
from omnidetective.observers.ask import ask
from omnidetective.observers.base import ObserverContext
from omnidetective.observers.registry import ToolBox
from omnidetective.prompts import PromptLibrary
from omnidetective.rows import parse_row

WITNESSES = ("audio_llm", "frame_captioner", "omni_llm", "video_llm")
SERVED = "Qwen/Qwen3-Omni-30B-A3B-Instruct"


@pytest.mark.parametrize(
    ("witness", "capabilities"),
    [*((witness, {}) for witness in WITNESSES), ("omni_llm", {"mixed_media": False, "video_sound": True})],
)
async def test_a_look_is_as_large_as_foreseen(witness: str, capabilities: dict[str, Any], tmp_path: Path) -> None:
    video(tmp_path / "film.mp4", seconds=12.0, size="640x360")
    (tmp_path / "set.yaml").write_text(
        f"""
name: mine
description: one model
models:
  served: {{provider: openai, dialect: vllm, model: {SERVED}, base_url: "http://127.0.0.1:9/v1",
           capabilities: {capabilities}}}
roles: {{detective: served, {witness}: served}}
"""
    )
    config = load_config(options={"models": str(tmp_path / "set.yaml")}, environ={})
    cast_ = Cast(config.model_set, config.settings.retry, environ={})
    ground = Ground.of(config, cast_)
    model = ScriptedChat(["Yes."] * 2, capabilities=cast_.chat(witness).capabilities)
    given = ObserverContext(
        cast("Any", SimpleNamespace(chat=lambda role: model)), config.model_set, PromptLibrary(), config.settings
    )
    observer = ToolBox(given).observers[witness]
    async with open_clip(parse_row({"video": "film.mp4"}), config.settings.media, base_dir=tmp_path) as clip:
        foreseen = witnesses(ground, clip.facts, clip.duration_s, stage="investigate", low=1, high=1, in_row=Size(1, 1))
        few, many = "What is shown there?", f"{'What is shown there? ' * 8}At 3.3 s, 8.1 s and from 9 to 11 s?"
        for question, span in ((few, Span(start_s=1.0, end_s=4.0)), (many, None)):
            answer = await ask(observer, clip, question, span, timeout_s=60)
            assert answer.error is None, answer.error
    await cast_.aclose()
    assert foreseen is not None
    short, whole = (estimate(request, model=f"vllm:{SERVED}").prompt_tokens for request in model.requests)
    # What is reserved for a film takes it for one with sound, even where that goes beside it: a little more.
    assert foreseen.prompt.low <= short <= whole <= foreseen.prompt.high * 1.02
    assert foreseen.prompt.low > 0.6 * short
    assert foreseen.prompt.high < 1.5 * whole
