"""The engine on a Ray cluster of several nodes, all of them processes of this machine, some of which die."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from e2e.media_files import video
from e2e.test_model_sets import studio
from engine.harness import SEARCH_PATH, Folder, Start, until
from engine.test_limits import A_CALL, model_set, priced
from servers.faulty_openai import Behaviour, FaultyOpenAI, Seen, says

import omnidetective

pytest.importorskip("ray")
pytestmark = pytest.mark.integration

KEY = "sk-canary-5e7a11feed"


class Nodes:
    """A cluster: a head without CPUs, and nodes with so many CPUs each."""

    def __init__(self, *cpus: int) -> None:
        env = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        # Only on loopback, so without a token; the runs that join it must see the same.
        self.env = {"RAY_AUTH_MODE": "disabled", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
        # A short path: there are sockets in it.
        self.logs = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "engine.ray_nodes", str(self.logs), *map(str, cpus)],
            env={**env, **self.env, "PYTHONPATH": SEARCH_PATH},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.address = self._said()

    def tell(self, order: str) -> None:
        assert self._process.stdin is not None
        print(order, file=self._process.stdin, flush=True)
        assert self._said() == "done"

    def end(self) -> None:
        self._process.communicate(timeout=60)
        shutil.rmtree(self.logs, ignore_errors=True)

    def _said(self) -> str:
        assert self._process.stdout is not None
        while line := self._process.stdout.readline():
            if line.startswith(("done", "127.0.0.1:")):
                return line.strip()
        raise AssertionError("the cluster has ended")


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    cluster = Nodes(2, 2)
    for name, value in cluster.env.items():
        monkeypatch.setenv(name, value)
    yield cluster
    cluster.end()


def on(nodes: Nodes, *more: str) -> tuple[str, ...]:
    return "--engine", "ray", "--ray-address", nodes.address, "--log-file", "log", *more


def begun(marks: Path, count: int) -> bool:
    return marks.exists() and marks.stat().st_size >= count


def test_a_node_is_killed_in_the_middle_and_nothing_is_lost(folder: Folder, start: Start, nodes: Nodes) -> None:
    marks = folder.path / "begun"
    rows: list[dict[str, Any]] = [
        {"id": n, "do": "fail" if n % 10 == 3 else "sleep", "seconds": 0.3, "mark": str(marks)} for n in range(60)
    ]
    folder.rows(rows)
    workers = ("--num-workers", "4", "--concurrency", "2")
    process = start(*on(nodes, *workers))
    until(lambda: begun(marks, 12), seconds=90)
    nodes.tell("kill 0")
    out, said = process.communicate(timeout=240)
    assert process.returncode == 1, said
    assert out == ""
    assert "is replaced" in said
    assert "Traceback" not in said
    assert "raylet" not in said
    lines = sorted(folder.output.read_bytes().splitlines())
    failures = folder.failures()
    # What was in flight on the node was done again, and nothing else.
    assert 60 < marks.stat().st_size <= 60 + 4 * 2
    local = start("--no-resume", "--concurrency", "16")
    local.communicate(timeout=60)
    assert sorted(folder.output.read_bytes().splitlines()) == lines
    assert folder.failures() == failures


def test_signals_kills_and_resuming(folder: Folder, start: Start, nodes: Nodes) -> None:
    marks = folder.path / "begun"
    rows = [{"id": n, "do": "sleep", "seconds": 1.0, "mark": str(marks)} for n in range(40)]
    folder.rows(rows)
    workers = ("--num-workers", "2", "--concurrency", "2")

    # The first signal lets the clips in flight finish.
    process = start(*on(nodes, *workers))
    until(lambda: begun(marks, 2), seconds=90)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    drained = len(folder.ids())
    assert drained == marks.stat().st_size

    # The second one stops at once, and no actor goes on.
    process = start(*on(nodes, *workers))
    until(lambda: begun(marks, drained + 2), seconds=90)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert "Traceback" not in said

    # Nor does one whose driver was killed.
    until(lambda: not (folder.path / "out.lock").exists())
    stopped = marks.stat().st_size
    process = start(*on(nodes, *workers))
    until(lambda: begun(marks, stopped + 2), seconds=90)
    process.kill()
    process.wait(10)
    time.sleep(3)
    killed = marks.stat().st_size
    time.sleep(2)
    assert marks.stat().st_size == killed

    final = start(*on(nodes, *workers))
    _, said = final.communicate(timeout=120)
    assert final.returncode == 0, said
    assert sorted(folder.ids(), key=int) == [str(n) for n in range(40)]


def test_more_actors_than_there_is_room_for(folder: Folder, start: Start, nodes: Nodes) -> None:
    """Those that find a place do the work, and a node that comes later makes room for others."""
    marks = folder.path / "begun"
    folder.rows({"id": n, "do": "sleep", "seconds": 0.2, "mark": str(marks)} for n in range(60))
    process = start(*on(nodes, "--num-workers", "9", "--concurrency", "1"))
    until(lambda: begun(marks, 4), seconds=90)
    nodes.tell("add 1")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert len(folder.ids()) == 60


def test_a_stuck_actor_is_killed_and_one_that_cannot_start_is_an_error(
    folder: Folder, start: Start, nodes: Nodes
) -> None:
    neighbours = [{"id": n, "do": "sleep", "seconds": 0.1} for n in range(3)]
    folder.rows([*neighbours, {"id": "stuck", "do": "block", "seconds": 300}, {"id": "later"}])
    script = (
        "import omnidetective, omnidetective.engine.run as run, engine.fakes as fakes, sys;"
        "run.default_pipeline = getattr(fakes, sys.argv.pop(1));"
        "omnidetective.__version__ = sys.argv.pop(1);"
        "run.GRACE_S = 0.5; run.run_batch.__kwdefaults__['grace_s'] = 0.5;"
        "from omnidetective.cli.main import main; main()"
    )

    def run(factory: str, version: str, *more: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-c", script, factory, version, "run", "--input", "in.jsonl", "--output", "out.jsonl",
             *on(nodes, *more)],
            cwd=folder.path, env={**os.environ, "PYTHONPATH": SEARCH_PATH}, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        return done.returncode, done.stderr

    here = omnidetective.__version__
    status, said = run("create", "99.0", "--num-workers", "2")
    assert (status, f"has omnidetective {here}, and this is 99.0" in said) == (2, True), said
    status, said = run("refuse", here, "--num-workers", "2")
    assert (status, "no such stage: dance" in said) == (2, True), said
    status, said = run("die_at_start", here)
    assert (status, "in a row died before they did anything" in said) == (1, True), said
    assert folder.ids() == []
    status, said = run("create", here, "--set", "limits.clip_timeout_s=0.5")
    assert status == 1, said
    assert sorted(folder.ids()) == ["0", "1", "2", "later"]
    assert folder.reasons() == {"stuck": "worker_stuck"}


async def test_real_clips_are_as_from_the_local_engine_and_the_key_is_kept_nowhere(
    tmp_path: Path, nodes: Nodes
) -> None:
    video(tmp_path / "film.mp4")
    clips = "".join(json.dumps({"id": n, "video": "film.mp4"}) + "\n" for n in range(2))
    (tmp_path / "in.jsonl").write_text(clips)

    async def run(output: str, *more: str) -> list[dict[str, Any]]:
        env = {k: v for k, v in os.environ.items() if not k.endswith(("_API_KEY", "_BASE_URL"))}
        env |= {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.base_url, "PYTHONPATH": SEARCH_PATH}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "omnidetective",
            "run", "--input", "in.jsonl", "--output", output, "--models", "openai",
            "--set", "observers.ocr.enabled=false", "--set", "observers.asr.enabled=false", *more,
            cwd=tmp_path, env=env, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, told = await asyncio.wait_for(process.communicate(), 200)
        assert process.returncode == 0, told.decode()
        records = [json.loads(line) for line in (tmp_path / output).read_text().splitlines()]
        return [without_times(record) for record in sorted(records, key=lambda record: record["id"])]

    async with FaultyOpenAI(studio) as server:
        local = await run("local.jsonl", "--set", "cache.enabled=false")
        ray = await run(
            "ray.jsonl", *on(nodes, "--num-workers", "2", "--concurrency", "1"), "--set", "cache.enabled=false"
        )
    assert ray == local
    assert KEY not in (tmp_path / "log").read_text()
    # Ray's own logs of this cluster, of every process on every node.
    logs = [path for path in nodes.logs.rglob("*") if path.is_file()]
    assert len(logs) > 10
    for path in logs:
        assert KEY.encode() not in path.read_bytes(), path


async def test_limits_and_money_hold_over_actors(folder: Folder, nodes: Nodes) -> None:
    at_once, most, connections = 0, 0, set[object]()

    def play(seen: Seen) -> Behaviour:
        async def answer(request: web.Request, seen: Seen) -> web.StreamResponse:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            assert request.transport is not None
            connections.add(request.transport.get_extra_info("peername"))
            await asyncio.sleep(0.02)
            at_once -= 1
            return await says("yes")(request, seen)

        return answer

    folder.rows({"id": n, "calls": 4} for n in range(40))
    async with FaultyOpenAI(play) as server:
        settings = (priced(folder), model_set(folder, server.base_url), "limits.models.openai:m-1.*.concurrency=3")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c",
            "import omnidetective.engine.run as run, engine.fakes as fakes; run.default_pipeline = fakes.calling;"
            "from omnidetective.cli.main import main; main()",
            "run", "--input", "in.jsonl", "--output", "out.jsonl", "--max-cost", "1",
            *(word for setting in settings for word in ("--set", setting)),
            *on(nodes, "--num-workers", "2", "--concurrency", "8"),
            cwd=folder.path, env={**os.environ, "PYTHONPATH": SEARCH_PATH}, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, told = await asyncio.wait_for(process.communicate(), 120)
        calls = server.calls
    assert process.returncode == 3, told.decode()
    assert most == 3
    assert len(connections) > 3, "one actor did it all"
    assert 1 - 2 * A_CALL < calls * A_CALL <= 1
    assert 0 < len(folder.ids()) < 40
    assert not folder.failures_file.exists()


def without_times(value: Any) -> Any:
    """A record without what differs from run to run: when things were done, and how long they took."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in ("seconds", "started_at", "stages")}
    return [without_times(item) for item in value] if isinstance(value, list) else value
