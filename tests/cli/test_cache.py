"""``omnidetective cache`` as it is used."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from omnidetective.cli.main import cli
from omnidetective.llm.cache import ResponseCache


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["cache", *map(str, arguments)])


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """An output with three answers kept beside it."""

    async def fill() -> None:
        kept = ResponseCache(tmp_path / "out.cache.sqlite")
        for key, model in (("a", "openai:gpt-4.1"), ("b", "openai:gpt-4.1"), ("c", "openai:whisper-1")):
            await kept.answer(key, model, ask, read=str)
        kept.close()

    async def ask() -> tuple[str, str]:
        return "{}", "{}"

    asyncio.run(fill())
    return tmp_path / "out.jsonl"


def test_stats_by_output_or_by_file(output: Path) -> None:
    for file in (output, output.with_name("out.cache.sqlite")):
        done = run("stats", file)
        assert done.exit_code == 0
        assert "3 answers" in done.output
        assert "openai:gpt-4.1    2" in done.output
    said = json.loads(run("stats", output, "--json").output)
    assert (said["replies"], said["by_model"]) == (3, {"openai:gpt-4.1": 2, "openai:whisper-1": 1})


def test_prune_keeps_what_was_used_lately(output: Path) -> None:
    assert "0 answers removed, 3 left" in run("prune", output).output
    assert "3 answers removed, 0 left" in run("prune", output, "--unused-for", "0").output


def test_an_output_without_answers_is_told(tmp_path: Path) -> None:
    done = run("stats", tmp_path / "out.jsonl")
    assert done.exit_code == 2
    assert "no kept answers" in done.output
