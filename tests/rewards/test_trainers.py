"""Rewards as TRL and ms-swift call them, against a judge over HTTP; neither trainer is needed for it."""

from __future__ import annotations

import asyncio
import gc
import inspect
import math
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rewards.judges import ScriptedJudge
from rewards.served import judged_by, served
from servers.faulty_openai import FaultyOpenAI, says, unauthorized

from omnidetective.errors import BudgetReachedError, ConfigError, ProviderError
from omnidetective.rewards import Grader, Sample, Weights, async_trl_reward, swift_reward, trl_reward

_JUDGE = {
    "points": {"ref": ["p1", "p2", "p3", "p4"], "other": ["q"]},
    "told": {"good": [1, 2, 3], "bad": [4], "odd": "?"},
    "dialogues": {"good": [("x", "hello there")], "bad": [], "odd": "?", "ref": [("y", "hello there")]},
    "same": {("x", "y"): True},
}


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> ScriptedJudge:
    monkeypatch.setenv("JUDGE_KEY", "sk-test")
    return ScriptedJudge(**_JUDGE)  # type: ignore[arg-type]


@pytest.fixture
def server(judge: ScriptedJudge) -> Iterator[FaultyOpenAI]:
    with served(judge) as running:
        yield running


@pytest.fixture
def grader(server: FaultyOpenAI, tmp_path: Path) -> Grader:
    return Grader(judged_by(server, tmp_path))


def _called(**more: Any) -> dict[str, Any]:
    """What TRL hands over."""
    return {
        "prompts": ["?", "?", "?"],
        "completions": ["good", "bad", "odd"],
        "completion_ids": [[1] * 10, [1] * 3072, [1] * 5000],
        "reference": ["ref", "ref", "ref"],
        "trainer_state": object(),
        "log_extra": lambda column, values: None,
        "log_metric": lambda name, value: None,
        **more,
    }


def test_each_kind_for_trl(grader: Grader, judge: ScriptedJudge, caplog: pytest.LogCaptureFixture) -> None:
    metrics: dict[str, float] = {}
    called = _called(log_metric=metrics.__setitem__)
    assert trl_reward("checklist", grader)(**called) == [0.75, 0.25, None]
    assert trl_reward("dialogue", grader)(**called) == [1.0, 0.0, None]
    assert trl_reward("length", grader)(**called) == [1.0, 0.5, 0.0]
    assert trl_reward("all", grader)(**called) == [2.75, 0.75, None]
    assert metrics == pytest.approx(
        {"checklist_reward/not_judged": 1 / 3, "dialogue_reward/not_judged": 1 / 3, "length_reward/not_judged": 0}
    )
    assert judge.asked.count("keypoints") == 1  # for three captions, in two functions
    assert grader.not_judged == {"unparsable": 4}
    assert grader.usage.calls > 0
    assert "without a reward, of 3 captions: dialogue: unparsable 1" in caplog.text


def test_messages_and_a_column_of_another_name(grader: Grader) -> None:
    completions = [
        [{"role": "assistant", "content": "good"}],
        [{"role": "assistant", "content": [{"type": "text", "text": "ba"}, {"type": "text", "text": "d"}]}],
        [],
    ]
    called = _called(completions=completions, solution=["ref", [{"role": "assistant", "content": "ref"}], "ref"])
    del called["reference"]
    assert trl_reward("checklist", grader, reference="solution")(**called) == [0.75, 0.25, 0.0]


def test_a_missing_reference_is_not_applicable_and_a_missing_column_an_error(grader: Grader) -> None:
    assert trl_reward("checklist", grader)(**_called(reference=["ref", None, " "])) == [0.75, None, None]
    called = _called()
    del called["reference"]
    with pytest.raises(ConfigError, match="needs the column 'reference'"):
        trl_reward("dialogue", grader)(**called)
    assert trl_reward("length", grader)(**called) == [1.0, 0.5, 0.0]
    with pytest.raises(ConfigError, match="not int"):
        trl_reward("dialogue", grader)(**_called(completions=["good", 3, "bad"]))


def test_weights(server: FaultyOpenAI, tmp_path: Path) -> None:
    weights = Weights(checklist=2.0, dialogue=0.0, length=0.5)
    reward = trl_reward("all", Grader(judged_by(server, tmp_path), weights=weights))
    assert reward(**_called()) == [2 * 0.75 + 0.5, 2 * 0.25 + 0.25, None]


async def test_the_asynchronous_one(grader: Grader) -> None:
    reward = async_trl_reward("checklist", grader)
    assert inspect.iscoroutinefunction(reward)
    assert await reward(**_called()) == [0.75, 0.25, None]


async def test_the_synchronous_one_from_a_running_loop(grader: Grader) -> None:
    """As in a notebook: the loop runs, and is still there afterwards."""
    reward = trl_reward("checklist", grader)
    assert [reward(**_called()) for _ in range(2)] == [[0.75, 0.25, None]] * 2
    await asyncio.sleep(0)


def test_many_calls_leave_nothing_behind(grader: Grader) -> None:
    """The loop of the caller is as it was, and no thread, connection or warning of an open one is left."""
    mine = asyncio.new_event_loop()
    asyncio.set_event_loop(mine)
    try:
        reward = trl_reward("checklist", grader)
        reward(**_called())
        threads = threading.active_count()
        open_before = len(list(Path("/proc/self/fd").iterdir()))
        with warnings.catch_warnings():
            warnings.simplefilter("error", ResourceWarning)
            for _ in range(20):
                assert reward(**_called()) == [0.75, 0.25, None]
            gc.collect()
        assert asyncio.get_event_loop_policy().get_event_loop() is mine
        assert threading.active_count() <= threads
        assert len(list(Path("/proc/self/fd").iterdir())) <= open_before + 3  # the server closes in its own time
    finally:
        asyncio.set_event_loop(None)
        mine.close()


def test_no_more_captions_at_once_than_asked_for(judge: ScriptedJudge, tmp_path: Path) -> None:
    lock, now, most = threading.Lock(), 0, 0

    def reply(system: str, user: str) -> Any:
        said = judge(system, user)
        assert isinstance(said, str)

        async def play(request: Any, seen: Any) -> Any:
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
            await asyncio.sleep(0.02)
            with lock:
                now -= 1
            return await says(said)(request, seen)

        return play

    with served(reply) as running:
        grader = Grader(judged_by(running, tmp_path), concurrency=3)
        called = _called(completions=["good"] * 12, reference=["ref"] * 12, completion_ids=[[1]] * 12)
        assert trl_reward("dialogue", grader)(**called) == [1.0] * 12
    assert 1 < most <= 3


def test_answers_are_kept_for_the_next_training(server: FaultyOpenAI, judge: ScriptedJudge, tmp_path: Path) -> None:
    kept = f"cache.path={tmp_path / 'kept.sqlite'}"
    samples = [Sample("good", "ref"), Sample("bad", "ref")]
    first = Grader(judged_by(server, tmp_path, kept)).grade_now("checklist", samples)
    calls = server.calls
    assert Grader(judged_by(server, tmp_path, kept)).grade_now("checklist", samples) == first
    assert server.calls == calls == 3


def test_a_wrong_key_stops_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-wrong")
    with served(lambda system, user: unauthorized()) as running:
        reward = trl_reward("checklist", Grader(judged_by(running, tmp_path)))
        with pytest.raises(ProviderError) as raised:
            reward(**_called())
    assert "sk-wrong" not in str(raised.value)


def test_the_cap_holds_over_all_batches(server: FaultyOpenAI, tmp_path: Path) -> None:
    """A call takes 7 tokens ($0.007), and up to 4,096 are reserved ($4.096): no batch of 2 reaches $4.2, all do."""
    prices = tmp_path / "prices.yaml"
    prices.write_text(
        'prices: [{match: "openai:*", host: 127.0.0.1, prompt: 0, completion: 1000, source: mine, date: 2026-01-01}]'
    )
    grader = Grader(judged_by(server, tmp_path, "limits.max_cost_usd=4.2", f"prices={prices}"))
    reward = trl_reward("checklist", grader)

    def train() -> None:
        for _ in range(30):
            assert reward(completions=["good", "bad"], reference=["ref", "ref"]) == [0.75, 0.25]

    with pytest.raises(BudgetReachedError):
        train()
    assert 10 <= server.calls <= 15
    assert float(grader.spent_usd) == pytest.approx(0.007 * server.calls)


def test_ms_swift(grader: Grader) -> None:
    """As ms-swift makes and calls it: with its own arguments, all columns of the rows by name, and its token lists."""
    orms: dict[str, Any] = {"avocado_all": swift_reward("all", grader, reference="solution")}
    made = orms["avocado_all"](args=object())
    assert type(made).__name__ == "AllReward"
    told = made(
        ["good", "bad", "odd"],
        solution=["ref"] * 3,
        messages=[[], [], []],
        response_token_ids=[[[1] * 5, [1] * 5], [1] * 3072, [1]],
        trainer_state=object(),
    )
    assert told[:2] == [2.75, 0.75]
    assert math.isnan(told[2])


def test_without_a_judge_the_length_still_works() -> None:
    assert trl_reward("length")(prompts=["?"], completions=["a few words"]) == [1.0]


def test_no_trainer_is_imported() -> None:
    code = (
        "import sys\nfrom omnidetective.rewards import trl_reward, swift_reward, async_trl_reward, Grader\n"
        "trl_reward('length')(prompts=['?'], completions=['x'])\n"
        "print({'torch', 'trl', 'swift', 'transformers', 'openai'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"
