"""Places on a machine, with real processes: never more than there are, and none is lost with who held it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from omnidetective.observers.slots import OwnSlots, SharedSlots, Slots

CHILD = """
import asyncio, os, sys
from pathlib import Path
from omnidetective.observers.slots import SharedSlots

folder, inside = map(Path, sys.argv[1:3])
at_once, tasks, turns = map(int, sys.argv[3:6])
hold_s = float(sys.argv[6])

async def work(slots, task):
    turn = 0
    while turn != turns:
        async with slots.one():
            mark = inside / f"{os.getpid()}-{task}-{turn}"
            mark.touch()
            present = len(os.listdir(inside))
            if present > at_once:
                sys.exit(f"{present} at once")
            await asyncio.sleep(hold_s)
            mark.unlink()
        turn += 1

async def main():
    slots = SharedSlots(folder, "lamp/1", at_once)
    await asyncio.gather(*(work(slots, task) for task in range(tasks)))

asyncio.run(main())
"""


@contextmanager
def child(tmp_path: Path, *, at_once: int, tasks: int, turns: int, hold_s: float) -> Iterator[subprocess.Popen[bytes]]:
    """A process that takes places; ``turns=-1``: until it is killed."""
    (tmp_path / "inside").mkdir(exist_ok=True)
    arguments = [str(tmp_path / "slots"), str(tmp_path / "inside"), *map(str, (at_once, tasks, turns, hold_s))]
    process = subprocess.Popen([sys.executable, "-c", CHILD, *arguments], stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(condition: object, what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


def test_processes_together_keep_to_the_number(tmp_path: Path) -> None:
    most = {"at_once": 2, "tasks": 3, "turns": 5, "hold_s": 0.01}
    with child(tmp_path, **most) as a, child(tmp_path, **most) as b, child(tmp_path, **most) as c:  # type: ignore[arg-type]
        for process in (a, b, c):
            _, said = process.communicate(timeout=60)
            assert process.returncode == 0, said.decode()


def test_the_place_of_a_process_that_is_killed_is_free(tmp_path: Path) -> None:
    with child(tmp_path, at_once=1, tasks=1, turns=1, hold_s=600) as holder:
        until(lambda: any((tmp_path / "inside").iterdir()), "the first process has the place")
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        for left in (tmp_path / "inside").iterdir():
            left.unlink()
        with child(tmp_path, at_once=1, tasks=1, turns=1, hold_s=0) as heir:
            _, said = heir.communicate(timeout=60)
            assert heir.returncode == 0, said.decode()


def test_a_process_with_many_questions_leaves_room_for_one_with_few(tmp_path: Path) -> None:
    greedy = child(tmp_path, at_once=1, tasks=6, turns=-1, hold_s=0.05)
    with greedy as many:
        until(lambda: (tmp_path / "slots").exists(), "the greedy process has begun")
        with child(tmp_path, at_once=1, tasks=1, turns=10, hold_s=0) as few:
            _, said = few.communicate(timeout=60)
            assert few.returncode == 0, said.decode()
        assert many.poll() is None


@pytest.fixture(params=["own", "shared"])
def slots(request: pytest.FixtureRequest, tmp_path: Path) -> Slots:
    """Two places, of one process or in a folder."""
    return OwnSlots(2) if request.param == "own" else SharedSlots(tmp_path / "slots", "lamp", 2)


async def test_who_waits_can_be_cancelled_and_who_waits_longer_is_served(slots: Slots) -> None:
    inside, most = 0, 0

    async def work() -> None:
        nonlocal inside, most
        async with slots.one():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    async with asyncio.timeout(60), slots.one():
        async with slots.one():
            waiting = [asyncio.create_task(work()) for _ in range(6)]
            await asyncio.sleep(0.1)
            assert most == 0
            for task in waiting[:3]:
                task.cancel()
        await asyncio.gather(*waiting[3:])
        ended = await asyncio.gather(*waiting[:3], return_exceptions=True)
    assert most == 1
    assert all(isinstance(end, asyncio.CancelledError) for end in ended)


async def test_a_place_is_given_back_whatever_happens_in_it(slots: Slots) -> None:
    async with asyncio.timeout(60):
        for _ in range(5):
            with pytest.raises(RuntimeError, match="no"):
                async with slots.one():
                    raise RuntimeError("no")


async def test_waiting_is_not_busy(tmp_path: Path) -> None:
    with child(tmp_path, at_once=1, tasks=1, turns=1, hold_s=600):
        await asyncio.to_thread(until, lambda: any((tmp_path / "inside").iterdir()), "the other process has the place")
        here = SharedSlots(tmp_path / "slots", "lamp/1", 1)
        before = time.process_time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5), here.one():
                pass
        assert time.process_time() - before < 0.75
