"""What was foreseen holds for what a server is really asked, by role."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from e2e.media_files import tone, video
from planning.role_studio import Troubled, asked, cast_by_role, omnidetective, plays
from servers.faulty_openai import FaultyOpenAI

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


@pytest.mark.parametrize("workflow", ["omnidetective", "omni-detective", "asid-verify", "avocado"])
@pytest.mark.parametrize("clip", CLIPS)
async def test_the_calls_of_every_role_lie_in_what_was_foreseen(workflow: str, clip: str, tmp_path: Path) -> None:
    write_input(tmp_path, clip)
    arguments = options(tmp_path, workflow)
    async with FaultyOpenAI(plays) as server:
        status, printed, said = await omnidetective(
            "estimate", "--json", *arguments, cwd=tmp_path, base_url=server.base_url
        )
        assert status == 0, said
        assert server.calls == 0
        foreseen = json.loads(printed)
        status, _, said = await omnidetective("run", *arguments, cwd=tmp_path, base_url=server.base_url)
    assert status == 0, said
    counts = asked(server)
    assert counts.total() >= 2
    assert counts.keys() <= foreseen["calls_by_role"].keys()
    for role, calls in foreseen["calls_by_role"].items():
        assert calls["low"] <= counts[role] <= calls["high"] <= calls["most"], (role, counts)
    assert foreseen["total"]["calls"]["low"] <= counts.total() <= foreseen["total"]["calls"]["high"]


async def test_with_repairs_and_findings_no_role_is_asked_more_often_than_the_most(tmp_path: Path) -> None:
    write_input(tmp_path, "short")
    arguments = (*options(tmp_path, "omnidetective"), "--set", "gate.retry=1", "--set", "refine.reaudit=full")
    play = Troubled()
    async with FaultyOpenAI(play) as server:
        _, printed, said = await omnidetective("estimate", "--json", *arguments, cwd=tmp_path, base_url=server.base_url)
        foreseen = json.loads(printed)
        status, _, said = await omnidetective("run", *arguments, cwd=tmp_path, base_url=server.base_url)
    assert status == 0, said
    counts = asked(server)
    assert play.repaired >= 6
    assert counts["refiner"], "nothing was refined, so this test shows nothing"
    for role, calls in foreseen["calls_by_role"].items():
        assert counts[role] <= calls["most"], (role, counts, calls)
    assert counts["auditor"] > foreseen["calls_by_role"]["auditor"]["low"]
