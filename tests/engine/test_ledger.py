"""The files of a run: torn, repeated, damaged, locked, foreign, unwritable."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from engine.fakes import failure_of, record_of
from hypothesis import given, settings
from hypothesis import strategies as st

from omnidetective.engine.jsonl import AppendFile
from omnidetective.engine.ledger import Ledger
from omnidetective.errors import ConfigError
from omnidetective.records import FailureDetail, FailureRecord, InputRow

UGLY_IDS = [
    "plain",
    "ünïcode 👩‍🔬",
    'quo"te',
    "back\\slash",
    "line\nbreak",
    "\u2028",
    '","id":"x',
    "\\",
    "\x00",
    "7",
    "x" * 900,
]


def row(clip_id: str) -> InputRow:
    return InputRow(id=clip_id, media="v.mp4", raw={"id": clip_id, "video": "v.mp4"})


def record(clip_id: str) -> bytes:
    return record_of(row(clip_id)).to_line().encode()


def fault(clip_id: str, *, line: int, reason: str = "no_media") -> FailureRecord:
    detail = FailureDetail(type="RowError", message="m", stage="input", attempts=1, reason=reason, retryable=False)
    return FailureRecord(id=clip_id, outcome="invalid_media", error=detail, input="x", line_number=line)


def found(ledger: Ledger, status: str) -> set[str]:
    """What is known as done, or as failed."""
    asked = [*UGLY_IDS, "other", "one", 't"wo', "thrée", "first", *"abcdefxyz", *(f"clip-{n}" for n in range(1_000))]
    return {clip_id for clip_id, clip in ledger.known(asked).items() if clip.status == status}


def lines(path: Path) -> list[dict[str, Any]]:
    content = path.read_bytes()
    assert content.endswith(b"\n")
    return [json.loads(line) for line in content.split(b"\n")[:-1]]


def test_ids_come_back(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out.jsonl"
    with Ledger(out) as ledger:
        for clip_id in UGLY_IDS:
            ledger.add_record(clip_id, record(clip_id))
    with Ledger(out) as ledger:
        assert len(found(ledger, "done")) == len(UGLY_IDS)
        assert all(clip_id in found(ledger, "done") for clip_id in UGLY_IDS)
        assert "other" not in found(ledger, "done")
    assert sorted(path.name for path in out.parent.iterdir()) == ["out.jsonl", "out.state.sqlite"]


@settings(max_examples=100)
@given(clip_id=st.text(min_size=1, max_size=60))
def test_any_id_comes_back(tmp_path_factory: pytest.TempPathFactory, clip_id: str) -> None:
    out = tmp_path_factory.mktemp("ids") / "out.jsonl"
    with Ledger(out) as ledger:
        ledger.add_record(clip_id, record(clip_id))
    with Ledger(out) as ledger:
        assert [clip.status for clip in ledger.known([clip_id, "no other"]).values()] == ["done"]


def test_torn_at_every_byte(tmp_path: Path) -> None:
    """Wherever the last line is torn, what is kept is whole, and the clip is done again unless all of it is there."""
    out = tmp_path / "out.jsonl"
    before = record("one") + b"\n" + record('t"wo') + b"\n"
    last = record("thrée") + b"\n"
    for length in range(len(last) + 1):
        out.write_bytes(before + last[:length])
        with Ledger(out) as ledger:
            assert ("thrée" in found(ledger, "done")) == (length >= len(last) - 1)
            assert "one" in found(ledger, "done")
            assert 't"wo' in found(ledger, "done")
            ledger.add_record("four", record("four"))
        ids = [line["id"] for line in lines(out)]
        assert ids == ["one", 't"wo', *(["thrée"] if length >= len(last) - 1 else []), "four"]


@settings(max_examples=150)
@given(
    ids=st.lists(st.sampled_from(UGLY_IDS), min_size=1, max_size=4, unique=True),
    share=st.floats(0, 1),
    blocks=st.integers(0, 3),
)
def test_torn_anywhere_and_filled_with_zeros(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str], share: float, blocks: int
) -> None:
    """A power failure can leave empty blocks behind what was written."""
    # A folder of its own: a state of other lines, of the same length, that end with the same one cannot be told apart.
    out = tmp_path_factory.mktemp("torn") / "out.jsonl"
    whole = b"".join(record(clip_id) + b"\n" for clip_id in ids)
    kept = whole[: int(share * len(whole))]
    out.write_bytes(kept + b"\0" * 700 * blocks)
    with Ledger(out) as ledger:
        done = [clip_id for clip_id in ids if clip_id in found(ledger, "done")]
        # A line whose very last byte, the line break, is missing is whole when nothing stands behind it.
        unbroken = not blocks and len(kept) < len(whole) and whole[len(kept) : len(kept) + 1] == b"\n"
        assert done == ids[: kept.count(b"\n") + unbroken]
        for clip_id in ids[len(done) :]:
            ledger.add_record(clip_id, record(clip_id))
    assert [line["id"] for line in lines(out)] == ids


def test_torn_failures(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    whole = failure_of(row("a")).to_line().encode() + b"\n"
    (tmp_path / "out.failures.jsonl").write_bytes(whole + failure_of(row("b")).to_line().encode()[:-20])
    with Ledger(out) as ledger:
        assert "a" in found(ledger, "failed")
        assert "b" not in found(ledger, "failed")
        assert any("cut" in note for note in ledger.notes)
        ledger.add_failure("b", failure_of(row("b")).to_line().encode())
    assert [line["id"] for line in lines(tmp_path / "out.failures.jsonl")] == ["a", "b"]


def test_damaged_line_in_the_middle_is_told_and_done_again(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_bytes(record("a") + b"\n" + b'{"schema_version":1,"id":"b","outc' + b"\n" + record("c") + b"\n")
    with Ledger(out) as ledger:
        assert "b" not in found(ledger, "done")
        assert any("line 2" in note for note in ledger.notes)


def test_lines_that_another_tool_wrote_anew_are_read(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    rewritten = [json.dumps(dict(sorted(json.loads(record(clip_id)).items()))) for clip_id in UGLY_IDS]
    out.write_text("\r\n".join(rewritten) + "\r\n", newline="")
    with Ledger(out) as ledger:
        assert all(clip_id in found(ledger, "done") for clip_id in UGLY_IDS)


@pytest.mark.parametrize(
    "content",
    [
        b"my notes\n",
        b'{"id": 1, "video": "a.mp4"}\n{"id": 2, "vid',
        b"[]\n",
        b"notes without a line break",
        b"\x89PNG\r\n",
        b"\n",
    ],
)
def test_a_file_that_is_no_output_is_left_alone(tmp_path: Path, content: bytes) -> None:
    out = tmp_path / "out.jsonl"
    out.write_bytes(content)
    with pytest.raises(ConfigError, match="not an output"):
        Ledger(out)
    assert out.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


def test_failures_follow_what_is_true(tmp_path: Path) -> None:
    out, failures = tmp_path / "out.jsonl", tmp_path / "out.failures.jsonl"
    failed = {clip_id: failure_of(row(clip_id)).to_line().encode() for clip_id in "abc"}
    with Ledger(out) as ledger:
        for clip_id, line in failed.items():
            ledger.add_failure(clip_id, line)
        ledger.add_row_faults([fault("x", line=4)])
        ledger.add_row_faults([fault("y", line=9)])
    with Ledger(out) as ledger:
        assert len(found(ledger, "failed")) == 3
        ledger.add_record("a", record("a"))
        ledger.add_failure("b", failed["b"].replace(b"busy", b"down"))
        ledger.add_row_faults([fault("x", line=4)])
        ledger.settle(still_faulty=lambda found: found.line == 4)
        ledger.add_failure("d", failure_of(row("d")).to_line().encode())
    said = [(line["id"], line["error"]["message"]) for line in lines(failures)]
    assert said == [("c", "the server is busy"), ("x", "m"), ("b", "the server is down"), ("d", "the server is busy")]
    with Ledger(out) as ledger:
        assert "a" not in found(ledger, "failed")
        for clip_id in "bcd":
            ledger.add_record(clip_id, record(clip_id))
        ledger.settle(still_faulty=lambda found: False)
    assert not failures.exists()


def test_a_record_outweighs_the_failure_that_a_killed_run_left(tmp_path: Path) -> None:
    out, failures = tmp_path / "out.jsonl", tmp_path / "out.failures.jsonl"
    with Ledger(out) as ledger:
        ledger.add_failure("a", failure_of(row("a")).to_line().encode())
        ledger.add_failure("b", failure_of(row("b")).to_line().encode())
        ledger.add_record("a", record("a"))
    with Ledger(out) as ledger:
        assert "a" in found(ledger, "done")
        assert "a" not in found(ledger, "failed")
        assert [line["id"] for line in lines(failures)] == ["b"]


def test_a_new_run_keeps_the_old_one(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    for round_ in ("first", "second", "third"):
        with Ledger(out, resume=False) as ledger:
            assert len(found(ledger, "done")) == 0
            ledger.add_record(round_, record(round_))
            ledger.add_failure("f" + round_, failure_of(row("f" + round_)).to_line().encode())
    names = {path.name: lines(path)[0]["id"] for path in tmp_path.glob("*.jsonl")}
    assert names == {
        "out.bak1.jsonl": "first",
        "out.bak1.failures.jsonl": "ffirst",
        "out.bak2.jsonl": "second",
        "out.bak2.failures.jsonl": "fsecond",
        "out.jsonl": "third",
        "out.failures.jsonl": "fthird",
    }


def test_one_run_at_a_time(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    (tmp_path / "link.jsonl").symlink_to(out)
    with Ledger(out):
        # out.json has the same failures file, and the link is the same file.
        for other in (out, tmp_path / "out.json", tmp_path / "link.jsonl", tmp_path / "x" / ".." / "out.jsonl"):
            with pytest.raises(ConfigError, match=f"process {os.getpid()} on .*, since 20") as caught:
                Ledger(other)
            assert caught.value.reason == "output_in_use"
    with Ledger(out):
        pass


def test_the_lock_dies_with_its_holder(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    code = (
        "import os, sys; from pathlib import Path; from omnidetective.engine.ledger import Ledger\n"
        "Ledger(Path(sys.argv[1])); print('locked', flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(out)], stdout=subprocess.PIPE, check=False)
    assert done.stdout == b"locked\n"
    assert (tmp_path / "out.lock").exists()
    with Ledger(out):
        pass
    assert not (tmp_path / "out.lock").exists()


def test_outputs_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    for out, said in (
        (tmp_path, "is a folder"),
        (tmp_path / "pipe", "not a regular"),
        (tmp_path / "file" / "out", "is not a folder"),
    ):
        with pytest.raises(ConfigError, match=said):
            Ledger(out)


def test_a_full_disk_leaves_whole_lines(tmp_path: Path) -> None:
    """RLIMIT_FSIZE makes a write fail half way, as a full disk does."""
    out = tmp_path / "out.jsonl"
    line = record("a")
    code = (
        "import resource, signal, sys; from pathlib import Path; from omnidetective.errors import ConfigError\n"
        "from omnidetective.engine.ledger import Ledger\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "line = sys.stdin.buffer.read()\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(line) * 5 // 2},) * 2)\n"
        "ledger = Ledger(Path(sys.argv[1]))\n"
        "try:\n"
        "    for name in 'abc': ledger.add_record(name, line.replace(b'\"a\"', f'\"{name}\"'.encode()))\n"
        "except ConfigError as error: print(error.reason)\n"
        "ledger.close()"
    )
    done = subprocess.run([sys.executable, "-c", code, str(out)], input=line, capture_output=True, check=False)
    assert done.stdout == b"output_unwritable\n", done
    assert [found["id"] for found in lines(out)] == ["a", "b"]


def test_appending_from_a_reader_that_is_closed(tmp_path: Path) -> None:
    file = AppendFile(tmp_path / "f")
    file.append(b"{}")
    file.close()
    file.close()
    file.sync()
    assert (tmp_path / "f").read_bytes() == b"{}\n"
