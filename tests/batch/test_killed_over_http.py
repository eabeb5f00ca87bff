"""The law of money and of results: killed at any moment and resumed is the same as never killed, and no call that had
ended is made again. The real command, the real pipeline, real signals, over HTTP to a server that counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from batch.album import call_key, make_album, models_file, play
from engine.harness import MARK, marked
from servers.faulty_openai import Behaviour, FaultyOpenAI, Seen

WORKERS, CONCURRENCY = 2, 6
LATENCY_S = 0.05
BUSY_S = 0.5
"""On a busy machine a reply is read, and a request is seen by the server, up to so long after it was sent."""


@dataclass
class Counted:
    """What the server was asked, and when."""

    times: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def script(self, seen: Seen) -> Behaviour:
        answer = play(seen)

        async def counted(request: web.Request, seen: Seen) -> web.StreamResponse:
            begun = time.monotonic()
            await asyncio.sleep(LATENCY_S)
            self.times[call_key(seen)].append((begun, time.monotonic()))
            return await answer(request, seen)

        return counted

    def repeated_without_need(self, kills: list[float]) -> dict[str, list[tuple[float, float]]]:
        """Calls made again although no kill came upon them: none may be."""
        return {
            key: calls
            for key, calls in self.times.items()
            for begun, ended in calls[:-1]
            if not any(begun - BUSY_S <= kill <= ended + BUSY_S for kill in kills)
        }


async def begin(folder: Path, *more: str, mark: str = "") -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "omnidetective", "run", "--input", "in.jsonl", "--output", "out.jsonl",
        "--models", "album.yaml", "--num-workers", str(WORKERS), "--concurrency", str(CONCURRENCY), *more,
        cwd=folder, env={**os.environ, MARK: mark}, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


async def killed(folder: Path, victim: str, chance: random.Random) -> tuple[float | None, str]:
    """Begin or go on, and kill at a random moment; when that was, or ``None`` where the run had ended before."""
    mark = uuid.uuid4().hex
    process = await begin(folder, mark=mark)
    told = asyncio.create_task(process.stderr.read())  # type: ignore[union-attr]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(chance.uniform(0.2, 5.0)):
            await process.wait()
    at = None if process.returncode is not None else time.monotonic()
    if at is not None:
        await strike(process, victim, mark, chance)
    async with asyncio.timeout(90):
        said = (await told).decode()
        await process.wait()
    async with asyncio.timeout(20):
        while marked(mark):
            await asyncio.sleep(0.05)
    return at, said


async def strike(process: asyncio.subprocess.Process, victim: str, mark: str, chance: random.Random) -> None:
    workers = [pid for pid in marked(mark) if pid != process.pid]
    match victim:
        case "parent":
            process.kill()
        case "worker":
            for pid in chance.sample(workers, min(1, len(workers))):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        case "everything":
            for pid in [process.pid, *workers]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        case "interrupt":
            process.send_signal(signal.SIGINT)
        case "interrupt twice":
            process.send_signal(signal.SIGINT)
            await asyncio.sleep(chance.uniform(0.05, 0.5))
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)


def comparable(record: dict[str, Any]) -> dict[str, Any]:
    """A record without what no two runs have in common: times, and which of its answers had been paid for before."""

    def without_times(value: Any) -> Any:
        if isinstance(value, dict):
            kept = {k: without_times(v) for k, v in value.items() if k not in ("seconds", "started_at", "stages")}
            if "cached_calls" in kept:
                return {"answers": kept["calls"] + kept["cached_calls"]}
            return kept
        return [without_times(item) for item in value] if isinstance(value, list) else value

    return without_times({k: v for k, v in record.items() if k != "usage"})


def records(folder: Path) -> dict[str, dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    by_id = {record["id"]: comparable(record) for record in lines}
    assert len(by_id) == len(lines), "an id was written twice"
    return by_id


async def to_the_end(folder: Path) -> str:
    process = await begin(folder)
    _, told = await asyncio.wait_for(process.communicate(), 300)
    assert process.returncode == 0, told.decode()
    return told.decode()


async def law_holds(folder: Path, victim: str, *, kills: int, clips: int, seed: int) -> None:
    make_album(folder, range(clips))
    chance = random.Random(seed)
    counted = Counted()
    at: list[float] = []
    async with FaultyOpenAI(counted.script) as server:
        models_file(folder, server)
        for _ in range(kills):
            moment, told = await killed(folder, victim, chance)
            assert "Traceback" not in told, told
            if moment is not None:
                at.append(moment)
        await to_the_end(folder)
        # A first Ctrl-C lets calls end; every other death can come upon those in flight.
        assert not counted.repeated_without_need([] if victim == "interrupt" else at)
        await as_if_uninterrupted(folder, clips)
    assert at, "the run was over before anybody struck"


async def as_if_uninterrupted(folder: Path, clips: int) -> None:
    """Every clip once, and the records are those of a run that nobody disturbs."""
    found = records(folder)
    for left in folder.glob("out.*"):
        left.unlink()
    await to_the_end(folder)
    assert set(found) == {f"clip-{n}" for n in range(clips)}
    assert found == records(folder)


VICTIMS = ("parent", "worker", "everything", "interrupt", "interrupt twice")


@pytest.mark.parametrize("victim", ["everything"])
async def test_a_few_kills_change_nothing(victim: str, tmp_path: Path) -> None:
    await law_holds(tmp_path, victim, kills=2, clips=40, seed=len(victim))


@pytest.mark.integration
@pytest.mark.parametrize("victim", VICTIMS)
async def test_many_kills_change_nothing(victim: str, tmp_path: Path) -> None:
    await law_holds(tmp_path, victim, kills=13, clips=150, seed=7)


def corrupt_cache(folder: Path) -> None:
    for file in folder.glob("out.cache.sqlite*"):
        file.write_bytes(b"\0garbage" * 4000)


def tear_the_tail(folder: Path) -> None:
    with (folder / "out.jsonl").open("ab") as file:
        file.write(b'{"schema_version":1,"id":"clip-0","outco')


def truncate_state(folder: Path) -> None:
    state = folder / "out.state.sqlite"
    with state.open("r+b") as file:
        file.truncate(state.stat().st_size // 2)
    for journal in folder.glob("out.state.sqlite-*"):
        journal.unlink()


def remove_state(folder: Path) -> None:
    for file in folder.glob("out.state.sqlite*"):
        file.unlink()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(corrupt_cache, marks=pytest.mark.integration),
        tear_the_tail,
        pytest.param(truncate_state, marks=pytest.mark.integration),
        pytest.param(remove_state, marks=pytest.mark.integration),
    ],
)
async def test_what_a_kill_and_a_bad_disk_leave_is_mended(damage: Callable[[Path], None], tmp_path: Path) -> None:
    make_album(tmp_path, range(30))
    async with FaultyOpenAI(Counted().script) as server:
        models_file(tmp_path, server)
        await killed_after(tmp_path, lines=8)
        damage(tmp_path)
        await to_the_end(tmp_path)
        await as_if_uninterrupted(tmp_path, 30)


@pytest.mark.integration
async def test_a_full_disk_costs_no_record(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() or await run("mount", "-t", "tmpfs", "-o", "size=600k", "none", str(disk)):
        pytest.skip("nobody but root can make a small disk")
    try:
        make_album(tmp_path, range(60))
        async with FaultyOpenAI(Counted().script) as server:
            models_file(tmp_path, server)
            process = await begin(tmp_path, "--output", "disk/out.jsonl")
            _, told = await asyncio.wait_for(process.communicate(), 120)
            assert process.returncode == 2, told.decode()
            assert "No space left" in told.decode()
            assert "Traceback" not in told.decode()
            assert await run("mount", "-o", "remount,size=64m", str(disk)) == 0
            process = await begin(tmp_path, "--output", "disk/out.jsonl")
            _, told = await asyncio.wait_for(process.communicate(), 120)
            assert process.returncode == 0, told.decode()
        assert set(records(disk)) == {f"clip-{n}" for n in range(60)}
    finally:
        await run("umount", str(disk))


async def test_a_folder_that_cannot_be_written_is_told_before_any_call(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() or await run("mount", "-t", "tmpfs", "-o", "ro", "none", str(disk)):
        pytest.skip("nobody but root can mount a disk that cannot be written")
    make_album(tmp_path, range(3))
    try:
        async with FaultyOpenAI(play) as server:
            models_file(tmp_path, server)
            process = await begin(tmp_path, "--output", "disk/out.jsonl")
            _, told = await asyncio.wait_for(process.communicate(), 60)
    finally:
        await run("umount", str(disk))
    assert process.returncode == 2
    assert "Read-only file system" in told.decode()
    assert "Traceback" not in told.decode()
    assert server.calls == 0


async def run(*command: str) -> int:
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    return await process.wait()


async def killed_after(folder: Path, *, lines: int) -> None:
    """Begin, and kill everything when so many records are written."""
    mark = uuid.uuid4().hex
    process = await begin(folder, mark=mark)
    output = folder / "out.jsonl"
    async with asyncio.timeout(60):
        while not output.exists() or output.read_bytes().count(b"\n") < lines:
            await asyncio.sleep(0.02)
    await strike(process, "everything", mark, random.Random(0))
    await process.wait()
