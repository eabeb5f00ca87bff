"""One run over everything that can be wrong with a row or a file: each is a clear failure or a correct record."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from e2e.media_files import rotated, tone, truncated, video

LOCAL = [
    "--set", "observers.asr.enabled=false",
    "--set", "observers.ocr.enabled=false",
    "--set", "observers.sound.classify=false",
]  # fmt: skip


def run(
    folder: Path, lines: list[str], *options: str
) -> tuple[dict[str, Any], dict[str, Any], subprocess.CompletedProcess[str]]:
    """Records and failures by id, and how the command ended."""
    source, output = folder / "in.jsonl", folder / "out.jsonl"
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    env = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
    done = subprocess.run(
        [sys.executable, "-m", "omnidetective", "run",
         "--input", str(source), "--output", str(output), *LOCAL, *options],
        capture_output=True, text=True, timeout=240, env=env, cwd=folder, check=False,
    )  # fmt: skip
    failures = folder / "out.failures.jsonl"
    return _by_id(output), _by_id(failures), done


def _by_id(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len({row["id"] for row in rows}) == len(rows) or path.name.endswith("failures.jsonl")
    return {f"{row['id']}": row for row in rows}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any], Any]:
    folder = tmp_path_factory.mktemp("batch")
    video(folder / "good.mp4")
    video(folder / "silent.mp4", sound=False)
    tone(folder / "tone.wav")
    video(folder / "one_frame.mp4", seconds=0.04, rate=25, sound=False)
    video(folder / "odd.mp4", size="161x91")
    rotated(folder / "rotated.mp4")
    truncated(folder / "truncated.mp4")
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("this is no video at all\n" * 50)
    os.mkfifo(folder / "pipe.mp4")
    lines = [
        json.dumps({"id": "good", "video": "good.mp4", "mine": {"kept": [1, None]}}),
        '{"id": "torn", "video": "good.m',
        '["a", "list"]',
        "",
        json.dumps({"id": "no-media"}),
        json.dumps({"id": "two-media", "video": "good.mp4", "audio": "tone.wav"}),
        json.dumps({"id": "good", "video": "tone.wav"}),
        json.dumps({"id": "missing", "video": "nowhere.mp4"}),
        json.dumps({"id": "empty", "video": "empty.mp4"}),
        json.dumps({"id": "text", "video": "text.mp4"}),
        json.dumps({"id": "truncated", "video": "truncated.mp4"}),
        json.dumps({"id": "pipe", "video": "pipe.mp4"}),
        json.dumps({"id": "folder", "video": "."}),
        json.dumps({"id": "outside", "video": "/etc/passwd"}),
        json.dumps({"id": "silent", "video": "silent.mp4"}),
        json.dumps({"id": "tone", "audio": "tone.wav"}),
        json.dumps({"id": "sound-as-video", "video": "tone.wav"}),
        json.dumps({"id": "one-frame", "path": "one_frame.mp4"}),
        json.dumps({"id": "odd", "video": "odd.mp4"}),
        json.dumps({"id": "rotated", "video": "rotated.mp4"}),
        json.dumps({"id": 7, "video": "good.mp4"}),
        json.dumps({"video": "good.mp4"}),
        json.dumps({"id": "last", "url": "good.mp4"}),
    ]
    return run(folder, lines)


@pytest.mark.parametrize(
    ("clip", "reason", "told"),
    [
        ("no-media", "no_media", "names no media"),
        ("two-media", "ambiguous_media", "video, audio"),
        ("good", "duplicate_id", "earlier line"),
        ("missing", "missing", "nowhere.mp4"),
        ("empty", "empty", "empty.mp4"),
        ("text", "not_media", ""),
        ("truncated", "truncated", ""),
        ("pipe", "not_allowed", ""),
        ("folder", "not_allowed", ""),
        ("outside", "not_allowed", "media.roots"),
        ("sound-as-video", "no_video", ""),
    ],
)
def test_what_cannot_be_used_is_a_failure_line_that_says_why(
    results: tuple[dict[str, Any], dict[str, Any], Any], clip: str, reason: str, told: str
) -> None:
    records, failures, _ = results
    failure = failures[clip]
    assert failure["outcome"] == "invalid_media"
    assert failure["error"]["reason"] == reason
    assert told in failure["error"]["message"] + failure["error"].get("hint", "")
    assert failure["error"]["retryable"] is False
    if clip != "good":
        assert clip not in records


def test_lines_that_are_no_rows_are_failures_with_their_line_number(
    results: tuple[dict[str, Any], dict[str, Any], Any],
) -> None:
    _, failures, _ = results
    by_line = {row["line_number"]: row for row in failures.values()}
    assert by_line[2]["error"]["reason"] == "invalid_json"
    assert by_line[2]["input"].startswith('{"id": "torn"')
    assert by_line[3]["error"]["reason"] == "not_an_object"


@pytest.mark.parametrize(
    ("clip", "media"),
    [
        ("good", {"width": 160, "height": 90, "has_audio": True, "has_video": True, "modality": "video"}),
        ("silent", {"has_audio": False, "has_video": True}),
        ("tone", {"has_video": False, "modality": "audio"}),
        ("one-frame", {"has_video": True, "duration_s": 0.04}),
        ("odd", {"width": 161, "height": 91}),
        ("rotated", {"width": 90, "height": 160}),
        ("7", {"width": 160}),
        ("last", {"width": 160}),
    ],
)
def test_what_is_unusual_is_a_correct_record(
    results: tuple[dict[str, Any], dict[str, Any], Any], clip: str, media: dict[str, Any]
) -> None:
    records, _, _ = results
    record = records[clip]
    assert {key: record["media"][key] for key in media} == pytest.approx(media)
    assert record["caption"]
    for event in record.get("events", []):
        assert 0 <= event.get("start_s", 0) <= record["media"]["duration_s"]


def test_the_users_fields_are_handed_through(results: tuple[dict[str, Any], dict[str, Any], Any]) -> None:
    assert results[0]["good"]["input"] == {"id": "good", "video": "good.mp4", "mine": {"kept": [1, None]}}


def test_a_row_without_an_id_has_one_from_its_content(results: tuple[dict[str, Any], dict[str, Any], Any]) -> None:
    assert any(clip.startswith("row-") for clip in results[0])


def test_the_run_goes_to_its_end_and_says_that_some_failed(results: tuple[dict[str, Any], dict[str, Any], Any]) -> None:
    _, failures, done = results
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "failures.jsonl" in done.stderr
    assert len(failures) == 13


@pytest.mark.integration
def test_a_clip_of_two_hours_is_asked_for_frames(tmp_path: Path) -> None:
    from e2e.media_files import ffmpeg

    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=64x36:rate=1", "-t", "7200", "-g", "60", str(tmp_path / "long.mp4"))
    ask = [sys.executable, "-m", "omnidetective", "caption", str(tmp_path / "long.mp4"), "--json", *LOCAL]
    done = subprocess.run(ask, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["media"]["duration_s"] == pytest.approx(7200, abs=2)
