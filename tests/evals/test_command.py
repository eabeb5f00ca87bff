"""`omnidetective eval` as a command: what it keeps, what it never mixes, how it ends, and how it reads."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from evals.bench import Bench, scores, write_lines
from servers.faulty_openai import Behaviour, FaultyOpenAI, Seen, late, says, server_error

from omnidetective.evals import BENCHMARKS
from omnidetective.evals.matching import plan
from omnidetective.evals.omni_cloze import OmniCloze
from omnidetective.evals.predictions import read_predictions

PRICES = """
prices:
  - {match: "openai:*", host: 127.0.0.1, prompt: 0, completion: 1000, audio_minute: 0, source: mine, date: 2026-01-01}
"""
CLIPS = 20


def _bench(folder: Path, *options: str, letter: str = "A", captions: str = "captions.jsonl") -> Bench:
    """Twenty clips of one blank each, which the caption itself says how to fill."""
    blank = {"A": "a", "B": "b", "E": "none", "answer_key": "A", "required_modality": "audio"}
    data = [{"video_path": f"{n}.mp4", "cloze": {"passage": f"p{n}", "blanks": [blank]}} for n in range(CLIPS)]
    rows = [{"id": str(n), "caption": f"clip {n}: take {letter}"} for n in range(CLIPS)]
    return Bench(
        folder,
        "omni-cloze",
        data=write_lines(folder / "omni_cloze.jsonl", data),
        captions=write_lines(folder / captions, rows),
        options=("--concurrency", "2", *options),
    )


def _reply(_: str, user: str) -> str:
    found = re.search(r"take ([ABE])", user)
    assert found
    return json.dumps({"1": found[1]})


def _slow(system: str, user: str) -> Behaviour:
    return late(says(_reply(system, user)), 0.05)


async def test_other_captions_into_the_same_output_never_mix(tmp_path: Path) -> None:
    right, wrong = _bench(tmp_path), _bench(tmp_path, letter="B", captions="others.jsonl")
    first, second, third = await right.run(_reply), await wrong.run(_reply), await right.run(_reply)
    assert [scores(ran)["accuracy"] for ran in (first, second, third)] == [100, 0, 100]
    assert [ran.calls for ran in (first, second, third)] == [CLIPS, CLIPS, 0]
    assert {one["verdict"]["letters"][0] for one in second.items} == {"B"}
    assert second.result["captions"] == "others.jsonl"
    assert first.result["captions_sha256"] == third.result["captions_sha256"] != second.result["captions_sha256"]


async def test_a_limit_judges_the_first_items_and_calls_no_caption_unused(tmp_path: Path) -> None:
    ran = await _bench(tmp_path, "--limit", "3").run(_reply)
    assert (ran.calls, ran.result["items"], ran.result["unused_captions"]) == (3, 3, 0)


async def test_captions_that_changed_between_a_killed_and_a_resumed_run_are_judged_anew(tmp_path: Path) -> None:
    killed = await _bench(tmp_path).run(_slow, kill_after=10)
    assert killed.status == -signal.SIGKILL
    resumed = await _bench(tmp_path, letter="B").run(_reply)
    assert (resumed.status, resumed.calls) == (0, CLIPS)
    assert scores(resumed)["accuracy"] == 0


async def test_an_interrupted_run_says_so_and_keeps_its_answers(tmp_path: Path) -> None:
    bench = _bench(tmp_path)
    interrupted = await bench.run(_slow, kill_after=10, by=signal.SIGINT)
    assert interrupted.status == 130
    assert interrupted.stderr.strip() == "interrupted"
    assert not (tmp_path / "result.json").exists()
    resumed = await bench.run(_reply)
    assert resumed.status == 0
    assert resumed.calls <= CLIPS - 10 + 3
    assert scores(resumed)["accuracy"] == 100


async def test_a_cap_on_the_cost_ends_it_with_3_and_a_higher_one_goes_on(tmp_path: Path) -> None:
    """An answer may take 128 tokens ($0.128) and takes 7 ($0.007): of $0.20 some are paid, then none fits."""
    (tmp_path / "prices.yaml").write_text(PRICES)
    priced = ("--set", "prices=prices.yaml", "--set")
    stopped = await _bench(tmp_path, *priced, "limits.max_cost_usd=0.20").run(_reply)
    assert stopped.status == 3, stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert "a higher limits.max_cost_usd goes on" in stopped.stderr
    assert 5 <= stopped.calls < CLIPS
    assert not (tmp_path / "result.json").exists()
    done = await _bench(tmp_path, *priced, "limits.max_cost_usd=5").run(_reply)
    assert (done.status, done.calls) == (0, CLIPS - stopped.calls), "nothing that was paid for is asked again"
    assert done.result["usage"]["cost_usd"] == pytest.approx(0.007 * done.calls)


async def test_two_at_once_do_not_write_the_same_output(tmp_path: Path) -> None:
    (tmp_path / "result.eval.lock").touch()
    with (tmp_path / "result.eval.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = await _bench(tmp_path).run(_reply)
    assert (second.status, second.calls) == (2, 0)
    assert "another run is writing this output" in second.stderr
    assert (await _bench(tmp_path).run(_reply)).status == 0, "one that was killed is no hindrance"
    assert not (tmp_path / "result.eval.lock").exists()


@pytest.mark.parametrize("output", ["captions.jsonl", "omni_cloze.jsonl", "nowhere/result.json"])
async def test_no_call_is_paid_for_a_result_that_cannot_be_written(tmp_path: Path, output: str) -> None:
    bench = _bench(tmp_path, "--output", output)
    before = (tmp_path / "captions.jsonl").read_bytes()
    ran = await bench.run(_reply)
    assert (ran.status, ran.calls) == (2, 0)
    assert "Traceback" not in ran.stderr
    assert "output" in ran.stderr
    assert (tmp_path / "captions.jsonl").read_bytes() == before


async def test_what_the_provider_did_not_answer_is_told_and_asked_again(tmp_path: Path) -> None:
    def reply(system: str, user: str) -> str | Behaviour:
        return server_error() if '"p7"' in user else _reply(system, user)

    bench = _bench(tmp_path, "--set", "retry.attempts=1")
    ran = await bench.run(reply)
    assert ran.status == 1
    assert [(one["item"], one["reason"]) for one in ran.result["unjudged"]] == [("7.mp4", "unfinished")]
    assert ran.result["judged"] == CLIPS - 1
    assert "unfinished: 1 (7.mp4)" in ran.stdout
    assert ran.stderr == "", "no progress bar where nobody watches"
    again = await bench.run(_reply)
    assert (again.status, again.calls, again.result["judged"]) == (0, 1, CLIPS)


async def test_on_a_terminal_warnings_stand_on_lines_of_their_own(tmp_path: Path) -> None:
    failed: set[str] = set()

    def script(seen: Seen) -> Behaviour:
        user = str(seen.body["messages"][-1]["content"])
        first = '"p3"' in user and user not in failed
        failed.add(user)
        return server_error() if first else says(_reply("", user))

    bench = _bench(tmp_path)
    async with FaultyOpenAI(script) as server:
        command = [sys.executable, "-m", "omnidetective", *bench.arguments(server.base_url)]
        ours, theirs = pty.openpty()
        environment = {**os.environ, "JUDGE_KEY": "x", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        process = await asyncio.create_subprocess_exec(
            *command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=theirs
        )
        os.close(theirs)
        seen = await asyncio.to_thread(_all_of, ours)
        assert await process.wait() == 0
    assert "\r\x1b[Kwarning: openai:test-model: server_error; attempt 1 of" in seen
    assert "100%" in seen


def _all_of(terminal: int) -> str:
    pieces = []
    with contextlib.suppress(OSError):  # how a terminal says that nobody writes any more
        while piece := os.read(terminal, 65536):
            pieces.append(piece)
    os.close(terminal)
    return b"".join(pieces).decode()


def _run(*arguments: str, columns: int = 80) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": str(columns), "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-m", "omnidetective", "eval", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


def test_the_nearest_name_is_told() -> None:
    done = _run("omni-close", "--help")
    assert done.returncode == 2
    assert "Did you mean 'omni-cloze'?" in done.stderr


@pytest.mark.parametrize("columns", [80, 100])
def test_help_fits_the_terminal(columns: int) -> None:
    from click.testing import CliRunner

    from omnidetective.cli.main import cli

    for name in ("", *BENCHMARKS):
        said = CliRunner().invoke(cli, ["eval", *([name] if name else []), "--help"], terminal_width=columns)
        assert said.exit_code == 0
        long = [line for line in said.output.splitlines() if len(line) > columns]
        assert not long, (name, long)


def test_many_captions_and_many_questions_are_planned_in_seconds(tmp_path: Path) -> None:
    blanks = [{"A": "a", "B": "b", "E": "none", "answer_key": "A", "required_modality": "audio"}] * 20
    data: list[dict[str, Any]] = [
        {"video_path": f"./videos/{n:07}.mp4", "cloze": {"passage": "p", "blanks": blanks}} for n in range(3000)
    ]
    rows = [
        {"video": f"/data/videos/{n // 4:07}.mp4", "prompt": f"question {n}", "caption": "a " * 200}
        for n in range(10_000)
    ]
    write_lines(tmp_path / "omni_cloze.jsonl", data)
    captions = write_lines(tmp_path / "captions.jsonl", rows)
    since = time.monotonic()
    found = read_predictions(captions)
    work = plan(OmniCloze(), tmp_path, found)
    one_clip = read_predictions(write_lines(tmp_path / "one.jsonl", [{**row, "video": "same.mp4"} for row in rows]))
    assert all(one_clip.find("same", prompt=str(row["prompt"])) is not None for row in rows)
    assert time.monotonic() - since < 20, "it takes about a second"
    assert sum(one is not None for _, one in work.matched) == 2500
