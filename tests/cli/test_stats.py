"""`omnidetective stats`, as a user meets it."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from report.output_files import audit, failure, record, write

from omnidetective.cli.main import cli
from omnidetective.findings import AuditSummary
from omnidetective.records import Usage


def run_stats(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["stats", *map(str, arguments)])


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Three records, one failure; one line is damaged, and one is being written."""
    refined: Any = {
        "audit_after": audit(),
        "audit_summary": AuditSummary(by="full", after_by="full"),
    }
    path = write(
        tmp_path / "out.jsonl",
        record("a", audit=audit({"speech": ("quotes",)}), **refined),
        "{damaged",
        record("b", audit=audit(), **refined, scores={"grounding": 0.75}),
        record("c", "rejected", reasons=("too_short: 5 tokens, at least 8 are wanted",)),
    )
    with path.open("a") as file:
        file.write(record("d").to_line()[:50])
    write(tmp_path / "out.failures.jsonl", failure("e"), failure("a"))
    return path


def test_the_tables_say_what_the_files_hold(output: Path) -> None:
    done = run_stats(output)
    assert done.exit_code == 0, done.output
    text = [" ".join(line.split()) for line in done.output.splitlines()]
    for line in (
        "3 records, 1 failure · workflow omnidetective",
        "line 2: not JSON",
        "accepted 50 % (2 of 4)",
        "rejected 25 % (1 of 4)",
        "provider_error 25 % (1 of 4)",
        "too_short 100 % (1 of 1)",
        "rate_limit 100 % (1 of 1)",
        "grounding 1 0.75 0.75 0.75 0.75",
        "all 2 50 % (1) 100 % (2) 50 % (1)",
        "all, before 2 50 % (1) 100 % (2) 50 % (1)",
        "all, after 2 100 % (2) 100 % (2) 100 % (2)",
        "quotes 1 1 0",
        "cost $0.00",
    ):
        assert line in text
    assert max(map(len, done.output.splitlines())) <= 80


def test_json_is_one_object_with_the_same_numbers(output: Path) -> None:
    done = run_stats(output, "--json")
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 1
    numbers = json.loads(done.stdout)
    assert (numbers["records"], numbers["failures"]) == (3, 1)
    assert numbers["first_bad_lines"] == [{"line_number": 2, "why": "not JSON"}]
    assert numbers["audit"]["again"]["full"]["after"]["clean"] == 2
    assert numbers["usage"]["cost_usd"] == 0.0


def test_in_json_an_unknown_cost_is_null(tmp_path: Path) -> None:
    costs = (None, Decimal("0.25"))
    path = write(tmp_path / "out.jsonl", *(record(str(c), usage=Usage(calls=1, cost_usd=c)) for c in costs))
    usage = json.loads(run_stats(path, "--json").stdout)["usage"]
    assert (usage["cost_usd"], usage["known_cost_usd"]) == (None, 0.25)


def test_a_run_without_any_record_shows_its_failures(tmp_path: Path) -> None:
    path = write(tmp_path / "out.jsonl")
    write(tmp_path / "out.failures.jsonl", failure("e"), "{damaged", failure("f"))
    done = run_stats(path)
    assert done.exit_code == 0
    assert "0 records, 2 failures" in done.output
    assert "1 line of the failures cannot be read" in done.output
    assert "provider_error  100 % (2 of 2)" in done.output


def test_a_missing_file_is_a_plain_error_and_exit_2(tmp_path: Path) -> None:
    done = run_stats(tmp_path / "nothing.jsonl")
    assert done.exit_code == 2
    assert "nothing.jsonl" in done.stderr
    assert "does not exist" in done.stderr
    assert run_stats(tmp_path).exit_code == 2


def test_a_file_that_is_no_output_is_a_plain_error_and_exit_2(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"id": "a", "video": "a.mp4"}\n{"id": "b", "video": "b.mp4"}\n')
    done = run_stats(path, "--json")
    assert done.exit_code == 2
    assert "holds no record: line 1: outcome" in " ".join(done.stderr.split())
    assert done.stdout == ""
