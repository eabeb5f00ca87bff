"""Outputs of shards joined into one: every id once, nothing missing, and a run goes on from it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from engine.harness import Folder
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.engine.lock import OutputLock
from omnidetective.engine.merge import merge
from omnidetective.engine.source import Shard
from omnidetective.errors import ConfigError

ROWS = [{"id": n, "do": "fail" if n in (3, 17) else None} for n in range(30)]


async def shards(folder: Folder, parts: int = 3) -> list[Path]:
    """The input done in parts, each to an output of its own."""
    whole = folder.output
    done = []
    for number in range(1, parts + 1):
        folder.output = folder.path / f"part{number}.jsonl"
        await folder.run(shard=Shard(number, parts))
        done.append(folder.output)
    folder.output = whole
    return done


def line(clip_id: str, caption: str = "") -> str:
    return json.dumps({"schema_version": 1, "id": clip_id, "caption": caption}) + "\n"


async def test_the_whole_in_the_order_of_the_input_and_a_run_has_nothing_left_to_do(folder: Folder) -> None:
    folder.rows([*ROWS, {"id": "no media", "video": None}])
    parts = await shards(folder)
    before = [path.read_bytes() for path in parts]
    merged = merge(parts, folder.output, input_path=folder.input)
    assert folder.ids() == [str(n) for n in range(30) if n not in (3, 17)]
    assert folder.reasons() == {"3": "transient", "17": "transient", "no media": "no_media"}
    assert (merged.records, set(merged.failed.first), merged.faulty_rows, merged.exit_status) == (28, {"3", "17"}, 1, 1)
    assert merged.missing is not None
    assert merged.unknown is not None
    assert (merged.missing.count, merged.unknown.count) == (0, 0)
    assert [path.read_bytes() for path in parts] == before
    assert not list(folder.path.glob("*.new"))
    summary = await folder.run()
    assert (summary.already_done, summary.failed_before, summary.recorded) == (28, 2, 0)


async def test_without_the_input_output_after_output(folder: Folder) -> None:
    folder.rows(ROWS)
    parts = await shards(folder)
    merged = merge(parts, folder.output)
    assert folder.output.read_bytes() == b"".join(path.read_bytes() for path in parts)
    assert (merged.missing, merged.unknown) == (None, None)


async def test_what_is_missing_and_what_nobody_asked_for(folder: Folder) -> None:
    folder.rows([*ROWS, {"id": "no media", "video": None}])
    parts = await shards(folder)
    there = {json.loads(text)["id"] for path in parts[1:] for text in path.read_text().splitlines()}
    with parts[1].open("a") as file:
        file.write(line("a stranger"))
    merged = merge(parts[1:], folder.output, input_path=folder.input)
    assert merged.missing is not None
    assert merged.unknown is not None
    failed = merged.failed.count
    told = merged.faulty_rows  # The row without media belongs to one of the parts too.
    assert merged.missing.count == 31 - len(there) - failed - told
    assert merged.unknown.first == ("a stranger",)
    assert merged.exit_status == 1
    assert folder.ids()[-1] == "a stranger"
    # A run on the new output does what is missing.
    await folder.run()
    assert set(folder.ids()) == {str(n) for n in range(30) if n not in (3, 17)} | {"a stranger"}
    assert len(folder.ids()) == 29
    assert set(folder.reasons()) == {"3", "17", "no media"}


def test_an_id_twice_is_an_error_even_where_the_lines_are_equal(tmp_path: Path) -> None:
    one, two, target = tmp_path / "one.jsonl", tmp_path / "two.jsonl", tmp_path / "all.jsonl"
    one.write_text(line("a") + line("b"))
    two.write_text(line("c") + line("b"))
    with pytest.raises(ConfigError, match=r"1 ids have more than one record: 'b', in .*one\.jsonl, .*two\.jsonl"):
        merge([one, two], target)
    two.write_text(line("c") + line("c"))
    with pytest.raises(ConfigError, match=r"'c', in .*two\.jsonl"):
        merge([one, two], target)
    with pytest.raises(ConfigError, match="given twice"):
        merge([one, one], target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.jsonl", "two.jsonl"]


def test_of_a_clip_with_a_record_no_failure_is_kept_and_of_several_failures_the_last(tmp_path: Path) -> None:
    def failure(clip_id: str, reason: str, kind: str = "TransientError") -> str:
        error = {"type": kind, "reason": reason}
        return json.dumps({"schema_version": 1, "id": clip_id, "error": error, "line_number": 1}) + "\n"

    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    one.write_text(line("a"))
    (tmp_path / "one.failures.jsonl").write_text(
        failure("b", "old") + failure("c", "old") + failure("a", "duplicate_id", "RowError")
    )
    two.write_text(line("b"))
    (tmp_path / "two.failures.jsonl").write_text(
        failure("a", "old") + failure("c", "new") + failure("a", "duplicate_id", "RowError")
    )
    merged = merge([one, two], tmp_path / "all.jsonl")
    kept = [json.loads(text) for text in merged.failures.read_text().splitlines()]
    assert [(line["id"], line["error"]["reason"]) for line in kept] == [("c", "new"), ("a", "duplicate_id")]
    assert (merged.failed.first, merged.faulty_rows) == (("c",), 1)


@pytest.mark.parametrize("torn", [line("b")[:-1], line("b")[:20], "\0\0\0", '{"id": "b"}\n', "{}\n"])
def test_torn_tails_are_refused(tmp_path: Path, torn: str) -> None:
    one = tmp_path / "one.jsonl"
    one.write_text(line("a") + torn)
    with pytest.raises(ConfigError, match="does not end in a whole line"):
        merge([one], tmp_path / "all.jsonl")
    one.write_text(line("a"))
    (tmp_path / "one.failures.jsonl").write_text(torn)
    with pytest.raises(ConfigError, match=r"one\.failures\.jsonl does not end"):
        merge([one], tmp_path / "all.jsonl")
    assert not (tmp_path / "all.jsonl").exists()


def test_damaged_lines_that_a_run_has_left_behind_are_left_out(tmp_path: Path) -> None:
    one = tmp_path / "one.jsonl"
    one.write_text(line("a") + "damaged\n" + line("b"))
    merged = merge([one], tmp_path / "all.jsonl")
    assert merged.damaged == 1
    assert merged.output.read_text() == line("a") + line("b")


def test_an_output_that_is_being_written_is_refused(tmp_path: Path) -> None:
    one = tmp_path / "one.jsonl"
    one.write_text(line("a"))
    lock = OutputLock(tmp_path / "one.lock")
    try:
        with pytest.raises(ConfigError, match="a run is writing"):
            merge([one], tmp_path / "all.jsonl")
    finally:
        lock.release()
    assert merge([one], tmp_path / "all.jsonl").records == 1


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    one = tmp_path / "one.jsonl"
    one.write_text(line("a"))
    for name in ("all.jsonl", "all.failures.jsonl"):
        (tmp_path / name).write_text("precious")
        with pytest.raises(ConfigError, match="is there already"):
            merge([one], tmp_path / "all.jsonl")
        assert (tmp_path / name).read_text() == "precious"
        (tmp_path / name).unlink()
    with pytest.raises(ConfigError, match="is there already"):
        merge([one], one)
    with pytest.raises(ConfigError, match="there is no output"):
        merge([tmp_path / "gone.jsonl"], tmp_path / "all.jsonl")


@given(st.lists(st.integers(0, 40), unique=True), st.integers(1, 200), st.randoms())
def test_law_any_split_of_any_input_is_joined_in_its_order(
    tmp_path_factory: pytest.TempPathFactory, clips: list[int], parts: int, moment: object
) -> None:
    folder = tmp_path_factory.mktemp("law")
    shuffle = moment.shuffle  # type: ignore[attr-defined]
    (folder / "in.jsonl").write_text("".join(json.dumps({"id": n, "video": "v"}) + "\n" for n in clips))
    outputs = [folder / f"{number}.jsonl" for number in range(1, parts + 1)]
    for number, output in enumerate(outputs, start=1):
        mine = [str(n) for n in clips if Shard(number, parts).holds(str(n))]
        shuffle(mine)
        output.write_text("".join(line(clip_id, "é" * int(clip_id)) for clip_id in mine))
    shuffle(outputs)
    merged = merge(outputs, folder / "all.jsonl", input_path=folder / "in.jsonl")
    texts = merged.output.read_text().splitlines(keepends=True)
    assert texts == [line(str(n), "é" * n) for n in clips]
    assert merged.exit_status == 0
    shutil.rmtree(folder)
