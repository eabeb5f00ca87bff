"""Whatever a package does costs its own questions: real packages in a real run with two workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from observers.misbehaving import ASKED, LOADED, package
from PIL import Image

_QUICK = (
    "--set", "observers.ocr.enabled=false",
    "--set", "observers.asr.enabled=false",
    "--set", "observers.sound.enabled=false",
)  # fmt: skip


def pictures(folder: Path, count: int) -> None:
    """An input of small pictures, each of another colour."""
    rows = []
    for number in range(count):
        Image.new("RGB", (64, 48), (40 * number, 90, 200)).save(folder / f"p{number}.jpg")
        rows.append(json.dumps({"id": f"p{number}", "image": f"p{number}.jpg"}))
    (folder / "in.jsonl").write_text("\n".join(rows) + "\n")


def command(site: Path, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line with these packages installed."""
    root = Path(__file__).resolve().parents[2]
    env = os.environ | {"PYTHONPATH": f"{site}{os.pathsep}{root}"}
    return subprocess.run(
        [sys.executable, "-m", "omnidetective", *arguments],
        capture_output=True, text=True, timeout=300, check=False, env=env, cwd=cwd,
    )  # fmt: skip


def run(folder: Path, *more: str) -> tuple[dict[str, dict[str, Any]], subprocess.CompletedProcess[str]]:
    """Do the input of a folder with two workers; its records by id."""
    done = command(
        folder / "site", "run", "--input", "in.jsonl", "--output", "out.jsonl", "--num-workers", "2",
        "--log-file", "log.jsonl", *_QUICK, *more, cwd=folder,
    )  # fmt: skip
    output = folder / "out.jsonl"
    records = [json.loads(line) for line in output.read_text().splitlines()] if output.exists() else []
    return {record["id"]: record for record in records}, done


def of(record: Mapping[str, Any], observer: str) -> dict[str, Any]:
    (found,) = [one for one in record["observations"] if one["observer"] == observer]
    return found


def left_behind(site: Path) -> list[str]:
    """Processes that have this folder in their environment."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if str(site).encode() in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:200])
            except OSError:
                continue
    return found


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, dict[str, Any]], Path, str]:
    """One run over three clips with a tool box full of packages, all but two of which misbehave."""
    folder = tmp_path_factory.mktemp("batch")
    pictures(folder, 3)
    site = folder / "site"
    package(site, "lamp")
    package(site, "noisy", "print('chatter' * 500_000)\nsys.stderr.write('noise' * 500_000)\nreturn say('quiet')")
    for name, (body, _, _) in ASKED.items():
        package(site, name, body)
    for name, (at_import, _) in LOADED.items():
        package(site, name, at_import=at_import)
    package(site, "misnamed", spec_name="other")
    package(site, "unready", at_set_up="1 / 0")
    records, done = run(
        folder,
        "--set", "investigate.observer_timeout_s=20",
        "--set", "observers.hangs.timeout_s=4",
        "--set", "observers.blocks.timeout_s=4",
        "--set", "observers.grows.memory_mb=300",
        "--set", "observers.stalls.load_timeout_s=3",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return records, folder, done.stdout + done.stderr


def test_every_clip_has_a_record_and_nothing_is_left_behind(
    batch: tuple[dict[str, dict[str, Any]], Path, str],
) -> None:
    records, folder, _ = batch
    assert set(records) == {"p0", "p1", "p2"}
    assert left_behind(folder / "site") == []


@pytest.mark.parametrize("name", ASKED)
def test_a_question_to_it_says_truly_what_went_wrong(
    batch: tuple[dict[str, dict[str, Any]], Path, str], name: str
) -> None:
    _, reason, told = ASKED[name]
    for record in batch[0].values():
        error = of(record, name)["error"]
        assert error["reason"] == reason
        assert told in error["message"]


def test_the_others_answer_from_one_process_for_both_workers(
    batch: tuple[dict[str, dict[str, Any]], Path, str],
) -> None:
    answers = {of(record, "lamp")["answer"] for record in batch[0].values()}
    assert len(answers) == 1
    assert answers.pop().startswith("bright from ")


def test_what_a_package_prints_is_in_the_log_alone_and_not_all_of_it(
    batch: tuple[dict[str, dict[str, Any]], Path, str],
) -> None:
    records, folder, shown = batch
    assert {of(record, "noisy")["answer"] for record in records.values()} == {"quiet"}
    assert "chatter" not in shown
    assert "noise" not in shown
    assert (folder / "log.jsonl").stat().st_size < 5_000_000


@pytest.mark.parametrize(
    ("name", "told"),
    [(name, told) for name, (_, told) in LOADED.items()]
    + [("misnamed", "they must agree"), ("unready", "ZeroDivisionError: division by zero")],
)
def test_one_that_cannot_be_loaded_is_named_before_the_run_with_its_reason(
    batch: tuple[dict[str, dict[str, Any]], Path, str], name: str, told: str
) -> None:
    (line,) = [line for line in batch[2].splitlines() if line.startswith(f"note: without {name},")]
    assert told in line


def test_one_that_was_set_up_and_cannot_work_ends_the_run_before_it_begins(tmp_path: Path) -> None:
    pictures(tmp_path, 1)
    package(
        tmp_path / "site",
        "lamp",
        at_set_up="from omnidetective.errors import ObserverUnavailableError\n"
        "        raise ObserverUnavailableError('no bulb', reason='no_bulb', hint='buy a bulb')",
    )
    _, done = run(tmp_path, "--set", "observers.lamp.word=dim")
    assert done.returncode == 2
    assert "no bulb" in done.stderr
    assert "buy a bulb" in done.stderr
    assert not (tmp_path / "out.jsonl").exists()
    asked = command(tmp_path / "site", "caption", str(tmp_path / "p0.jpg"), "--set", "observers.lamp.word=dim", *_QUICK)
    assert asked.returncode == 2
    assert "no bulb" in asked.stderr
    package(tmp_path / "site", "torch")
    records, done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert of(records["p0"], "torch")["answer"].startswith("bright from ")


def test_a_setting_that_a_package_does_not_have_is_refused_with_the_nearest(tmp_path: Path) -> None:
    package(tmp_path / "site", "lamp")
    listed = command(tmp_path / "site", "observers", "list", "--set", "observers.lamp.wrod=dim")
    assert listed.returncode == 2
    assert "unknown key observers.lamp.wrod; did you mean observers.lamp.word?" in listed.stderr


def test_one_that_is_switched_off_is_never_loaded(tmp_path: Path) -> None:
    trace = tmp_path / "loaded"
    package(tmp_path / "site", "lamp", at_import=f"open({str(trace)!r}, 'w')")
    listed = command(tmp_path / "site", "observers", "list", "--set", "observers.lamp.enabled=false")
    assert "switched off" in listed.stdout
    assert not trace.exists()
    assert "ready" in command(tmp_path / "site", "observers", "list").stdout
    assert trace.exists()
