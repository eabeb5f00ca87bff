"""What an input may say, and that whatever it says instead is a reason and never an exception."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnidetective.engine.ledger import Ledger
from omnidetective.engine.sorting import sort_lines
from omnidetective.engine.source import Shard, check_input, count_lines, read_lines
from omnidetective.errors import ConfigError, RowError
from omnidetective.records import FailureRecord, InputRow
from omnidetective.rows import parse_row

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["id", "video", "audio", "image", "path", "url", "else"])


def read(path: Path, content: bytes, **options: Any) -> list[InputRow | FailureRecord]:
    """What is to be done of an input of which nothing is done, and what is wrong with the rest."""
    path.write_bytes(content)
    rows: list[InputRow | FailureRecord] = []
    with Ledger(path.with_name("out.jsonl"), resume=False) as ledger:
        for some in sort_lines(read_lines(path, **options), ledger, again=lambda _id, _reason: False):
            assert not some.done
            assert not some.failed
            rows += some.rows
    return rows


@pytest.mark.parametrize("key", ["video", "audio", "image", "path", "url"])
def test_each_media_key_is_taken(key: str) -> None:
    row = parse_row(json.dumps({"id": "a", key: "clips/ä b.mp4", "mine": [1, {"x": None}]}).encode(), 7)
    assert row == InputRow(
        id="a",
        media="clips/ä b.mp4",
        declared=key if key in ("video", "audio", "image") else None,  # type: ignore[arg-type]
        raw={"id": "a", key: "clips/ä b.mp4", "mine": [1, {"x": None}]},
        line_number=7,
    )


def test_row_of_the_reference_implementation() -> None:
    row = parse_row({"id": 12, "url": "https://example.com/a.wav"})
    assert (row.id, row.media, row.declared) == ("12", "https://example.com/a.wav", None)


def test_nulls_of_an_exported_table_are_absent() -> None:
    row = parse_row({"id": None, "video": "a.mp4", "audio": None, "url": None})
    assert row.media == "a.mp4"
    assert row.id.startswith("row-")


def test_derived_id_depends_on_content_alone() -> None:
    one = parse_row(b'{"video": "a.mp4", "n": 1}', 1)
    same = parse_row(b'{ "n":1,"video":"a.mp4" }\r\n', 900)
    other = parse_row(b'{"video": "a.mp4", "n": 2}', 1)
    assert one.id == same.id != other.id
    # Fixed: a changed derivation would make finished clips be done again.
    assert one.id == "row-2dd3ef7ec25ae47d2d4ce4db"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "invalid_json"),
        (b'{"video": "a.mp4"} {}', "invalid_json"),
        (b"{'video': 'a.mp4'}", "invalid_json"),
        (b'{"video": "a\nb"}', "invalid_json"),
        (b"\x1f\x8b\x08", "invalid_utf8"),
        (b'{"video": "\xe4.mp4"}', "invalid_utf8"),
        (b'{"video": "a.mp4", "n": NaN}', "invalid_number"),
        (b'{"video": "a.mp4", "n": -Infinity}', "invalid_number"),
        (b'{"video": "a.mp4", "n": 1e999}', "invalid_number"),
        (b'{"video": "\\ud800.mp4"}', "lone_surrogate"),
        (b'{"video": ' + b"[" * 100_000, "too_deep"),
        (b'{"video": ' + b"[" * 400 + b"]" * 400 + b"}", "too_deep"),
        (b'["a.mp4"]', "not_an_object"),
        (b"null", "not_an_object"),
        (b"{}", "no_media"),
        (b'{"id": 1, "file": "a.mp4"}', "no_media"),
        (b'{"video": "a.mp4", "audio": "a.wav"}', "ambiguous_media"),
        (b'{"video": 5}', "invalid_media"),
        (b'{"video": "  "}', "invalid_media"),
        (b'{"video": ["a.mp4"]}', "invalid_media"),
        (b'{"video": "a\\u0000.mp4"}', "invalid_media"),
        (b'{"id": 1.5, "video": "a.mp4"}', "invalid_id"),
        (b'{"id": true, "video": "a.mp4"}', "invalid_id"),
        (b'{"id": "", "video": "a.mp4"}', "invalid_id"),
        (b'{"id": ["a"], "video": "a.mp4"}', "invalid_id"),
        (b'{"id": "' + b"x" * 1025 + b'", "video": "a.mp4"}', "invalid_id"),
        (b'{"id": ' + b"9" * 4000 + b', "video": "a.mp4"}', "invalid_id"),
    ],
)
def test_rows_that_say_nothing_usable(line: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(RowError) as caught:
        parse_row(line)
    assert caught.value.reason == reason

    good = b'{"id": "good", "video": "a.mp4"}\n'
    bad, after = read(
        tmp_path / "in.jsonl", line.replace(b"\n", b" " if reason != "invalid_json" else b"\x01") + b"\n" + good
    )
    assert isinstance(bad, FailureRecord)
    assert (bad.error.reason, bad.error.type, bad.line_number, bad.outcome) == (reason, "RowError", 1, "invalid_media")
    assert json.loads(bad.to_line())["id"] == bad.id
    assert isinstance(after, InputRow)
    assert (after.id, after.line_number) == ("good", 2)


@pytest.mark.parametrize(
    "row",
    [
        {"video": "a.mp4", "n": float("nan")},
        {"video": "a.mp4", "n": b"bytes"},
        {"video": "a.mp4", "n": (1, 2)},
        {"video": "a.mp4", 5: "x"},
        {"video": "\ud800"},
        {"id": "\udfff", "video": "a.mp4"},
    ],
)
def test_rows_from_python_must_be_json_too(row: dict[Any, Any]) -> None:
    with pytest.raises(RowError):
        parse_row(row)


@given(st.dictionaries(KEYS, JSON, max_size=5))
def test_any_mapping_is_a_row_or_a_reason(row: dict[str, Any]) -> None:
    try:
        parsed = parse_row(row)
    except RowError:
        return
    assert parsed.id.strip()
    assert parse_row(json.dumps(row).encode()) == parsed


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.binary(max_size=40) | st.builds(lambda r: json.dumps(r).encode(), st.dictionaries(KEYS, JSON))))
def test_any_bytes_are_rows_and_failures(tmp_path: Path, lines: list[bytes]) -> None:
    lines = [line.replace(b"\n", b" ") for line in lines]
    results = read(tmp_path / "in.jsonl", b"\n".join(lines))
    written = [
        number for number, line in enumerate(lines, 1) if line.removeprefix(b"\xef\xbb\xbf" * (number == 1)).strip()
    ]
    assert [result.line_number for result in results] == written
    good = [result.id for result in results if isinstance(result, InputRow)]
    assert len(good) == len(set(good))
    for result in results:
        if isinstance(result, FailureRecord):
            assert FailureRecord.model_validate_json(result.to_line()) == result


def test_bom_crlf_blank_lines_and_no_last_line_break(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf{"id": 1, "video": "a"}\r\n\r\n  \n{"id": 2, "video": "b"}\r\n{"id": 3, "video": "c"}'
    rows = read(tmp_path / "in.jsonl", content)
    assert [(row.id, row.line_number) for row in rows] == [("1", 1), ("2", 4), ("3", 5)]
    assert count_lines(tmp_path / "in.jsonl") == 5


def test_first_of_duplicates_counts(tmp_path: Path) -> None:
    long_id = "x" * 900
    rows = [{"id": 7, "video": "a"}, {"id": "7", "video": "b"}, {"video": "c"}, {"video": "c"}]
    rows += [{"id": long_id, "video": "d"}, {"id": long_id, "video": "e"}]
    results = read(tmp_path / "in.jsonl", "\n".join(map(json.dumps, rows)).encode())
    reasons = [result.error.reason if isinstance(result, FailureRecord) else None for result in results]
    assert reasons == [None, "duplicate_id"] * 3


def test_a_row_that_is_too_long_is_not_read_into_memory(tmp_path: Path) -> None:
    long = b'{"id": "long", "video": "' + b"x" * 5_000 + b'"}\n'
    fits = b'{"id": "fits", "video": "' + b"x" * (1_000 - 27) + b'"}\n'
    assert len(fits) == 1_001
    results = read(tmp_path / "in.jsonl", long + fits + long.strip(), max_line_bytes=1_000)
    first, second, third = results
    assert isinstance(first, FailureRecord)
    assert isinstance(third, FailureRecord)
    assert first.error.reason == third.error.reason == "line_too_long"
    assert isinstance(first.input, str)
    assert (second.id, second.line_number, third.line_number) == ("fits", 2, 3)


def test_shards_part_the_input(tmp_path: Path) -> None:
    content = "\n".join(json.dumps({"id": f"clip {n}", "video": "a"}) for n in range(400)).encode()
    parts = [{row.id for row in read(tmp_path / "in.jsonl", content, shard=Shard(k, 4))} for k in range(1, 5)]
    assert len(set.union(*parts)) == sum(map(len, parts)) == 400
    assert min(map(len, parts)) > 60


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "a/b", "1/0", "-1/4", "1/4/2", "", "١/٤x"])
def test_shards_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="--shard"):
        Shard.parse(text)


def test_inputs_that_can_never_be_read(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl.gz").write_bytes(b"\x1f\x8b\x08\x00")
    for path, said in (
        (tmp_path, "not a regular file"),
        (tmp_path / "no", "no input"),
        (tmp_path / "in.jsonl.gz", "unpack"),
    ):
        with pytest.raises(ConfigError, match=said):
            check_input(path)
