"""Workers come and go: replaced after their share, killed when they grow too large, and no clip is lost by it."""

from __future__ import annotations

import json
import logging
from collections import Counter

import pytest
from engine import fakes
from engine.harness import Folder

from omnidetective.errors import ConfigError
from omnidetective.memory import memory_mb


def workers_of(folder: Folder) -> Counter[str]:
    """How many records each worker made, by its process id."""
    return Counter(json.loads(line)["caption"] for line in folder.output.read_text().splitlines())


@pytest.mark.parametrize("num_workers", [1, 2])
async def test_a_worker_is_replaced_after_its_share(
    folder: Folder, num_workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "omnidetective")
    folder.rows({"id": n, "do": "sleep", "seconds": 0.02} for n in range(13))
    summary = await folder.run(
        settings=(f"num_workers={num_workers}", "concurrency=2", "workers.recycle_after=3"), factory=fakes.tell_pid
    )
    assert sorted(folder.ids(), key=int) == [str(n) for n in range(13)]
    assert (summary.crashes, summary.exit_status) == (0, 0)
    assert max(workers_of(folder).values()) <= 3
    assert len(workers_of(folder)) >= 5
    replaced = [record for record in caplog.records if "is replaced after 3 clips" in record.getMessage()]
    assert len(replaced) >= 4
    assert all(record.levelno == logging.INFO for record in replaced)


async def test_the_successor_is_ready_before_the_last_clip_is_done(folder: Folder) -> None:
    """The second clip, the last one of its worker, ends only when another worker has been built."""
    folder.rows([{"id": 1}, {"id": 2, "do": "wait_for", "file": "built-*", "count": 2}, {"id": 3}])
    summary = await folder.run(
        settings=("concurrency=1", "workers.recycle_after=2", "limits.clip_timeout_s=60"), factory=fakes.tell_pid
    )
    assert (sorted(folder.ids()), summary.exit_status) == (["1", "2", "3"], 0)


async def test_the_successor_works_while_the_old_worker_finishes(folder: Folder) -> None:
    folder.rows(
        [
            {"id": "long", "do": "wait_for", "file": "next-is-done"},
            {"id": "short"},
            {"id": "next", "do": "touch", "file": "next-is-done"},
        ]
    )
    settings = ("concurrency=2", "workers.recycle_after=2", "limits.clip_timeout_s=60")
    summary = await folder.run(settings=settings, factory=fakes.tell_pid)
    assert (sorted(folder.ids()), summary.exit_status, summary.crashes) == (["long", "next", "short"], 0, 0)


async def test_a_worker_that_dies_while_it_finishes_leaves_its_clip_to_others(folder: Folder) -> None:
    """Its clip is tried alone by the successor; a third clip shows that the successor was at work meanwhile."""
    seen = folder.path / "begun"
    folder.rows(
        [
            {"id": "poison", "do": "kill", "seconds": 1.0, "mark": str(seen)},
            {"id": "short"},
            *({"id": n, "do": "sleep", "seconds": 0.3} for n in range(6)),
        ]
    )
    summary = await folder.run(settings=("concurrency=2", "workers.recycle_after=2"), factory=fakes.tell_pid)
    assert sorted(folder.ids()) == [*(str(n) for n in range(6)), "short"]
    assert folder.reasons() == {"poison": "worker_died"}
    assert (summary.crashes, seen.read_bytes()) == (2, b"xx")


async def test_a_worker_past_the_ceiling_is_replaced_and_is_no_crash(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    """Each clip leaves 200 MB behind: the third one takes its worker over 500 MB, a fourth would over 750."""
    caplog.set_level(logging.INFO, "omnidetective")
    folder.rows({"id": n, "do": "eat", "mb": 200, "seconds": 1.5} for n in range(5))
    summary = await folder.run(settings=("concurrency=1", "workers.memory_mb=500"), factory=fakes.tell_pid)
    assert len(folder.ids()) == 5
    assert (summary.crashes, summary.exit_status) == (0, 0)
    assert sorted(workers_of(folder).values()) == [2, 3]
    assert any("more than workers.memory_mb=500" in record.getMessage() for record in caplog.records)


async def test_a_clip_that_eats_the_memory_costs_only_itself(folder: Folder) -> None:
    """Its worker is killed long before the machine is short of memory; who was beside it gets a record."""
    folder.rows(
        [
            {"id": "eater", "do": "eat", "mb": 900, "seconds": 60},
            *({"id": n, "do": "sleep", "seconds": 0.1} for n in range(8)),
        ]
    )
    summary = await folder.run(settings=("concurrency=3", "workers.memory_mb=400"))
    assert sorted(folder.ids()) == [str(n) for n in range(8)]
    error = folder.failures()["eater"]["error"]
    assert (error["reason"], error["attempts"]) == ("worker_too_large", 2)
    assert "far more than workers.memory_mb=400" in error["message"]
    assert "workers.memory_mb" in error["hint"]
    assert summary.crashes == 2


async def test_a_ceiling_that_no_worker_can_keep_is_refused(folder: Folder) -> None:
    folder.rows([{"id": 1}])
    with pytest.raises(ConfigError, match=r"workers\.memory_mb=5 is too little: a worker holds"):
        await folder.run(settings=("workers.memory_mb=5",))
    assert (await folder.run()).recorded == 1


@pytest.mark.parametrize("attempts", [1, 3])
async def test_a_clip_is_tried_as_often_as_it_may_be(folder: Folder, attempts: int) -> None:
    begun = folder.path / "begun"
    folder.rows([{"id": "poison", "do": "kill", "mark": str(begun)}, *({"id": n} for n in range(5))])
    summary = await folder.run(settings=(f"limits.attempts={attempts}", "concurrency=1"))
    assert len(folder.ids()) == 5
    assert folder.failures()["poison"]["error"]["attempts"] == attempts == begun.stat().st_size == summary.crashes


async def test_no_more_workers_than_clips_and_few_clips_are_spread(folder: Folder) -> None:
    """Four clips that all wait for a second worker: each of two workers takes two of them."""
    folder.rows({"id": n, "do": "wait_for", "file": "built-*", "count": 2, "seconds": 3} for n in range(4))
    await folder.run(settings=("num_workers=2", "concurrency=4"), factory=fakes.tell_pid)
    assert sorted(workers_of(folder).values()) == [2, 2]
    folder.rows([{"id": "one more"}])
    before = len(list(folder.path.glob("built-*")))
    await folder.run(settings=("num_workers=4",), factory=fakes.tell_pid)
    assert len(list(folder.path.glob("built-*"))) == before + 1


def test_memory_of_a_process_that_is_gone() -> None:
    assert memory_mb(2**22) == 0.0
