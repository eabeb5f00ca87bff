"""What was foreseen holds for what a server is really asked, by role."""

from __future__ import annotations

import itertools
import json
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import pytest
from e2e.media_files import tone, video
from PIL import Image
from planning.role_studio import KEY, Troubled, asked, cast_by_role, omnidetective, plays
from servers.faulty_openai import FaultyOpenAI, Seen

from omnidetective.config import load_config
from omnidetective.llm.token_estimate import audio_tokens, image_tokens, text_tokens
from omnidetective.planning.plan import Plan
from omnidetective.planning.planner import plan_run

WITHOUT_INSTRUMENTS = ("--set", "observers.ocr.enabled=false", "--set", "observers.asr.enabled=false")
CLIPS = {"short": ("film.mp4", 2.0), "segmented": ("film.mp4", 13.0), "sound": ("tone.wav", 2.0)}


def write_input(folder: Path, clip: str) -> None:
    name, seconds = CLIPS[clip]
    (video if name.endswith("mp4") else tone)(folder / name, seconds=seconds)
    (folder / "in.jsonl").write_text(json.dumps({"id": clip, "path": name}) + "\n")


def options(folder: Path, workflow: str) -> tuple[str, ...]:
    return (
        "--input", "in.jsonl", "--output", "out.jsonl", "--models", cast_by_role(folder), "--workflow", workflow,
        "--set", "segment.max_s=5", *WITHOUT_INSTRUMENTS,
    )  # fmt: skip


async def foreseen_for(arguments: tuple[str, ...], folder: Path, patch: pytest.MonkeyPatch, base_url: str) -> Plan:
    """What is foreseen of the run with these arguments."""
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    patch.setenv("STUDIO_API_KEY", KEY)
    patch.setenv("STUDIO_BASE_URL", base_url)
    overrides = [value for name, value in zip(arguments[::2], arguments[1::2], strict=True) if name == "--set"]
    config = load_config(
        overrides=overrides, options={"models": given["--models"], "workflow": given["--workflow"]}, environ={}
    )
    return await plan_run(config, folder / "in.jsonl")


@pytest.mark.parametrize(
    ("workflow", "clip"),
    [
        *itertools.product(("omnidetective", "omni-detective", "asid-verify", "avocado"), ("short", "segmented")),
        ("omnidetective", "sound"),
    ],
)
async def test_the_calls_of_every_role_lie_in_what_was_foreseen(
    workflow: str, clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_input(tmp_path, clip)
    arguments = options(tmp_path, workflow)
    async with FaultyOpenAI(plays) as server:
        foreseen = await foreseen_for(arguments, tmp_path, monkeypatch, server.base_url)
        assert server.calls == 0
        status, _, said = await omnidetective("run", *arguments, cwd=tmp_path, base_url=server.base_url)
    assert status == 0, said
    counts = asked(server)
    assert counts.total() >= 3
    assert counts.keys() <= foreseen.calls_by_role.keys()
    for role, calls in foreseen.calls_by_role.items():
        assert calls.low <= counts[role] <= calls.high <= calls.most, (role, counts)
    assert foreseen.total is not None
    assert foreseen.total.calls.low <= counts.total() <= foreseen.total.calls.high


async def test_with_repairs_and_findings_no_role_is_asked_more_often_than_the_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_input(tmp_path, "short")
    arguments = (*options(tmp_path, "omnidetective"), "--set", "gate.retry=1", "--set", "refine.reaudit=full")
    play = Troubled()
    async with FaultyOpenAI(play) as server:
        foreseen = await foreseen_for(arguments, tmp_path, monkeypatch, server.base_url)
        status, _, said = await omnidetective("run", *arguments, cwd=tmp_path, base_url=server.base_url)
    assert status == 0, said
    counts = asked(server)
    assert play.repaired >= 6
    assert counts["refiner"], "nothing was refined, so this test shows nothing"
    for role, calls in foreseen.calls_by_role.items():
        assert counts[role] <= calls.most, (role, counts, calls)
    assert counts["auditor"] > foreseen.calls_by_role["auditor"].low


async def test_what_annotators_are_shown_is_as_long_as_foreseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video(tmp_path / "film.mp4", seconds=7.0, size="640x360")
    (tmp_path / "in.jsonl").write_text(json.dumps({"id": "a", "video": "film.mp4"}) + "\n")
    arguments = (*options(tmp_path, "avocado"), "--set", "segment.max_s=60")
    async with FaultyOpenAI(plays) as server:
        plan = await foreseen_for(arguments, tmp_path, monkeypatch, server.base_url)
        status, _, said = await omnidetective("run", *arguments, cwd=tmp_path, base_url=server.base_url)
    assert status == 0, said
    foreseen = {call.role: call.prompt_tokens for call in plan.calls or ()}
    sent = {str(seen.body["model"]): seen for seen in server.seen}
    for role, seconds in (("frame_captioner", 0.0), ("audio_llm", 7.0)):
        tokens = prompt_tokens(sent[role], seconds)
        assert foreseen[role].low <= tokens <= foreseen[role].high, (role, tokens)


def prompt_tokens(seen: Seen, seconds: float) -> int:
    """The tokens of a request, from what came over the wire."""
    model = f"openai:{seen.body['model']}"
    total = audio_tokens(seconds, model=model) if seconds else 0
    for message in seen.body["messages"]:
        content = message["content"]
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if part["type"] == "text":
                total += text_tokens(part["text"])
            elif part["type"] == "image_url":
                with Image.open(BytesIO(b64decode(part["image_url"]["url"].split(",")[1]))) as image:
                    total += image_tokens(*image.size, model=model)
    return total
