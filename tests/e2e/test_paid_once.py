"""No call is paid twice: a run that is killed inside a clip repeats none that had ended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
from e2e.media_files import video
from e2e.test_model_sets import studio
from servers.faulty_openai import Behaviour, FaultyOpenAI, Seen, hangs

KEY = "sk-canary-0ca5e0ca5e"


def asked(seen: Seen) -> str:
    return json.dumps([seen.path, seen.body.get("messages"), seen.body.get("tools")], sort_keys=True)


async def begin(folder: Path, base_url: str, *more: str) -> asyncio.subprocess.Process:
    env = {k: v for k, v in os.environ.items() if not k.endswith(("_API_KEY", "_BASE_URL"))}
    env |= {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": base_url}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "omnidetective",
        "run", "--input", "in.jsonl", "--output", "out.jsonl", "--models", "openai",
        "--set", "observers.ocr.enabled=false", "--set", "observers.asr.enabled=false", *more,
        cwd=folder, env=env, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


async def test_a_run_that_is_killed_inside_a_clip_repeats_no_call_that_had_ended(tmp_path: Path) -> None:
    video(tmp_path / "film.mp4")
    (tmp_path / "in.jsonl").write_text('{"id": "film", "video": "film.mp4"}\n')
    hanging = asyncio.Event()
    answered: Counter[str] = Counter()

    def play(seen: Seen) -> Behaviour:
        if "You take captions apart" in json.dumps(seen.body.get("messages")) and not hanging.is_set():
            hanging.set()
            return hangs(60)
        answered[asked(seen)] += 1
        return studio(seen)

    async with FaultyOpenAI(play) as server:
        process = await begin(tmp_path, server.base_url)
        await asyncio.wait_for(hanging.wait(), 60)
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        early = sum(answered.values())
        assert early >= 8, "the clip was killed late"
        process = await begin(tmp_path, server.base_url)
        _, told = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, told.decode()
    assert max(answered.values()) == 1, "a call was paid twice"
    (record,) = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert record["outcome"] == "accepted"
    assert record["usage"]["cached_calls"] == early
    assert record["usage"]["calls"] == sum(answered.values()) - early
    assert KEY.encode() not in (tmp_path / "out.cache.sqlite").read_bytes()


@pytest.mark.integration
async def test_without_the_cache_every_call_is_made_again(tmp_path: Path) -> None:
    video(tmp_path / "film.mp4")
    (tmp_path / "in.jsonl").write_text('{"id": "film", "video": "film.mp4"}\n')
    counts: list[int] = []
    async with FaultyOpenAI(studio) as server:
        for _ in range(2):
            process = await begin(tmp_path, server.base_url, "--set", "cache.enabled=false", "--no-resume")
            _, told = await asyncio.wait_for(process.communicate(), 120)
            assert process.returncode == 0, told.decode()
            counts.append(server.calls)
    assert counts[1] == 2 * counts[0]
    assert not list(tmp_path.glob("*.cache.sqlite*"))
