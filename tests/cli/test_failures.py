"""`omnidetective failures`, as a user meets it: on files, and on runs that are going on."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from engine.harness import Folder, until
from hypothesis import given, settings
from hypothesis import strategies as st
from report.output_files import failure, record, write

from omnidetective.cli.main import cli
from omnidetective.records import FailureRecord
from omnidetective.report.failing import standing
from omnidetective.report.layout import width

Start = Callable[..., "subprocess.Popen[str]"]


def run_failures(*arguments: str | Path, columns: int = 100) -> Result:
    return CliRunner().invoke(cli, ["failures", *map(str, arguments)], env={"COLUMNS": str(columns)})


def ids(*arguments: str | Path) -> list[str]:
    done = run_failures(*arguments, "--ids")
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()


def table(*arguments: str | Path, columns: int = 100) -> tuple[list[list[str]], list[str]]:
    """The cells of the table without its header, the message as the last one, and the lines after it."""
    done = run_failures(*arguments, columns=columns)
    assert done.exit_code == 0, done.output
    rows, _, after = done.stdout.partition("\n\n")
    header, *lines = rows.splitlines()
    assert header.split() == ["ID", "STAGE", "REASON", "TRIES", "AGAIN", "MESSAGE"]
    return [line.split(maxsplit=5) for line in lines], after.splitlines()


def why(clip_id: str, **detail: Any) -> FailureRecord:
    """A failure with some of its details."""
    one = failure(clip_id)
    return one.model_copy(update={"error": one.error.model_copy(update=detail)})


def row_fault(clip_id: str, reason: str = "duplicate_id") -> FailureRecord:
    return why(clip_id, type="RowError", reason=reason, stage="input", retryable=False)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """``a`` has a record and an older failure, and is given twice; ``c`` failed twice."""
    write(
        tmp_path / "out.failures.jsonl",
        why("a", attempts=5),
        why("c", message="the server is busy", attempts=5),
        row_fault("a"),
        why("d", reason="missing", type="MediaError", stage="intake", message="there is no d.mp4", retryable=False),
        why("c", reason="transient", message="the server went away", stage="investigate", attempts=3),
    )
    return write(tmp_path / "out.jsonl", record("a"), record("b"))


def test_each_failure_that_stands_is_one_line_the_newest_last(output: Path) -> None:
    rows, after = table(output)
    assert rows == [
        ["a", "input", "duplicate_id", "1", "no", "m"],
        ["d", "intake", "missing", "1", "no", "there is no d.mp4"],
        ["c", "investigate", "transient", "3", "yes", "the server went away"],
    ]
    assert after == [
        "3 failures, 1 can be tried again as they are",
        "mend 1 row of the input, then give the same command again",
        "where AGAIN is no, mend first what the message says",
        f"try again: omnidetective run … --output {output} --retry-failed",
    ]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), ["a", "d", "c"]),
        (("--reason", "missing"), ["d"]),
        (("--reason", "missing", "--reason", "transient"), ["d", "c"]),
        (("--retryable",), ["c"]),
        (("--retryable", "--reason", "missing"), []),
        (("--reason", "rate_limit"), []),  # an older failure of c, and one of a, which has a record
    ],
)
def test_failures_are_chosen_by_reason_and_by_what_can_help(
    output: Path, options: tuple[str, ...], found: list[str]
) -> None:
    assert ids(output, *options) == found


def test_json_prints_the_lines_as_they_are(output: Path) -> None:
    beside = output.with_name("out.failures.jsonl")
    lines = beside.read_bytes().splitlines(keepends=True)
    own = b'{ "id": "x",  "outcome": "new", "error": {"reason": "r", "later": [1]}, "more": "\xc3\xa9"}\n'
    beside.write_bytes(b"".join(lines) + own)
    done = run_failures(output, "--json")
    assert done.stdout_bytes == b"".join([*lines[2:], own])


def test_a_choice_that_nothing_fits_says_that_there_are_others(output: Path) -> None:
    assert run_failures(output, "--reason", "crashed").stdout == "no failures of this kind; 3 failures of others\n"


def test_where_nothing_failed_there_are_no_failures(tmp_path: Path) -> None:
    path = write(tmp_path / "out.jsonl", record("a"))
    assert run_failures(path).stdout == "no failures\n"
    write(tmp_path / "out.failures.jsonl", failure("a"))
    assert run_failures(path).stdout == "no failures\n"
    for option in ("--ids", "--json"):
        done = run_failures(path, option)
        assert (done.exit_code, done.output) == (0, "")


def test_an_output_without_a_record_yet_has_its_failures(tmp_path: Path) -> None:
    write(tmp_path / "out.failures.jsonl", failure("a"))
    assert ids(write(tmp_path / "out.jsonl")) == ["a"]


def test_lines_that_are_torn_anywhere_are_passed_over(output: Path) -> None:
    beside = output.with_name("out.failures.jsonl")
    before, records = beside.read_text(), output.read_text()
    for path, text in ((beside, failure("z").to_line()), (output, record("c").to_line())):
        for cut in (cut for cut in range(len(text)) if cut % 40 == 0 or text[cut - 1] == "}"):
            beside.write_text(before)
            output.write_text(records)
            with path.open("a") as file:
                file.write(text[:cut])
            assert ids(output) == ["a", "d", "c"], text[:cut]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=12),
    st.lists(st.sampled_from("abcd"), max_size=3),
)
def test_the_last_failure_of_each_clip_without_a_record_stands_and_every_fault_of_a_row(
    failed: list[tuple[str, bool]], done: list[str]
) -> None:
    lines = [row_fault(clip_id) if about_row else failure(clip_id) for clip_id, about_row in failed]
    last = {clip_id: n for n, (clip_id, about_row) in enumerate(failed, start=1) if not about_row}
    assert standing(
        [f"{line.to_line()}\n".encode() for line in lines],
        [f"{record(clip_id).to_line()}\n".encode() for clip_id in done],
    ) == {n for clip_id, n in last.items() if clip_id not in done} | {n for n, (_, row) in enumerate(failed, 1) if row}


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_a_long_message_is_cut_to_the_width_of_the_terminal(tmp_path: Path, columns: int) -> None:
    path = write(tmp_path / "out.jsonl")
    messages = ("short", "word " * 50_000, "視聴覚" * 50_000, "e\u0301" * 50_000)
    write(tmp_path / "out.failures.jsonl", *(why(f"clip{n}", message=text) for n, text in enumerate(messages)))
    rows = run_failures(path, columns=columns).stdout.splitlines()[1:5]
    assert rows[0].endswith("  short")
    for row in rows[1:]:
        assert row.endswith("…")
        assert width(row) <= columns
    assert width(rows[1]) == columns


def test_names_cannot_write_to_the_terminal_or_flood_it(tmp_path: Path) -> None:
    path = write(tmp_path / "out.jsonl")
    bad = "\x1b[2J\r\n\x9b31m\u202e\u2028" + "x" * 1_000_000
    write(tmp_path / "out.failures.jsonl", why(bad, message=bad, stage=bad, reason=bad, attempts=2**53))
    done = run_failures(path, columns=160).stdout
    table = done.partition("\n\n")[0].split("\n")
    assert len(table) == 2
    assert all(line.isprintable() and width(line) <= 160 for line in table)


def test_many_long_failures_take_no_long_time(tmp_path: Path) -> None:
    path = write(tmp_path / "out.jsonl")
    line = why("clip", message="視聴覚" * 200, type="RowError").to_line()
    (tmp_path / "out.failures.jsonl").write_text(f"{line}\n" * 5000)
    began = time.monotonic()
    rows, _ = table(path)
    assert len(rows) == 5000
    assert time.monotonic() - began < 10


def test_every_id_is_one_line_and_is_given_once(tmp_path: Path) -> None:
    path = write(tmp_path / "out.jsonl")
    names = ["two\nlines", "esc \x1b[31m", "片 \u3000 1", "plain id", "line\u2028separator"]
    write(tmp_path / "out.failures.jsonl", *map(failure, names), row_fault("plain id"), row_fault("plain id", "x"))
    given = run_failures(path, "--ids").stdout
    assert given.split("\n") == [
        r'"two\nlines"',
        r'"esc \u001b[31m"',
        "片 \u3000 1",
        "plain id",
        r'"line\u2028separator"',
        "",
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nothing.jsonl",), "does not exist"),
        ((".",), "is a directory"),
        (("in.jsonl",), "no output of a run: line 1: outcome"),
        (("out.failures.jsonl",), "name the output that it belongs to: "),
        (("out.jsonl", "--ids", "--json"), "choose one of --ids and --json"),
    ],
)
def test_a_mistake_is_a_plain_error_and_exit_2(output: Path, arguments: tuple[str, ...], told: str) -> None:
    (output.parent / "in.jsonl").write_text('{"id": "a", "video": "a.mp4"}\n')
    name, *options = arguments
    done = run_failures(output.parent / name, *options)
    assert done.exit_code == 2
    assert told in " ".join(done.stderr.split())
    assert done.stdout == ""


def test_failures_are_read_while_a_run_mends_them(folder: Folder, start: Start) -> None:
    begun = folder.path / "begun"
    hold = {"id": "hold", "do": "sleep", "seconds": 30, "mark": str(begun)}
    folder.rows(
        [
            {"id": "a", "do": "fail_once", "seen": str(folder.path / "seen")},
            {"id": "b", "do": "fail"},
            {"id": "a"},
        ]
    )
    start().communicate(timeout=30)
    assert sorted(ids(folder.output)) == ["a", "b"]
    assert "wait" not in run_failures(folder.output).stdout

    with folder.input.open("a") as file:
        file.write(json.dumps({"video": "v.mp4", **hold}) + "\n")
    start("--retry-failed", "--concurrency", "4")
    until(lambda: begun.exists() and folder.ids() == ["a"])
    until(lambda: folder.failures_file.read_bytes().count(b'"id":"b","outcome"') == 2)
    # The file still holds what failed before; what is true is less.
    rows, after = table(folder.output)
    assert [row[:3] for row in rows] == [["a", "input", "duplicate_id"], ["b", "investigate", "transient"]]
    assert "a run is going on: wait for its end first" in after
    assert [
        json.loads(line)["id"] for line in run_failures(folder.output, "--json", "--retryable").stdout.splitlines()
    ] == ["b"]
