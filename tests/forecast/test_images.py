"""What is foreseen for an image, its pages and tiles, is what a server is shown of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from e2e.test_images import plays
from forecast.test_truth import foreseen_for, options, prompt_tokens
from pictures import files
from PIL import Image
from planning.role_studio import omnidetective
from servers.faulty_openai import FaultyOpenAI


@pytest.mark.parametrize(("name", "tiles"), [("scan.png", 4), ("scan.png", 0), ("paper.tiff", 2), ("small.png", 4)])
async def test_an_image_is_as_dear_as_foreseen(
    name: str, tiles: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "paper.tiff":
        files.tiff(tmp_path / name, [Image.new("RGB", (1000, 1400), colour) for colour in ("red", "lime", "blue")])
    else:
        Image.new("RGB", (1240, 1754) if name == "scan.png" else (320, 200), "white").save(tmp_path / name)
    (tmp_path / "in.jsonl").write_text(json.dumps({"id": "a", "image": name}) + "\n")
    arguments = (*options(tmp_path, "avocado"), "--set", f"annotate.tiles={tiles}")
    async with FaultyOpenAI(plays) as server:
        plan = await foreseen_for(arguments, tmp_path, monkeypatch, server.base_url)
        status, _, told = await omnidetective("run", *arguments, cwd=tmp_path, base_url=server.base_url)
    assert status == 0, told
    foreseen = {call.role: call.prompt_tokens for call in plan.calls or ()}
    assert "audio_llm" not in foreseen
    (seen,) = [one for one in server.seen if one.body["model"] == "frame_captioner"]
    tokens = prompt_tokens(seen, 0.0)
    assert foreseen["frame_captioner"].low <= tokens <= foreseen["frame_captioner"].high, tokens
