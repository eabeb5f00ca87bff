"""Limits over several workers: real processes that call a real server on the loopback, which counts."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from pathlib import Path

import pytest
from aiohttp import web
from engine import fakes
from engine.harness import Folder
from servers.faulty_openai import Behaviour, FaultyOpenAI, Seen, hangs, late, rate_limited, says

from omnidetective.engine.tally import RunSummary
from omnidetective.errors import UserError

TWO = ("num_workers=2", "concurrency=8", "retry.first_wait_s=0.2")


def model_set(folder: Folder, base_url: str) -> str:
    """A model set whose detective is at the server; returns the setting that names it."""
    model = {"provider": "openai", "model": "m-1.5", "base_url": base_url}
    whole = {"name": "x", "description": "", "models": {"m": model}, "roles": {"detective": "m"}}
    (folder.path / "set.yaml").write_text(json.dumps(whole))
    return f"models={folder.path / 'set.yaml'}"


async def run(folder: Folder, server: FaultyOpenAI, *settings: str, clips: int, calls: int) -> RunSummary:
    folder.rows({"id": n, "calls": calls} for n in range(clips))
    return await folder.run(settings=(*TWO, model_set(folder, server.base_url), *settings), factory=fakes.calling)


class Doorkeeper:
    """A provider that takes so many calls in each quarter of a second, and says 429 to the others."""

    def __init__(self, per_quarter: int) -> None:
        self._most = per_quarter
        self._taken: deque[float] = deque()
        self.refused_at: list[float] = []
        self.taken_at: list[float] = []

    def __call__(self, seen: Seen) -> Behaviour:
        now = time.monotonic()
        while self._taken and self._taken[0] < now - 0.25:
            self._taken.popleft()
        if len(self._taken) >= self._most:
            self.refused_at.append(now)
            return rate_limited()
        self._taken.append(now)
        self.taken_at.append(now)
        return late(says("yes"), 0.02)


async def test_workers_find_the_rate_that_a_provider_bears(folder: Folder) -> None:
    play = Doorkeeper(per_quarter=8)
    async with FaultyOpenAI(play) as server:
        summary = await run(folder, server, "retry.attempts=10", clips=24, calls=8)
    assert summary.exit_status == 0
    assert len(play.taken_at) == 192
    late_ones = sum(at > play.taken_at[96] for at in play.refused_at)
    assert late_ones <= 16, f"{len(play.refused_at)} refused, {late_ones} of them in the second half"


async def test_retry_after_seen_by_one_caller_holds_all_workers(folder: Folder) -> None:
    complained_at: list[float] = []

    def play(seen: Seen) -> Behaviour:
        if len(server.seen) == 40:
            complained_at.append(seen.at_s)
            return rate_limited(retry_after="3")
        return late(says("yes"), 0.05)

    async with FaultyOpenAI(play) as server:
        summary = await run(folder, server, clips=16, calls=10)
        came = [seen.at_s - complained_at[0] for seen in server.seen]
    assert summary.exit_status == 0
    assert len(came) == 161
    # What was on its way already when the answer was read is not held back.
    in_the_pause = [at for at in came if 1.0 < at < 3.0]
    assert not in_the_pause
    assert sum(at >= 3.0 for at in came) > 50


async def test_the_cap_on_calls_at_once_holds_over_two_workers(folder: Folder) -> None:
    at_once, most, processes = 0, 0, set[object]()

    def play(seen: Seen) -> Behaviour:
        async def answer(request: web.Request, seen: Seen) -> web.StreamResponse:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            assert request.transport is not None
            processes.add(request.transport.get_extra_info("peername"))
            await asyncio.sleep(0.02)
            at_once -= 1
            return await says("yes")(request, seen)

        return answer

    async with FaultyOpenAI(play) as server:
        summary = await run(folder, server, "limits.models.openai:m-1.*.concurrency=3", clips=24, calls=4)
        assert server.calls == 96
    assert summary.exit_status == 0
    assert most == 3
    assert len(processes) > 3, "one worker did it all"


async def test_requests_a_minute_hold_over_two_workers(folder: Folder) -> None:
    async with FaultyOpenAI([says("yes")]) as server:
        # Two at once, then one a second: 60 s / (60 + 1 - 2).
        await run(folder, server, "limits.models.openai:m-1.5.requests_per_minute=60", clips=5, calls=1)
        came = sorted(seen.at_s for seen in server.seen)
    assert len(came) == 5
    assert came[4] - came[0] > 2.0


async def test_a_worker_that_dies_gives_its_leave_back(folder: Folder) -> None:
    """The killed worker holds the only place on the lane; the clip that killed it is tried again, and ends."""
    killed = asyncio.Event()

    def play(seen: Seen) -> Behaviour:
        if "poison" in str(seen.body) and not killed.is_set():
            killed.set()
            return hangs(60)
        return says("yes")

    folder.rows([{"id": "poison"}, {"id": "good"}])
    async with FaultyOpenAI(play) as server:
        settings = (model_set(folder, server.base_url), "limits.models.*.concurrency=1", "concurrency=1")
        task = asyncio.create_task(folder.run(settings=("num_workers=2", *settings), factory=fakes.calling_or_killed))
        await asyncio.wait_for(killed.wait(), 60)
        (folder.path / "kill").touch()
        summary = await asyncio.wait_for(task, 60)
    assert (summary.crashes, summary.recorded) == (1, 2)


# Money ---------------------------------------------------------------------------------------------------------------

PRICES = """
prices:
  - {match: "openai:m-1.5", host: 127.0.0.1, prompt: "1000", completion: "1000", source: mine, date: 2026-01-01}
"""
# An answer of the server reports 11 + 7 tokens: $0.018 at a thousand dollars a million.
A_CALL = 0.018


def priced(folder: Folder) -> str:
    (folder.path / "prices.yaml").write_text(PRICES)
    return f"prices={folder.path / 'prices.yaml'}"


async def test_the_cap_on_the_cost_holds_over_two_workers(folder: Folder) -> None:
    async with FaultyOpenAI([late(says("yes"), 0.02)]) as server:
        summary = await run(folder, server, priced(folder), "limits.max_cost_usd=1", clips=40, calls=5)
        calls = server.calls
    assert summary.exit_status == 3
    assert summary.budget is not None
    assert summary.budget.reached is not None
    spent = float(summary.budget.spent_usd)
    assert spent == pytest.approx(calls * A_CALL)
    assert 1 - float(summary.budget.largest_usd) < spent <= 1
    assert summary.recorded + summary.not_started == 40
    assert summary.not_started > 0
    assert len(folder.ids()) == summary.recorded
    assert not folder.failures_file.exists()
    assert summary.usage.failed_attempts == 0


async def test_a_cap_without_a_price_is_refused_before_the_first_call(folder: Folder) -> None:
    async with FaultyOpenAI([says("yes")]) as server:
        folder.rows([{"id": 1}])
        with pytest.raises(UserError, match=r"the price is not known of openai:m-1.5 at 127.0.0.1 \(detective\)"):
            await folder.run(settings=(model_set(folder, server.base_url), "limits.max_cost_usd=1"), factory=None)
        assert server.calls == 0


def test_the_prices_of_the_user_are_stronger(folder: Folder, tmp_path: Path) -> None:
    from omnidetective.llm.prices import prices_with

    (tmp_path / "own.yaml").write_text(PRICES.replace("openai:m-1.5", "openai:gpt-4.1").replace("127.0.0.1", '"*"'))
    own = prices_with(tmp_path / "own.yaml").find("openai:gpt-4.1", host="api.openai.com")
    assert own is not None
    assert own.prompt == 1000
    other = prices_with(tmp_path / "own.yaml").find("openai:gpt-4o", host="api.openai.com")
    assert other is not None
    assert other.prompt == prices_with(None).find("openai:gpt-4o", host="api.openai.com").prompt  # type: ignore[union-attr]
