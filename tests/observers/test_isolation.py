"""Whatever a package does costs its own questions: real packages in a real run with two workers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from observers.batches import QUICK, command, left_behind, of, pictures, run
from observers.misbehaving import ASKED, LOADED, package


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, dict[str, Any]], Path, str]:
    """One run over two clips with a tool box full of packages, all but two of which misbehave."""
    folder = tmp_path_factory.mktemp("batch")
    pictures(folder, 2)
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
        "--set", "investigate.observer_timeout_s=60",
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
    assert set(records) == {"p0", "p1"}
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
    log = (folder / "log.jsonl").read_text()
    assert "noisy: chatterchatter" in log
    assert "RuntimeError: lens cap on" in log
    assert "ModuleNotFoundError" in log
    assert len(log) < 3_000_000


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
    asked = command(tmp_path / "site", "caption", str(tmp_path / "p0.jpg"), "--set", "observers.lamp.word=dim", *QUICK)
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


@pytest.mark.integration
def test_actors_of_ray_start_hosts_themselves_and_leave_none_behind(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    pictures(tmp_path, 2)
    package(tmp_path / "site", "lamp")
    package(tmp_path / "site", "quits", ASKED["quits"][0])
    records, done = run(tmp_path, "--engine", "ray")
    assert done.returncode == 0, done.stderr
    for record in records.values():
        assert of(record, "lamp")["answer"].startswith("bright from ")
        assert of(record, "quits")["error"]["reason"] == "plugin_died"
    deadline = time.monotonic() + 60
    while left_behind(tmp_path / "site"):  # Ray takes its time to be gone.
        assert time.monotonic() < deadline, left_behind(tmp_path / "site")
        time.sleep(0.2)
