"""`omnidetective stats --compare-models`, as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from report.output_files import failure, record, write

from omnidetective.cli.main import cli
from omnidetective.records import ModelUsage, Usage


def run_stats(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["stats", *map(str, arguments)])


def used(prompt: int, completion: int, cost: str | None, *, calls: int = 1, **more: int) -> ModelUsage:
    return ModelUsage(
        calls=calls,
        prompt_tokens=prompt,
        completion_tokens=completion,
        cost_usd=None if cost is None else Decimal(cost),
        **more,
    )


def of_roles(**roles: ModelUsage) -> Usage:
    """A clip's usage whose roles are its stages and its models too."""
    total = dict(ModelUsage.sum_of(list(roles.values())))
    return Usage(**total, by_role=roles, by_stage={f"stage of {r}": u for r, u in roles.items()}, by_model=roles)


def told(done: Result) -> list[str]:
    assert done.exit_code == 0, done.output
    assert max(map(len, done.output.splitlines())) <= 80
    return [" ".join(line.split()) for line in done.output.splitlines()]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """At gpt-4.1's $2 and $8 a million: $6 for the agents, $2.40 for the judge; half of it in a failure."""
    one = of_roles(agent=used(500_000, 250_000, "0.30"), judge=used(200_000, 100_000, "0.90"))
    path = write(tmp_path / "out.jsonl", record("a", usage=one))
    write(tmp_path / "out.failures.jsonl", failure("b", usage=one))
    return path


def test_what_the_same_tokens_would_cost_as_a_whole_by_role_and_by_stage(output: Path) -> None:
    lines = told(run_stats(output, "--compare-models", "openai:gpt-4.1"))
    assert any(line.startswith("COMPARED WITH openai:gpt-4.1 at api.openai.com: $2.00") for line in lines)
    for line in (
        "all clips 1.4M 700k $2.40 $8.40 3.50x 71.4 %",
        "agent 1.0M 500k $0.6000 $6.00 10.0x 90.0 %",
        "judge 400k 200k $1.80 $2.40 1.33x 25.0 %",
        "stage of judge 400k 200k $1.80 $2.40 1.33x 25.0 %",
    ):
        assert line in lines
    assert "The very same tokens at another price" in " ".join(lines)


def test_several_models_and_one_that_would_cost_less(output: Path) -> None:
    done = run_stats(output, "--compare-models", "openai:gpt-4.1", "--compare-models", "openai:gpt-4.1-nano", "--json")
    assert done.exit_code == 0, done.output
    dear, cheap = json.loads(done.stdout)["compared"]
    assert (dear["model"], dear["host"], dear["there_usd"], dear["cost_usd"]) == (
        "openai:gpt-4.1", "api.openai.com", 8.4, 2.4,
    )  # fmt: skip
    assert dear["share_saved"] == pytest.approx(6 / 8.4, abs=1e-4)
    assert dear["by_role"]["agent"]["times_as_dear"] == 10
    assert cheap["there_usd"] == 0.42
    assert cheap["times_as_dear"] == 0.175
    assert cheap["share_saved"] == pytest.approx(-4.7143, abs=1e-4)
    assert "-471.4 %" in run_stats(output, "--compare-models", "openai:gpt-4.1-nano").output
    assert "compared" not in json.loads(run_stats(output, "--json").stdout)


def test_tokens_that_cost_nothing_or_nobody_knows_what_have_no_ratio(tmp_path: Path) -> None:
    usage = of_roles(
        own=used(1_000_000, 0, None),
        here=used(500_000, 0, "0"),
        paid=used(1_000_000, 100_000, "1"),
        sound=used(0, 0, "0.50"),
        silent=used(1_000, 0, None, unreported=1),
    )
    path = write(tmp_path / "out.jsonl", record("a", usage=usage))
    lines = told(run_stats(path, "--compare-models", "openai:gpt-4.1"))
    for line in (
        "all clips 2.5M+ 100k+ at least $1.50 $5.80+ – –",
        "own 1.0M 0 unknown $2.00 – –",
        "here 500k 0 $0.00 $1.00 – –",
        "paid 1.0M 100k $1.00 $2.80 2.80x 64.3 %",
        "sound 0 0 $0.5000 – – –",
        "silent 1,000+ 0+ unknown $0.0020+ – –",
    ):
        assert line in lines
    all_clips = json.loads(run_stats(path, "--compare-models", "openai:gpt-4.1", "--json").stdout)["compared"][0]
    assert all_clips["cost_usd"] is None
    assert all_clips["known_cost_usd"] == 1.5
    assert not {"times_as_dear", "share_saved"} & all_clips.keys()


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("openai:gpt-4.11", ("no price of openai:gpt-4.11 is known", "openai:gpt-4.1")),
        ("whatever", ("no price of whatever is known", "--prices")),
        ("openai:whisper-1", ("minute of sound",)),
        ("embedded:qwen", ("runs here",)),
    ],
)
def test_a_model_that_cannot_be_compared_is_an_error(output: Path, model: str, says: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "omnidetective", "stats", str(output), "--compare-models", model]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert not done.stdout
    assert "Traceback" not in done.stderr
    for part in says:
        assert part in " ".join(done.stderr.split())


def test_prices_of_ones_own_are_stronger_and_another_host_is_named(output: Path, tmp_path: Path) -> None:
    rows: Any = """
prices:
  - {match: "openai:gpt-4.1", host: api.openai.com, prompt: "1", completion: "1", source: mine, date: 2026-01-02}
  - {match: "vllm:big", host: gpu.example, prompt: "2", completion: "2", audio_prompt: "9", source: mine,
     date: 2026-01-02, max_prompt_tokens: 5000}
"""
    own = tmp_path / "own.yaml"
    own.write_text(rows)
    lines = told(
        run_stats(output, "--compare-models", "openai:gpt-4.1", "--compare-models", "vllm:big", "--prices", own)
    )
    assert "all clips 1.4M 700k $2.40 $2.10 0.88x -14.3 %" in lines
    assert "all clips 1.4M 700k $2.40 $4.20 1.75x 42.9 %" in lines
    text = " ".join(lines)
    assert "vllm:big at gpu.example" in text
    assert "Sound in prompts costs more there. The price holds for prompts of up to 5,000 tokens." in text
    alone = run_stats(output, "--prices", own)
    assert alone.exit_code == 2
    assert "--compare-models" in alone.output


def test_an_output_without_usage_has_nothing_to_compare(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    old = json.loads(record("a").to_line())
    del old["usage"]
    path.write_text(json.dumps(old) + "\n")
    done = run_stats(path, "--compare-models", "openai:gpt-4.1")
    assert done.exit_code == 2
    assert "does not say what its calls took" in " ".join(done.output.split())
