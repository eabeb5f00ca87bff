"""Hosts of packages as a library sees them: real processes, asked from this one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from observers.batches import QUICK, left_behind, of, pictures
from observers.conftest import context
from observers.misbehaving import package
from PIL import Image
from servers.faulty_openai import FaultyOpenAI, Seen, says, unauthorized

from omnidetective.config import load_config
from omnidetective.errors import ObserverUnavailableError
from omnidetective.media.clip import Clip
from omnidetective.media.intake import open_clip
from omnidetective.observers.ask import ask
from omnidetective.observers.base import ObserverContext
from omnidetective.observers.registry import ToolBox
from omnidetective.pipeline import Pipeline
from omnidetective.records import Observation
from omnidetective.rows import parse_row

_CALLS = """
from omnidetective.llm.messages import ChatRequest, ImagePart, Message
from omnidetective.errors import AuthError
(frame,) = await clip.uniform_frames(1)
model = self.context.cast.chat("critic")
picture = ImagePart(data=frame.jpeg)
try:
    reply = await model.complete(ChatRequest(messages=(Message.of("user", picture, question),)))
except AuthError as error:
    return say(f"{type(error).__name__} {error.reason} {error.status}")
return say(f"{model.name} {model.capabilities.images}: {reply.text}")
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose packages are installed."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


@contextlib.asynccontextmanager
async def box(given: ObserverContext) -> AsyncIterator[ToolBox]:
    made = await asyncio.to_thread(ToolBox, given)
    try:
        yield made
    finally:
        await made.aclose()


@contextlib.asynccontextmanager
async def picture(folder: Path, name: str = "one") -> AsyncIterator[Clip]:
    path = folder / f"{name}.jpg"
    Image.new("RGB", (64, 48), (10, 90, 200)).save(path)
    async with open_clip(parse_row({"id": name, "path": str(path)}), context().settings.media, base_dir=folder) as clip:
        yield clip


async def put(tools: ToolBox, name: str, clip: Clip, *, timeout_s: float = 60) -> Observation:
    return await ask(tools.observers[name], clip, "What is there?", None, timeout_s=timeout_s)


async def until(true: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        await asyncio.sleep(0.05)


async def test_one_that_holds_too_much_is_replaced_and_answers_every_question(site: Path, tmp_path: Path) -> None:
    package(site, "leaky", "self.held.append(bytearray(os.urandom(1000)) * 150_000)\nreturn say(str(os.getpid()))")
    async with box(context("observers.leaky.memory_mb=250")) as tools, picture(tmp_path) as clip:
        answers = set()
        deadline = time.monotonic() + 90
        while len(answers) < 3:
            assert time.monotonic() < deadline
            observed = await put(tools, "leaky", clip)
            assert observed.error is None
            answers.add(observed.answer)
            await asyncio.sleep(0.3)


async def test_questions_beside_the_one_that_kills_the_process_are_answered(site: Path, tmp_path: Path) -> None:
    package(site, "picky", "await asyncio.sleep(0.5)\nif clip.id == 'bad': os._exit(9)\nreturn say(clip.id)")
    async with box(context()) as tools, picture(tmp_path, "bad") as bad, picture(tmp_path, "good") as good:
        answers = await asyncio.gather(*(put(tools, "picky", clip) for clip in (good, bad, good, good)))
    assert [answer.answer for answer in answers] == ["good", "", "good", "good"]
    assert answers[1].error is not None
    assert answers[1].error.reason == "plugin_died"
    assert "ended with status 9" in answers[1].error.message


async def test_one_whose_event_loop_stands_still_is_killed_and_started_again(site: Path, tmp_path: Path) -> None:
    package(site, "stiff", "if clip.id == 'bad': time.sleep(600)\nreturn say(str(os.getpid()))")
    async with box(context()) as tools, picture(tmp_path, "bad") as bad, picture(tmp_path, "good") as good:
        first = await put(tools, "stiff", good)
        late = await put(tools, "stiff", bad, timeout_s=0.5)
        assert late.error is not None
        assert late.error.reason == "observer_timeout"
        again = await put(tools, "stiff", good)
    assert again.error is None
    assert again.answer != first.answer


async def test_one_that_dies_again_and_again_is_not_started_for_ever(site: Path, tmp_path: Path) -> None:
    package(site, "frail", f"open({str(tmp_path / 'lives')!r}, 'a').write('x')\nos._exit(7)")
    async with box(context("guard.failures=0")) as tools, picture(tmp_path) as clip:
        messages = []
        for _ in range(7):
            observed = await put(tools, "frail", clip)
            assert observed.error is not None
            assert observed.error.reason == "plugin_died"
            messages.append(observed.error.message)
    assert "is not started again" in messages[-1]
    assert "ended with status 7" in messages[-1]
    assert len((tmp_path / "lives").read_text()) == 8


async def test_nothing_of_it_outlives_the_pipeline_not_even_what_hides(site: Path, tmp_path: Path) -> None:
    hidden = "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True)"
    package(site, "parent", at_import=hidden)
    config = load_config(overrides=[word for word in QUICK if word != "--set"], environ={})
    Image.new("RGB", (64, 48)).save(tmp_path / "one.jpg")
    async with Pipeline.from_config(config, base_dir=tmp_path) as pipeline:
        record = await pipeline.caption({"path": "one.jpg"})
        assert any(one.observer == "parent" and one.answer for one in record.observations)
        assert any("sleep 600" in one for one in left_behind(site))
    assert left_behind(site) == []


async def test_nothing_of_it_outlives_a_run_that_is_killed(tmp_path: Path) -> None:
    site = tmp_path / "site"
    package(site, "slow", f"open({str(tmp_path / 'asked')!r}, 'w')\nawait asyncio.sleep(600)")
    pictures(tmp_path, 2)
    root = Path(__file__).resolve().parents[2]
    running = subprocess.Popen(
        [sys.executable, "-m", "omnidetective", "run", "--input", "in.jsonl", "--output", "out.jsonl", *QUICK],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": f"{site}{os.pathsep}{root}"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await until((tmp_path / "asked").exists, "it was asked")
        assert any("observers.host" in one for one in left_behind(site))
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    await until(lambda: not left_behind(site), "all were gone")


async def test_a_built_in_can_build_on_a_package(site: Path, tmp_path: Path) -> None:
    package(site, "lamp")
    given = context("observers.lamp.word=dim", "observers.lamp.enabled=false")
    async with picture(tmp_path) as clip:
        observed = await ask(given.plugin("lamp"), clip, "How bright?", None, timeout_s=60)
    assert observed.answer.startswith("dim from ")
    with pytest.raises(ObserverUnavailableError) as missing:
        given.plugin("torch")
    assert missing.value.reason == "not_installed"
    assert missing.value.hint == "pip install omnidetective-torch"


async def test_calls_of_a_package_go_through_the_cast_of_the_clip(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(site, "caller", _CALLS)
    pictures(tmp_path, 1)
    monkeypatch.setenv("CRITIC_KEY", "k")

    def play(seen: Seen) -> Any:
        return says("a blue picture") if "image_url" in json.dumps(seen.body) else unauthorized()

    async with FaultyOpenAI(play) as server:
        models = {
            "name": "mixed",
            "description": "rules, and a critic",
            "models": {
                "rules": {"provider": "embedded", "model": "rules"},
                "critic": {
                    "provider": "openai",
                    "model": "test-model",
                    "base_url": server.base_url,
                    "api_key_env": "CRITIC_KEY",
                    "capabilities": {"images": True},
                },
            },
            "roles": {
                **dict.fromkeys(("detective", "integrator", "verifier", "auditor", "refiner", "judge"), "rules"),
                "critic": "critic",
            },
        }
        (tmp_path / "models.yaml").write_text(yaml.safe_dump(models))
        overrides = [f"models={tmp_path / 'models.yaml'}", f"cache.path={tmp_path / 'cache.sqlite'}"]
        config = load_config(overrides=overrides + [word for word in QUICK if word != "--set"], environ={})
        usages = []
        for _ in range(2):
            async with Pipeline.from_config(config, base_dir=tmp_path) as pipeline:
                record = await pipeline.caption({"image": "p0.jpg"})
            observed = of(json.loads(record.to_line()), "caller")
            assert observed["answer"] == "openai:test-model True: a blue picture"
            usages.append((record.usage.calls, record.usage.cached_calls, dict(record.usage.by_role)))
            assert observed["usage"]["calls"] + observed["usage"]["cached_calls"] == 1
        assert server.calls == 1
    assert [usage[:2] for usage in usages] == [(1, 0), (0, 1)]
    assert usages[0][2]["critic"].calls == 1


async def test_an_error_of_a_call_reaches_the_package_with_its_class(site: Path, tmp_path: Path) -> None:
    package(site, "caller", _CALLS)
    async with FaultyOpenAI([unauthorized()]) as server:
        models = {
            "name": "mixed",
            "description": "a critic",
            "models": {"critic": {"provider": "openai", "model": "test-model", "base_url": server.base_url,
                                  "capabilities": {"images": True}}},
            "roles": {"critic": "critic"},
        }  # fmt: skip
        (tmp_path / "models.yaml").write_text(yaml.safe_dump(models))
        given = context(f"models={tmp_path / 'models.yaml'}")
        async with box(given) as tools, picture(tmp_path) as clip:
            observed = await put(tools, "caller", clip)
        await given.cast.aclose()
    assert observed.answer == "AuthError invalid_key 401"
