"""The law of the engine: killed at any moment and resumed is the same as never killed. Real processes, real signals."""

from __future__ import annotations

import os
import random
import signal
import time
import uuid
from pathlib import Path

import pytest
from engine.harness import Folder, Start, marked, until

WORKERS, CONCURRENCY = 2, 4
OPTIONS = ("--num-workers", str(WORKERS), "--concurrency", str(CONCURRENCY), "--quiet")


def mixed_rows(folder: Folder, count: int) -> Path:
    """Clips of which every tenth fails, one is given twice and two lines say nothing; each beginning leaves a mark."""
    begun = folder.path / "begun"
    rows = [
        {"id": f"clip {n}", "do": "fail" if n % 10 == 3 else "sleep", "seconds": 0.01 + n % 7 / 200, "mark": str(begun)}
        for n in range(count)
    ]
    folder.rows([*rows, rows[0]])
    with folder.input.open("a") as file:
        file.write('{broken\n{"id": "no media"}\n')
    return begun


def running(folder: Folder) -> bool:
    return (folder.path / "out.lock").exists()


def check_whole(folder: Folder, count: int) -> None:
    """Every clip once, in the output or among the failures, and every bad line told once."""
    good = {f"clip {n}" for n in range(count) if n % 10 != 3}
    assert len(folder.ids()) == len(good)
    assert set(folder.ids()) == good
    reasons = folder.reasons()
    assert {clip_id for clip_id, reason in reasons.items() if reason == "transient"} == {
        f"clip {n}" for n in range(count) if n % 10 == 3
    }
    assert sorted(reason for reason in reasons.values() if reason != "transient") == [
        "duplicate_id",
        "invalid_json",
        "no_media",
    ]


def kill_at(start: Start, folder: Folder, moment: random.Random, victim: str, *options: str) -> bool:
    """Begin or go on, and kill at a random moment; whether the run was still going on."""
    mark = uuid.uuid4().hex
    process = start(*OPTIONS, *options, mark=mark)
    until(lambda: running(folder) or process.poll() is not None)
    time.sleep(moment.uniform(0, 0.9))
    if process.poll() is not None:
        return False
    match victim:
        case "parent":
            process.kill()
        case "worker":
            workers = [pid for pid in marked(mark) if pid != process.pid]
            for pid in moment.sample(workers, min(1, len(workers))):
                os.kill(pid, signal.SIGKILL)
            process.wait(60)
            return False
        case "everything":
            for pid in marked(mark):
                os.kill(pid, signal.SIGKILL)
        case "interrupt":
            process.send_signal(signal.SIGINT)
    process.wait(20)
    until(lambda: not marked(mark))
    return True


@pytest.mark.parametrize("retry", [(), ("--retry-failed",)])
def test_killed_and_resumed_is_uninterrupted(folder: Folder, start: Start, retry: tuple[str, ...]) -> None:
    moment = random.Random(len(retry))
    count = 300
    begun = mixed_rows(folder, count)
    kills = 0
    victims = ["parent", "everything", "interrupt", "parent", "everything"]
    for victim in victims:
        kills += kill_at(start, folder, moment, victim, *retry)
        assert len(folder.ids()) == len(set(folder.ids()))
    final = start(*OPTIONS)
    _, said = final.communicate(timeout=60)
    assert final.returncode == 1, said
    check_whole(folder, count)
    assert not running(folder)
    assert kills >= 2
    # Only what was in flight is done again, and what failed where that was asked for.
    again = kills * WORKERS * CONCURRENCY + (len(victims) + 1) * (count // 10) * len(retry)
    assert begun.stat().st_size <= count + again


def test_a_killed_worker_costs_nothing(folder: Folder, start: Start) -> None:
    count = 60
    mixed_rows(folder, count)
    kill_at(start, folder, random.Random(5), "worker")
    check_whole(folder, count)


def test_kill_9_leaves_no_process_behind(folder: Folder, start: Start) -> None:
    """Not even workers whose event loop is blocked and cannot notice that the parent is gone."""
    mark = uuid.uuid4().hex
    begun = folder.path / "begun"
    folder.rows({"id": n, "do": "block", "seconds": 60, "mark": str(begun)} for n in range(4))
    process = start("--num-workers", "2", "--concurrency", "1", mark=mark)
    until(lambda: begun.exists() and begun.stat().st_size == 2)
    assert len(marked(mark)) >= 3
    process.kill()
    process.wait(5)
    until(lambda: not marked(mark), seconds=5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_lets_clips_in_flight_finish(folder: Folder, start: Start, number: signal.Signals) -> None:
    begun = folder.path / "begun"
    folder.rows({"id": n, "do": "sleep", "seconds": 0.6, "mark": str(begun)} for n in range(100))
    process = start("--concurrency", "3")
    until(lambda: begun.exists() and begun.stat().st_size == 3)
    # To the whole group, as a terminal does it: workers must not hear it.
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert sorted(folder.ids()) == ["0", "1", "2"]
    assert begun.stat().st_size == 3
    assert "in flight are finished first; Ctrl-C again stops now" in said
    assert "to go on:" in said
    assert "Traceback" not in said
    folder.rows({"id": n} for n in range(100))
    again = start()
    again.communicate(timeout=30)
    assert again.returncode == 0
    assert len(folder.ids()) == len(set(folder.ids())) == 100


def test_the_second_signal_stops_at_once(folder: Folder, start: Start) -> None:
    mark = uuid.uuid4().hex
    begun = folder.path / "begun"
    folder.rows([{"id": "quick"}, *({"id": n, "do": "block", "seconds": 60, "mark": str(begun)} for n in range(9))])
    process = start("--num-workers", "2", "--concurrency", "1", mark=mark)
    until(lambda: begun.exists() and begun.stat().st_size == 2)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert time.monotonic() - asked < 5
    assert folder.ids() == ["quick"]
    assert "Traceback" not in said
    until(lambda: not marked(mark), seconds=5)


def test_a_signal_when_all_is_handed_out_is_no_interruption(folder: Folder, start: Start) -> None:
    begun = folder.path / "begun"
    folder.rows({"id": n, "do": "sleep", "seconds": 0.8, "mark": str(begun)} for n in range(2))
    process = start("--concurrency", "4")
    until(lambda: begun.exists() and begun.stat().st_size == 2)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert len(folder.ids()) == 2


def test_two_runs_on_one_output(folder: Folder, start: Start) -> None:
    begun = folder.path / "begun"
    folder.rows([{"id": 1, "do": "sleep", "seconds": 8, "mark": str(begun)}])
    first = start()
    until(begun.exists)
    second = start()
    _, said = second.communicate(timeout=20)
    assert second.returncode == 2
    assert f"error: another run is writing this output: process {first.pid} on" in said
    first.communicate(timeout=20)
    assert first.returncode == 0
    assert folder.ids() == ["1"]


def test_a_reader_of_messages_that_goes_away_does_not_stop_the_run(folder: Folder, start: Start) -> None:
    folder.rows([{"id": n, "do": "fail" if n % 2 else "sleep", "seconds": 0.05} for n in range(40)])
    process = start()
    assert process.stderr is not None
    process.stderr.readline()
    process.stderr.close()
    process.stderr = None
    process.wait(20)
    assert len(folder.ids()) == 20
    assert len(folder.failures()) == 20


def test_a_full_disk_stops_the_run_and_loses_nothing(folder: Folder, start: Start) -> None:
    folder.rows({"id": n} for n in range(300))
    full = start("--num-workers", "2", most_kb=64)
    _, said = full.communicate(timeout=30)
    assert full.returncode == 2
    assert f"error: cannot write {folder.output}: File too large (nothing written so far is lost" in said
    assert "Traceback" not in said
    before = folder.ids()
    assert 0 < len(before) == len(set(before)) < 300
    again = start()
    again.communicate(timeout=30)
    assert again.returncode == 0
    assert folder.ids()[: len(before)] == before
    assert len(folder.ids()) == len(set(folder.ids())) == 300
