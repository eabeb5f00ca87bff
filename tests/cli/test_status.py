"""`omnidetective status`, as a user meets it: on files, and on runs that are going on."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from engine.harness import Folder, until
from report.output_files import failure, record, write

from omnidetective.cli.main import cli
from omnidetective.records import Usage

Start = Callable[..., "subprocess.Popen[str]"]


def run_status(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["status", *map(str, arguments)])


def numbers(*arguments: str | Path) -> dict[str, Any]:
    done = run_status(*arguments, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert isinstance(said, dict)
    return said


def text(*arguments: str | Path) -> dict[str, str]:
    """What is said, by the name that it is said under."""
    done = run_status(*arguments)
    assert done.exit_code == 0, done.output
    assert max(map(len, done.output.splitlines())) <= 80
    said: dict[str, str] = {}
    name = ""
    for line in done.output.splitlines()[1:]:
        name = line[:11].strip() or name
        said[name] = f"{said.get(name, '')} {line[11:]}".strip()
    return said


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Three records, and failures of which one was mended and one was followed by another."""
    usage = Usage(calls=2, prompt_tokens=100, completion_tokens=10, cost_usd=Decimal("0.5"))
    write(
        tmp_path / "out.failures.jsonl",
        failure("a"),
        failure("e"),
        failure("e", reason="transient"),
        failure("f", usage=usage),
        failure("a", "invalid_media", "duplicate_id", type_name="RowError"),
    )
    return write(tmp_path / "out.jsonl", record("a", usage=usage), record("b", "rejected"), record("c"))


def test_a_finished_output_is_told_from_its_files(output: Path) -> None:
    os.utime(output, (1.8e9, 1.8e9))
    os.utime(output.with_name("out.failures.jsonl"), (1.7e9, 1.7e9))
    said = text(output)
    assert said["run"] == "none is going on"
    assert said["records"] == "3: 2 accepted, 1 rejected"
    assert said["failures"] == "3, 3 can be tried again: 1 duplicate_id, 1 rate_limit, 1 transient"
    assert said["last line"].startswith(f"{datetime.fromtimestamp(1.8e9, UTC):%Y-%m-%d %H:%M:%S} UTC, ")
    assert said["cost"] == "$1.00 for 4 calls, 220 tokens"
    assert set(said) == {"run", "records", "failures", "last line", "cost"}


def test_json_is_one_object_with_the_same_numbers(output: Path) -> None:
    said = numbers(output)
    assert said["output"] == str(output)
    assert said["run"] == {"state": "none"}
    assert (said["records"], said["outcomes"]) == (3, {"accepted": 2, "rejected": 1})
    assert (said["failures"], said["retryable"]) == (3, 3)
    assert said["failure_reasons"] == {"duplicate_id": 1, "rate_limit": 1, "transient": 1}
    assert said["spent"]["cost_usd"] == 1.0
    written_s = datetime.fromisoformat(said["last_line_at"]).timestamp()
    newest_s = max(path.stat().st_mtime for path in output.parent.iterdir())
    assert written_s == pytest.approx(newest_s, abs=0.01)


def test_an_unknown_cost_stays_unknown(tmp_path: Path) -> None:
    path = write(tmp_path / "out.jsonl", record("a", usage=Usage(calls=1, cost_usd=None)))
    assert text(path)["cost"].startswith("unknown for 1 call")
    assert numbers(path)["spent"]["cost_usd"] is None
    write(path, record("a", usage=Usage(calls=1, cost_usd=None)), record("b", usage=Usage(cost_usd=Decimal(2))))
    assert text(path)["cost"].startswith("at least $2.00")


def test_each_row_of_the_input_is_counted_once(output: Path) -> None:
    rows = [{"id": name, "video": "v.mp4"} for name in ("a", "b", "e", "g", "h", "a", "g")]
    path = output.with_name("in.jsonl")
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "{broken\n")
    assert numbers(output, "--input", path)["input"] == {
        "rows": 8,
        "done": 2,
        "failed": 1,
        "left": 2,
        "duplicates": 2,
        "unusable": 1,
    }
    assert text(output, "--input", path)["input"] == "8 rows: 2 left, 2 done, 1 failed, 2 duplicates of ids, 1 unusable"


def test_a_missing_input_is_a_plain_error(output: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "omnidetective", "status", str(output), "--input", "nothing.jsonl"],
        capture_output=True,
        text=True,
        check=False,
        cwd=output.parent,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (2, "error: there is no input nothing.jsonl\n")


def test_a_last_line_that_is_cut_anywhere_is_no_record(tmp_path: Path) -> None:
    whole = record("b", usage=Usage(calls=1)).to_line()
    path = tmp_path / "out.jsonl"
    for cut in (cut for cut in range(len(whole)) if cut % 40 == 0 or whole[cut - 1] == "}"):
        write(path, record("a"))
        with path.open("a") as file:
            file.write(whole[:cut])
        said = numbers(path)
        assert (said["records"], said["bad_lines"]) == (1, 0), whole[:cut]


def test_damaged_lines_are_named(output: Path) -> None:
    for path in (output, output.with_name("out.failures.jsonl")):
        path.write_text(path.read_text() + "{damaged\n[]\n")
    done = run_status(output)
    assert "damaged    2 lines of the output, the first is line 4\n" in done.output
    assert "damaged    2 lines of the failures\n" in done.output


def test_names_cannot_write_to_the_terminal_or_flood_it(tmp_path: Path) -> None:
    path = write(tmp_path / "out.jsonl", record("a"))
    reasons = [f"\x1b[31mred{n}\x9b\u202e{'x' * 100_000}" for n in range(30)]
    write(tmp_path / "out.failures.jsonl", *(failure(str(n), reason=reason) for n, reason in enumerate(reasons)))
    said = run_status(path).output
    assert said.replace("\n", "").isprintable()
    assert len(said) < 2000
    assert "22 more kinds" in " ".join(said.split())


@pytest.mark.parametrize("name", ["nothing.jsonl", "."])
def test_a_missing_output_is_a_plain_error_and_exit_2(tmp_path: Path, name: str) -> None:
    done = run_status(tmp_path / name)
    assert done.exit_code == 2
    assert str(tmp_path / name) in " ".join(done.stderr.split())


def test_a_file_that_is_no_output_is_a_plain_error_and_exit_2(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"id": "a", "video": "a.mp4"}\n')
    done = run_status(path)
    assert done.exit_code == 2
    assert "holds no record: line 1: outcome" in " ".join(done.stderr.split())


def test_a_run_is_read_while_it_goes_on(folder: Folder, start: Start) -> None:
    begun = folder.path / "begun"
    folder.rows(
        [
            {"id": "a"},
            {"id": "b", "do": "fail"},
            {"id": "c", "do": "unknown_cost"},
            *({"id": n, "do": "sleep", "seconds": 30, "mark": str(begun)} for n in range(3)),
            {"id": "a"},
        ]
    )
    process = start("--concurrency", "3")
    until(lambda: begun.exists() and begun.stat().st_size == 3 and len(folder.ids()) == 2)
    said = numbers(folder.output, "--input", folder.input)
    assert said["run"].pop("started_at").startswith("20")
    assert said["run"] == {"state": "running", "pid": process.pid, "host": socket.gethostname()}
    assert (said["records"], said["failures"], said["retryable"]) == (2, 2, 1)
    assert said["input"] == {"rows": 7, "done": 2, "failed": 1, "left": 3, "duplicates": 1, "unusable": 0}
    assert said["spent"]["cost_usd"] is None
    shown = text(folder.output)
    assert shown["run"].startswith(f"going on: process {process.pid} on ")
    assert process.poll() is None

    os.killpg(process.pid, signal.SIGKILL)
    process.wait(20)
    until(lambda: numbers(folder.output)["run"]["state"] == "killed")
    assert text(folder.output)["run"].startswith(f"none; the last one was killed: process {process.pid} on ")


def test_looking_on_does_not_disturb_a_run(folder: Folder, start: Start) -> None:
    """Neither its beginning, when the lock is taken, nor its end, when it is removed."""
    folder.rows({"id": n, "do": "fail" if n % 3 == 0 else "sleep", "seconds": 0.02} for n in range(60))
    process = start("--num-workers", "2", "--concurrency", "2")
    states = set()
    before = 0
    while process.poll() is None:
        if folder.output.exists():
            said = numbers(folder.output)
            states.add(said["run"]["state"])
            assert said["bad_lines"] == said["bad_failure_lines"] == 0
            assert said["records"] >= before
            before = said["records"]
    assert process.returncode == 1, process.communicate()
    assert states <= {"running", "none"}
    assert "running" in states
    assert numbers(folder.output)["run"] == {"state": "none"}
    assert (numbers(folder.output)["records"], numbers(folder.output)["failures"]) == (40, 20)


@pytest.mark.parametrize(
    ("content", "held", "state"),
    [
        ('{"pid": 1, "host": "HERE", "started_at": "2026-01-01T00:00:00+00:00"}', True, "running"),
        ('{"pid": 1, "host": "HERE", "started_at": "2026-01-01T00:00:00+00:00"}', False, "killed"),
        ('{"pid": 1, "host": "elsewhere", "started_at": "2026-01-01T00:00:00"}', True, "running"),
        ('{"pid": 1, "host": "elsewhere", "started_at": "2026-01-01T00:00:00"}', False, "unknown"),
        ("", True, "running"),
        ("", False, "killed"),
        ('{"pid": "\\u001b[31m", "host": 5, "started_at": "never"}', False, "killed"),
        ("[" * 100_000, False, "killed"),
    ],
)
def test_the_lock_says_who_and_the_kernel_says_whether(output: Path, content: str, held: bool, state: str) -> None:
    lock = output.with_name("out.lock")
    lock.write_text(content.replace("HERE", socket.gethostname()))
    os.utime(lock, (1.7e9, 1.7e9))
    with lock.open() as file:
        if held:
            fcntl.flock(file, fcntl.LOCK_EX)
        assert numbers(output)["run"]["state"] == state
        shown = text(output)["run"]
    assert shown.isprintable()
    assert ("process 1 on" in shown) == ('"pid": 1' in content)


def test_a_lock_that_is_being_taken_is_left_alone(output: Path) -> None:
    """A run that finds it locked would be refused."""
    output.with_name("out.lock").touch()
    assert text(output)["run"] == "going on: a run"


def test_a_lock_that_is_no_file_does_not_hang(output: Path) -> None:
    os.mkfifo(output.with_name("out.lock"))
    assert text(output)["run"].startswith("perhaps going on")


def test_an_output_behind_a_link_has_its_lock_and_failures_where_it_is(output: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "other.jsonl"
    link.symlink_to(output)
    assert numbers(link)["failures"] == 3
