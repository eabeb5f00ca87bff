"""The state beside an output: whatever happens to it, it says what the files say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from engine.fakes import failure_of, record_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnidetective.cli.main import cli
from omnidetective.engine.feed import Batch, batches
from omnidetective.engine.ledger import Ledger
from omnidetective.engine.source import identity, read_lines
from omnidetective.records import FailureDetail, FailureRecord, InputRow

IDS = [f"clip {n}" for n in range(6)]


def row(clip_id: str, line: int = 1) -> InputRow:
    return InputRow(id=clip_id, media="v.mp4", raw={"id": clip_id, "video": "v.mp4"}, line_number=line)


def record(clip_id: str) -> bytes:
    return record_of(row(clip_id)).to_line().encode()


def failure(clip_id: str, reason: str = "transient") -> bytes:
    one = failure_of(row(clip_id))
    return one.model_copy(update={"error": one.error.model_copy(update={"reason": reason})}).to_line().encode()


def fault(clip_id: str, line: int) -> FailureRecord:
    detail = FailureDetail(type="RowError", message="m", stage="input", attempts=1, reason="no_media", retryable=False)
    return FailureRecord(id=clip_id, outcome="invalid_media", error=detail, input="x", line_number=line)


def known(ledger: Ledger) -> dict[str, set[str]]:
    found = ledger.known([*IDS, *(f"other {n}" for n in range(6))]).values()
    return {status: {clip.id for clip in found if clip.status == status} for status in ("done", "failed")}


def from_files(out: Path) -> dict[str, set[str]]:
    """Done and failed by a full reading of the files."""

    def lines(path: Path) -> Iterator[dict[str, Any]]:
        for line in path.read_bytes().split(b"\n") if path.exists() else ():
            try:
                yield json.loads(line)
            except ValueError:
                continue  # torn

    done = {line["id"] for line in lines(out)}
    failures = lines(out.with_name(f"{out.stem}.failures.jsonl"))
    return {"done": done, "failed": {f["id"] for f in failures if f["error"]["type"] != "RowError"} - done}


def state_of(out: Path) -> Path:
    return out.with_name(f"{out.stem}.state.sqlite")


def and_die(out: Path, work: Callable[[Ledger], None]) -> None:
    """Open the ledger in a process of its own, and end it there as kill -9 would."""
    if (child := os.fork()) == 0:
        try:
            work(Ledger(out))
            os._exit(7)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def begin_and_end(ledger: Ledger, clip_id: str, what: str) -> None:
    ledger.meet([], [(clip_id, 1)])
    ledger.begin(row(clip_id))
    if what == "record":
        ledger.add_record(clip_id, record(clip_id))
    elif what == "failure":
        ledger.add_failure(clip_id, failure(clip_id))


STEP = st.one_of(
    st.tuples(st.sampled_from(["record", "failure", "begin", "fault"]), st.sampled_from(IDS)),
    st.just(("sync", "")),
    st.just(("settle", "")),
)
HARM = st.sampled_from(
    ["nothing", "torn output", "torn failures", "no state", "state cut", "state garbage", "no wal", "old state"]
)


def harm(out: Path, what: str) -> None:
    state = state_of(out)
    match what:
        case "torn output" if out.exists():
            out.write_bytes(out.read_bytes() + record("other 1")[:-30])
        case "torn failures" if (failures := out.with_name("out.failures.jsonl")).exists():
            failures.write_bytes(failures.read_bytes() + failure("other 2")[:-30])
        case "no state":
            state.unlink(missing_ok=True)
        case "state cut" if state.exists():
            os.truncate(state, state.stat().st_size // 2)
        case "state garbage" if state.exists():
            state.write_bytes(b"\x00garbage" * 1000)
        case "no wal":
            state.with_name(f"{state.name}-wal").unlink(missing_ok=True)
        case "old state" if (kept := out.with_name("kept")).exists():
            for file in out.parent.glob("out.state.sqlite*"):
                file.unlink()
            shutil.copy(kept, state)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=st.lists(st.tuples(st.lists(STEP, max_size=14), HARM), min_size=1, max_size=4))
def test_killed_at_any_moment_and_harmed_the_state_says_what_the_files_say(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[list[tuple[str, str]], str]]
) -> None:
    out = tmp_path_factory.mktemp("law") / "out.jsonl"
    for steps, what in runs:

        def work(ledger: Ledger, steps: list[tuple[str, str]] = steps) -> None:
            done = known(ledger)["done"]
            for line, (step, clip_id) in enumerate(steps, start=1):
                if step == "sync":
                    ledger.sync()
                elif step == "settle":
                    ledger.settle()
                elif step == "fault":
                    ledger.add_row_faults([fault(clip_id, line)])
                elif clip_id not in done:
                    begin_and_end(ledger, clip_id, step)
                    done |= {clip_id} if step == "record" else set()

        and_die(out, work)
        harm(out, what)
        truth = from_files(out)
        with Ledger(out) as ledger:
            assert known(ledger) == truth
        if not out.with_name("kept").exists():
            shutil.copy(state_of(out), out.with_name("kept"))
        with Ledger(out) as ledger:  # and so it does when nothing was there to be mended
            assert known(ledger) == truth
            assert ledger.notes == []


def test_what_was_written_since_the_last_commit_is_read_from_the_files(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"

    def work(ledger: Ledger) -> None:
        begin_and_end(ledger, IDS[0], "record")
        ledger.sync()
        begin_and_end(ledger, IDS[1], "record")
        begin_and_end(ledger, IDS[2], "failure")

    and_die(out, work)
    with Ledger(out) as ledger:
        assert known(ledger) == {"done": {IDS[0], IDS[1]}, "failed": {IDS[2]}}
        assert ledger.notes == []


def test_a_state_of_another_output_and_lines_taken_out_of_this_one(tmp_path: Path) -> None:
    out, other = tmp_path / "out.jsonl", tmp_path / "other.jsonl"
    for path, ids in ((out, IDS[:3]), (other, ["other 0", "other 1", "other 2"])):
        with Ledger(path) as ledger:
            ledger.note_spent(Decimal(5))
            for clip_id in ids:
                begin_and_end(ledger, clip_id, "record")
    shutil.copy(state_of(other), state_of(out))
    with Ledger(out) as ledger:
        assert known(ledger)["done"] == set(IDS[:3])
        assert ledger.spent_usd == 0
    lines = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(lines[0] + lines[2])
    with Ledger(out) as ledger:
        assert known(ledger)["done"] == {IDS[0], IDS[2]}
        begin_and_end(ledger, IDS[1], "record")
    assert {json.loads(line)["id"] for line in out.read_bytes().splitlines()} == set(IDS[:3])


def test_failures_that_were_deleted_are_forgotten_and_nothing_else_is(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with Ledger(out) as ledger:
        begin_and_end(ledger, IDS[0], "record")
        begin_and_end(ledger, IDS[1], "failure")
        ledger.add_row_faults([fault("x", 4)])
    (tmp_path / "out.failures.jsonl").unlink()
    with Ledger(out) as ledger:
        assert known(ledger) == {"done": {IDS[0]}, "failed": set()}
    assert not (tmp_path / "out.failures.jsonl").exists()


def test_a_damaged_state_is_set_aside_and_a_foreign_one_too(tmp_path: Path) -> None:
    import sqlite3

    out = tmp_path / "out.jsonl"
    with Ledger(out) as ledger:
        begin_and_end(ledger, IDS[0], "record")
    state_of(out).write_bytes(b"SQLite format 3\0" + b"no" * 3000)
    with Ledger(out) as ledger:
        assert any("set aside" in note for note in ledger.notes)
        assert known(ledger)["done"] == {IDS[0]}
    state_of(out).unlink()
    with sqlite3.connect(state_of(out)) as mine:
        mine.execute("CREATE TABLE mine (x)")
    mine.close()
    with Ledger(out) as ledger:
        assert known(ledger)["done"] == {IDS[0]}
    kept = [path for path in tmp_path.iterdir() if ".damaged-" in path.name]
    assert len(kept) == 2


def test_a_state_of_another_version_is_made_again(tmp_path: Path) -> None:
    import sqlite3

    out = tmp_path / "out.jsonl"
    with Ledger(out) as ledger:
        begin_and_end(ledger, IDS[0], "record")
    with sqlite3.connect(state_of(out)) as state:
        state.execute("PRAGMA user_version = 99")
    state.close()
    with Ledger(out) as ledger:
        assert known(ledger)["done"] == {IDS[0]}
        assert ledger.notes == []


def test_damage_that_shows_late_costs_no_clip(tmp_path: Path) -> None:
    """Pages in the middle of the state are overwritten; that shows when a clip on them is looked up."""
    out = tmp_path / "out.jsonl"
    ids = [f"clip-{n:05}" for n in range(3000)]
    with Ledger(out) as ledger:
        for clip_id in ids:
            ledger.add_record(clip_id, record(clip_id))
    size = state_of(out).stat().st_size
    with state_of(out).open("r+b") as file:
        file.seek(size // 2)
        file.write(os.urandom(size // 3))
    said: list[str] = []
    with Ledger(out, warn=said.append) as ledger:
        assert {clip.id for clip in ledger.known(ids).values() if clip.status == "done"} == set(ids)
        ledger.add_record("one more", record("one more"))
        assert [clip.status for clip in ledger.known(["one more"]).values()] in ([], ["met"])
    assert said
    with Ledger(out) as ledger:
        assert {clip.status for clip in ledger.known([*ids, "one more"]).values()} == {"done"}


def test_a_state_that_cannot_be_made_is_kept_elsewhere(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with Ledger(out) as ledger:
        begin_and_end(ledger, IDS[0], "record")
    state_of(out).unlink()
    state_of(out).mkdir()
    with Ledger(out) as ledger:
        assert any("temporary" in note for note in ledger.notes)
        assert known(ledger)["done"] == {IDS[0]}
        begin_and_end(ledger, IDS[1], "record")
        begin_and_end(ledger, IDS[2], "failure")
    with Ledger(out) as ledger:
        assert known(ledger) == {"done": {IDS[0], IDS[1]}, "failed": {IDS[2]}}


def test_a_disk_that_is_full_for_the_state_alone_stops_nothing(tmp_path: Path) -> None:
    """RLIMIT_FSIZE lets the log of SQLite grow no further, while the output has room."""
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from engine.test_state import record, row\n"
        "from omnidetective.engine.ledger import Ledger\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (150_000,) * 2)\n"
        "with Ledger(Path(sys.argv[1]), warn=print) as ledger:\n"
        "    for n in range(120):\n"
        "        ledger.meet([], [(f'clip {n}', n + 1)])\n"
        "        ledger.begin(row(f'clip {n}', n + 1))\n"
        "        ledger.add_record(f'clip {n}', record(f'clip {n}'))\n"
        "        ledger.sync()\n"
        "    known = ledger.known(f'clip {n}' for n in range(120)).values()\n"
        "    print(len([one for one in known if one.status == 'done' and one.line]))\n"
    )
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "out.jsonl")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{tests}{os.pathsep}{tests.parent}"},
    )
    assert "temporary" in done.stdout, done
    assert done.stdout.count("temporary one") == 1
    with Ledger(tmp_path / "out.jsonl") as ledger:
        assert {clip.status for clip in ledger.known(f"clip {n}" for n in range(120)).values()} == {"done"}
        assert len(ledger.known(f"clip {n}" for n in range(120))) == 120


def pass_over(
    ledger: Ledger, path: Path, *, limit: int | None = None, again: Callable[[str, str], bool] = lambda _i, _r: False
) -> tuple[list[str], list[int], Batch]:
    """Ids to do, lines of duplicates, and counts, as a run would find them."""
    ledger.read_input(identity(path))
    whole = Batch()
    for batch in batches(read_lines(path), ledger, again=again, limit=limit):
        whole.wanted += batch.wanted
        whole.faults += batch.faults
        whole.done += batch.done
        whole.failed_before += batch.failed_before
    assert {one.error.reason for one in whole.faults} <= {"duplicate_id"}
    return [one.id for one in whole.wanted], [one.line_number for one in whole.faults], whole


def write_rows(path: Path, ids: list[str]) -> None:
    path.write_text("".join(json.dumps({"id": clip_id, "video": "v.mp4"}) + "\n" for clip_id in ids))


def test_duplicates_are_told_over_resumed_and_edited_inputs(tmp_path: Path) -> None:
    out, rows = tmp_path / "out.jsonl", tmp_path / "in.jsonl"
    write_rows(rows, ["a", "b", "a", "c", "b"])
    with Ledger(out) as ledger:
        assert pass_over(ledger, rows, limit=3)[:2] == (["a", "b"], [3])
        ledger.add_record("a", record("a"))
        ledger.add_failure("b", failure("b"))
    for _ in range(2):  # resumed, and resumed again without any change
        with Ledger(out) as ledger:
            wanted, lines, counts = pass_over(ledger, rows)
            assert (wanted, lines, counts.done, counts.failed_before) == (["c"], [3, 5], 1, 1)
    write_rows(rows, ["c", "x", "a", "b", "c", "a"])
    with Ledger(out) as ledger:
        wanted, lines, counts = pass_over(ledger, rows, again=lambda _id, _reason: True)
        assert (wanted, lines, counts.done) == (["c", "x", "b"], [5, 6], 1)
        ledger.add_record("c", record("c"))
    state_of(out).unlink()
    with Ledger(out) as ledger:
        assert pass_over(ledger, rows)[1] == [5, 6]


@settings(max_examples=40)
@given(
    ids=st.lists(st.sampled_from("abcdef"), max_size=12),
    done=st.sets(st.sampled_from("abcdef")),
    stops=st.lists(st.integers(1, 12), max_size=2),
)
def test_every_id_is_handed_out_once_and_every_other_line_of_it_is_a_duplicate(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str], done: set[str], stops: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    out, rows = folder / "out.jsonl", folder / "in.jsonl"
    write_rows(rows, ids)
    with Ledger(out) as ledger:
        for clip_id in sorted(done):
            ledger.add_record(clip_id, record(clip_id))
    first = {clip_id: ids.index(clip_id) + 1 for clip_id in ids}
    for limit in (*stops, None):
        with Ledger(out) as ledger:
            wanted, lines, counts = pass_over(ledger, rows, limit=limit)
        seen = ids[:limit]
        assert wanted == [one for one in dict.fromkeys(seen) if one not in done]
        assert lines == [n for n, one in enumerate(seen, start=1) if first[one] != n]
        assert counts.done == len(done & set(seen))


def test_money_is_kept_apart_from_the_records(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"

    def work(ledger: Ledger) -> None:
        ledger.note_spent(Decimal("1.10"))
        ledger.sync()
        ledger.note_spent(Decimal("7"))

    and_die(out, work)
    with Ledger(out) as ledger:
        assert ledger.spent_usd == Decimal("1.10")
        ledger.note_spent(ledger.spent_usd + Decimal("0.15"))
        ledger.add_record("a", record("a").replace(b'"cost_usd":0.0', b'"cost_usd":0.25'))
    with Ledger(out) as ledger:
        assert ledger.spent_usd == Decimal("1.25")
    state_of(out).unlink()
    with Ledger(out) as ledger:  # what the lines say is the least that was spent
        assert ledger.spent_usd == Decimal("0.25")
    with Ledger(out, resume=False) as ledger:
        assert ledger.spent_usd == 0


def told(command: str, *arguments: str | Path) -> str:
    done = CliRunner().invoke(cli, [command, *map(str, arguments)], env={"COLUMNS": "120"})
    assert done.exit_code == 0, done.output
    return done.stdout


STEPS_SEEN = st.lists(
    st.tuples(st.sampled_from(["record", "failure", "begin", "fault", "sync"]), st.sampled_from(IDS)), max_size=16
)


@settings(max_examples=50)
@given(steps=STEPS_SEEN)
def test_status_and_failures_say_the_same_with_and_without_the_state(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]]
) -> None:
    """While a run is going on, too: what the state does not cover yet is read from the files."""
    folder = tmp_path_factory.mktemp("look")
    out, rows = folder / "out.jsonl", folder / "in.jsonl"
    write_rows(rows, [*IDS, IDS[0]])
    with Ledger(out) as ledger:
        done: set[str] = set()
        for line, (step, clip_id) in enumerate(steps, start=1):
            if step == "sync":
                ledger.sync()
            elif step == "fault":
                ledger.add_row_faults([fault(clip_id, line)])
            elif clip_id not in done:
                begin_and_end(ledger, clip_id, step)
                done |= {clip_id} if step == "record" else set()
        with_state = [json.loads(told("status", out, "--input", rows, "--json")), told("failures", out, "--json")]
        away = folder / "away"
        away.mkdir()
        for name in ("out.jsonl", "out.failures.jsonl"):
            if (folder / name).exists():
                shutil.copy2(folder / name, away / name)
        from_the_files = [
            json.loads(told("status", away / "out.jsonl", "--input", rows, "--json")),
            told("failures", away / "out.jsonl", "--json"),
        ]
        assert not state_of(away / "out.jsonl").exists()
    for said in (with_state[0], from_the_files[0]):
        assert isinstance(said, dict)
        for name in ("output", "run", "in_flight", "attempts", "last_line_at"):
            said.pop(name, None)
    assert with_state == from_the_files


def test_what_is_in_flight_and_how_often_clips_were_begun(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"

    def numbers() -> tuple[int, int]:
        said = json.loads(told("status", out, "--json"))
        return said["in_flight"], said["attempts"]

    with Ledger(out) as ledger:
        for clip_id in IDS[:3]:
            begin_and_end(ledger, clip_id, "begin")
        ledger.add_failure(IDS[0], failure(IDS[0]))
        ledger.sync()
        assert numbers() == (2, 3)
        ledger.add_record(IDS[1], record(IDS[1]))  # not committed yet, but in the file
        assert numbers() == (1, 3)
    with Ledger(out) as ledger:
        begin_and_end(ledger, IDS[0], "record")
    assert numbers() == (0, 4)
    assert "clips were begun 4 times in all" in told("status", out)


def test_looking_writes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with Ledger(out) as ledger:
        begin_and_end(ledger, IDS[0], "failure")
    before = {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in tmp_path.iterdir()}
    told("status", out)
    told("failures", out)
    assert {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in tmp_path.iterdir()} == before
