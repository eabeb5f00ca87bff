"""``omnidetective run`` as people meet it: messages, exit status, progress, log file."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import termios
from decimal import Decimal

import pytest
from engine.harness import SEARCH_PATH, Folder, Start

from omnidetective.cli.main import main
from omnidetective.engine.moment import Moment, money
from omnidetective.engine.progress import Bar, Lines, Silent, progress_for
from omnidetective.records import ModelUsage


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, said = process.communicate(timeout=40)
    assert out == ""
    assert "Traceback" not in said
    return process.returncode, said


def test_what_is_said_in_the_end_and_the_command_that_retries(folder: Folder, start: Start) -> None:
    seen = folder.path / "a seen file"
    folder.rows([{"id": "good"}, {"id": "later", "do": "fail_once", "seen": str(seen)}, {"id": 5, "video": None}])
    status, said = finish(start("--set", "limits.clip_timeout_s=50", "--num-workers", "2"))
    assert status == 1
    assert "1 clips done" in said
    assert "2 without a record: 1 no_media, 1 transient" in said
    assert f"why: {folder.failures_file}" in said
    assert "warning: [later] no record: the server is busy" in said
    assert "rows to mend in the input: 1" in said
    again = re.search("try them again: (.*)", said)
    assert again is not None
    given = "--input in.jsonl --output out.jsonl --num-workers 2 --set limits.clip_timeout_s=50 --retry-failed"
    assert again[1].endswith(f" run {given}")
    folder.rows([{"id": "good"}, {"id": "later"}])
    status, said = finish(start(*shlex.split(given)))
    assert (status, sorted(folder.ids())) == (0, ["good", "later"])
    assert "1 were done before" in said
    assert "without a record" not in said
    assert not folder.failures_file.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "limits.clip_timeouts=5"], "did you mean limits.clip_timeout_s"),
        (["--shard", "0/4"], "K goes from 1 to N"),
        (["--retry-failed", "--no-resume"], "choose one of them"),
        (["--input", "absent.jsonl"], "there is no input"),
        (["--output", "in.jsonl"], "also what the run would write"),
        (["--output", "."], "is a folder"),
        (["--num-workers", "0"], "--num-workers"),
        (["--log-file", "/proc/none/log"], "cannot write the log file"),
    ],
)
def test_mistakes_are_one_line_and_status_2(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    folder.rows([{"id": 1}])
    monkeypatch.chdir(folder.path)
    monkeypatch.setattr(sys, "argv", ["omnidetective", "run", "--input", "in.jsonl", "--output", "out.jsonl", *options])
    with pytest.raises(SystemExit) as ended:
        main()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # The process was to end here.
    assert ended.value.code == 2
    out, message = capsys.readouterr()
    assert said in message
    assert out == ""
    assert sorted(path.name for path in folder.path.iterdir()) == ["in.jsonl"]


def test_quiet_says_only_what_failed(folder: Folder, start: Start) -> None:
    folder.rows([{"id": 1}])
    assert finish(start("--quiet")) == (0, "")
    folder.rows([{"id": 1}, {"id": 2, "do": "fail"}])
    status, said = finish(start("--quiet"))
    assert status == 1
    assert said.splitlines()[0] == "1 without a record: 1 transient"


def test_many_failures_are_listed_in_part(folder: Folder, start: Start) -> None:
    folder.rows({"id": n, "do": "fail"} for n in range(50))
    _, said = finish(start())
    assert said.count("the server is busy") == 20
    assert f"all of them are in {folder.failures_file}" in said
    assert len(folder.failures()) == 50


def test_the_log_file_and_hostile_text(folder: Folder, start: Start) -> None:
    folder.rows([{"id": "bad\x1b[2J\nid", "do": "raise"}, {"id": "loud", "do": "log"}])
    _, said = finish(start("--log-file", "run.log"))
    assert "\x1b" not in said
    entries = [json.loads(line) for line in (folder.path / "run.log").read_text().splitlines()]
    assert {"bad\x1b[2J\nid", "loud"} <= {entry.get("clip") for entry in entries}
    assert any("ValueError: a fault in the pipeline" in entry.get("traceback", "") for entry in entries)
    assert all(entry["time"].startswith("20") and entry["level"] for entry in entries)


def test_a_key_that_lies_unused_is_told(folder: Folder, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.rows([{"id": 1}])
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    _, said = finish(start())
    assert re.search("note: .*OPENAI_API_KEY.*--models openai", said)
    assert "sk-canary" not in said
    assert "OPENAI_API_KEY" not in finish(start("--quiet"))[1]


def test_progress_on_a_terminal(folder: Folder) -> None:
    folder.rows({"id": n, "do": "fail" if n == 3 else "sleep", "seconds": 0.2} for n in range(12))
    ours, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 140))
    process = subprocess.Popen(
        [sys.executable, "-m", "engine.driver", "run", "--input", "in.jsonl", "--output", "out.jsonl"],
        cwd=folder.path,
        env={**os.environ, "PYTHONPATH": SEARCH_PATH},
        stderr=terminal,
        stdout=subprocess.PIPE,
    )
    os.close(terminal)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:
        pass  # What a terminal says at its end on Linux.
    os.close(ours)
    assert process.wait(20) == 1
    assert process.stdout is not None
    assert process.stdout.read() == b""
    text = shown.decode()
    assert re.search(r"100%\|█+\| 12/12 clips · 1 failed", text)
    assert re.search(r"0 in flight · .*22 calls · 1,210 tokens · \$0\.00", text)


def test_plain_lines_elsewhere() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    lines.show(Moment(total=7))
    lines.show(Moment(total=7, recorded=1))  # Too soon for another line.
    spent = ModelUsage(calls=4, unreported=1, prompt_tokens=1200, completion_tokens=34, cost_usd=None)
    lines.show(Moment(recorded=2, failed=1, skipped=3, in_flight=4, spent=spent))
    lines.close()
    lines.close()
    assert stream.getvalue().splitlines() == [
        "0/7 clips · 0 failed · ETA unknown · 0 in flight · 0 calls · 0 tokens · $0.00",
        "6 clips · 1 failed · ETA unknown · 4 in flight · 4 calls · 1,234+ tokens · cost unknown · 3 skipped",
    ]


def test_the_display_suits_the_stream() -> None:
    assert type(progress_for(io.StringIO(), quiet=False)) is Lines
    assert type(progress_for(io.StringIO(), quiet=True)) is Silent
    closed = io.StringIO()
    bar = Bar(closed)
    closed.close()
    bar.show(Moment(total=3))
    bar.write("nobody reads this")
    bar.close()


@pytest.mark.parametrize(
    ("cost", "text"), [(None, "unknown"), (0, "$0.00"), ("0.0042", "$0.0042"), ("12.345", "$12.35")]
)
def test_money(cost: str | int | None, text: str) -> None:
    assert money(None if cost is None else Decimal(cost)) in (text, text.replace("35", "34"))


def test_help_needs_no_heavy_imports(folder: Folder) -> None:
    code = (
        "import sys\n"
        "from omnidetective.cli.main import cli\n"
        "cli(['run', '--help'], standalone_mode=False)\n"
        "print([name for name in ('numpy', 'openai', 'pydantic', 'tqdm', 'asyncio', 'av') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Exit status:" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
