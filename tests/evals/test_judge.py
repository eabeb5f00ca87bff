"""The judge as it answers in practice: models that think first, and what is told of replies that nobody can read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from evals.bench import Bench, scores, write_lines
from servers.faulty_openai import Behaviour, FaultyOpenAI, says

from omnidetective.config import Config, load_config
from omnidetective.evals.judge import UnjudgedError
from omnidetective.evals.judging import judging


def _quiz(folder: Path) -> Bench:
    """Two questions about each of two clips; the judge answers the first choice."""
    data = folder / "qa.json"
    rows = [
        {"Question": f"q{n}?", "Choice": ["A. a dog", "B. a cat"], "Answer": "A", "video_id": video}
        for video in ("a", "b")
        for n in range(2)
    ]
    data.write_text(json.dumps(rows))
    captions = write_lines(folder / "captions.jsonl", [{"id": v, "caption": f"caption of {v}"} for v in ("a", "b")])
    return Bench(folder, "daily-omni", data=data, captions=captions)


@pytest.mark.parametrize(
    "thoughts", ["<think>A or B? The answer is B. No.</think>\n\n", "A or B? The answer is B.\n</think>\n"]
)
async def test_what_a_judge_thinks_aloud_is_not_its_answer(tmp_path: Path, thoughts: str) -> None:
    ran = await _quiz(tmp_path).run(lambda *_: f"{thoughts}A")
    assert ran.status == 0, ran.stderr
    assert scores(ran)["accuracy"] == 100
    assert ran.calls == 4


@pytest.mark.parametrize(
    "cut",
    [
        says("", reasoning="The caption says", finish_reason="length"),
        says("", finish_reason="length"),
        says("<think>The caption says", finish_reason="length"),
    ],
)
async def test_a_judge_that_is_cut_off_while_it_thinks_is_asked_without_a_limit(tmp_path: Path, cut: Behaviour) -> None:
    async with FaultyOpenAI(lambda seen: cut if "max_tokens" in seen.body else says("yes")) as server:
        async with judging(_config(tmp_path, server.base_url)) as judge:
            said = await judge.ask("?", lambda reply: "yes" if reply == "yes" else None, tries=3, max_tokens=100)
        assert said == "yes"
        assert [seen.body.get("max_tokens") for seen in server.seen] == [100, None]


async def test_a_judge_that_rambles_keeps_its_limit(tmp_path: Path) -> None:
    """Nothing but the limit ends what goes round and round."""
    async with FaultyOpenAI([says("and so on and so on", finish_reason="length")]) as server:
        async with judging(_config(tmp_path, server.base_url)) as judge:
            with pytest.raises(UnjudgedError, match="cut off at 100 tokens"):
                await judge.ask("?", lambda _: None, tries=3, max_tokens=100)
        assert [seen.body.get("max_tokens") for seen in server.seen] == [100, 100, 100]


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (says("I would rather\n not\x1b[31m."), "the last: I would rather not"),
        (says("x" * 10_000), "the last: xxxx"),
        (says(""), "the last was empty"),
        (says("", reasoning='{"score": 2}'), "the last was empty, all of it was thinking"),
    ],
)
async def test_a_reply_that_nobody_can_read_is_shown(tmp_path: Path, reply: Behaviour, told: str) -> None:
    async with FaultyOpenAI([reply]) as server, judging(_config(tmp_path, server.base_url)) as judge:
        with pytest.raises(UnjudgedError, match=re.escape(told)) as raised:
            await judge.ask("?", lambda _: None, tries=2)
    assert len(raised.value.why) < 300
    assert "\n" not in raised.value.why


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-test")


def _config(folder: Path, base_url: str) -> Config:
    models = folder / "judge.yaml"
    models.write_text(
        "name: judge\ndescription: A judge.\n"
        f"models: {{j: {{provider: openai, model: test-model, base_url: {base_url}, api_key_env: JUDGE_KEY}}}}\n"
        "roles: {judge: j}\n"
    )
    return load_config(options={"models": str(models), "cache.enabled": False})


async def test_a_judge_that_says_nothing_readable_is_not_asked_about_everything(tmp_path: Path) -> None:
    """400 clips, six tries each; the judge is stopped after 40 replies and what is in flight then."""
    data = tmp_path / "qa.json"
    rows = [{"Question": "q?", "Choice": ["A. a", "B. b"], "Answer": "A", "video_id": f"v{n}"} for n in range(400)]
    data.write_text(json.dumps(rows))
    captions = write_lines(tmp_path / "c.jsonl", [{"id": f"v{n}", "caption": f"caption {n}"} for n in range(400)])
    bench = Bench(tmp_path, "daily-omni", data=data, captions=captions, options=("--concurrency", "4"))
    ran = await bench.run(lambda *_: "As a language model, I would rather not.")
    assert ran.status == 2
    assert ran.calls <= 40 + 4
    assert "none of the first 40 replies of" in ran.stderr
    assert "As a language model" in ran.stderr
    assert "--models" in ran.stderr
    again = await bench.run(lambda *_: "never asked")
    assert (again.status, again.calls) == (2, 0)


async def test_one_readable_reply_shows_that_a_judge_can(tmp_path: Path) -> None:
    data = tmp_path / "qa.json"
    rows = [{"Question": f"q{n}?", "Choice": ["A. a", "B. b"], "Answer": "A", "video_id": f"v{n}"} for n in range(20)]
    data.write_text(json.dumps(rows))
    captions = write_lines(tmp_path / "c.jsonl", [{"id": f"v{n}", "caption": "caption"} for n in range(20)])
    bench = Bench(tmp_path, "daily-omni", data=data, captions=captions, options=("--concurrency", "1"))
    ran = await bench.run(lambda _, user: "A" if "q0?" in user else "I would rather not.")
    assert (ran.status, ran.calls) == (0, 1 + 19 * 6)
    assert scores(ran)["accuracy"] == pytest.approx(5)
