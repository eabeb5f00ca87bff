"""The engine on Ray: refusals that need no Ray, and one run on a Ray of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from engine import fakes
from engine.harness import MARK, SEARCH_PATH, Folder, Start, configured, marked, until

from omnidetective.config import load_config
from omnidetective.engine.ray_actor import Parcel, WorkerActor, cache_of_node, named_variables
from omnidetective.engine.wire import Finished, LogLine, PipelineFactory, Ready, StartFailed, WorkerSetup
from omnidetective.errors import ConfigError
from omnidetective.records import InputRow

pytest.importorskip("ray")


def parcel(folder: Path, factory: PipelineFactory = fakes.create, **more: object) -> Parcel:
    setup = WorkerSetup(
        config=configured(),
        base_dir=folder,
        factory=factory,
        clip_timeout_s=5,
        log_level=logging.INFO,
        parent_pid=os.getpid(),
    )
    return Parcel(**{"setup": setup, "environ": {}, "cwd": Path.cwd(), "cache_on_node": False, **more})  # type: ignore[arg-type]


@pytest.fixture
def own_process_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An actor settles down in its process: here that is the one of the tests."""
    monkeypatch.chdir(Path.cwd())
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(logging.getLogger(), "level", logging.WARNING)
    monkeypatch.setattr(logging.getLogger("omnidetective"), "level", logging.NOTSET)


@pytest.mark.usefixtures("own_process_again")
async def test_an_actor_answers_for_every_clip_and_tells_what_it_logs(tmp_path: Path) -> None:
    actor = WorkerActor()
    assert isinstance(await actor.start(parcel(tmp_path)), Ready)
    listening = asyncio.create_task(actor.listen())
    rows = [InputRow(id=what, media="v", raw={"do": what}) for what in ("good", "raise", "cancel", "sys_exit", "log")]
    ended = await asyncio.gather(*(actor.work(row) for row in rows))
    assert [(clip.id, clip.outcome) for clip in ended] == [
        ("good", "accepted"),
        ("raise", "internal"),
        ("cancel", "internal"),
        ("sys_exit", "internal"),
        ("log", "accepted"),
    ]
    assert all(isinstance(clip, Finished) for clip in ended)
    said = [*await listening, *await actor.finish()]
    assert {line.clip for line in said if isinstance(line, LogLine)} == {"raise", "cancel", "sys_exit", "log"}


@pytest.mark.usefixtures("own_process_again")
async def test_an_actor_says_why_it_cannot_start(tmp_path: Path) -> None:
    answer = await WorkerActor().start(parcel(tmp_path, fakes.refuse))
    assert isinstance(answer, StartFailed)
    assert (answer.message, answer.by_user) == ("no such stage: dance", True)


@pytest.mark.usefixtures("own_process_again")
async def test_an_actor_has_the_drivers_keys_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://of-the-node")
    monkeypatch.setenv("OPENAI_API_KEY", "of the node")
    model_set = load_config(options={"models": "openai"}, environ={}).model_set
    environ = named_variables(model_set, {"OPENAI_API_KEY": "sk-canary", "PATH": "/mine", "OTHER_API_KEY": "secret"})
    assert environ == {"OPENAI_API_KEY": "sk-canary", "OPENAI_BASE_URL": None}
    given = parcel(tmp_path, environ=environ)
    assert "canary" not in repr(given)
    assert isinstance(await WorkerActor().start(given), Ready)
    assert os.environ["OPENAI_API_KEY"] == "sk-canary"
    assert "OPENAI_BASE_URL" not in os.environ


def test_the_cache_of_a_node_is_one_for_each_output_and_for_one_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    one, again, other = (
        cache_of_node(Path(p)) for p in ("/a/out.cache.sqlite", "/a/out.cache.sqlite", "/b/out.cache.sqlite")
    )
    assert one == again != other
    assert one.parent.stat().st_mode & 0o777 == 0o700
    one.parent.rmdir()
    one.parent.symlink_to(tmp_path)
    with pytest.raises(ConfigError, match="belongs to somebody else"):
        cache_of_node(Path("/a/out.cache.sqlite"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--ray-address", "127.0.0.1:1"], "--ray-address goes with --engine ray"),
        (["--engine", "ray", "--ray-address", "ray://127.0.0.1:10001"], "takes host:port of the cluster's head"),
        (["--engine", "ray", "--ray-address", "nonsense"], "takes host:port of the cluster's head"),
        (["--engine", "rays"], "'rays' is not one of 'local', 'ray'"),
    ],
)
def test_what_cannot_be(folder: Folder, start: Start, options: list[str], said: str) -> None:
    folder.rows([{"id": 1}])
    process = start(*options)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 2, told
    assert said in told
    assert "Traceback" not in told


def test_a_cluster_that_does_not_answer_is_an_error_at_once(folder: Folder, start: Start) -> None:
    folder.rows([{"id": 1}])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        process = start("--engine", "ray", "--ray-address", f"127.0.0.1:{free.getsockname()[1]}")
        _, told = process.communicate(timeout=60)
    assert process.returncode == 2, told
    assert "no Ray cluster answers at 127.0.0.1" in told


def test_without_ray_it_is_said_how_to_install_it(folder: Folder) -> None:
    folder.rows([{"id": 1}])
    # A module that is None cannot be imported.
    script = "import sys; sys.modules['ray'] = None; from omnidetective.cli.main import main; main()"
    command = [sys.executable, "-c", script, "run", "--engine", "ray", "--input", "in.jsonl", "--output", "out.jsonl"]
    done = subprocess.run(command, cwd=folder.path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert "pip install 'omnidetective[ray]'" in done.stderr


def test_records_do_not_tell_which_engine_made_them() -> None:
    local = load_config(environ={})
    ray = load_config(environ={}, options={"engine": "ray", "ray.address": "10.0.0.1:6379", "num_workers": 50})
    assert ray.sha == local.sha


@pytest.mark.integration
def test_a_run_on_a_ray_of_its_own(folder: Folder, start: Start) -> None:
    """Every clip once, a poison one given up, the lines of the local engine, and nothing of Ray on the terminal."""
    begun = folder.path / "begun"
    rows: list[dict[str, object]] = [{"id": n, "mine": {"n": n}} for n in range(20)]
    rows[4:4] = [
        {"id": "poison", "do": "kill", "mark": str(begun)},
        {"id": "loud", "do": "log"},
        {"id": "bad", "do": "fail"},
    ]
    folder.rows(rows)
    local = start("--concurrency", "3")
    local.communicate(timeout=60)
    expected, failed = sorted(folder.output.read_bytes().splitlines()), folder.reasons()
    begun.unlink()
    ray = ("--no-resume", "--engine", "ray", "--num-workers", "2", "--concurrency", "3", "--log-file", "log")
    mark = uuid.uuid4().hex
    process = start(*ray, mark=mark)
    out, said = process.communicate(timeout=120)
    assert process.returncode == 1, said
    assert sorted(folder.output.read_bytes().splitlines()) == expected
    assert folder.reasons() == failed == {"poison": "worker_died", "bad": "transient"}
    assert begun.read_bytes() == b"xx"
    assert out == ""
    assert "raylet" not in said
    assert r"warning: [loud] from a thread: esc \x1b[31m" in said
    logged = [json.loads(text) for text in (folder.path / "log").read_text().splitlines()]
    assert any(entry.get("clip") == "loud" and entry["logger"] == "omnidetective.tests" for entry in logged)
    until(lambda: not marked(mark))


@pytest.mark.integration
@pytest.mark.parametrize(
    ("factory", "said"),
    [
        ("create", ("1 clips done", "1 without a record: 1 transient", "try them again: ")),
        ("refuse", ("error: no such stage: dance",)),
    ],
)
def test_everything_is_told_before_ray_is_left(folder: Folder, factory: str, said: tuple[str, ...]) -> None:
    """Ray's core crashes now and then when it is left; here it always does."""
    folder.rows([{"id": 1}, {"id": 2, "do": "fail"}])
    script = (
        "import functools, importlib, os, signal, sys, omnidetective.engine.run as run, engine.fakes as fakes\n"
        "import omnidetective.engine.ray_cluster as cluster\n"
        "from omnidetective.cli.main import main\n"
        "def crashing():\n"
        "    ray = importlib.import_module('ray')\n"
        "    ray.shutdown = functools.partial(os.kill, os.getpid(), signal.SIGSEGV)\n"
        "    return ray\n"
        "cluster._import = crashing\n"
        "run.default_pipeline = getattr(fakes, sys.argv.pop(1))\n"
        "main()\n"
    )
    mark = uuid.uuid4().hex
    done = subprocess.run(
        [sys.executable, "-c", script, factory,
         "run", "--engine", "ray", "--input", "in.jsonl", "--output", "out.jsonl"],
        cwd=folder.path, env={**os.environ, "PYTHONPATH": SEARCH_PATH, MARK: mark}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGSEGV, "it was not left at all"
    for left in marked(mark):  # What Ray starts does not always end when its core has crashed.
        with contextlib.suppress(ProcessLookupError):
            os.kill(left, signal.SIGKILL)
    for words in said:
        assert words in done.stderr


@pytest.mark.integration
def test_ctrl_c_again_and_again_leaves_nothing_of_ray_running(folder: Folder, start: Start) -> None:
    begun, mark = folder.path / "begun", uuid.uuid4().hex
    folder.rows({"id": n, "do": "sleep", "seconds": 30, "mark": str(begun)} for n in range(4))
    process = start("--engine", "ray", mark=mark)
    until(begun.exists, seconds=90)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "interrupted" in said
    assert "Traceback" not in said
    until(lambda: not marked(mark))
