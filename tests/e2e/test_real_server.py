"""The whole pipeline against a server that nobody here wrote: llama.cpp with a model too small to reason.

Whatever it answers, the clip ends in a record or in a clear failure, and soon.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e.media_files import video
from e2e.workflow_files import detective_alone
from servers.llama import llama_server

from omnidetective.config import Config, load_config
from omnidetective.pipeline import Pipeline
from omnidetective.records import CaptionRecord, FailureRecord
from omnidetective.resources import resource_root
from omnidetective.rows import parse_row

pytestmark = pytest.mark.weights


@pytest.fixture
def llama() -> Iterator[str]:
    # One a test: a slot that hangs in a grammar would hold up the next.
    with llama_server() as base_url:
        yield base_url


def config_for(
    base_url: str, folder: Path, capabilities: dict[str, Any], settings: dict[str, Any], *, workflow: str = ""
) -> Config:
    file = folder / "set.yaml"
    model = {
        "provider": "openai",
        "dialect": "vllm",
        "base_url": base_url,
        "capabilities": capabilities,
        "parameters": {"temperature": 0.0, "max_tokens": 200},
    }
    content = {
        "name": "llama",
        "description": "a real server",
        "models": {"served": model},
        "roles": {"detective": "served", "omni_llm": "served"} if workflow else {"detective": "served"},
        "settings": {
            # Few, so that the list of them fits into the context of a very small model.
            "observers": {name: {"enabled": False} for name in ("asr", "colour", "faces", "metadata", "ocr", "sound")},
            # llama.cpp can take minutes over a token of a grammar: that is a time-out, and a clear failure.
            "retry": {"repairs": 1, "call_timeout_s": 45, "attempts": 1},
            **settings,
        },
    }
    file.write_text(yaml.safe_dump(content))
    return load_config(options={"models": str(file), "workflow": workflow or detective_alone(folder)}, environ={})


@pytest.mark.parametrize(
    "capabilities",
    [
        pytest.param({"tools": True, "json_schema": True}, marks=pytest.mark.integration),
        pytest.param({"tools": False, "json_schema": True}, marks=pytest.mark.integration),
        pytest.param({"tools": False, "json_schema": False, "json_object": True}, marks=pytest.mark.integration),
        {"tools": False, "json_schema": False, "json_object": False},
    ],
    ids=["functions", "json_schema", "json_object", "prompt alone"],
)
async def test_whatever_it_answers_the_clip_ends_well_or_clearly(
    llama: str, tmp_path: Path, capabilities: dict[str, Any]
) -> None:
    clip = video(tmp_path / "clip.mp4", seconds=2)
    config = config_for(llama, tmp_path, capabilities, {"investigate": {"inquiries": 2}})
    async with asyncio.timeout(200), Pipeline.from_config(config, base_dir=tmp_path) as pipeline:
        result = await pipeline.process(parse_row({"id": "clip", "video": clip.name}))
    assert result.usage is not None
    assert result.usage.calls > 0
    assert result.usage.prompt_tokens > 0
    if isinstance(result, CaptionRecord):
        assert result.caption.strip()
        assert any(observation.error is None for observation in result.observations or ())
        for event in result.events or ():
            assert event.start_s is None or 0 <= event.start_s < 2
    else:
        assert isinstance(result, FailureRecord)
        assert result.outcome in ("provider_error", "no_candidates")
        assert result.error.stage == "investigate"
        assert result.error.message
        assert result.error.reason != "internal"


@pytest.mark.integration
@pytest.mark.weights
async def test_the_whole_default_workflow_with_a_model_that_cannot_reason(llama: str, tmp_path: Path) -> None:
    """Every stage talks to a server that nobody here wrote, and what is proven wrong is not accepted."""
    stages = {name: {"max_tokens": 160} for name in ("annotate", "ensemble", "verify", "audit", "refine", "split")}
    stages["annotate"] |= {"annotators": {"subtitled": {"role": "omni_llm", "shows": ["transcript"]}}}
    config = config_for(
        llama,
        tmp_path,
        {"tools": False, "json_schema": False, "json_object": False},
        {**stages, "investigate": {"inquiries": 2}, "observers": {"ocr": {"enabled": False}}},
        workflow="omnidetective",
    )
    data = resource_root() / "data"
    async with asyncio.timeout(600), Pipeline.from_config(config, base_dir=data) as pipeline:
        result = await pipeline.process(parse_row({"id": "on-hold", "audio": "on_hold.mp3"}))
    if isinstance(result, FailureRecord):
        assert result.outcome in ("provider_error", "no_candidates", "refused")
        assert result.error.message
        return
    assert result.caption.strip()
    assert result.audit is not None
    assert result.transcript
    assert {"investigate", "annotate", "audit"} <= set(result.usage.by_stage)
    if result.quality.scores["errors"] > 0:
        assert result.outcome == "rejected", "what instruments prove wrong is never accepted"
